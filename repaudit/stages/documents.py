"""How indexes, manifests and configs differ: a difference for each place, as a JSON pointer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from repaudit.model.difference import Aspect, Difference
from repaudit.model.image import Image, ImageSet
from repaudit.stages.entries import presence

#: The fields of a descriptor that say which blob it is; the blobs are compared themselves.
_ADDRESS = ("digest", "size")
_MISSING = object()


def compare_indexes(left: ImageSet, right: ImageSet) -> Iterator[Difference]:
    """Yield how two indexes differ beside their manifests."""
    if (left.index is None) != (right.index is None):
        yield presence(None, "/index", left.index, right.index)
    if left.index is not None and right.index is not None:
        a, b = json.loads(left.index), json.loads(right.index)
        yield from _json("/index", a, b, Aspect.ANNOTATION, skip=("manifests",))


def compare_documents(left: Image, right: Image) -> Iterator[Difference]:
    """Yield how manifest, config and history of two images differ, beside their layers."""
    if left.manifest is not None and right.manifest is not None:
        a, b = json.loads(left.manifest), json.loads(right.manifest)
        yield from _json("/manifest", a, b, Aspect.ANNOTATION, skip=("config", "layers"))
        sides = a["config"], b["config"]
        yield from _json("/manifest/config", *sides, Aspect.ANNOTATION, skip=_ADDRESS)
        # Other digests, sizes and media types of layers are told with the layers.
        for number, pair in enumerate(zip(a["layers"], b["layers"], strict=False)):
            where = f"/manifest/layers/{number}"
            yield from _json(where, *pair, Aspect.ANNOTATION, skip=(*_ADDRESS, "mediaType"))
    one, other = json.loads(left.config), json.loads(right.config)
    yield from _json("/config", one, other, Aspect.CONFIG, skip=("rootfs", "history"))
    histories = one.get("history") or [], other.get("history") or []
    yield from _json("/history", *histories, Aspect.HISTORY)


def _json(
    path: str, left: object, right: object, aspect: Aspect, skip: Sequence[str] = ()
) -> Iterator[Difference]:
    """Yield a difference for each place (RFC 6901 pointer) in which two documents differ."""
    if isinstance(left, dict) and isinstance(right, dict):
        for name in sorted((left.keys() | right.keys()) - set(skip)):
            step = name.replace("~", "~0").replace("/", "~1")
            sides = left.get(name, _MISSING), right.get(name, _MISSING)
            yield from _json(f"{path}/{step}", *sides, aspect)
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for number, (a, b) in enumerate(zip(left, right, strict=True)):
            yield from _json(f"{path}/{number}", a, b, aspect)
    elif _exact(left) != _exact(right):
        a, b = (None if x is _MISSING else _text(x) for x in (left, right))
        yield Difference(layer=None, path=path, aspect=aspect, left=a, right=b)


def _exact(value: object) -> str:
    """Return what two JSON values have in common if and only if they are the same."""
    return "" if value is _MISSING else json.dumps(value, sort_keys=True)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
