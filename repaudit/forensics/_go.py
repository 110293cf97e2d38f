"""Two folders in a Go program: in its table of sources, and in what follows from its length.

The table is one of those in .gopclntab, for tracebacks (Go: cmd/link/internal/ld/pcln.go). What
lies behind it moves, so that words that say where things are differ as well, in .go.module and
among the symbols and what the loader reads: each has to be the place of the same thing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from repaudit.forensics._debug import Order, Sections
from repaudit.forensics._paths import Moved, sources_renamed
from repaudit.formats import parting

GO_TABLES, GO_MODULE = ".gopclntab", ".go.module"
_FOLLOWING = (".dynamic", GO_MODULE, ".symtab")
_NAMES, _UNITS, _SOURCES, _COUNTERS, _FUNCTIONS = range(5)
#: Of Go 1.18, and from 1.20 on.
_MAGICS = frozenset({0xFFFFFFF0, 0xFFFFFFF1})
_WIDTHS = frozenset({4, 8})
_OFFSET, _NONE = 4, 0xFFFFFFFF


class _Tables(NamedTuple):
    """What the header says besides places, its words' width, and where each table starts."""

    head: bytes
    width: int
    starts: tuple[int, ...]
    data: bytes

    def table(self, number: int) -> bytes:
        return self.data[self.starts[number] : self.starts[number + 1]]


class Side(NamedTuple):
    """The sections of one side, and the address of each that is loaded."""

    sections: Sections
    loaded: Mapping[str, int]


def go_sources(left: Side, right: Side, order: Order, known: Sequence[Moved]) -> Iterator[str]:
    """Yield the sections that differ in the folders of sources, and in what follows, alone."""
    if not all(GO_TABLES in side.loaded for side in (left, right)):
        return  # nothing can be a place in what has no address
    both = [_tables(side.sections.get(GO_TABLES, b""), order) for side in (left, right)]
    one, other = both
    if one is None or other is None or not _alike(one, other, order, known):
        return
    yield GO_TABLES
    shifts = _shifts(left, right, one, other)
    sizes = {len(one.table(_SOURCES)): len(other.table(_SOURCES)), len(one.data): len(other.data)}
    for name in _FOLLOWING:
        sides = [_words(side.sections.get(name, b""), one.width, order) for side in (left, right)]
        if len(sides[0]) == len(sides[1]) and all(
            b == sizes.get(a) or _same_place(a, b, shifts) for a, b in zip(*sides, strict=True)
        ):
            yield name


def _tables(data: bytes, order: Order) -> _Tables | None:
    width = data[7] if len(data) > 7 else 0
    if int.from_bytes(data[:4], order) not in _MAGICS or width not in _WIDTHS:
        return None
    end = 8 + 8 * width
    words = _words(data[8:end], width, order)
    starts = (*words[3:], len(data))
    if any(start > after for start, after in pairwise((end, *starts))):
        return None
    return _Tables(data[:8] + repr(words[:3]).encode() + data[end : starts[0]], width, starts, data)


def _alike(one: _Tables, other: _Tables, order: Order, known: Sequence[Moved]) -> bool:
    """Whether the tables of both sides are the same but for the folders of sources."""
    named = sources_renamed(b"\0" + one.table(_SOURCES), known, b"go")[1:]
    if named.rstrip(b"\0") != other.table(_SOURCES).rstrip(b"\0") or one.head != other.head:
        return False
    if any(one.table(n) != other.table(n) for n in (_NAMES, _COUNTERS)):
        return False
    if _ends(one.table(_FUNCTIONS), other.table(_FUNCTIONS)) is None:
        return False
    units = [_units(side, order) for side in (one, other)]
    return units[0] == units[1] and None not in units[0]


def _ends(left: bytes, right: bytes) -> tuple[int, int] | None:
    """Return how much is the same from the start and from the end, if only zeros are between."""
    start = parting(left, right)
    rest = min(len(left), len(right)) - start
    end = parting(left[len(left) - rest :][::-1], right[len(right) - rest :][::-1])
    gaps = left[start : len(left) - end], right[start : len(right) - end]
    return None if any(gap.strip(b"\0") for gap in gaps) else (start, end)


def _units(side: _Tables, order: Order) -> list[int | None]:
    """Return which of the sources, by number, the table of units names."""
    numbers, at = {_NONE: _NONE}, 0
    for number, text in enumerate(side.table(_SOURCES).split(b"\0")):
        numbers[at] = number
        at += len(text) + 1
    return [numbers.get(word) for word in _words(side.table(_UNITS), _OFFSET, order)]


def _words(data: bytes, width: int, order: Order) -> list[int]:
    return [int.from_bytes(data[n : n + width], order) for n in range(0, len(data), width)]


#: What has another address on the right: where it starts and ends, and how far it has moved.
_Shift = tuple[int, int, int]


def _shifts(left: Side, right: Side, one: _Tables, other: _Tables) -> list[_Shift]:
    found = []
    for name, data in left.sections.items():
        start, new = left.loaded.get(name, 0), right.loaded.get(name, 0)
        if start and new and (data == right.sections.get(name) or name in _FOLLOWING):
            found.append((start, start + len(data), new - start))
    start, new = left.loaded.get(GO_TABLES, 0), right.loaded.get(GO_TABLES, 0)
    for n in (_NAMES, _UNITS, _SOURCES, _COUNTERS):
        at = start + one.starts[n]
        # Nothing but the units points into the sources.
        size = 0 if n == _SOURCES else len(one.table(n))
        found.append((at, at + size, new + other.starts[n] - at))
    first, last = _ends(one.table(_FUNCTIONS), other.table(_FUNCTIONS)) or (0, 0)
    at, end = start + one.starts[_FUNCTIONS], start + len(one.data)
    found.append((at, at + first, new + other.starts[_FUNCTIONS] - at))
    found.append((end - last, end, new + len(other.data) - end))
    return [shift for shift in found if shift[2]]


def _same_place(left: int, right: int, shifts: Iterable[_Shift]) -> bool:
    """Whether two words are no place that has moved, or the same one."""
    if any(start <= left <= end and left + by == right for start, end, by in shifts):
        return True
    return left == right and not any(start < left < end for start, end, _ in shifts)
