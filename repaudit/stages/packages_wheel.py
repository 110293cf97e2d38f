"""Python packages of other versions in two images, by the RECORD of each (packaging.python.org).

A folder *.dist-info is named after its version, so that of such a package each side has one alone.
"""

from __future__ import annotations

import csv
import re
from base64 import urlsafe_b64decode
from collections import defaultdict
from collections.abc import Iterable, Iterator
from posixpath import dirname, join, normpath

from packaging.utils import canonicalize_name

from repaudit.model.difference import Aspect, Difference
from repaudit.model.digest import sha256
from repaudit.stages.alone import Alone
from repaudit.stages.packages import Listed, Package, Sides

_RECORD = re.compile(r"(?P<root>(?:.*/)?)(?P<name>[^/-]+)-(?P<version>[^/-]+)\.dist-info/RECORD")
_SHA256 = "sha256="
#: A RECORD of a hundred thousand files is shorter, and so are the names of their folders.
_MOST_BYTES = 16 << 20
#: The platform, the layers, the folder and the name.
_Key = tuple[str | None, range | None, str, str]


def python_packages(
    differences: Iterable[Difference], alone: Alone, sides: Sides
) -> Iterator[Package]:
    """Yield the packages of which both images have one version each, or one image alone has one."""
    found: dict[_Key, list[list[tuple[str, Listed | None]]]] = defaultdict(lambda: [[], []])
    for one in differences:
        hit = _RECORD.fullmatch(one.path) if one.aspect is Aspect.PRESENCE else None
        if hit:
            key = one.platform, sides.scope(one), hit["root"], canonicalize_name(hit["name"])
            listed = hit["version"], _files(one, hit["root"], alone)
            found[key][1 if one.left is None else 0].append(listed)
    for (platform, scope, root, name), both in found.items():
        left, right = (one[0] if one else (None, dict[str, str | None]()) for one in both)
        # Of several nobody knows which was which.
        if max(map(len, both)) == 1 and left[1] is not None and right[1] is not None:
            yield Package(
                kind="pypi",
                name=name,
                versions=(left[0], right[0]),
                files=(left[1], right[1]),
                root=root,
                platform=platform,
                layers=scope,
            )


def _files(one: Difference, root: str, alone: Alone) -> Listed | None:
    """Return what a RECORD lists, None where it cannot be read.

    Of what lies elsewhere than its package, and of what has no digest there, it says too little.
    """
    content = alone.content(one.place)
    if content is None or content.size > _MOST_BYTES:
        return None
    try:
        found: dict[str, str | None] = {}
        for row in csv.reader(content.data.decode().splitlines(), strict=True):
            name, digest, _ = row
            path = normpath(join("/", root, name)).lstrip("/")
            found[path] = _digest(digest) if path.startswith(root) else None
    except (ValueError, csv.Error):
        return None
    room = _MOST_BYTES
    for path in list(found):
        while len(path := dirname(path)) > len(root) and path not in found:
            found[path] = None
            room -= len(path)
            if room < 0:
                return None  # a few rows may name as many folders as they are long
    found[one.path] = sha256(content.data)
    return found


def _digest(field: str) -> str | None:
    if not field.startswith(_SHA256):
        return None
    value = field.removeprefix(_SHA256)
    return f"sha256:{urlsafe_b64decode(value + '=' * (-len(value) % 4)).hex()}"
