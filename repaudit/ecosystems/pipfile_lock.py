"""Pipfile.lock, of spec 6 (pipenv.pypa.io)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from repaudit.ecosystems._catalogue import finding
from repaudit.ecosystems._locks import audit_locked, audit_revision
from repaudit.ecosystems._structured import Places, read_json, table, text
from repaudit.ecosystems.interface import Document, Ecosystem
from repaudit.model.errors import MalformedError
from repaudit.model.pins import Pin, PinFinding


class _PipfileLock:
    name = "pipfile_lock"
    summary = "Pipfile.lock: hashes, commits"

    def claims(self, path: str, head: bytes) -> bool:
        return path.rpartition("/")[2] == "Pipfile.lock"

    def audit(self, document: Document) -> Iterator[Pin | PinFinding]:
        lock = read_json(document)
        if "_meta" not in lock:
            raise MalformedError("no Pipfile.lock: it has no _meta")
        places = Places(document)
        for section, packages in lock.items():
            if section != "_meta":
                places.key(section)
                for name, package in table(packages).items():
                    yield from _package(places, name, table(package))


def _package(places: Places, name: str, package: dict[str, Any]) -> Iterator[Pin | PinFinding]:
    where = places.key(name)
    if "git" in package:
        yield from audit_revision(name, text(package["git"]), text(package.get("ref")), where)
    elif "path" not in package and not ("file" in package and "://" not in text(package["file"])):
        version = text(package.get("version"))
        found = package.get("hashes")
        hashes = found if isinstance(found, list) else []
        yield from audit_locked(name, version.removeprefix("=="), hashes, where)
        if "file" not in package and not version.startswith("=="):
            yield finding("PY001", where, f"{name} {version[:80]}: no exact version")


ECOSYSTEM: Ecosystem = _PipfileLock()
