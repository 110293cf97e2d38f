"""SQLite databases: what the cells that differ show, where nothing differs beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from struct import pack

from repaudit.forensics._case import clue, clues, contents, quote, whole
from repaudit.forensics._members import claims, whole_parts
from repaudit.forensics._obeyed import dates_alone
from repaudit.forensics._tokens import compare_lines, sample, unseen
from repaudit.forensics.interface import Case, Forensic
from repaudit.forensics.text import decoded
from repaudit.formats import STEP, apart, parting
from repaudit.model.finding import Clue

_TABLE = "table "
#: Shorter values stand anywhere.
_SHORTEST = 4
#: So many bytes are held against the values of cells, in seconds; to try one costs as much as some.
_WORK, _CHECK = 2 << 30, 1 << 10


class _Sqlite:
    name = "sqlite"

    def examine(self, case: Case) -> Iterator[Clue]:
        """Yield what the words of cells show, and whether other bytes differ."""
        data = contents(case)
        if data is None or not whole(case) or not all(claims("sqlite", side) for side in data):
            return
        sides = [whole_parts("sqlite", side) for side in data]
        cells, others = list[tuple[str, str, str]](), list[str]()
        for name in apart(sides):
            both = [decoded(side[name].data) if name in side else None for side in sides]
            if both[0] and both[1] and name.startswith(_TABLE):
                cells.append((name.rpartition(STEP)[2], both[0], both[1]))
            else:
                others.append(name)
        if not cells:
            return
        pairs = [(f"{column} {a}", f"{column} {b}") for column, a, b in cells]
        some = sample(pairs, case.share)
        blames = (blame for a, b in some for blame in compare_lines(case, a, b))
        yield from clues(dates_alone(case, blames))
        if more := unseen(pairs, some):
            yield clue("unexplained", f"{more} more cells were not compared")
        if others:
            yield clue("unexplained", f"no known cause makes these differ: {quote(others[0])}")
        elif not _nothing_else(data, [(a, b) for _, a, b in cells]):
            yield clue("unexplained", "other bytes differ than those of the cells")


def _nothing_else(data: Sequence[bytes], cells: Sequence[tuple[str, str]]) -> bool:
    """Whether two databases differ only where one has a cell's left value, the other its right."""
    left, right = data
    if len(left) != len(right):
        return False
    # By the bytes with which they begin to differ, the longest first: others may begin so too.
    known: dict[tuple[int, int], list[tuple[int, bytes, bytes]]] = {}
    stored = {pair for a, b in cells for pair in _stored(a, b) if pair[0] != pair[1]}
    for one, other in sorted(stored, key=lambda pair: (-len(pair[0]), pair)):
        at = parting(one, other)
        known.setdefault((one[at], other[at]), []).append((at, one, other))
    end, work = 0, _WORK
    while (at := parting(left, right, end)) < len(left):
        for before, one, other in known.get((left[at], right[at]), ()):
            work -= _CHECK + len(one)
            if work < 0:
                return False
            start = at - before
            if start >= end and left.startswith(one, start) and right.startswith(other, start):
                end = start + len(one)
                break
        else:
            return False
    return True


def _stored(left: str, right: str) -> Iterator[tuple[bytes, bytes]]:
    """Yield how two values are stored in records of one length ("Record Format")."""
    texts = left.encode(), right.encode()
    if len(texts[0]) == len(texts[1]) >= _SHORTEST:
        yield texts
    try:
        numbers = int(left), int(right)
    except ValueError:
        try:
            yield pack(">d", float(left)), pack(">d", float(right))
        except ValueError:
            return
    else:
        for size in (4, 6, 8):
            if all(-(1 << size * 8 - 1) <= number < 1 << size * 8 - 1 for number in numbers):
                yield numbers[0].to_bytes(size, signed=True), numbers[1].to_bytes(size, signed=True)


FORENSIC: Forensic = _Sqlite()
