"""The same items in another order: what decided it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from repaudit.forensics._case import held, levels, of_one_build
from repaudit.forensics.interface import Case

# Fewer items than this are in order by chance too often (1 in 4! for four).
_ENOUGH = 5
# The Estonian alphabet, the locale factor's variant: z stands before t.
_ESTONIAN = {letter: rank for rank, letter in enumerate("abcdefghijklmnopqrsšzžtuvwõäöüxy")}
#: What may give items an order where no run tells: the folder that is listed, a hash, a race.
_UNKNOWN = ("file_order", "random", "concurrency")


class Order(NamedTuple):
    """The cause of an order, how that was decided, and what is blamed if not what is usual."""

    slug: str
    why: str
    factors: tuple[str, ...] | None = None


def decide(case: Case, left: Sequence[str], right: Sequence[str]) -> Order:
    """Return the cause of an order."""
    in_left, in_right = list(left) == sorted(left), list(right) == sorted(right)
    backwards = list(reversed(left)) == list(right)
    if in_left != in_right and not held(case, "locale"):
        other = right if in_left else left
        side = "left" if in_left else "right"
        if _collated(other):
            return Order(
                "collation_order_varies_by_locale",
                f"the {side} side is sorted by code points, the other one as in a dictionary",
            )
        if len(left) >= _ENOUGH and not backwards and of_one_build(case):
            return Order(
                "collation_order_varies_by_locale",
                f"the {side} side alone is sorted by code points",
            )
    if backwards:
        return _listing(case, "one side is the other, backwards")
    return _listing(case, "no rule of sorting explains either side alone")


def _listing(case: Case, why: str) -> Order:
    if held(case, "file_order"):
        return Order("random_order_in_output", f"{why}, and both runs list files alike")
    if levels(case, "file_order"):
        return Order("random_order_of_directory_entries", why)
    return Order("random_order_in_output", f"{why}; the runs' levels are not known", _UNKNOWN)


def _collated(items: Sequence[str]) -> bool:
    """Whether a language's rules give this order: letters first, case and punctuation later."""
    keys = [re.sub(r"[\W_]+", "", item).casefold() for item in items]
    if keys == sorted(keys):
        return True
    estonian = [[_ESTONIAN.get(letter, ord(letter) - 200) for letter in key] for key in keys]
    return estonian == sorted(estonian)
