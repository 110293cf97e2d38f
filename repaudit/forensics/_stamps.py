"""Dates and times in text: find them and read them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache

from msgspec import Struct

from repaudit.forensics._words import MONTHS, WORDS

DAY = 86_400

_CLOCK = r"(?P<H>[0-2]?\d):(?P<M>[0-5]\d)(?::(?P<S>[0-6]\d)(?:[.,]\d{1,9})?)?(?: ?(?P<ap>[AP]M)\b)?"
_ZONE = (
    r"(?: ?(?P<z>(?:GMT|UTC)?[+-]\d\d(?::?\d\d)?(?!\d)"
    r"|(?:Z|UTC|GMT|CES?T|EES?T|WES?T|[ECMP][SD]T|JST|IST|BST|MSK)\b))?"
)
#: Stands for the months' names that may be meant.
_NAMES = "<names>"
_MONTH = rf"(?P<b>{_NAMES})\.?"
_DAYNAME = r"(?:(?P<a>[^\W\d_]{1,12})[,.]? )?"
_YEAR = r"(?P<y>(?:19|20)\d\d)(?!\d)"
_NUMBER = r"(?P<d>[0-3]?\d)"
_EDGE = r"(?<![0-9A-Za-z.])"
_FORMS = (
    # ISO 8601, RFC 3339, and their kin with slashes or dots
    rf"(?<!\d)(?P<y>(?:19|20)\d\d)(?P<s>[-/.])(?P<m>[01]\d)(?P=s)(?P<d>[0-3]\d)"
    rf"(?:[T _-]+{_CLOCK}{_ZONE})?(?!\d)",
    rf"(?<![\d.])(?P<d>[0-3]?\d)(?P<s>[./])(?P<m>[01]?\d)(?P=s){_YEAR}(?: {_CLOCK}{_ZONE})?",
    # RFC 5322, the web server's log, and `22 November 2026`
    rf"(?<!\w){_DAYNAME}(?<!\d){_NUMBER}\.?(?: |[/-]){_MONTH},?(?: +|[/-]){_YEAR}"
    rf"(?:,?[ :]{_CLOCK}{_ZONE})?",
    # asctime, date(1), __DATE__, syslog
    rf"(?<!\w){_DAYNAME}{_MONTH}  ?{_NUMBER},?(?: {_CLOCK}{_ZONE})? {_YEAR}",
    rf"(?<!\w){_DAYNAME}{_MONTH}  ?{_NUMBER},? (?:{_YEAR} )?{_CLOCK}{_ZONE}",
    rf"(?<!\w){_MONTH} {_YEAR}",
    # __DATE__ __TIME__, which C joins without a space
    rf"(?<!\w){_MONTH}  ?{_NUMBER} (?P<y>(?:19|20)\d\d){_CLOCK}",
    # ISO 8601 in names of files, where a colon is not always allowed
    r"(?<!\d)(?P<y>(?:19|20)\d\d)-(?P<m>[01]\d)-(?P<d>[0-3]\d)[T_]"
    r"(?P<H>[0-2]\d)(?P<t>[-_.])(?P<M>[0-5]\d)(?P=t)(?P<S>[0-6]\d)"
    r"(?:[-_.]\d{3,9})?(?P<z>Z)?(?!\d)",
    # %D, which the C locale's %x is
    r"(?<![\w/.])(?P<m>[01]\d)/(?P<d>[0-3]\d)/(?P<yy>\d\d)(?![\w/])",
    # %Y%m%d%H%M%S
    rf"{_EDGE}(?P<y>20\d\d)(?P<m>[01]\d)(?P<d>[0-3]\d)"
    r"(?:[T._-]?(?P<H>[0-2]\d)(?P<M>[0-5]\d)(?P<S>[0-5]\d)?)?(?P<z>Z)?(?![0-9A-Za-z])",
    # seconds, milli-, micro- or nanoseconds since 1970
    rf"{_EDGE}(?P<e>[12]\d{{9}})(?:\d{{3}}|\d{{6}}|\d{{9}})?(?:\.\d+)?(?![0-9A-Za-z])",
    rf"(?<![\w:.])(?=\d{{1,2}}:\d\d(?::\d\d| ?[AP]M)){_CLOCK}{_ZONE}(?![\w:])",
    # `08:30`, which may be a ratio: see compare()
    r"(?<![\w:.])(?P<H>[0-2]\d):(?P<M>[0-5]\d)(?![\w:.])",
)
BARE = len(_FORMS) - 1
#: Stands for the year of a form that has none; a leap year takes every date.
NO_YEAR = 1972


class Stamp(Struct, frozen=True, kw_only=True):
    """A date, a time of day or both, as it stands in a text; `form` numbers the way to write it."""

    text: str
    form: int
    start: int
    end: int
    day: datetime | None = None
    clock: int | None = None
    zone: str | None = None
    words: tuple[str, ...] = ()
    epoch: int | None = None

    @property
    def seconds(self) -> int | None:
        """The wall clock's seconds since 1970, None unless both date and time are there."""
        if self.epoch is not None:
            return self.epoch
        if self.day is None or self.clock is None:
            return None
        return int(self.day.timestamp()) + self.clock


