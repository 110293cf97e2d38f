"""Compare two images from the outside in: index, manifest, config, layers, entries.

What has equal digests is never opened.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from repaudit.model.difference import Aspect, Difference
from repaudit.model.errors import MalformedError
from repaudit.model.image import Entry, Image, ImageSet, Kind, Layer
from repaudit.oci import layer as oci_layer
from repaudit.sources import Blobs, Opened


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPair:
    """Two layers that differ, and the entries of each by which a difference's bytes are found."""

    platform: str
    left: Layer
    right: Layer
    left_entries: dict[str, Entry]
    right_entries: dict[str, Entry]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All differences of two image sets, sorted, and the pairs of layers that were opened."""

    differences: tuple[Difference, ...]
    pairs: tuple[LayerPair, ...]


#: The fields of a descriptor that say which blob it is; the blobs are compared themselves.
_ADDRESS = ("digest", "size")
_MISSING = object()
#: What the names, links and attributes of one layer may take, in bytes; two million small entries.
_MOST_METADATA = 1 << 30
_Readable = Callable[[Entry], str | None]


def compare(left: Opened, right: Opened) -> Comparison:
    """Return how two image sets differ; platforms are compared with their counterparts."""
    if _identities(left.images) == _identities(right.images):
        return Comparison(differences=(), pairs=())
    found = list(_index(left.images, right.images))
    pairs: list[LayerPair] = []
    a, b = _by_platform(left.images), _by_platform(right.images)
    for platform in sorted(a.keys() | b.keys()):
        one, other = a.get(platform), b.get(platform)
        if one is None or other is None:
            found.append(_presence(None, f"/platforms/{platform}", one, other))
        elif _identity(one) != _identity(other):
            found.extend(_image(one, other))
            for pair in _layers(one, other, left.blobs, right.blobs):
                if isinstance(pair, Difference):
                    found.append(pair)
                else:
                    pairs.append(pair)
    for opened in pairs:
        found.extend(compare_entries(opened))
    if not found:  # other bytes, same meaning: white space, key order, attestations
        found.append(_other_bytes(None, "", left.images.digest, right.images.digest))
    return Comparison(differences=tuple(sorted(found, key=_key)), pairs=tuple(pairs))


def _identities(images: ImageSet) -> tuple[object, ...]:
    return (images.digest, *map(_identity, images.images))


def _identity(image: Image) -> tuple[str, ...]:
    """Return what two images have in common if their bytes are the same.

    A manifest's digest stands for all of them; where there is none, the layers count themselves.
    """
    if image.manifest_digest:
        return (image.manifest_digest,)
    return (image.config_digest, *(layer.descriptor.digest for layer in image.layers))


def _by_platform(images: ImageSet) -> dict[str, Image]:
    """Return the images by platform; a platform's second image gets a number."""
    found: dict[str, Image] = {}
    for image in images.images:
        again = sum(known.platform == image.platform for known in found.values())
        found[f"{image.platform} ({again + 1})" if again else image.platform] = image
    return found


def _key(difference: Difference) -> tuple[int, str, str, str, str]:
    return difference.key


def _presence(layer: int | None, path: str, left: object, right: object) -> Difference:
    def word(side: object) -> str | None:
        return None if side is None else "present"

    return Difference(
        layer=layer, path=path, aspect=Aspect.PRESENCE, left=word(left), right=word(right)
    )


def _index(left: ImageSet, right: ImageSet) -> Iterator[Difference]:
    if (left.index is None) != (right.index is None):
        yield _presence(None, "/index", left.index, right.index)
    if left.index is not None and right.index is not None:
        a, b = json.loads(left.index), json.loads(right.index)
        yield from _json("/index", a, b, Aspect.ANNOTATION, skip=("manifests",))


def _image(left: Image, right: Image) -> Iterator[Difference]:
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


def _layers(
    left: Image, right: Image, left_blobs: Blobs, right_blobs: Blobs
) -> Iterator[Difference | LayerPair]:
    for number in range(max(len(left.layers), len(right.layers))):
        one = left.layers[number] if number < len(left.layers) else None
        other = right.layers[number] if number < len(right.layers) else None
        if one is None or other is None:
            yield _presence(number, "", one, other)
            continue
        if one.descriptor.digest == other.descriptor.digest:
            continue
        if one.diff_id == other.diff_id or one.descriptor.media_type != other.descriptor.media_type:
            yield _compression(one, other)
        if one.diff_id != other.diff_id:
            with ThreadPoolExecutor(max_workers=2) as pool:
                sides = pool.map(_entries, (one, other), (left_blobs, right_blobs))
                a, b = sides
            yield LayerPair(
                platform=left.platform, left=one, right=other, left_entries=a, right_entries=b
            )


