"""The bytes of files whose content differs, in scratch, under names of our own.

Nothing from an image decides where anything is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from repaudit.comparators import COMPARATORS
from repaudit.forensics import Content
from repaudit.model.difference import Aspect, Difference
from repaudit.model.image import Entry, Layer
from repaudit.oci import layer as oci_layer
from repaudit.sources import Blobs, Opened
from repaudit.stages.compare import Comparison

#: The most bytes of one file that are looked at, and of all files of one side.
MOST_OF_ONE = 32 << 20
MOST_OF_ALL = 2 << 30
#: The most files whose difference is shown in full.
MOST_SHOWN = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Both sides of one file, cut off at MOST_OF_ONE, and their whole lengths in bytes."""

    left: Path
    right: Path
    left_size: int
    right_size: int

    @property
    def whole(self) -> bool:
        """Whether nothing was cut off on either side."""
        return max(self.left_size, self.right_size) <= MOST_OF_ONE

    def load(self) -> tuple[Content, Content]:
        """Return both sides' bytes."""
        return (
            Content(data=self.left.read_bytes(), size=self.left_size),
            Content(data=self.right.read_bytes(), size=self.right_size),
        )


#: By what differs: the digests of both sides, as the difference shows them.
Contents = Mapping[tuple[str | None, str | None], Kept]


def keep_contents(comparison: Comparison, left: Opened, right: Opened, folder: Path) -> Contents:
    """Copy what differs in content into `folder`, as long as there is room for it in the budget."""
    kept: dict[tuple[str | None, str | None], Kept] = {}
    room = MOST_OF_ALL
    for number, pair in enumerate(comparison.pairs):
        chosen: dict[str, tuple[Entry, Entry]] = {}
        for path, one in pair.left_entries.items():
            other = pair.right_entries.get(path)
            if other is None or None in {one.digest, other.digest} or one.digest == other.digest:
                continue
            room -= min(max(one.stored, other.stored), MOST_OF_ONE)
            if room >= 0:
                chosen[path] = one, other
        sides = [folder / f"{number}-{side}" for side in ("left", "right")]
        _copy(pair.left, left.blobs, [one for one, _ in chosen.values()], sides[0])
        _copy(pair.right, right.blobs, [other for _, other in chosen.values()], sides[1])
        for one, other in chosen.values():
            kept[one.digest, other.digest] = Kept(
                left=sides[0] / str(one.position),
                right=sides[1] / str(other.position),
                left_size=one.stored,
                right_size=other.stored,
            )
    return kept


def _copy(layer: Layer, blobs: Blobs, entries: Sequence[Entry], folder: Path) -> None:
    if not entries:
        return
    folder.mkdir(parents=True)
    wanted = ((entry, MOST_OF_ONE) for entry in entries)
    for entry, data in oci_layer.contents(blobs, layer, wanted):
        (folder / str(entry.position)).write_bytes(data)


def with_details(
    differences: Sequence[Difference], contents: Contents, jobs: int
) -> tuple[Difference, ...]:
    """Return the differences, the first MOST_SHOWN of content with what differs in them."""
    comparators = sorted(COMPARATORS.all(), key=lambda c: c.rank)

    def shown(difference: Difference) -> Difference:
        kept = contents.get((difference.left, difference.right))
        if kept is None or not kept.whole:
            return difference
        name = PurePosixPath(difference.path).name
        for comparator in comparators:
            detail = comparator.compare(name, kept.left, kept.right)
            if detail:
                return replace(difference, detail=detail)
        return difference

    wanted = [d for d in differences if d.aspect is Aspect.CONTENT][:MOST_SHOWN]
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        details = dict(zip((d.key for d in wanted), pool.map(shown, wanted), strict=True))
    return tuple(details.get(d.key, d) for d in differences)
