"""Cut a place into regions, and see which runs have the same value in each.

What the clocks told is blanked out first, so that a time stamp hides nothing behind it.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Sequence
from functools import lru_cache
from pathlib import PurePosixPath
from typing import NamedTuple

from msgspec import Struct

from repaudit.forensics import without_clock
from repaudit.formats import differing

#: A stamp is taken for a clock's within two days, so that nearer clocks are not told apart.
_APART = 4 * 86_400
#: Stands for a region that a run has not; no text holds a NUL.
_NOTHING = "\0"
#: What stands between the words of a line.
_BETWEEN = re.compile(r"""[\s=,;:|"'()<>\[\]{}]""")


class Clocks(Struct, frozen=True, kw_only=True):
    """What the clocks showed when the runs were made, in seconds since the epoch.

    `steps` holds, for each run, the clock that its steps read, None where that was the real one;
    `real` is the real clock, which the kernel stamps files with.
    """

    steps: tuple[int | None, ...]
    real: int

    def of(self, run: int) -> int:
        """Return the clock that the steps of a run read."""
        clock = self.steps[run]
        return self.real if clock is None else clock

    @property
    def moved(self) -> bool:
        """Whether the steps of some run read another day than the real one."""
        return any(abs(self.of(run) - self.real) >= _APART for run in range(len(self.steps)))


class Region(Struct, frozen=True, kw_only=True):
    """One part of a place.

    `label` says which, empty for the whole. `pattern` says which runs have one value, once what the
    clocks told is blanked out: for each run the number of the first that has the same. `told` says
    that each run's value held the time of the clock that its steps read, `stamped` the real time.
    """

    label: str
    pattern: tuple[int, ...]
    told: bool = False
    stamped: bool = False

    @property
    def steady(self) -> bool:
        """Whether nothing but the time differs."""
        return len(set(self.pattern)) == 1


def whole(values: Sequence[Hashable], label: str = "") -> Region:
    """Return the region of what has no parts: one value for all that differ alike."""
    return _whole(label, pattern(values))


@lru_cache(maxsize=10_000)
def _whole(label: str, values: tuple[int, ...]) -> Region:
    return Region(label=label, pattern=values)


def cut(sides: Sequence[bytes], path: str, clocks: Clocks) -> tuple[Region, ...]:
    """Return the regions in which a file differs; `sides` are its bytes in each run."""
    regions: list[Region] = []

    def blanked(label: str, texts: Sequence[bytes]) -> list[bytes]:
        # Before lines are aligned: those that only tell another time are the same then.
        read = _read(_shown(texts), clocks)
        regions.extend(_of_stamps(read, label))
        return [text.encode("utf-8", "surrogateescape") for text in read.rest]

    for label, values in differing(sides, PurePosixPath(path).name, rewrite=blanked).items():
        regions.extend(_regions(label, _shown(values), clocks))
    return tuple(regions)


def stamped(manners: Sequence[tuple[tuple[str, ...], ...]], clocks: Clocks) -> tuple[Region, ...]:
    """Return the regions of what is a stamp of each run's clock alone, written in these manners."""
    read = _Read(("",) * len(manners), tuple(manners), clocks.moved, not clocks.moved)
    return tuple(_of_stamps(read, ""))


class _Read(NamedTuple):
    """Values without what the clocks told, how that was written, and which clocks told it."""

    rest: tuple[str, ...]
    manners: tuple[tuple[tuple[str, ...], ...], ...] = ()
    told: bool = False
    stamped: bool = False


def _read(texts: Sequence[str], clocks: Clocks) -> _Read:
    # In the order in which they stand: stamps of the steps' clock, then those of the files'.
    first = [without_clock(text, clocks.of(run)) for run, text in enumerate(texts)]
    both = [without_clock(text.rest, clocks.real) for text in first]
    rest = tuple(text.rest for text in both)
    coarser = len(set(rest)) < len(set(texts))
    apart = clocks.moved or None in clocks.steps
    told = (clocks.moved or coarser) and all(text.manners for text in first)
    files = (without_clock(text, clocks.real) for text in texts)
    stamped = coarser and apart and all(text.manners for text in files)
    if not (told or stamped):
        return _Read(tuple(texts))
    manners = tuple(a.manners + b.manners for a, b in zip(first, both, strict=True))
    return _Read(rest, manners, told, stamped)


def _regions(label: str, texts: Sequence[str], clocks: Clocks) -> Iterator[Region]:
    read = _read(texts, clocks)
    yield from _of_stamps(read, label)
    for part in _words(read.rest):
        yield whole(part, label)


def _of_stamps(read: _Read, label: str) -> Iterator[Region]:
    """Yield that the clocks told something, and how that was written, which has other causes."""
    if read.told or read.stamped:
        steady = (0,) * len(read.rest)
        yield Region(label=label, pattern=steady, told=read.told, stamped=read.stamped)
    if len(set(map(len, read.manners))) > 1:
        yield whole(read.manners, label)
        return
    for stamp in zip(*read.manners, strict=True):
        for aspect in zip(*stamp, strict=True):
            if len(set(aspect)) > 1:
                yield whole(aspect, label)


def _words(texts: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield the words that differ between lines of as many words; else the texts as they are."""
    if any("\n" in text for text in texts):
        yield from [tuple(texts)] if len(set(texts)) > 1 else []
        return
    split = [_BETWEEN.split(text) for text in texts]
    alike = len(set(map(len, split))) == 1
    parts = zip(*split, strict=True) if alike else [tuple(texts)]
    yield from (part for part in parts if len(set(part)) > 1)


def _shown(values: Sequence[bytes | None]) -> list[str]:
    return [_NOTHING if v is None else v.decode("utf-8", "surrogateescape") for v in values]


def pattern(values: Sequence[Hashable]) -> tuple[int, ...]:
    """Return which values are the same, by the number of the first run that has each."""
    first: dict[Hashable, int] = {}
    return tuple(first.setdefault(value, number) for number, value in enumerate(values))
