"""Where two files part, as rows of bytes: for what nobody could open."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from repaudit.comparators.interface import Comparator, bounded
from repaudit.formats import parting
from repaudit.model.withheld import covered

#: How many bytes a row shows, how many rows a side, and where rows are looked for.
_ROW, _ROWS, _NEAR = 16, 8, 1 << 16
_BLOCK = 4096


class _Bytes:
    name = "bytes"
    rank = 3

    def compare(self, name: str, left: Path, right: Path) -> str | None:
        one, other = left.read_bytes(), right.read_bytes()
        if one == other:
            return None
        start = parting(one, other)
        head, shown = _head(start, one, other), (covered(one), covered(other))
        if shown != (one, other):
            head += "; private keys and password hashes are not shown"
        return bounded([head, *islice(_rows(start, *shown), 2 * _ROWS)])


def _head(start: int, one: bytes, other: bytes) -> str:
    if len(one) != len(other):
        return f"from byte {start} on, of {len(one)} and {len(other)}"
    places = range(0, len(one), _BLOCK)
    count = sum(one[at : at + _BLOCK] != other[at : at + _BLOCK] for at in places)
    blocks = f"in {count} of {len(places)} blocks of {_BLOCK}"
    return f"from byte {start} on, of {len(one)}, {blocks}"


def _rows(start: int, one: bytes, other: bytes) -> Iterator[str]:
    begin = start - start % _ROW
    for at in range(begin, min(begin + _NEAR, max(len(one), len(other))), _ROW):
        a, b = one[at : at + _ROW], other[at : at + _ROW]
        if a != b:
            sides = (("-", a), ("+", b))
            yield from (f"{sign}{at:08x}: {_row(data)}" for sign, data in sides if data)


def _row(data: bytes) -> str:
    text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in data)
    return f"{data.hex(' ', -2):<39}  {text}"


COMPARATOR: Comparator = _Bytes()
