"""Cut a place into regions, and see which runs have the same value in each.

What the clocks told is blanked out first, so that a time stamp hides nothing behind it.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import NamedTuple

from repaudit.forensics import without_clock
from repaudit.formats import differing

#: A stamp is taken for a clock's within two days, so that nearer clocks are not told apart.
_APART = 4 * 86_400
#: What stands between the words of a line.
_BETWEEN = re.compile(r"""[\s=,;:|"'()<>\[\]{}]""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """What the clocks showed when the runs were made, in seconds since the epoch.

    `steps` holds, for each run, the clock that its steps read, None where that was the real one;
    `real` is the real clock, which the kernel stamps files with.
    """

    steps: tuple[int | None, ...]
    real: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
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
    """Return the region of what has no parts."""
    return Region(label=label, pattern=pattern(values))


def cut(sides: Sequence[bytes], path: str, clocks: Clocks) -> tuple[Region, ...]:
    """Return the regions in which a file differs; `sides` are its bytes in each run."""
    name = PurePosixPath(path).name
    texts = _texts(sides)
    if texts is None:
        found = differing(sides, name).items()
        return tuple(r for label, values in found for r in _regions(label, _shown(values), clocks))
    # A text is blanked first: lines that only tell another time are to be aligned as the same.
    read = _read(texts, clocks)
    rest = [text.encode("utf-8", "surrogateescape") for text in read.rest]
    lines = [
        whole(part, label)
        for label, values in differing(rest, name).items()
        for part in _words(_shown(values))
    ]
    return (*_of_stamps(read, ""), *lines)


class _Read(NamedTuple):
    """Values without what the clocks told, how that was written, and which clocks told it."""

    rest: tuple[str, ...]
    manners: tuple[tuple[tuple[str, ...], ...], ...] = ()
    told: bool = False
    stamped: bool = False


def _read(texts: Sequence[str], clocks: Clocks) -> _Read:
    steps = [clocks.real if clock is None else clock for clock in clocks.steps]
    # In the order in which they stand: stamps of the steps' clock, then those of the files'.
    first = [without_clock(t, clock) for t, clock in zip(texts, steps, strict=True)]
    both = [without_clock(text.rest, clocks.real) for text in first]
    rest = tuple(text.rest for text in both)
    moved = any(abs(clock - clocks.real) >= _APART for clock in steps)
    coarser = len(set(rest)) < len(set(texts))
    apart = moved or None in clocks.steps
    told = (moved or coarser) and all(text.manners for text in first)
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
    for field in zip(*read.manners, strict=False) if _alike(read.manners) else (read.manners,):
        for aspect in zip(*field, strict=False) if _alike(read.manners) else (field,):
            if len(set(aspect)) > 1:
                yield whole(aspect, label)


def _alike(values: Sequence[Sequence[object]]) -> bool:
    return len({len(value) for value in values}) == 1


def _words(texts: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield the words that differ between lines of as many words; else the texts as they are."""
    if any("\n" in text for text in texts):
        yield tuple(texts)
        return
    split = [_BETWEEN.split(text) for text in texts]
    parts = zip(*split, strict=True) if _alike(split) else [tuple(texts)]
    yield from (part for part in parts if len(set(part)) > 1)


def _texts(sides: Sequence[bytes]) -> list[str] | None:
    """Return the sides as text, None unless all of them are."""
    if any(b"\0" in side for side in sides):
        return None
    try:
        return [side.decode() for side in sides]
    except UnicodeDecodeError:
        return None


def _shown(values: Sequence[bytes | None]) -> list[str]:
    return ["" if v is None else "=" + v.decode("utf-8", "surrogateescape") for v in values]


def pattern(values: Sequence[Hashable]) -> tuple[int, ...]:
    """Return which values are the same, by the number of the first run that has each."""
    first: dict[Hashable, int] = {}
    return tuple(first.setdefault(value, number) for number, value in enumerate(values))
