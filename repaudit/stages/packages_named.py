"""Packages of other versions in two images of which no record says what their files hold.

npm packages name their version in package.json, jars in their own names. So what differs in one is
unexplained, under its name.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import msgspec
from msgspec import Struct

from repaudit.model.difference import Aspect, Difference
from repaudit.stages.alone import Alone
from repaudit.stages.contents import Contents
from repaudit.stages.packages import Package, Sides

#: The last folder of a package of npm's, and what lies in it.
_MODULE = re.compile(r"((?:.*/)?node_modules/(?:@[^/]+/)?[^/@.][^/]*)/(.+)", re.DOTALL)
_JAR = re.compile(r"((?:.*/)?)([^/]+?)-([0-9][^/]*)\.[jw]ar")
_MOST_BYTES = 1 << 20
#: The platform, the layers and the folder, and the name of a jar.
_Root = tuple[str | None, range | None, str]
_Key = tuple[str | None, range | None, str, str]


class _Manifest(Struct, frozen=True):
    name: str
    version: str


def npm_packages(
    differences: Sequence[Difference], contents: Contents, alone: Alone, sides: Sides
) -> Iterator[Package]:
    """Yield the packages whose package.json names other versions, or lies on one side alone."""
    below: dict[_Root, list[Difference]] = defaultdict(list)
    for one in differences:
        if "node_modules/" in one.path and (hit := _MODULE.fullmatch(one.path)):
            below[one.platform, sides.scope(one), hit[1]].append(one)
    for (platform, scope, root), some in below.items():
        manifest = [d for d in some if d.path == f"{root}/package.json"]
        for one in manifest:
            versions = _versions(one, contents, alone)
            if versions is not None and versions[0] != versions[1]:
                listed = dict.fromkeys([root, *(d.path for d in some)])
                above, folder, name = root.rpartition("node_modules/")
                yield Package(
                    kind="npm",
                    name=name,
                    versions=versions,
                    files=(listed, listed),
                    root=f"{above}{folder}",
                    platform=platform,
                    layers=scope,
                    digests=False,
                )


def _versions(
    one: Difference, contents: Contents, alone: Alone
) -> tuple[str | None, str | None] | None:
    """Return the versions that both sides' package.json name, None where one names none."""
    if one.aspect is Aspect.PRESENCE:
        content = alone.content(one.place)
        version = _version(content.data) if content else None
        lone = (None, version) if one.left is None else (version, None)
        return None if version is None else lone
    kept = contents.get((one.left, one.right)) if one.aspect is Aspect.CONTENT else None
    left, right = (_version(side.data) for side in kept.load()) if kept else (None, None)
    return None if left is None or right is None else (left, right)


def _version(data: bytes) -> str | None:
    if len(data) > _MOST_BYTES:
        return None
    try:
        return msgspec.json.decode(data, type=_Manifest).version
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def jars(differences: Iterable[Difference], sides: Sides) -> Iterator[Package]:
    """Yield the archives of which each side has one in the same folder, with another version."""
    found: dict[_Key, list[list[tuple[str, str]]]] = defaultdict(lambda: [[], []])
    for one in differences:
        lone = one.aspect is Aspect.PRESENCE and one.path.endswith(("jar", "war"))
        if lone and (hit := _JAR.fullmatch(one.path)):
            key = one.platform, sides.scope(one), hit[1], hit[2]
            found[key][1 if one.left is None else 0].append((hit[3], one.path))
    for (platform, scope, root, name), both in found.items():
        if list(map(len, both)) == [1, 1]:
            (before, old), (after, new) = both[0][0], both[1][0]
            yield Package(
                kind="jar",
                name=name,
                versions=(before, after),
                files=({old: None}, {new: None}),
                root=root,
                platform=platform,
                layers=scope,
                digests=False,
            )
