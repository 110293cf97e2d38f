"""How two indexes differ: their fields, the descriptors of what they list, and its order.

Images and nested indexes are compared themselves, so their digests and sizes follow. All else that
an index lists (attestations, artifacts) is known by its digest alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from repaudit.model.difference import Aspect, Difference
from repaudit.model.image import ImageSet, Listed
from repaudit.stages.documents import ADDRESS, compare_json, load
from repaudit.stages.entries import presence

#: What leads to an image: from index.json, or from manifest.json (Docker's image spec v1.2).
_IMAGE = ("digest", "size", "data", "Config", "Layers")
_REFERS_TO = "vnd.docker.reference.digest"


class _Item(Struct, frozen=True, kw_only=True):
    """One of the things that an index lists. `name` is an image's platform, "" for all else.

    `fields` are those of the descriptor, with the platform for the digest of an image that it
    refers to; `says` is what a person is told of it.
    """

    listed: Listed
    name: str
    fields: dict[str, Any]
    says: str

    @property
    def where(self) -> str:
        return f"/index{self.listed.where}"

    @property
    def digest(self) -> str:
        return str(self.fields["digest"])


_Pair = tuple[_Item, _Item]
#: By what counterparts are found, the surest first; "" finds none.
_WAYS: tuple[Callable[[_Item], str], ...] = (
    lambda item: item.name or item.digest,
    lambda item: "" if item.name else item.says,
    lambda item: "" if item.name else "whatever it is",
)


def count_listed(left: dict[str, Any] | None, right: dict[str, Any] | None) -> int:
    """Return in how many places two files that list images say other things of one, of one form.

    Its digests and sizes are not among them: images are compared themselves.
    """
    if left is None or right is None or ("Config" in left) != ("Config" in right):
        return 0
    return sum(1 for _ in compare_json("", left, right, Aspect.ANNOTATION, _IMAGE))


def compare_indexes(left: ImageSet, right: ImageSet, *, several: bool) -> Iterator[Difference]:
    """Yield how two indexes differ beside the images in them; of `several` each is named."""
    if (left.index is None) != (right.index is None):
        lone, bare, side = (right, left, 1) if left.index is None else (left, right, 0)
        kept = any(image.manifest is not None for image in bare.images)
        beside = () if kept else [item for item in _items(lone) if item.listed.other]
        detail = None if kept else _not_kept(lone, beside)
        yield replace(presence(None, "/index", left.index, right.index), detail=detail)
        for item in beside:  # whoever ignores the index still has them told
            yield _lacking(item, side)
    if left.index is None or right.index is None:
        return
    yield from _documents("/index", left.index, right.index)
    items = list(_items(left)), list(_items(right))
    pairs = _pairs(*items)
    for one, other in pairs:
        for found in _compare(one, other):
            yield replace(found, platform=one.name or None) if several else found
    for side, known in enumerate(items):
        matched = [pair[side] for pair in pairs]
        for item in known:
            if item not in matched and not item.name:  # an image is told with its platform
                yield _lacking(item, side)
    yield from _order(pairs, items[1])


def _not_kept(lone: ImageSet, beside: Iterable[_Item]) -> str:
    """Return what was not compared of an index where the other side could not have one."""
    lines = [f"the other side is a docker archive, and those keep no index: {lone.digest}"]
    lines += [f"not compared: {item.says} {item.digest}" for item in beside]
    return "\n".join(lines)


def _documents(where: str, left: bytes, right: bytes) -> Iterator[Difference]:
    yield from compare_json(where, load(left), load(right), Aspect.ANNOTATION, skip=("manifests",))


def _items(images: ImageSet) -> Iterator[_Item]:
    names = iter(images.named)
    known = {image.digest: name for name, image in images.named.items()}
    indexes = {"": load(images.index or b"{}")}
    for one in images.listed:
        above, _, number = one.where.rpartition("/manifests/")
        fields = indexes[above]["manifests"][int(number)]
        if one.index:
            indexes[one.where] = load(one.index)
        if one.image:
            name = next(names)
            yield _Item(listed=one, name=name, fields=fields, says=name)
            continue
        annotations = fields.get("annotations")
        notes = annotations if isinstance(annotations, dict) else {}
        target = known.get(str(notes.get(_REFERS_TO)))
        says = one.other or "index"
        if target:  # the digest of an image follows from the image
            fields = {**fields, "annotations": {**notes, _REFERS_TO: target}}
            says = f"{says} of {target}"
        yield _Item(listed=one, name="", fields=fields, says=says)


def _pairs(left: Sequence[_Item], right: Sequence[_Item]) -> list[_Pair]:
    """Return the counterparts, in the order of the left side."""
    found: dict[str, _Pair] = {}
    rest = list(right)
    for way in _WAYS:
        for one in left:
            same = [item for item in rest if way(item) == way(one) != ""]
            if same and one.where not in found:
                found[one.where] = (one, same[0])
                rest.remove(same[0])
    return [found[one.where] for one in left if one.where in found]


def _compare(one: _Item, other: _Item) -> Iterator[Difference]:
    skip: tuple[str, ...] = ADDRESS
    unread = one.listed.other or other.listed.other
    if unread and one.digest == other.digest:
        skip = ()  # so its size may lie
    elif unread:
        yield Difference(
            layer=None,
            path=f"{one.where}/digest",
            aspect=Aspect.ANNOTATION,
            left=f"{one.says} {one.digest}",
            right=f"{other.says} {other.digest}",
        )
    yield from compare_json(one.where, one.fields, other.fields, Aspect.ANNOTATION, skip)
    if one.listed.index and other.listed.index:
        yield from _documents(f"{one.where}/index", one.listed.index, other.listed.index)


def _lacking(item: _Item, side: int) -> Difference:
    """Return the difference that only one side lists an item, and what that is."""
    word = f"{item.says} {item.digest}"
    return Difference(
        layer=None,
        path=item.where,
        aspect=Aspect.PRESENCE,
        left=None if side else word,
        right=word if side else None,
    )


def _order(pairs: Sequence[_Pair], right: Sequence[_Item]) -> Iterator[Difference]:
    """Yield the first two of what both list that stand in another order: who asks takes the first.

    Nothing else that only one side lists has a part in it.
    """
    turned = sorted(pairs, key=lambda pair: right.index(pair[1]))
    for here, there in zip(pairs, turned, strict=True):
        if here != there:
            left, other = (
                one.says if one.name else f"{one.says} {one.digest}" for one, _ in (here, there)
            )
            yield Difference(
                layer=None, path="/index/manifests", aspect=Aspect.ORDER, left=left, right=other
            )
            return
