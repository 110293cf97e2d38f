"""A unified diff of two texts."""

from __future__ import annotations

import difflib
from itertools import islice
from pathlib import Path

from repaudit.comparators.interface import MOST_LINES, Comparator, bounded
from repaudit.model.text import printable
from repaudit.model.withheld import withheld

_MOST_BYTES = 1 << 20
_MOST_DIFF = MOST_LINES * 50
_MOST_COMPARED = 2_000


class _Text:
    name = "text"
    rank = 0

    def compare(self, name: str, left: Path, right: Path) -> str | None:
        one, other = _lines(left), _lines(right)
        if one is None or other is None:
            return None
        start = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)
        # difflib is quadratic: it gets the lines around the first difference, not all there are.
        some = slice(max(0, start - 1), start + _MOST_COMPARED)
        diff = difflib.unified_diff(one[some], other[some], "left", "right", lineterm="", n=1)
        return bounded(list(islice(diff, 2, _MOST_DIFF)))


def _lines(path: Path) -> list[str] | None:
    """Return the lines of a text, None for what is none or too long."""
    if path.stat().st_size > _MOST_BYTES:
        return None
    data = path.read_bytes()
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else [printable(line) for line in withheld(text).split("\n")]


COMPARATOR: Comparator = _Text()
