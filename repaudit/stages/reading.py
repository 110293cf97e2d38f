"""Two layers of two images read and joined, and the bytes of what differs in content kept."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from repaudit.host.store import Store
from repaudit.model.image import Entry, Kind, Layer
from repaudit.oci import layer as oci_layer
from repaudit.oci.blob import check_size
from repaudit.oci.changes import Change, find_changes
from repaudit.oci.merged import find_merged_changes
from repaudit.oci.otherwise import Times, wrapped
from repaudit.oci.shelf import Shelf
from repaudit.oci.spool import MOST_OF_ALL, MOST_OF_ONE, Spool
from repaudit.sources import Blobs, Opened

_ELSEWHERE = re.compile(r"\.layer\.nondistributable\.|\.rootfs\.foreign\.")
#: A layer, and where its blob is.
Side = tuple[Blobs, Layer]
#: Entries to be read, each up to a number of bytes, by the side and the layer's number.
_Wanted = dict[tuple[int, int], list[tuple[Entry, int]]]
#: Digests of entries, by the same and their position.
_Known = dict[tuple[int, int, int], str | None]


class Reading(Struct, frozen=True, kw_only=True):
    """How layers are read: the listings that are known, and where contents that differ go.

    `alone` says that contents are kept which one side alone has: in two runs of one build, where a
    file is tells enough of it.
    """

    shelf: Shelf
    spool: Spool
    alone: bool = False

    @classmethod
    def below(cls, folder: Path, store: Store | None = None, *, alone: bool = False) -> Reading:
        """Return a reading that keeps all in a folder of ours, and beyond the audit in a store."""
        spool = Spool(folder / "contents", store)
        return cls(shelf=Shelf(folder / "listings", store), spool=spool, alone=alone)


class LayerPair(Struct, frozen=True, kw_only=True):
    """Two layers that differ, and where: the paths, and the first two in another order.

    `decides` says what hangs on that order, if anything does, and `written` how the layers are
    written otherwise, whatever differs besides; `means` is whether a reader may take that for more.
    `times` are those that both have of files beside those of their contents, and `packed` says that
    both are compressed. `kept` are rights to read that files have on both sides.
    """

    left: Layer
    right: Layer
    changed: Iterable[Change]
    order: tuple[str, str] | None
    decides: str | None = None
    written: tuple[str, ...] = ()
    times: Times | None = None
    means: bool = False
    packed: bool = False
    kept: int = 0


def check_present(opened: Opened) -> None:
    """Raise as a reader would for layers that are not there, or of another size than is said.

    Most are not read: their digest is the same on both sides, or their listing is known. Layers
    that may not be distributed are elsewhere by design (image-spec layer.md).
    """
    for image in opened.images.images:
        for layer in image.layers:
            if not _ELSEWHERE.search(layer.descriptor.media_type):
                check_size(opened.blobs, layer.descriptor)


def read_own(opened: Opened, other: Opened, reading: Reading) -> None:
    """Read what the other has not, layer by layer; raise MalformedError where one is unsound."""
    sides = [
        [(own.blobs, layer) for image in own.images.images for layer in image.layers]
        for own in (opened, other)
    ]
    for number in only_there(sides[0], sides[1]):
        (listing,) = reading.shelf.read_each([sides[0][number]])
        listing.close()


def check(left: Side, right: Side, reading: Reading) -> tuple[str, ...]:
    """Read two blobs that are said to hold the same; raise MalformedError if one does not.

    Return what differs in their compressed headers.
    """
    one, other = reading.shelf.read(left, right, reading.spool)
    with closing(one), closing(other):
        return tuple(wrapped(one.foot, other.foot))


def read_pair(left: Side, right: Side, reading: Reading, *, packed: bool = False) -> LayerPair:
    """Return where two layers differ; what differs in content lies in the spool then.

    That they are `packed` otherwise is told elsewhere.
    """
    one, other = reading.shelf.read(left, right, reading.spool)
    with closing(one), closing(other):
        found = find_changes(one, other)
        headers = () if packed else tuple(wrapped(one.foot, other.foot))
        forms = [dict(side.foot.wrapper).get("form") for side in (one, other)]
    changed = with_contents(found.changed, ((left,), (right,)), reading)
    return LayerPair(
        left=left[1],
        right=right[1],
        changed=changed,
        order=found.order,
        decides=found.decides,
        written=found.written + headers,
        times=found.times,
        means=found.means,
        packed="tar" not in forms,
        kept=found.kept,
    )


class MergedPair(Struct, frozen=True, kw_only=True):
    """Two images whose layers do not correspond, and where their file systems differ.

    `written` says in words what some reader takes for more than a way to write the same, `kept`
    are rights to read that files have on both sides.
    """

    counts: tuple[int, int]
    changed: Iterable[Change]
    written: tuple[str, ...] = ()
    kept: int = 0


def read_merged(left: Sequence[Side], right: Sequence[Side], reading: Reading) -> MergedPair:
    """Return where two images' merged file systems differ; their layers come base first."""
    with ExitStack() as held:
        listings = [
            held.enter_context(closing(listing))
            for listing in reading.shelf.read_each([*left, *right])
        ]
        own = only_there(left, right), only_there(right, left)
        found = find_merged_changes(listings[: len(left)], listings[len(left) :], own)
    changed = with_contents(found.changed, (left, right), reading)
    counts = len(left), len(right)
    return MergedPair(counts=counts, changed=changed, written=found.written, kept=found.kept)


