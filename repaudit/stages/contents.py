"""The files whose content differs: their bytes, which were kept, and what differs in them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from itertools import count
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from repaudit.comparators import COMPARATORS
from repaudit.forensics import Content
from repaudit.model.difference import Aspect, Difference
from repaudit.oci.spool import MOST_OF_ONE, Source, Spool

#: The most files whose difference is shown in full.
MOST_SHOWN = 60
#: Longer ones are looked into one at a time: what is read of a file may take ten times its length.
_LONG = 32 << 20


class Kept(Struct, frozen=True, kw_only=True):
    """Both sides of one file, cut off at MOST_OF_ONE, and their whole lengths in bytes."""

    left: Source
    right: Source
    left_size: int
    right_size: int

    @property
    def whole(self) -> bool:
        """Whether nothing was cut off on either side."""
        return self.length <= MOST_OF_ONE

    @property
    def length(self) -> int:
        """Of the longer side, in bytes."""
        return max(self.left_size, self.right_size)

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
    """The contents that lie in a spool, whichever comparison brought them."""

    def __init__(self, spool: Spool) -> None:
        self.spool = spool

    def get(self, sides: _Sides, /) -> Kept | None:
        """Return both sides of a file, None where they were not kept."""
        left, right = map(self.spool.find, sides)
        if left is None or right is None:
            return None
        return Kept(
            left=left.source, right=right.source, left_size=left.size, right_size=right.size
        )


def with_details(
    differences: Sequence[Difference],
    contents: Contents,
    folder: Path,
    jobs: int,
    without: Collection[str] = (),
) -> tuple[Difference, ...]:
    """Return the differences, the first MOST_SHOWN of content with what differs in them.

    What has a detail keeps it.
    `folder` is one of ours, for files; `without` names comparators that are not asked.
    """
    folder.mkdir(exist_ok=True)
    some = [one for one in COMPARATORS.all() if one.name not in without]
    comparators = sorted(some, key=lambda c: c.rank)
    alone = Lock()

    def shown(number: int, difference: Difference) -> Difference:
        kept = contents.get((difference.left, difference.right))
        if kept is None or not kept.whole:
            return difference
        with alone if kept.length > _LONG else nullcontext():
            return compared(number, difference, kept)

    def compared(number: int, difference: Difference, kept: Kept) -> Difference:
        name = PurePosixPath(difference.path).name
        left = _as_file(kept.left, folder / f"{number}-left")
        right = _as_file(kept.right, folder / f"{number}-right")
        for comparator in comparators:
            detail = comparator.compare(name, left, right)
            if detail:
                return replace(difference, detail=detail)
        return difference

    wanted = [d for d in differences if d.aspect is Aspect.CONTENT and not d.detail][:MOST_SHOWN]
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        details = {d.key: d for d in pool.map(shown, count(), wanted)}
    return tuple(details.get(d.key, d) for d in differences)


def _as_file(source: Source, path: Path) -> Path:
    """Return a file with a content, for programs that read nothing else."""
    if isinstance(source, Path):
        return source
    path.write_bytes(source.read_bytes())
    return path