@lru_cache(maxsize=64)
def _forms(months: tuple[str, ...]) -> dict[int, re.Pattern[str]]:
    """Return the forms by number, with these months alone: all 37 take ten milliseconds."""
    names = "|".join(sorted(months, key=lambda word: (-len(word), word)))
    return {
        number: re.compile(form.replace(_NAMES, names), re.IGNORECASE)
        for number, form in enumerate(_FORMS)
        if months or _NAMES not in form
    }


def stamps(text: str) -> Iterator[Stamp]:
    """Yield every date and time in `text`, from left to right."""
    position = 0
    lower = text.lower()
    forms = _forms(tuple(month for month in MONTHS if month in lower))
    hits = {number: form.search(text) for number, form in forms.items()}
    while True:
        for number, hit in hits.items():
            if hit is not None and hit.start() < position:
                hits[number] = forms[number].search(text, position)
        # Of the forms that match here, the one that reads most is meant.
        number, best = min(
            ((number, hit) for number, hit in hits.items() if hit),
            key=lambda found: (found[1].start(), -found[1].end()),
            default=(0, None),
        )
        if best is None:
            return
        stamp = _read(best, number)
        if stamp is not None:
            yield stamp
        position = max(best.end(), best.start() + 1)


def offset(zone: str | None) -> int | None:
    """Return the seconds east of UTC that a zone or a POSIX TZ string stands for, if known."""
    if zone is None:
        return None
    if zone.upper() in ("Z", "UTC", "GMT", "UTC0"):
        return 0
    # With four digits it is Java's or JavaScript's, and counts like a plain offset.
    zone = re.sub(r"^(?:GMT|UTC)(?=[+-]\d\d:?\d\d$)", "", zone)
    # POSIX counts west of Greenwich, everyone else east (XBD 8.3, TZ).
    posix = re.match(r"(?:<[^>]+>|[A-Za-z]{3,})([+-]?)(\d{1,2})(?::(\d\d))?", zone)
    plain = re.fullmatch(r"([+-])(\d\d):?(\d\d)?", zone)
    found = posix or plain
    if found is None:
        return None
    seconds = int(found[2]) * 3600 + int(found[3] or 0) * 60
    return -seconds if (found[1] == "-") == bool(plain) else seconds


def _read(hit: re.Match[str], form: int) -> Stamp | None:
    group = hit.groupdict()
    # A word before the date that names no day is not part of it.
    dayname = group.get("a") or ""
    known = not dayname or dayname.lower() in WORDS
    text = hit[0] if known else hit[0][len(dayname) :].lstrip(",. ")
    start = hit.end() - len(text)
    words = tuple(word.lower() for word in (dayname, group.get("b") or "") if word)
    if group.get("e"):
        return Stamp(text=text, form=form, start=start, end=hit.end(), epoch=int(group["e"]))
    try:
        day = _day(group)
    except (KeyError, ValueError):  # the regex takes a long s or a dotless i for a plain one
        return None
    hour = int(group["H"]) if group.get("H") else None
    if hour is not None and group.get("ap"):
        hour = hour % 12 + (12 if group["ap"].lower() == "pm" else 0)
    clock = None
    if hour is not None:
        clock = hour * 3600 + int(group["M"]) * 60 + int(group.get("S") or 0)
    return Stamp(
        text=text,
        form=form,
        start=start,
        end=hit.end(),
        day=day,
        clock=clock,
        zone=group.get("z"),
        words=words,
    )


def _day(group: dict[str, str | None]) -> datetime | None:
    month = group.get("m") or (
        WORDS[(group.get("b") or "").lower()].index if group.get("b") else None
    )
    if month is None:
        return None
    year = int(group.get("y") or NO_YEAR)
    if short := group.get("yy"):
        year = 2000 + int(short)
    return datetime(year, int(month), int(group.get("d") or 1), tzinfo=UTC)
