"""lockfile.json of maven-lockfile (github.com/chains-project/maven-lockfile), lock version 1."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from repaudit.ecosystems._catalogue import finding
from repaudit.ecosystems._purl import digests, pin, purl, strong
from repaudit.ecosystems._structured import Places, read_json, table, tables, text
from repaudit.ecosystems.interface import Document, Ecosystem
from repaudit.model.errors import MalformedError
from repaudit.model.pins import Location, Pin, PinFinding, Strength

_MARKS = (b'"lockFileVersion"', b'"mavenPlugins"', b'"artifactID"', b'"artifactId"')
_NESTED = ("children", "dependencies", "parentPom", "parent")
_POMS = frozenset({"parentPom", "parent"})
_DEEPEST = 100


class _MavenLockfile:
    name = "maven_lockfile"
    summary = "lockfile.json of maven-lockfile: checksums, and that of the pom"

    def claims(self, path: str, head: bytes) -> bool:
        return path.rpartition("/")[2] == "lockfile.json" and any(mark in head for mark in _MARKS)

    def audit(self, document: Document) -> Iterator[Pin | PinFinding]:
        lock = read_json(document)
        if not isinstance(lock.get("dependencies"), list):
            raise MalformedError("no lock of maven-lockfile: it has no dependencies")
        places = Places(document)
        yield from _pom(document, lock)
        for name in ("dependencies", "mavenPlugins", "mavenExtensions", "boms"):
            for one in tables(lock.get(name)):
                yield from _artifact(places, one, 0, "pom" if name == "boms" else "jar")


def _pom(document: Document, lock: dict[str, Any]) -> Iterator[PinFinding]:
    """Yield that the pom is another one than was locked."""
    kept = table(lock.get("pom"))
    algorithm = text(kept.get("checksumAlgorithm")).lower().replace("-", "")
    path = document.beside(text(kept.get("relativePath")) or "pom.xml")
    data = document.read(path)
    if data is None or algorithm not in ("sha256", "sha512", "sha1", "md5"):
        return
    if hashlib.new(algorithm, data, usedforsecurity=False).hexdigest() != kept.get("checksum"):
        where = Places(document).key("checksum")
        yield finding("JV006", where, f"{path} is not the pom.xml that was locked")


def _artifact(
    places: Places, one: dict[str, Any], depth: int, packaging: str
) -> Iterator[Pin | PinFinding]:
    if depth > _DEEPEST:
        raise MalformedError("dependencies nested too deeply")
    group, name, version = (text(one.get(key)) for key in ("groupId", "artifactId", "version"))
    where = places.key(name)
    if one.get("included") is not False:
        yield from _checksum(where, one, f"{group}:{name}:{version}"[:300], packaging)
    for key in _NESTED:
        inner = one.get(key)
        for child in [inner] if isinstance(inner, dict) else tables(inner):
            yield from _artifact(places, child, depth + 1, "pom" if key in _POMS else "jar")


def _checksum(
    where: Location, one: dict[str, Any], shown: str, packaging: str
) -> Iterator[Pin | PinFinding]:
    group, name, version = (text(one.get(key)) for key in ("groupId", "artifactId", "version"))
    algorithm = text(one.get("checksumAlgorithm")).lower().replace("-", "")
    hashes = digests(f"{algorithm}:{text(one.get('checksum'))}")
    classifier = text(one.get("classifier"))
    folder = f"/{group.replace('.', '/')}/{name}/{version}/"
    home, found, file = text(one.get("resolved")).rpartition(folder)
    ending = file.rpartition(".")[2] if found else packaging
    package = purl(
        "maven",
        name,
        version,
        namespace=group,
        classifier=classifier,
        type=None if ending == "jar" else ending,
        repository_url=home,
    )
    firm = Strength.HASHED if strong(hashes) else Strength.VERSIONED
    yield pin("maven", where, package, firm, hashes)
    if version.endswith("-SNAPSHOT"):
        yield finding("JV001", where, f"{shown} is a SNAPSHOT")
    if not strong(hashes):
        lacks = f"only {algorithm}" if hashes else "no checksum"
        yield finding("JV004", where, f"{shown}: {lacks}")


ECOSYSTEM: Ecosystem = _MavenLockfile()