def _compression(left: Layer, right: Layer) -> Difference:
    words = [f"{side.descriptor.media_type} {side.descriptor.digest}" for side in (left, right)]
    return Difference(
        layer=left.index, path="", aspect=Aspect.COMPRESSION, left=words[0], right=words[1]
    )


def _entries(layer: Layer, blobs: Blobs) -> dict[str, Entry]:
    """Return a layer's entries by path, in stored order; a path's second entry gets a number."""
    found: dict[str, Entry] = {}
    times: Counter[str] = Counter()
    room = _MOST_METADATA
    for entry in oci_layer.entries(blobs, layer):
        times[entry.path] += 1
        again = times[entry.path]
        found[f"{entry.path} (entry {again})" if again > 1 else entry.path] = entry
        values = sum(len(name) + len(value) for name, value in entry.xattrs)
        room -= 500 + len(entry.path) + len(entry.link or "") + values
        if room < 0:
            raise MalformedError(
                f"layer {layer.index}: names and attributes of over {_MOST_METADATA >> 20} MiB",
                hint="this bound keeps the comparison in memory",
            )
    return found


def compare_entries(pair: LayerPair) -> Iterator[Difference]:
    """Yield every aspect in which two layers differ; there is one at least."""
    found = [*_entry_differences(pair), *_order(pair)]
    if not found:  # the headers' encoding, or padding
        found.append(_other_bytes(pair.left.index, "", pair.left.diff_id, pair.right.diff_id))
    yield from found


def _other_bytes(layer: int | None, path: str, left: str, right: str) -> Difference:
    return Difference(layer=layer, path=path, aspect=Aspect.COMPRESSION, left=left, right=right)


def _entry_differences(pair: LayerPair) -> Iterator[Difference]:
    left, right, layer = pair.left_entries, pair.right_entries, pair.left.index
    for path in sorted(left.keys() | right.keys()):
        one, other = left.get(path), right.get(path)
        if one is None or other is None:
            yield _presence(layer, path, one, other)
            continue
        for aspect, a, b, readable in _aspects(one, other):
            if a != b:
                sides = readable(one), readable(other)
                yield Difference(
                    layer=layer, path=path, aspect=aspect, left=sides[0], right=sides[1]
                )


def _order(pair: LayerPair) -> Iterator[Difference]:
    left, right, layer = pair.left_entries, pair.right_entries, pair.left.index
    orders = [p for p in left if p in right], [p for p in right if p in left]
    if orders[0] != orders[1]:
        first = next(pair for pair in zip(*orders, strict=True) if pair[0] != pair[1])
        yield Difference(layer=layer, path="", aspect=Aspect.ORDER, left=first[0], right=first[1])


def _aspects(left: Entry, right: Entry) -> Iterable[tuple[Aspect, object, object, _Readable]]:
    """Yield each aspect with both sides' exact values, and how one is shown."""
    if left.kind is not right.kind:
        yield Aspect.KIND, left.kind, right.kind, lambda e: e.kind.value
    elif left.kind is Kind.FILE:
        yield Aspect.CONTENT, left.digest, right.digest, lambda e: e.digest
    else:
        yield Aspect.KIND, left.device, right.device, _device
    yield Aspect.MODE, left.mode, right.mode, lambda e: f"{e.mode:04o}"
    yield Aspect.OWNER, _owners(left), _owners(right), _owner
    yield Aspect.MTIME, left.mtime, right.mtime, _mtime
    yield Aspect.LINK, left.link, right.link, lambda e: e.link
    yield Aspect.XATTR, left.xattrs, right.xattrs, _xattrs


def _device(entry: Entry) -> str:
    major, minor = entry.device or (0, 0)
    return f"{entry.kind.value} {major}:{minor}"


def _owners(entry: Entry) -> tuple[int, int, str, str]:
    return (entry.uid, entry.gid, entry.uname, entry.gname)


def _owner(entry: Entry) -> str:
    names = f" {entry.uname}:{entry.gname}" if entry.uname or entry.gname else ""
    return f"{entry.uid}:{entry.gid}{names}"


def _mtime(entry: Entry) -> str:
    """Return the seconds since 1970, with a fraction where there is one."""
    whole, rest = divmod(abs(entry.mtime), 1_000_000_000)
    sign = "-" if entry.mtime < 0 else ""
    return f"{sign}{whole}.{rest:09d}" if rest else f"{sign}{whole}"


def _xattrs(entry: Entry) -> str | None:
    return " ".join(f"{name}={value}" for name, value in entry.xattrs) or None
