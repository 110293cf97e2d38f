"""The rows of the explaining experiment: which factors each run moves.

Seven rows beside the control move every factor in three to five of them, so that no factor's
pattern is another's, nor that of two which act together (tests state the properties). Together
with control, replicate and the variant that moves all, they are ten runs for twelve factors.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

#: One word a row, one letter a factor: 1 moves it.
_ROWS = (
    "111110010110",
    "000111111101",
    "111011010011",
    "010111100010",
    "011110101101",
    "110001101101",
    "101101011010",
)


def rows(factors: Sequence[str], seed: str) -> tuple[frozenset[str], ...]:
    """Return the factors that each row moves; which factor has which column is the seed's choice.

    Any number of factors up to the number of columns keeps the property.
    """
    columns = sorted(factors, key=lambda name: _rank(seed, name))
    return tuple(
        frozenset(name for name, letter in zip(columns, row, strict=False) if letter == "1")
        for row in sorted(_ROWS, key=lambda row: _rank(seed, row))
    )


def _rank(seed: str, word: str) -> str:
    """Return a number that orders words as a shuffle would, the same for the same seed."""
    return hashlib.sha256(f"{seed}\0{word}".encode()).hexdigest()
