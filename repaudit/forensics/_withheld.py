"""Keys and passwords in texts: that they are others is told, and no word of them."""

from __future__ import annotations

from itertools import zip_longest

from repaudit.forensics._case import Blame, of_one_build
from repaudit.forensics.interface import Case
from repaudit.model.withheld import apart


def hide(case: Case, left: str, right: str) -> tuple[str, str, list[Blame]]:
    """Return both texts without what no report shows, and how that differs."""
    (left, on_left), (right, on_right) = apart(left), apart(right)
    pairs = zip_longest(on_left, on_right, fillvalue="")
    found = [Blame("unexplained", a, b) for a, b in pairs if a != b]
    if of_one_build(case) and all(one.left and one.right for one in found):
        found = [one._replace(slug="embeds_random_value") for one in found]
    return left, right, found
