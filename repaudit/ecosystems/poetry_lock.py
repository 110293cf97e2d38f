"""poetry.lock, of lock versions 1 and 2, and pdm.lock, which has the same shape."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from repaudit.ecosystems._locks import audit_locked, audit_revision
from repaudit.ecosystems._structured import Places, read_toml, table, tables, text
from repaudit.ecosystems.interface import Document, Ecosystem
from repaudit.model.errors import MalformedError
from repaudit.model.pins import Pin, PinFinding


class _PoetryLock:
    name = "poetry_lock"
    summary = "poetry.lock and pdm.lock: each file's hash, commits"

    def claims(self, path: str, head: bytes) -> bool:
        return path.rpartition("/")[2] in ("poetry.lock", "pdm.lock")

    def audit(self, document: Document) -> Iterator[Pin | PinFinding]:
        lock = read_toml(document)
        if "package" in lock and not isinstance(lock["package"], list):
            raise MalformedError("no lock: package is no array of tables")
        elsewhere = table(table(lock.get("metadata")).get("files"))
        places = Places(document)
        for package in tables(lock.get("package")):
            yield from _package(places, package, elsewhere)


def _package(
    places: Places, package: dict[str, Any], elsewhere: dict[str, Any]
) -> Iterator[Pin | PinFinding]:
    name, version = text(package.get("name")), text(package.get("version"))
    where = places.of(f'name = "{name}"')
    source = table(package.get("source"))
    address = text(source.get("url")) or text(package.get("git"))
    if source.get("type") == "git" or package.get("git"):
        commit = text(source.get("resolved_reference")) or text(package.get("revision"))
        yield from audit_revision(name, address, commit, where)
    elif source.get("type") != "directory" and not package.get("path"):
        files = tables(package.get("files")) or tables(elsewhere.get(name))
        hashes = [one.get("hash") for one in files]
        yield from audit_locked(name, version, hashes, where, index=address)


ECOSYSTEM: Ecosystem = _PoetryLock()
