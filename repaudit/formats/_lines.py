"""Align parts that are named by where they stand: lines of a text, strings of a section."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import islice
from typing import AnyStr

#: Longer stretches are compared in place.
_MOST = 1_000
#: Of so many lines each is told; of more the stretch that they are in.
_MOST_TOLD = 20_000
#: What SequenceMatcher may try, which takes a second or two: the number of items, squared, times
#: how often one may stand among them before it is taken for one that says nothing of a place.
_WORK = 80_000_000

Values = tuple[bytes | None, ...]


def aligned(sides: Sequence[Sequence[bytes]], word: str) -> Iterator[tuple[str, Values]]:
    """Yield the values that are not the same on all sides, each with its name.

    `line 3` is the first side's third line, and `after line 3` what stands behind it on other sides
    alone. Sides that hold the same lines in another order give `order of lines`, and nothing else.
    """
    if all(reordered(sides[0], side) for side in sides[1:]):
        yield f"order of {word}s", tuple(b"\n".join(side) for side in sides)
        return
    start = _shared(sides, backwards=False)
    trimmed = [side[start:] for side in sides]
    end = _shared(trimmed, backwards=True)
    trimmed = [side[: len(side) - end] for side in trimmed]
    if max(map(len, trimmed)) > _MOST:
        yield from _in_place(trimmed, start, word)
        return
    tables: dict[tuple[bytes, ...], dict[float, bytes]] = {}
    for side in trimmed:
        if tuple(side) not in tables:
            tables[tuple(side)] = _against(trimmed[0], side)
    per_side = [tables[tuple(side)] for side in trimmed]
    for place in sorted({place for table in per_side for place in table}):
        values = tuple(table.get(place) for table in per_side)
        if len(set(values)) > 1:
            number = start + int(place)
            yield (f"{word} {number}" if place % 1 == 0 else f"after {word} {number}"), values


def reordered(one: Sequence[AnyStr], other: Sequence[AnyStr]) -> bool:
    """Whether two lists hold the same, in whatever order."""
    alike = len(one) == len(other) and sum(map(hash, one)) == sum(map(hash, other))
    return alike and sorted(one) == sorted(other)  # a count would take a hundred bytes an item


def matcher(
    one: Sequence[AnyStr], other: Sequence[AnyStr], work: int = _WORK, *, autojunk: bool = True
) -> SequenceMatcher[AnyStr]:
    """Return difflib's matcher of two lists; `work` bounds what it tries, which is cubic at worst.

    What stands too often for that is only matched beside what does not.
    """
    counted = Counter(other)
    most = work // max(len(one), len(other), 1) ** 2
    return SequenceMatcher(lambda item: counted[item] > most, one, other, autojunk)


def _shared(sides: Sequence[Sequence[bytes]], *, backwards: bool) -> int:
    count = 0
    step = reversed if backwards else iter
    for row in zip(*(step(side) for side in sides), strict=False):
        if any(one != row[0] for one in row):
            break
        count += 1
    return count


def _in_place(
    sides: Sequence[Sequence[bytes]], start: int, word: str
) -> Iterator[tuple[str, Values]]:
    if len({len(side) for side in sides}) > 1:
        yield f"after {word} {start}", tuple(b"\n".join(side) for side in sides)
        return
    rows = enumerate(zip(*sides, strict=True), start + 1)
    differ = list(islice(((number, row) for number, row in rows if len(set(row)) > 1), _MOST_TOLD))
    if len(differ) == _MOST_TOLD:
        yield f"after {word} {start}", tuple(b"\n".join(side) for side in sides)
        return
    for number, row in differ:
        yield f"{word} {number}", row


def _against(base: Sequence[bytes], side: Sequence[bytes]) -> dict[float, bytes]:
    """Return what stands at each place of `base`; halves are the gaps behind a place."""
    found: dict[float, bytes] = {}
    for verb, i, i_end, j, j_end in matcher(base, side).get_opcodes():
        if i_end - i == j_end - j:
            found.update({i + k + 1.0: side[j + k] for k in range(j_end - j)})
        elif verb == "insert":
            found[i + 0.5] = b"\n".join(side[j:j_end])
        elif verb == "replace":
            found[i + 1.0] = b"\n".join(side[j:j_end])
    return found
