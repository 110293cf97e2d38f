"""Compare two images from the outside in: index, manifest, config, layers, entries.

What has equal digests is never opened.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from repaudit.host.store import Store
from repaudit.model.difference import Aspect, Difference
from repaudit.model.image import Entry, Image, ImageSet, Kind, Layer
from repaudit.oci import layer as oci_layer
from repaudit.oci.changes import Change, find_changes
from repaudit.oci.shelf import Shelf
from repaudit.oci.spool import MOST_OF_ALL, MOST_OF_ONE, Spool
from repaudit.sources import Blobs, Opened


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How layers are read: the listings that are known, and where contents that differ go."""

    shelf: Shelf
    spool: Spool

    @classmethod
    def below(cls, folder: Path, store: Store | None = None) -> Reading:
        """Return a reading that keeps all in a folder of ours, and beyond the audit in a store."""
        return cls(shelf=Shelf(folder / "listings", store), spool=Spool(folder / "contents", store))


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPair:
    """Two layers that differ, and where: the paths, and the first two in another order."""

    left: Layer
    right: Layer
    changed: tuple[Change, ...]
    order: tuple[str, str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All differences of two image sets, sorted, and the pairs of layers that were opened."""

    differences: tuple[Difference, ...]
    pairs: tuple[LayerPair, ...]


#: The fields of a descriptor that say which blob it is; the blobs are compared themselves.
_ADDRESS = ("digest", "size")
_MISSING = object()
_Side = tuple[Blobs, Layer]
_Readable = Callable[[Entry], str | None]


def compare(left: Opened, right: Opened, reading: Reading) -> Comparison:
    """Return how two image sets differ; platforms are compared with their counterparts.

    What differs in content lies in the reading's spool then, as far as there is room.
    """
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
            for pair in _layers(one, other, (left.blobs, right.blobs), reading):
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
    left: Image, right: Image, blobs: tuple[Blobs, Blobs], reading: Reading
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
            yield _pair(one, other, blobs, reading)
        else:
            _check((blobs[0], one), (blobs[1], other), reading)


def _check(left: _Side, right: _Side, reading: Reading) -> None:
    """Read two blobs that are said to hold the same; raise MalformedError if one does not."""
    for listing in reading.shelf.read(left, right, reading.spool):
        listing.close()


def _pair(left: Layer, right: Layer, blobs: tuple[Blobs, Blobs], reading: Reading) -> LayerPair:
    sides = (blobs[0], left), (blobs[1], right)
    one, other = reading.shelf.read(*sides, reading.spool)
    with closing(one), closing(other):
        found = find_changes(one, other)
    changed = _with_contents(found.changed, sides, reading.spool)
    return LayerPair(left=left, right=right, changed=changed, order=found.order)


def _with_contents(
    changed: tuple[Change, ...], sides: Sequence[tuple[Blobs, Layer]], spool: Spool
) -> tuple[Change, ...]:
    """Read what differs in content and was not met in step: its bytes, and its digest."""
    differing = [change for change in changed if differs_in_content(change)]
    wanted: tuple[list[tuple[Entry, int]], ...] = ([], [])
    room = MOST_OF_ALL // 2
    for change in differing:
        pair = [entry for entry in (change.left, change.right) if entry]
        room -= min(max(entry.stored for entry in pair), MOST_OF_ONE)
        for entry, some in zip(pair, wanted, strict=True):
            limit = MOST_OF_ONE if room >= 0 else 0
            if entry.digest is None or not (limit == 0 or spool.has(entry)):
                some.append((entry, limit))
    known: tuple[dict[int, Entry], ...] = ({}, {})
    for (blobs, layer), some, found in zip(sides, wanted, known, strict=True):
        for entry, data in oci_layer.contents(blobs, layer, some) if some else ():
            found[entry.position] = entry
            spool.keep(entry, data)

    def settled(entry: Entry | None, known: dict[int, Entry]) -> Entry | None:
        return known.get(entry.position, entry) if entry else None

    return tuple(
        replace(c, left=settled(c.left, known[0]), right=settled(c.right, known[1]))
        for c in changed
    )


def differs_in_content(change: Change) -> bool:
    """Whether both sides are regular files, with other bytes."""
    one, other = change.left, change.right
    if one is None or other is None or None in {one.content, other.content}:
        return False
    return one.content != other.content


def _compression(left: Layer, right: Layer) -> Difference:
    words = [f"{side.descriptor.media_type} {side.descriptor.digest}" for side in (left, right)]
    return Difference(
        layer=left.index, path="", aspect=Aspect.COMPRESSION, left=words[0], right=words[1]
    )


def compare_entries(pair: LayerPair) -> Iterator[Difference]:
    """Yield every aspect in which two layers differ; there is one at least."""
    found = [*_entry_differences(pair), *_order(pair)]
    if not found:  # the headers' encoding, or padding
        found.append(_other_bytes(pair.left.index, "", pair.left.diff_id, pair.right.diff_id))
    yield from found


def _other_bytes(layer: int | None, path: str, left: str, right: str) -> Difference:
    return Difference(layer=layer, path=path, aspect=Aspect.COMPRESSION, left=left, right=right)


def _entry_differences(pair: LayerPair) -> Iterator[Difference]:
    layer = pair.left.index
    for change in pair.changed:
        one, other = change.left, change.right
        if one is None or other is None:
            yield _presence(layer, change.path, one, other)
            continue
        for aspect, a, b, readable in _aspects(one, other):
            if a != b:
                sides = readable(one), readable(other)
                yield Difference(
                    layer=layer, path=change.path, aspect=aspect, left=sides[0], right=sides[1]
                )


def _order(pair: LayerPair) -> Iterator[Difference]:
    if pair.order:
        one, other = pair.order
        yield Difference(layer=pair.left.index, path="", aspect=Aspect.ORDER, left=one, right=other)


def _aspects(left: Entry, right: Entry) -> Iterable[tuple[Aspect, object, object, _Readable]]:
    """Yield each aspect with both sides' exact values, and how one is shown."""
    if left.kind is not right.kind:
        yield Aspect.KIND, left.kind, right.kind, lambda e: e.kind.value
    elif left.kind is Kind.FILE:
        yield Aspect.CONTENT, left.content, right.content, lambda e: e.digest
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
