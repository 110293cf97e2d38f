"""Compare two images from the outside in: index, manifest, config, layers, entries.

What has equal digests is never opened.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher

from msgspec import Struct, field
from msgspec.structs import replace

from repaudit.model.difference import Aspect, Difference, Place
from repaudit.model.image import Image, ImageSet, Kind, Layer
from repaudit.oci.changes import Change
from repaudit.sources import Blobs, Opened
from repaudit.stages.documents import compare_documents, packed_otherwise
from repaudit.stages.entries import compare_change, presence
from repaudit.stages.indexes import compare_indexes
from repaudit.stages.reading import (
    LayerPair,
    MergedPair,
    Reading,
    check,
    read_merged,
    read_pair,
)

#: Set-ID bits, and that others than the owner may write.
_MORE_RIGHTS = 0o7022
#: What is said not to have been compared.
_NO_MANIFEST = "what the manifest says, and its digest, as a docker archive has none"
_NO_INDEX = "what index and manifest say, and their digests, as a docker archive has none"
_HOW_PACKED = "how hard layers whose entries differ were compressed"
_HOW_WRITTEN = "how layers that do not correspond are written: spare bytes of headers, padding"


class Comparison(Struct, frozen=True, kw_only=True):
    """All differences of two image sets, sorted, and the pairs of layers that were opened.

    `merged` are the platforms whose layers do not correspond: these are shown as file systems.
    `untold` says what was not compared. `alone` are the digests of the files that one side alone
    has and of which the bytes were kept, by place; of folders it is "". `special` are those of them
    that have more than usual rights or attributes (true), or are not root's.
    """

    differences: tuple[Difference, ...]
    pairs: tuple[tuple[Layer, Layer], ...]
    merged: tuple[Merged, ...] = ()
    untold: tuple[str, ...] = ()
    same: tuple[tuple[str, str], ...] = ()
    alone: Mapping[Place, str] = field(default_factory=dict)
    special: Mapping[Place, bool] = field(default_factory=dict)


class Merged(Struct, frozen=True, kw_only=True):
    """A platform that is shown as file systems, and the number of layers on each side."""

    platform: str
    counts: tuple[int, int]


def compare(left: Opened, right: Opened, reading: Reading) -> Comparison:
    """Return how two image sets differ; platforms are compared with their counterparts.

    What differs in content lies in the reading's spool then, as far as there is room.
    """
    if _identities(left.images) == _identities(right.images):
        return Comparison(differences=(), pairs=())
    a, b = left.images.named, right.images.named
    several = len(a.keys() | b.keys()) > 1
    found = _Found(several=several, alone=reading.alone)
    found.differences += compare_indexes(left.images, right.images, several=several)
    for platform in sorted(a.keys() | b.keys()):
        one, other = a.get(platform), b.get(platform)
        if one is None or other is None:
            found.take(presence(None, f"/platforms/{platform}", one, other), platform)
        elif _identity(one) == _identity(other):
            found.same[platform] = one.digest
        else:
            shared = len(found.differences)
            found.differences += compare_documents(one, other)
            if _one_has_none(one, other):
                found.untold.add(_not_kept(left.images, right.images))
            for what in _layers(one, other, (left.blobs, right.blobs), reading):
                found.take(what, platform)
            if several:
                own = found.differences[shared:]
                found.differences[shared:] = [replace(one, platform=platform) for one in own]
    if not found.differences:  # other bytes of one meaning: white space, the order of keys
        found.differences.append(_other_bytes(None, "", left.images.digest, right.images.digest))
    return found.sorted()


class _Found:
    """What was found so far."""

    def __init__(self, *, several: bool, alone: bool) -> None:
        self._several = several
        self._notes_alone = alone
        self._alone: dict[Place, str] = {}
        self._special: dict[Place, bool] = {}
        self.differences: list[Difference] = []
        self.untold = set[str]()
        self.same: dict[str, str] = {}
        self._pairs: list[tuple[Layer, Layer]] = []
        self._merged: list[Merged] = []

    def take(self, what: Difference | LayerPair | MergedPair, platform: str) -> None:
        """Take in what is told. What was read of many entries is larger, and is let go of here."""
        if isinstance(what, LayerPair | MergedPair) and self._notes_alone:
            base = what.left.index if isinstance(what, LayerPair) else 0
            what = replace(what, changed=self._noted(what.changed, platform, base))
        if isinstance(what, LayerPair):
            self._pairs.append((what.left, what.right))
            self.differences += compare_entries(what)
            self.untold.update([_HOW_PACKED] if what.packed else ())
        elif isinstance(what, MergedPair):
            self._merged.append(Merged(platform=platform, counts=what.counts))
            self.differences += _changes(what.changed, what.kept)
            self.untold.add(_HOW_WRITTEN)
        else:
            self.differences.append(what)

    def _noted(self, changed: Iterable[Change], platform: str, base: int) -> Iterator[Change]:
        for change in changed:
            entry = change.right if change.left is None else change.left
            if entry is not None and None in (change.left, change.right):
                layer = base + change.layers[1 if change.left is None else 0]
                within = (platform, layer) if self._several else layer
                digest = "" if entry.kind is Kind.DIRECTORY else entry.digest
                if digest is not None and entry.stored == entry.size:
                    place: Place = (within, change.path, Aspect.PRESENCE.value)
                    self._alone[place] = digest
                    more = bool(entry.mode & _MORE_RIGHTS or entry.xattrs)
                    if more or entry.uid or entry.gid:
                        self._special[place] = more
            yield change

    def sorted(self) -> Comparison:
        """Return all of it."""
        return Comparison(
            differences=tuple(sorted(self.differences, key=lambda difference: difference.key)),
            pairs=tuple(self._pairs),
            merged=tuple(self._merged),
            untold=tuple(sorted(self.untold)),
            same=tuple(self.same.items()),
            alone=self._alone,
            special=self._special,
        )


def _not_kept(left: ImageSet, right: ImageSet) -> str:
    """Return what could not be compared as one side is a docker archive."""
    return _NO_INDEX if left.index or right.index else _NO_MANIFEST


def count_unread(left: ImageSet, right: ImageSet) -> int:
    """Return how many layers have the same digest on both sides, so that `compare` opens none."""
    a, b = left.named, right.named
    pairs = [(a[platform].layers, b[platform].layers) for platform in a.keys() & b.keys()]
    return sum(
        one.descriptor.digest == other.descriptor.digest
        for layers, others in pairs
        if len(layers) == len(others)  # else all are read
        for one, other in zip(layers, others, strict=True)
    )


def _identities(images: ImageSet) -> tuple[object, ...]:
    return (images.digest, *map(_identity, images.images))


def _identity(image: Image) -> tuple[str, ...]:
    """Return what two images have in common if their bytes are the same.

    A manifest's digest stands for all of them; where there is none, the layers count themselves.
    """
    if image.manifest_digest:
        return (image.manifest_digest,)
    return (image.config_digest, *(layer.descriptor.digest for layer in image.layers))


def _counts(left: Image, right: Image) -> Iterator[Difference]:
    """Yield the layers that one image has more than the other, where those beside it agree."""
    one, other = ([layer.descriptor.digest for layer in side.layers] for side in (left, right))
    for _, i, i_end, j, j_end in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        both = min(i_end - i, j_end - j)
        for number in range(i + both, i_end):
            yield presence(number, "", left, None)
        for number in range(j + both, j_end):
            yield presence(number, "", None, right)


def _merged(left: Image, right: Image, blobs: tuple[Blobs, Blobs], reading: Reading) -> MergedPair:
    sides = [
        [(own, layer) for layer in image.layers]
        for image, own in zip((left, right), blobs, strict=True)
    ]
    return read_merged(sides[0], sides[1], reading)


def _layers(
    left: Image, right: Image, blobs: tuple[Blobs, Blobs], reading: Reading
) -> Iterator[Difference | LayerPair | MergedPair]:
    """Yield what is told of layers, and the pairs that were opened for the rest."""
    if len(left.layers) != len(right.layers):
        yield from _counts(left, right)
        yield (pair := _merged(left, right, blobs, reading))
        if pair.written:  # what some reader takes for an attribute
            apart = _other_bytes(0, "", left.digest, right.digest)
            yield replace(apart, aspect=Aspect.ANNOTATION, detail="\n".join(pair.written))
        return
    # How a docker archive stores its layers is told with the manifest that it has not.
    told = _one_has_none(left, right)
    for one, other in zip(left.layers, right.layers, strict=True):
        if one.descriptor.digest == other.descriptor.digest:
            continue
        types = one.descriptor.media_type, other.descriptor.media_type
        if one.diff_id == other.diff_id:
            headers = check((blobs[0], one), (blobs[1], other), reading)
            if not told:
                yield _compression(one, other, headers)
            continue
        packed = packed_otherwise(*types)
        if packed and not told:
            yield _compression(one, other)
        yield read_pair((blobs[0], one), (blobs[1], other), reading, packed=packed or told)


def _one_has_none(left: Image, right: Image) -> bool:
    """Whether one image has a manifest, and the other is of a docker archive, which keeps none."""
    return (left.manifest is None) != (right.manifest is None)


def _compression(left: Layer, right: Layer, headers: Sequence[str] = ()) -> Difference:
    words = [f"{side.descriptor.media_type} {side.descriptor.digest}" for side in (left, right)]
    return Difference(
        layer=left.index,
        path="",
        aspect=Aspect.COMPRESSION,
        left=words[0],
        right=words[1],
        detail="\n".join(headers) or None,
    )


def compare_entries(pair: LayerPair) -> Iterator[Difference]:
    """Yield every aspect in which two layers differ; there is one at least."""
    found = [*_changes(pair.changed, pair.kept, pair.left.index), *_order(pair), *_times(pair)]
    if pair.written or not found:
        other = _other_bytes(pair.left.index, "", pair.left.diff_id, pair.right.diff_id)
        # What some reader takes for an attribute is one, as far as we can know.
        aspect = Aspect.ANNOTATION if pair.means else Aspect.COMPRESSION
        found.append(replace(other, aspect=aspect, detail="\n".join(pair.written) or None))
    yield from found


def _changes(changed: Iterable[Change], kept: int, base: int = 0) -> Iterator[Difference]:
    """Yield how entries differ; what one side alone has is told with the layer that has it."""
    for change in changed:
        layer = change.layers[1] if change.left is None else change.layers[0]
        yield from compare_change(base + layer, change, kept)


def _order(pair: LayerPair) -> Iterator[Difference]:
    if pair.order:
        one, other = pair.order
        yield Difference(
            layer=pair.left.index,
            path="",
            aspect=Aspect.ORDER,
            left=one,
            right=other,
            detail=pair.decides,
        )


def _times(pair: LayerPair) -> Iterator[Difference]:
    """Yield that files have other times beside those of their contents, in one for a layer."""
    if pair.times:
        yield Difference(
            layer=pair.left.index,
            path="",
            aspect=Aspect.MTIME,
            left=pair.times.left,
            right=pair.times.right,
            detail="\n".join(pair.times.lines),
        )


def _other_bytes(layer: int | None, path: str, left: str, right: str) -> Difference:
    return Difference(layer=layer, path=path, aspect=Aspect.COMPRESSION, left=left, right=right)
