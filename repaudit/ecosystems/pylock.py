"""pylock.toml (PEP 751; packaging.python.org, "pylock.toml Specification")."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from packaging.pylock import Pylock, PylockValidationError
from packaging.utils import InvalidSdistFilename, InvalidWheelFilename

from repaudit.ecosystems._locks import audit_locked, audit_revision
from repaudit.ecosystems._structured import Places, read_toml, table, tables, text
from repaudit.ecosystems.interface import Document, Ecosystem
from repaudit.model.errors import MalformedError
from repaudit.model.pins import Pin, PinFinding


class _Pylock:
    name = "pylock"
    summary = "pylock.toml: each file's hash, commits"

    def claims(self, path: str, head: bytes) -> bool:
        name = path.rpartition("/")[2]
        return name == "pylock.toml" or (
            name.startswith("pylock.") and name.endswith(".toml") and name.count(".") == 2
        )

    def audit(self, document: Document) -> Iterator[Pin | PinFinding]:
        lock = read_toml(document)
        try:
            Pylock.from_dict(lock)
        except (PylockValidationError, InvalidSdistFilename, InvalidWheelFilename) as error:
            raise MalformedError(f"no pylock.toml: {error}") from error
        except (ValueError, TypeError, AttributeError) as error:
            raise MalformedError(f"no pylock.toml: {error!r}"[:300]) from error
        places = Places(document)
        for package in tables(lock.get("packages")):
            yield from _package(places, package)


def _package(places: Places, package: dict[str, Any]) -> Iterator[Pin | PinFinding]:
    name, version = text(package.get("name")), text(package.get("version"))
    where = places.of(f'"{name}"')
    source = table(package.get("vcs"))
    if source:
        address = text(source.get("url")) or text(source.get("path"))
        yield from audit_revision(name, address, text(source.get("commit-id")), where)
        return
    files = [*tables(package.get("wheels")), table(package.get("sdist"))]
    files = [one for one in (*files, table(package.get("archive"))) if one]
    hashes = [_hashes(one) for one in files]
    if not package.get("directory"):
        yield from audit_locked(name, version, hashes, where, index=text(package.get("index")))


def _hashes(file: dict[str, Any]) -> str:
    found = table(file.get("hashes")).items()
    return " ".join(f"{name}:{value}" for name, value in found)


ECOSYSTEM: Ecosystem = _Pylock()
