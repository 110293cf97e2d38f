"""Two folders in debug information: whether it differs in them alone, and in what follows.

Its strings stand in sections of their own, in any order, and the others refer to them by offsets of
four bytes (DWARF 5, 7.4 and 7.5.5). It is not loaded, so that a path in it decides nothing that
runs.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from repaudit.forensics._paths import Moved, renamed
from repaudit.formats import parting

_TEXTS = (".debug_line_str", ".debug_str")
_LINES = ".debug_line"
_REFERRING = re.compile(r"(?:\.rela?)?\.debug_(?:info|line|macro|names|str_offsets|types)")
_WORD, _WIDE = 4, 0xFFFFFFF0
#: So many words are looked up, so many strings searched for, and no longer ones: it takes a while.
_MOST_WORDS, _MOST_ENDS, _LONGEST = 500_000, 50, 1 << 12

Order = Literal["little", "big"]
#: Sections by name.
Sections = Mapping[str, bytes]


class Debug:
    """Both sides' sections that are not loaded, and the folders that stand for each other there."""

    def __init__(
        self, left: Sections, right: Sections, order: Order, known: Sequence[Moved]
    ) -> None:
        self._left, self._right = left, right
        self._order: Order = order
        self._known = known
        self._same = lru_cache(maxsize=1 << 16)(self._refers)
        self._units = [_units(side.get(_LINES, b""), order) for side in (left, right)]

    def tells_folders(self, name: str) -> bool:
        """Whether a section differs in nothing but the folders, and where strings are."""
        left, right = self._left.get(name), self._right.get(name)
        if left is None or right is None:
            return False
        if name in _TEXTS:
            return _same_texts(renamed(left, self._known), right)
        if not _REFERRING.fullmatch(name):
            return False
        if name == _LINES:
            if [*self._units[0].values()] != [*self._units[1].values()]:
                return False
            left = _blanked(left, self._units[0], self._order)
            right = _blanked(right, self._units[1], self._order)
        return self._follows(renamed(left, self._known), right)

    def _follows(self, left: bytes, right: bytes) -> bool:
        """Whether all words that differ refer to the same strings."""
        if len(left) != len(right):
            return False
        at = 0
        for _ in range(_MOST_WORDS):
            found = parting(left, right, at)
            if found == len(left):
                return True
            # It is not known where a word starts: the lower bytes of both may agree.
            starts = range(found, max(at, found - _WORD + 1) - 1, -1)
            start = next((n for n in starts if self._same(*_words(left, right, n))), None)
            if start is None:
                return False
            at = start + _WORD
        return False

    def _refers(self, left: bytes, right: bytes) -> bool:
        one, other = (int.from_bytes(word, self._order) for word in (left, right))
        unit = self._units[0].get(one)
        if unit is not None and unit == self._units[1].get(other):
            return True
        for name in _TEXTS:
            text, new = _text(self._left.get(name), one), _text(self._right.get(name), other)
            if text and new and renamed(text, self._known) == new:
                return True
        return False


def _same_texts(left: bytes, right: bytes) -> bool:
    """Whether both hold the same strings; one that ends another need not be there of its own."""
    one, other = (Counter(side.split(b"\0")) for side in (left, right))
    return _held(one - other, right) and _held(other - one, left)


def _held(texts: Collection[bytes], data: bytes) -> bool:
    return len(texts) <= _MOST_ENDS and all(text + b"\0" in data for text in texts)


def _text(section: bytes | None, at: int) -> bytes | None:
    if section is None or at >= len(section):
        return None
    end = section.find(b"\0", at, at + _LONGEST)
    return section[at:end] if end >= 0 else None


def _words(left: bytes, right: bytes, at: int) -> tuple[bytes, bytes]:
    return left[at : at + _WORD], right[at : at + _WORD]


class _Unit(NamedTuple):
    """A unit of line numbers: its place among them, and its length behind its header."""

    number: int
    program: int


#: By where they start.
_Units = dict[int, _Unit]


def _units(data: bytes, order: Order) -> _Units:
    """Return the units of .debug_line; none where they are no whole ones (DWARF 5, 6.2.4)."""
    found: _Units = {}
    at = 0
    while at < len(data):
        length, header = (
            int.from_bytes(data[start : start + _WORD], order)
            for start in (at, _header(data, at, order))
        )
        if length >= _WIDE or not length:
            return {}
        found[at] = _Unit(len(found), length - header)
        at += _WORD + length
    return found if at == len(data) else {}


def _header(data: bytes, at: int, order: Order) -> int:
    """Return where the unit that starts at `at` holds the length of its header."""
    version = int.from_bytes(data[at + 4 : at + 6], order)
    return at + (8 if version >= 5 else 6)


def _blanked(data: bytes, units: _Units, order: Order) -> bytes:
    """Return line numbers without the lengths that follow from what paths they name."""
    blank = bytearray(data)
    for unit in units:
        for at in (unit, _header(data, unit, order)):
            blank[at : at + _WORD] = bytes(_WORD)
    return bytes(blank[: len(data)])
