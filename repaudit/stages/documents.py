"""How manifests and configs differ: a difference for each place, as a JSON pointer."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from typing import Any

from msgspec import Struct

from repaudit.formats import matcher
from repaudit.model.difference import Aspect, Difference
from repaudit.model.image import Image
from repaudit.oci.blob import check_nesting

#: The fields of a descriptor that say which blob it is; the blobs are compared themselves.
ADDRESS = ("digest", "size")
_MISSING = object()
#: No builder writes more; longer histories are compared as a whole.
_MOST_STEPS = 1_000
_COMPRESSED = re.compile(r"[+.](gzip|zstd)$")


class _Number(Struct, frozen=True):
    """A number with a fraction or an exponent as it is written: floats would lose some of it."""

    text: str


def load(data: bytes) -> dict[str, Any]:
    """Return a JSON object that was checked, with all that it says.

    Of a key that stands there twice the last one counts; one before it is `KEY (earlier 1)`. Keys
    that differ in the case of letters alone are one to encoding/json of Go, for which the last one
    counts too: it is the value of `KEY, key (the last one)`.
    """
    value: dict[str, Any] = json.loads(data, object_pairs_hook=_object, parse_float=_Number)
    check_nesting(value, "a key that stands twice in a manifest or config")  # all else was checked
    return value


def _object(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    earlier: Counter[str] = Counter()
    for name, value in reversed(pairs):
        key = name
        while key in found:  # some key may be called so, too
            earlier[name] += 1
            key = f"{name} (earlier {earlier[name]})"
        found[key] = value
    return found | _folded(pairs, found)


def _folded(pairs: Sequence[tuple[str, object]], found: Container[str]) -> dict[str, object]:
    """Return which is the last of keys that differ in case alone, by all of them."""
    if len({name.casefold() for name, _ in pairs}) == len({name for name, _ in pairs}):
        return {}
    folded: dict[str, list[str]] = {}
    for name, _ in pairs:
        folded.setdefault(name.casefold(), []).append(name)
    last: dict[str, object] = {}
    for names in folded.values():
        if len(set(names)) > 1:
            key = f"{', '.join(sorted(set(names)))} (the last one)"
            while key in found:
                key += "'"
            last[key] = names[-1]
    return last


def compare_documents(left: Image, right: Image) -> Iterator[Difference]:
    """Yield how manifest, config and history of two images differ, beside their layers."""
    if left.manifest is not None and right.manifest is not None:
        a, b = load(left.manifest), load(right.manifest)
        yield from compare_json("/manifest", a, b, Aspect.ANNOTATION, skip=("config", "layers"))
        sides = a["config"], b["config"]
        yield from compare_json("/manifest/config", *sides, Aspect.ANNOTATION, skip=ADDRESS)
        layers = a.get("layers") or [], b.get("layers") or []
        alike = len(layers[0]) == len(layers[1])
        for number, pair in enumerate(zip(*layers, strict=False)):
            skip = _told_with_layers(*pair, alike=alike)
            where = f"/manifest/layers/{number}"
            yield from compare_json(where, *pair, Aspect.ANNOTATION, skip=skip)
    elif (left.manifest is None) != (right.manifest is None):
        yield _alone(left, right)
    one, other = load(left.config), load(right.config)
    yield from compare_json("/config", one, other, Aspect.CONFIG, skip=("rootfs", "history"))
    sides = one["rootfs"], other["rootfs"]
    yield from compare_json("/config/rootfs", *sides, Aspect.CONFIG, skip=("diff_ids",))
    for here, there in zip(left.layers, right.layers, strict=False):
        if here.descriptor.digest == there.descriptor.digest:  # they are not opened
            where = f"/config/rootfs/diff_ids/{here.index}"
            yield from compare_json(where, here.diff_id, there.diff_id, Aspect.CONFIG)
    histories = one.get("history") or [], other.get("history") or []
    if all(isinstance(side, list) for side in histories):
        yield from _compare_histories(*histories)
    else:  # it is none, and no reader's
        yield from compare_json("/history", *histories, Aspect.CONFIG)


def _compare_histories(left: list[Any], right: list[Any]) -> Iterator[Difference]:
    """Yield how two histories differ; of two lengths, which steps one alone has.

    As many steps between two that both have are compared one by one; else they are told whole, each
    with the number that it has.
    """
    if len(left) == len(right) or max(len(left), len(right)) > _MOST_STEPS:
        yield from compare_json("/history", left, right, Aspect.HISTORY)
        return
    words = [*map(_words, left)], [*map(_words, right)]
    blocks = matcher(*words, autojunk=False).get_opcodes()
    lone: tuple[dict[int, str], dict[int, str]] = ({}, {})
    for _, i, i_end, j, j_end in blocks:
        if i_end - i == j_end - j:
            for number, pair in enumerate(zip(left[i:i_end], right[j:j_end], strict=True), i):
                yield from compare_json(f"/history/{number}", *pair, Aspect.HISTORY)
        else:
            lone[0].update((number, _exact(left[number])) for number in range(i, i_end))
            lone[1].update((number, _exact(right[number])) for number in range(j, j_end))
    for number in sorted(lone[0].keys() | lone[1].keys()):
        yield Difference(
            layer=None,
            path=f"/history/{number}",
            aspect=Aspect.HISTORY,
            left=lone[0].get(number),
            right=lone[1].get(number),
        )


def _words(step: object) -> str:
    """Return what a step of a history did, as it says."""
    return _exact(step.get("created_by", _MISSING) if isinstance(step, dict) else step)


def _alone(left: Image, right: Image) -> Difference:
    """Return the difference that one side has a manifest, and what can be told without the other.

    It is by the manifest's digest that registries, signatures and verifiers know an image.
    """
    side, none = ("right", left) if left.manifest is None else ("left", right)
    name = left.manifest_digest or right.manifest_digest
    lines = [
        f"on the {side} alone: the other side is a docker archive, and those keep no manifest",
        f"not compared: what it says, and its digest, by which a verifier knows the image: {name}",
    ]
    if left.config_digest == right.config_digest:
        lines.append(f"the config, which lists the layers, is the same: {none.config_digest}")
    pairs = list(zip(left.layers, right.layers, strict=False))
    same = sum(one.diff_id == other.diff_id for one, other in pairs)
    stored = sum(
        one.diff_id == other.diff_id and one.descriptor.digest != other.descriptor.digest
        for one, other in pairs
    )
    lines.append(f"layers that hold the same: {same} of {max(len(left.layers), len(right.layers))}")
    if stored:
        lines.append(f"of those, compressed on one side alone, or in another way: {stored}")
    return Difference(
        layer=None,
        path="/manifest",
        aspect=Aspect.PRESENCE,
        left=left.manifest_digest,
        right=right.manifest_digest,
        detail="\n".join(lines),
    )


def _told_with_layers(
    left: dict[str, Any], right: dict[str, Any], *, alike: bool
) -> tuple[str, ...]:
    """Return the fields of two layers' descriptors of which all is told with the layers.

    A blob of one digest is not opened, so its size may lie. `alike` images are compared layer by
    layer.
    """
    if left["digest"] == right["digest"]:
        return ()
    packed = alike and packed_otherwise(left.get("mediaType", ""), right.get("mediaType", ""))
    return (*ADDRESS, "mediaType") if packed else ADDRESS


def packed_otherwise(left: str, right: str) -> bool:
    """Whether two media types differ, and in the compression alone."""
    return left != right and _COMPRESSED.sub("", left) == _COMPRESSED.sub("", right)


def compare_json(
    path: str, left: object, right: object, aspect: Aspect, skip: Sequence[str] = ()
) -> Iterator[Difference]:
    """Yield a difference for each place (RFC 6901 pointer) in which two documents differ."""
    if isinstance(left, dict) and isinstance(right, dict):
        for name in sorted((left.keys() | right.keys()) - set(skip)):
            step = name.replace("~", "~0").replace("/", "~1")
            sides = left.get(name, _MISSING), right.get(name, _MISSING)
            yield from compare_json(f"{path}/{step}", *sides, aspect)
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for number, (a, b) in enumerate(zip(left, right, strict=True)):
            yield from compare_json(f"{path}/{number}", a, b, aspect)
    elif _exact(left) != _exact(right):
        a, b = (None if x is _MISSING else _text(x) for x in (left, right))
        yield Difference(layer=None, path=path, aspect=aspect, left=a, right=b)


def _exact(value: object) -> str:
    """Return what two JSON values have in common if and only if they are the same."""
    if isinstance(value, _Number):
        return value.text
    if isinstance(value, dict):
        names = sorted(value)
        texts = list(map(_exact, map(value.get, names)))
        fields = zip(map(json.dumps, names), texts, strict=True)
        return f"{{{', '.join(f'{name}: {text}' for name, text in fields)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_exact, value))}]"
    return "" if value is _MISSING else json.dumps(value)


def _text(value: object) -> str:
    return value if isinstance(value, str) else _exact(value)
