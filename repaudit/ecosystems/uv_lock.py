"""uv.lock, of version 1 (docs.astral.sh, "Lockfile")."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from repaudit.ecosystems._locks import audit_locked, audit_revision
from repaudit.ecosystems._structured import Places, read_toml, table, tables, text
from repaudit.ecosystems.interface import Document, Ecosystem
from repaudit.model.errors import MalformedError
from repaudit.model.pins import Pin, PinFinding


class _UvLock:
    name = "uv_lock"
    summary = "uv.lock: each file's hash, commits"

    def claims(self, path: str, head: bytes) -> bool:
        return path.rpartition("/")[2] == "uv.lock"

    def audit(self, document: Document) -> Iterator[Pin | PinFinding]:
        lock = read_toml(document)
        if lock.get("version") != 1:
            raise MalformedError(f"a uv.lock of version {str(lock.get('version'))[:20]}, not 1")
        places = Places(document)
        for package in tables(lock.get("package")):
            yield from _package(places, package)


def _package(places: Places, package: dict[str, Any]) -> Iterator[Pin | PinFinding]:
    name, version = text(package.get("name")), text(package.get("version"))
    where = places.of(f'name = "{name}"')
    source = table(package.get("source"))
    if "git" in source:
        # git = "https://host/repository?rev=asked#commit"
        address, _, commit = text(source["git"]).partition("#")
        yield from audit_revision(name, address.partition("?")[0], commit, where)
    elif "registry" in source or "url" in source:
        files = [*tables(package.get("wheels")), table(package.get("sdist"))]
        hashes = [one.get("hash") for one in files if one]
        yield from audit_locked(name, version, hashes, where, index=text(source.get("registry")))


ECOSYSTEM: Ecosystem = _UvLock()
