"""package-lock.json and npm-shrinkwrap.json, lock versions 1 to 3 (docs.npmjs.com)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from repaudit.ecosystems._catalogue import finding
from repaudit.ecosystems._purl import COMMIT, integrity, pin, purl, strong
from repaudit.ecosystems._structured import Places, read_json, table, text
from repaudit.ecosystems.interface import Document, Ecosystem
from repaudit.model.errors import MalformedError
from repaudit.model.pins import Location, Pin, PinFinding, Strength

_NAMES = frozenset({"package-lock.json", "npm-shrinkwrap.json", ".package-lock.json"})
_REPOSITORY = re.compile(r"git(?:\+[a-z]+)?:|(?:github|gitlab|bitbucket):")
_MOST_DEEP = 100


class _PackageLock:
    name = "package_lock"
    summary = "package-lock.json of npm: integrity, commits"

    def claims(self, path: str, head: bytes) -> bool:
        return path.rpartition("/")[2] in _NAMES

    def audit(self, document: Document) -> Iterator[Pin | PinFinding]:
        lock = read_json(document)
        if lock.get("lockfileVersion") not in (1, 2, 3):
            raise MalformedError(
                f"lockfileVersion {str(lock.get('lockfileVersion'))[:20]}, not 1 to 3"
            )
        places = Places(document)
        if "packages" in lock:
            for path, package in table(lock["packages"]).items():
                entry = table(package)
                where = places.key(path)
                if "node_modules/" in path and not entry.get("link"):
                    name = text(entry.get("name")) or path.rpartition("node_modules/")[2]
                    yield from _package(where, name, entry)
        else:
            yield from _dependencies(places, table(lock.get("dependencies")), 0)


def _dependencies(
    places: Places, packages: dict[str, Any], depth: int
) -> Iterator[Pin | PinFinding]:
    if depth > _MOST_DEEP:
        raise MalformedError("dependencies nested too deeply")
    for name, package in packages.items():
        entry = table(package)
        where = places.key(name)
        version = text(entry.get("version"))
        resolved = version if "://" in version or ":" in version else entry.get("resolved")
        if not version.startswith("file:"):
            yield from _package(where, name, entry | {"resolved": resolved})
        yield from _dependencies(places, table(entry.get("dependencies")), depth + 1)


def _package(where: Location, name: str, entry: dict[str, Any]) -> Iterator[Pin | PinFinding]:
    version, resolved = text(entry.get("version")), text(entry.get("resolved"))
    bundled = entry.get("inBundle") or entry.get("bundled")
    hashes = integrity(entry.get("integrity"))
    scope, slash, plain = name.rpartition("/")
    url = resolved if resolved.startswith(("http://", "https://")) else None
    package = purl("npm", plain, version, namespace=scope if slash else None, download_url=url)
    shown = f"{name} {version}"[:200]
    if _REPOSITORY.match(resolved):
        commit = resolved.rpartition("#")[2]
        fixed = bool(COMMIT.fullmatch(commit))
        yield pin("npm", where, package, Strength.LOCKED if fixed else Strength.FLOATING)
        if not fixed:
            yield finding("GIT001", where, f"{shown} from {resolved[:200]}: no commit")
        return
    strength = Strength.HASHED if strong(hashes) or bundled else Strength.VERSIONED
    yield pin("npm", where, package, strength, hashes)
    if bundled or resolved.startswith("file:"):
        return  # it comes inside of another package, or of this tree
    if not hashes:
        yield finding("NPM002", where, f"{shown}: no integrity")
    elif not strong(hashes):
        yield finding("NPM002", where, f"{shown}: only a weak integrity")


ECOSYSTEM: Ecosystem = _PackageLock()
