"""PNG images: the time and the texts that a program wrote into them (PNG specification, 11.3)."""

from __future__ import annotations

from collections.abc import Iterator

from repaudit.forensics._case import Blame, clue, clues, contents, whole
from repaudit.forensics._members import claims, whole_parts
from repaudit.forensics._tokens import compare_lines, sample, unseen
from repaudit.forensics.interface import Case, Forensic
from repaudit.forensics.text import decoded
from repaudit.formats import apart
from repaudit.model.finding import Clue

#: The chunks whose values are text: a keyword and what it says, and the time of the last change.
TEXTS = frozenset({"tEXt", "tIME"})


class _Png:
    name = "png"

    def examine(self, case: Case) -> Iterator[Clue]:
        """Yield what the words of texts that differ show; uncovered.py has all other chunks."""
        data = contents(case)
        if data is None or not whole(case) or not all(claims("png", side) for side in data):
            return
        sides = [whole_parts("png", side) for side in data]
        pairs, blames = list[tuple[str, str]](), list[Blame]()
        for name in apart(sides):
            word, _, keyword = name.partition(" ")
            if word in TEXTS:
                texts = [decoded(side[name].data) if name in side else None for side in sides]
                if texts[0] is None or texts[1] is None:
                    blames.append(Blame("unexplained", name, name))
                else:  # the keyword says what it is
                    pairs.append((f"{keyword} {texts[0]}", f"{keyword} {texts[1]}"))
        some = sample(pairs, case.share)
        for left, right in some:
            blames += compare_lines(case, left, right)
        yield from clues(blames)
        if more := unseen(pairs, some):
            yield clue("unexplained", f"{more} more texts were not compared")


FORENSIC: Forensic = _Png()
