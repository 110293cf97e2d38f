"""Which members and fields of two files differ, for every file that a reader of ours opens."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from threading import Lock

from repaudit.comparators.interface import MOST_LINES, Comparator, bounded
from repaudit.formats import CONTENT, STEP, differing, digest, parting
from repaudit.model.text import printable
from repaudit.model.withheld import WITHHELD, withheld

#: How much of a value is shown, and of that before the place where the two sides part.
_ROOM, _BEFORE = 60, 20


#: One file at a time is looked into: each may take some hundred megabytes, and it is all Python.
_ALONE = Lock()


class _Native:
    name = "native"
    rank = 1

    def compare(self, name: str, left: Path, right: Path) -> str | None:
        with _ALONE:
            told = differing((left.read_bytes(), right.read_bytes()), name, hide=withheld)
        if not told or CONTENT in told:
            return None
        # Of a thousand members whose times differ alike, one stands for all.
        alike: dict[tuple[str, bytes | None, bytes | None], list[str]] = {}
        for locator, (one, other) in told.items():
            alike.setdefault((locator.rpartition(STEP)[2], one, other), []).append(locator)
        some = islice(alike.items(), MOST_LINES)
        lines = [_line(locators, key[1], key[2]) for key, locators in some]
        return bounded(lines, len(alike) - len(lines))


def _line(locators: list[str], one: bytes | None, other: bytes | None) -> str:
    more = f" (and {len(locators) - 1} more)" if len(locators) > 1 else ""
    one, other = (side and withheld(side) for side in (one, other))
    start = _parting(one, other)
    return f"{locators[0]}{more}: {_shown(one, start)} → {_shown(other, start)}"


def _parting(one: bytes | None, other: bytes | None) -> int:
    """Return from where on both values are shown."""
    if one is None or other is None:
        return 0
    first = parting(one, other)
    said = one.rfind(WITHHELD.encode(), 0, first)
    if said >= 0 and b")" not in one[said:first]:
        return said
    return first - _BEFORE if first > _ROOM - _BEFORE else 0


def _shown(value: bytes | None, start: int) -> str:
    if value is None:
        return "nothing"
    if b"\0" in value:
        return digest(value).decode()
    text = value[start : start + _ROOM].decode("utf-8", "backslashreplace")
    before, after = "…" if start else "", "…" if len(value) > start + _ROOM else ""
    return f"'{before}{printable(text)}{after}'"


COMPARATOR: Comparator = _Native()
