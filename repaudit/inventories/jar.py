"""Java archives: jars as files, and those within jars and wars, where Spring Boot keeps them.

What a jar is, it says itself in META-INF/maven/*/*/pom.properties; a jar without one, or with those
of all that was put into it, is named as its file is. A lock knows it by its bytes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from packageurl import PackageURL

from repaudit.formats import FORMATS, STEP, Budget, Kind
from repaudit.inventories.interface import Inventory
from repaudit.model.errors import UnreadableError
from repaudit.model.installed import Installed, Unidentified
from repaudit.oci.filesystem import Files

_ARCHIVES = (".jar", ".war", ".ear")
_LARGEST = 512 << 20
_DEEPEST = 3
_POM = re.compile(r"member META-INF/maven/[^/]+/[^/]+/pom\.properties")
_NAME = re.compile(r"(?P<name>.+?)-(?P<version>\d[^/]*)")
_MOST_PROPERTIES = 64 << 10


class _Jar:
    name = "jar"
    kind = "maven"

    def installed(self, files: Files) -> Iterator[Installed | Unidentified]:
        paths = [path for path in files.digests if path.lower().endswith(_ARCHIVES)]
        small = {path: _LARGEST for path in paths if files.size(path) <= _LARGEST}
        for path in paths:
            if path not in small:
                yield _unknown(path, files.digests[path], "it is too large to look into")
        for path, data in files.contents(small):
            yield from _look(path, data, files.digests[path], Budget(), 0)


def _look(
    path: str, data: bytes, digest: str, budget: Budget, depth: int
) -> Iterator[Installed | Unidentified]:
    """Yield what an archive is, and what is in it."""
    if depth > _DEEPEST:
        yield _unknown(path, digest, "archives are nested too deeply")
        return
    said: list[tuple[str, str, str]] = []
    inner = False
    try:
        for part in FORMATS.load("zip").parts(data, budget):
            budget.count(part)
            if part.kind is not Kind.FILE:
                continue
            if _POM.fullmatch(part.name):
                said.append(_coordinate(part.data[:_MOST_PROPERTIES]))
            elif part.name.lower().endswith(_ARCHIVES):
                inner = True
                name = part.name.removeprefix("member ").partition(STEP)[0]
                own = "sha256:" + hashlib.sha256(part.data).hexdigest()
                yield from _look(f"{path}!/{name}", part.data, own, budget, depth + 1)
    except UnreadableError as error:
        yield _unknown(path, digest, error.message)
        return
    yield _identified(path, digest, said, local=inner)


def _unknown(path: str, digest: str, reason: str) -> Unidentified:
    return Unidentified(kind="maven", path=path, reason=reason, digests=(digest,))


def _identified(
    path: str, digest: str, said: list[tuple[str, str, str]], *, local: bool
) -> Installed | Unidentified:
    """Return what a jar is by its own word; where it has many, by that which its file's name has.

    One that holds others (`local`) is what was built here.
    """
    plain = path.encode("utf-8", "replace").decode()
    stem = plain.rpartition("/")[2].rpartition(".")[0]
    fitting = [one for one in said if all(one) and stem.startswith(one[1])]
    own = [one for one in said if all(one)] if len(said) == 1 else fitting
    named = _NAME.fullmatch(stem)
    if own:
        group, name, version = max(own, key=lambda one: len(one[1]))
    elif named:
        group, name, version = "", named["name"], named["version"]
    elif local:
        group, name, version = "", stem or "unknown", ""
    else:
        return _unknown(path, digest, "neither it nor its name says what it is")
    package = PackageURL(
        type="maven", namespace=group or None, name=name, version=version or None
    ).to_string()
    return Installed(kind="maven", purl=package, path=path, digests=(digest,), local=local)


def _coordinate(data: bytes) -> tuple[str, str, str]:
    parts = FORMATS.load("properties").parts(data, Budget())
    found = {part.name: part.data.decode("utf-8", "replace").strip() for part in parts}
    names = ("key groupId", "key artifactId", "key version")
    group, name, version = (found.get(key, "") for key in names)
    return group, name, version


INVENTORY: Inventory = _Jar()
