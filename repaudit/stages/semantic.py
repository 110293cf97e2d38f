"""Differences that do not change what an image does, by class: `repaudit diff --semantic`.

The names of the classes are those that diffoci has for what it can ignore (`--ignore-NAME`). Its
`canonical-paths` and `file-mode-redundant-bits` are ways to write one name or one mode in a tar
header; here they are the same, so what is left of them is `tar-format`. `no-manifest` is ours: what
a docker archive is packed in.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Sequence

from repaudit.model.difference import Aspect, Difference, Place
from repaudit.model.report import Ignored
from repaudit.model.text import is_time

CLASSES = (
    "file-order",
    "file-timestamps",
    "history",
    "image-name",
    "image-timestamps",
    "no-manifest",
    "tar-format",
)
_CREATED = re.compile(
    r"/config/created|/history/[0-9]+/created|.*/org\.opencontainers\.image\.created"
)
_NAME = re.compile(
    r".*/annotations/(org\.opencontainers\.image\.ref\.name|io\.containerd\.image\.name)"
)


def split(
    differences: Sequence[Difference], decisive: Container[Place] = ()
) -> tuple[tuple[Difference, ...], tuple[Ignored, ...]]:
    """Return the differences that are left, and how many of each class are not.

    What is `decisive` is left, whatever its class.
    """
    counts: Counter[str] = Counter()
    left = []
    for difference in differences:
        kind = class_of(difference)
        if kind is None or difference.place in decisive:
            left.append(difference)
        else:
            counts[kind] += 1
    return tuple(left), tuple(Ignored(kind=kind, count=counts[kind]) for kind in sorted(counts))


def class_of(difference: Difference) -> str | None:
    """Return the class of a difference that may be ignored, None for one that may not."""
    aspect, path, detail = difference.aspect, difference.path, difference.detail
    if difference.layer is None:
        if _CREATED.fullmatch(path):
            sides = difference.left, difference.right
            times = all(side is None or is_time(side) for side in sides)
            return "image-timestamps" if times else None
        if _NAME.fullmatch(path):
            return "image-name"
        if aspect is Aspect.PRESENCE and (path == "/manifest" or (path == "/index" and detail)):
            return "no-manifest"
        return "history" if aspect is Aspect.HISTORY else None
    if aspect is Aspect.MTIME:
        return "file-timestamps"
    if aspect is Aspect.ORDER:
        return None if detail else "file-order"  # which says what the order decides
    # Both sides are diff_ids: entries are the same, and how they are written is not.
    written = aspect is Aspect.COMPRESSION and str(difference.left).startswith("sha256:")
    return "tar-format" if written else None
