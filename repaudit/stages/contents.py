"""The files whose content differs: their bytes, which were kept, and what differs in them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Protocol

from repaudit.comparators import COMPARATORS
from repaudit.forensics import Content
from repaudit.model.difference import Aspect, Difference
from repaudit.model.image import Entry
from repaudit.oci.spool import MOST_OF_ONE, Spool
from repaudit.stages.compare import Comparison
from repaudit.stages.reading import differs_in_content

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


#: What differs: the digests of both sides, as the difference shows them.
_Sides = tuple[str | None, str | None]


class Contents(Protocol):
    """The contents that were kept, by what differs."""

    def get(self, sides: _Sides, /) -> Kept | None:
        """Return both sides of a file, None where they were not kept."""


class Library:
    """The contents that several comparisons kept: each is known once, and takes few bytes."""

    def __init__(self) -> None:
        self._known: dict[str | None, tuple[Path, str, int]] = {}

    def take_in(self, comparison: Comparison, spool: Spool) -> int:
        """Add what was kept while two images were compared; return the number of files."""
        files = 0
        for pair in _kept(comparison, spool):
            files += 1
            for entry in pair:
                told = (spool.folder, spool.path(entry).name, entry.stored)
                self._known.setdefault(entry.digest, told)
        return files

    def get(self, sides: _Sides, /) -> Kept | None:
        """Return both sides of a file, None where they were not kept."""
        left, right = map(self._known.get, sides)
        if left is None or right is None:
            return None
        (folder, name, size), (other_folder, other_name, other_size) = left, right
        return Kept(
            left=folder / name,
            right=other_folder / other_name,
            left_size=size,
            right_size=other_size,
        )


def contents_of(comparison: Comparison, spool: Spool) -> Mapping[_Sides, Kept]:
    """Return what differs in content and was kept while the images were compared."""
    return {
        (one.digest, other.digest): Kept(
            left=spool.path(one),
            right=spool.path(other),
            left_size=one.stored,
            right_size=other.stored,
        )
        for one, other in _kept(comparison, spool)
    }


def _kept(comparison: Comparison, spool: Spool) -> Iterator[tuple[Entry, Entry]]:
    for change in comparison.changed:
        if (one := change.left) and (other := change.right) and differs_in_content(change):
            if spool.has(one) and spool.has(other):
                yield one, other


def with_details(
    differences: Sequence[Difference],
    contents: Contents,
    jobs: int,
    without: Collection[str] = (),
) -> tuple[Difference, ...]:
    """Return the differences, the first MOST_SHOWN of content with what differs in them.

    `without` names comparators that are not asked.
    """
    some = [one for one in COMPARATORS.all() if one.name not in without]
    comparators = sorted(some, key=lambda c: c.rank)

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
