"""The names of days and months, in English and in the language of the locale factor (Estonian)."""

from __future__ import annotations

from msgspec import Struct


class Word(Struct, frozen=True):
    """A day's or month's name: its number in the week (from Monday) or year, its languages."""

    kind: str
    index: int
    languages: frozenset[str]


_NAMES = {
    ("month", "en"): (
        "january february march april may june july august september october november december",
        "jan feb mar apr may jun jul aug sep oct nov dec",
    ),
    ("month", "et"): (
        "jaanuar veebruar märts aprill mai juuni juuli august "
        "september oktoober november detsember",
        "jaan veebr märts apr mai juuni juuli aug sept okt nov dets",
    ),
    ("day", "en"): (
        "monday tuesday wednesday thursday friday saturday sunday",
        "mon tue wed thu fri sat sun",
    ),
    ("day", "et"): (
        "esmaspäev teisipäev kolmapäev neljapäev reede laupäev pühapäev",
        "e t k n r l p",
    ),
}


def _words() -> dict[str, Word]:
    found: dict[str, Word] = {}
    for (kind, language), lists in _NAMES.items():
        for names in lists:
            for number, name in enumerate(names.split(), start=1):
                spoken = found[name].languages if name in found else frozenset[str]()
                found[name] = Word(kind, number, spoken | {language})
    return found


#: Every name, in lower case.
WORDS = _words()
MONTHS = tuple(sorted(name for name, word in WORDS.items() if word.kind == "month"))


def foreign(left: frozenset[str], right: frozenset[str], *, moved: bool) -> bool:
    """Whether names in these languages are of two; `moved`: the runs' locales are known to differ.

    Some names are the same in both languages: where the locale moved, an English one stands for
    the control's.
    """
    if not left or not right:
        return False
    return not left & right or (moved and ("en" in left) != ("en" in right))
