"""The contract of a comparator.

Laws, tested for every comparator: what comes back is bounded and depends on the two files alone;
hostile files cannot make it raise, write, or reach the network; a missing tool gives None.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

#: The most lines and characters that a detail has.
MOST_LINES = 40
MOST_CHARACTERS = 4_000


class Comparator(Protocol):
    """Shows how two files differ."""

    @property
    def name(self) -> str:
        """The file's name."""

    @property
    def rank(self) -> int:
        """Lower ranks are asked first."""

    def compare(self, name: str, left: Path, right: Path) -> str | None:
        """Return the difference for people to read; None where it is not for this comparator.

        `name` is the file's base name in the image.
        """


def bounded(lines: list[str], further: int = 0) -> str:
    """Cut a detail to its bounds, and say so; `further` lines there are beside these."""
    more = len(lines) + further - MOST_LINES
    text = "\n".join(line[:400] for line in lines[:MOST_LINES])
    if more > 0:
        text += f"\n… {more} more lines"
    return text[:MOST_CHARACTERS]