def only_there(left: Sequence[Side], right: Sequence[Side]) -> list[int]:
    """Return the numbers of those layers on the left that the right has not."""
    digests = Counter(layer.descriptor.digest for _, layer in right)
    found = []
    for number, (_, layer) in enumerate(left):
        if digests[layer.descriptor.digest] > 0:
            digests[layer.descriptor.digest] -= 1
        else:
            found.append(number)
    return found


def with_contents(
    changed: tuple[Change, ...], sides: tuple[Sequence[Side], Sequence[Side]], reading: Reading
) -> Iterator[Change]:
    """Yield the changes; of what differs in content, and was not met in step, bytes are read first.

    So are, where the reading says so, those of files that one side alone has, as far as there is
    room. `sides` are the layers that the changes' `layers` count.
    """
    known: _Known = {}
    wanted: _Wanted = {}
    _want(changed, reading, wanted, known)
    for (side, number), some in wanted.items():
        blobs, layer = sides[side][number]
        for entry, data in oci_layer.contents(blobs, layer, some):
            known[side, number, entry.position] = entry.digest
            reading.spool.keep(entry, data)

    def settled(change: Change, side: int) -> Entry | None:
        entry = (change.left, change.right)[side]
        if entry is None:
            return None
        digest = known.get((side, change.layers[side], entry.position))
        return replace(entry, digest=digest) if digest else entry

    for change in changed:
        yield (
            replace(change, left=settled(change, 0), right=settled(change, 1)) if known else change
        )


def _want(changed: Iterable[Change], reading: Reading, wanted: _Wanted, known: _Known) -> None:
    """Add what has to be read, as far as there is room, and what is known without."""
    spool, room = reading.spool, MOST_OF_ALL // 2
    for change in changed:
        if not differs_in_content(change):
            continue
        pair = [entry for entry in (change.left, change.right) if entry]
        room -= min(max(entry.stored for entry in pair), MOST_OF_ONE)
        limit = MOST_OF_ONE if room >= 0 else 0
        for side, entry in enumerate(pair):
            if entry.digest is None or not (limit == 0 or spool.has(entry)):
                wanted.setdefault((side, change.layers[side]), []).append((entry, limit))
    for side, number, entry in _alone(changed) if reading.alone else ():
        known[side, number, entry.position] = digest = spool.recall(entry)
        room -= min(entry.stored, MOST_OF_ONE) // 2
        if digest is None and room >= 0:
            wanted.setdefault((side, number), []).append((entry, MOST_OF_ONE))


def _alone(changed: Iterable[Change]) -> Iterator[tuple[int, int, Entry]]:
    """Yield the regular files that one side alone has, with the side and the layer's number."""
    for change in changed:
        side = 1 if change.left is None else 0
        entry = (change.left, change.right)[side]
        if entry is not None and (change.left is None or change.right is None):
            if entry.kind is Kind.FILE and entry.stored == entry.size:
                yield side, change.layers[side], entry


def differs_in_content(change: Change) -> bool:
    """Whether both sides are regular files, with other bytes."""
    one, other = change.left, change.right
    if one is None or other is None or None in {one.content, other.content}:
        return False
    return one.content != other.content
