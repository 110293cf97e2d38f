"""Compare two images from the outside in: index, manifest, config, layers, entries.

What has equal digests is never opened.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from repaudit.model.difference import Aspect, Difference
from repaudit.model.image import Image, ImageSet, Layer
from repaudit.sources import Blobs, Opened
from repaudit.stages.documents import compare_documents, compare_indexes
from repaudit.stages.entries import compare_change, presence
from repaudit.stages.reading import LayerPair, Reading, check, read_pair


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All differences of two image sets, sorted, and the pairs of layers that were opened."""

    differences: tuple[Difference, ...]
    pairs: tuple[LayerPair, ...]


def compare(left: Opened, right: Opened, reading: Reading) -> Comparison:
    """Return how two image sets differ; platforms are compared with their counterparts.

    What differs in content lies in the reading's spool then, as far as there is room.
    """
    if _identities(left.images) == _identities(right.images):
        return Comparison(differences=(), pairs=())
    found = list(compare_indexes(left.images, right.images))
    pairs: list[LayerPair] = []
    a, b = _by_platform(left.images), _by_platform(right.images)
    for platform in sorted(a.keys() | b.keys()):
        one, other = a.get(platform), b.get(platform)
        if one is None or other is None:
            found.append(presence(None, f"/platforms/{platform}", one, other))
        elif _identity(one) != _identity(other):
            found.extend(compare_documents(one, other))
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


def _layers(
    left: Image, right: Image, blobs: tuple[Blobs, Blobs], reading: Reading
) -> Iterator[Difference | LayerPair]:
    for number in range(max(len(left.layers), len(right.layers))):
        one = left.layers[number] if number < len(left.layers) else None
        other = right.layers[number] if number < len(right.layers) else None
        if one is None or other is None:
            yield presence(number, "", one, other)
            continue
        if one.descriptor.digest == other.descriptor.digest:
            continue
        if one.diff_id == other.diff_id or one.descriptor.media_type != other.descriptor.media_type:
            yield _compression(one, other)
        if one.diff_id != other.diff_id:
            yield read_pair((blobs[0], one), (blobs[1], other), reading)
        else:
            check((blobs[0], one), (blobs[1], other), reading)


def _compression(left: Layer, right: Layer) -> Difference:
    words = [f"{side.descriptor.media_type} {side.descriptor.digest}" for side in (left, right)]
    return Difference(
        layer=left.index, path="", aspect=Aspect.COMPRESSION, left=words[0], right=words[1]
    )


def compare_entries(pair: LayerPair) -> Iterator[Difference]:
    """Yield every aspect in which two layers differ; there is one at least."""
    found = [*_changes(pair), *_order(pair)]
    if not found:  # the headers' encoding, or padding
        found.append(_other_bytes(pair.left.index, "", pair.left.diff_id, pair.right.diff_id))
    yield from found


def _changes(pair: LayerPair) -> Iterator[Difference]:
    for change in pair.changed:
        yield from compare_change(pair.left.index, change)


def _order(pair: LayerPair) -> Iterator[Difference]:
    if pair.order:
        one, other = pair.order
        yield Difference(layer=pair.left.index, path="", aspect=Aspect.ORDER, left=one, right=other)


def _other_bytes(layer: int | None, path: str, left: str, right: str) -> Difference:
    return Difference(layer=layer, path=path, aspect=Aspect.COMPRESSION, left=left, right=right)
