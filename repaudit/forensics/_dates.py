"""Dates and times in text: find them, read them, say why two of them differ."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from repaudit.forensics._case import Blame, levels, moved
from repaudit.forensics._words import MONTHS, WORDS, foreign
from repaudit.forensics.interface import Case

DAY = 86_400
_EPOCH_DAY = datetime(1970, 1, 1, tzinfo=UTC).toordinal()
#: Two builds that start their clocks at one instant read them minutes apart.
_SLACK = 1200
#: Without levels, an epoch is only believed near the other side's.
_NEAR = 10 * 366 * DAY

_CLOCK = r"(?P<H>[0-2]?\d):(?P<M>[0-5]\d)(?::(?P<S>[0-6]\d)(?:[.,]\d{1,9})?)?(?: ?(?P<ap>[AP]M)\b)?"
_ZONE = (
    r"(?: ?(?P<z>(?:GMT|UTC)?[+-]\d\d(?::?\d\d)?(?!\d)"
    r"|(?:Z|UTC|GMT|CES?T|EES?T|WES?T|[ECMP][SD]T|JST|IST|BST|MSK)\b))?"
)
_MONTH = "(?P<b>" + "|".join(sorted(MONTHS, key=lambda word: (-len(word), word))) + r")\.?"
_DAYNAME = r"(?:(?P<a>[^\W\d_]{1,12})[,.]? )?"
_YEAR = r"(?P<y>(?:19|20)\d\d)(?!\d)"
_NUMBER = r"(?P<d>[0-3]?\d)"
_EDGE = r"(?<![0-9A-Za-z.])"
_FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
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
)
BARE = len(_FORMS) - 1
#: Stands for the year of a form that has none; a leap year takes every date.
NO_YEAR = 1972


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
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


def stamps(text: str) -> Iterator[Stamp]:
    """Yield every date and time in `text`, from left to right."""
    position = 0
    hits = {form: form.search(text) for form in _FORMS}
    while True:
        for form, hit in hits.items():
            if hit is not None and hit.start() < position:
                hits[form] = form.search(text, position)
        # Of the forms that match here, the one that reads most is meant.
        best = min(
            (hit for hit in hits.values() if hit),
            key=lambda hit: (hit.start(), -hit.end()),
            default=None,
        )
        if best is None:
            return
        stamp = _read(best, _FORMS.index(best.re))
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


def compare(case: Case, left: Stamp, right: Stamp) -> Iterator[Blame]:
    """Yield why two stamps that stand at the same place differ; one reason at least."""
    if left.text == right.text:
        return
    pair = (left.text, right.text)
    zones = left.zone != right.zone and left.zone is not None and right.zone is not None
    rewritten = left.form != right.form and moved(case, "locale") is not None
    reason = _reason(case, left, right, zones=zones)
    if zones:
        yield Blame("captures_timezone", *pair)
    if rewritten or _foreign(case, left, right):
        yield Blame("captures_locale", *pair)
    elif not zones and reason is None:
        # Fractions of a second differ, or only the way in which one instant is written.
        numbers = (Counter(re.findall(r"\d+", text)) for text in pair)
        reason = "unexplained" if next(numbers) == next(numbers) else "captures_build_date"
    if reason:
        yield Blame(reason, *pair)


def _reason(case: Case, left: Stamp, right: Stamp, *, zones: bool) -> str | None:
    if left.seconds is not None and right.seconds is not None:
        delta = right.seconds - left.seconds
        if zones:
            delta -= (offset(right.zone) or 0) - (offset(left.zone) or 0)
            return "captures_build_date" if delta else None
        if left.epoch is not None or right.epoch is not None:
            return "captures_build_date" if abs(delta) < _NEAR else "unexplained"
        return why_later(case, delta, wrap=False)
    if left.day is not None and right.day is not None:
        return _by_date(case, (right.day - left.day).days)
    if left.clock is not None and right.clock is not None and left.day == right.day:
        return why_later(case, right.clock - left.clock, wrap=True)
    return "unexplained"


def why_later(case: Case, delta: int, *, wrap: bool) -> str | None:
    """Return why a wall clock reads `delta` seconds later; `wrap` for a time of day alone."""
    shift, zone = _shift(case), _zone_shift(case)
    if delta == 0:
        return None
    if zone is None:
        if levels(case, "timezone") is None and delta % 1800 == 0 and abs(delta) <= 26 * 3600:
            return "captures_timezone"
        return "captures_build_date"
    expected = zone + (shift or 0) if wrap else zone
    distance = delta - expected
    if wrap:
        # A shift of whole days leaves the time of day to the zone alone.
        distance = (distance + DAY // 2) % DAY - DAY // 2
        explains = not (shift or 0) % DAY
    else:
        explains = not shift
    return "captures_timezone" if explains and abs(distance) <= _SLACK else "captures_build_date"


def _by_date(case: Case, days: int) -> str | None:
    if days == 0:
        return None
    zone = _zone_shift(case)
    if zone and not _shift(case) and days == (1 if zone > 0 else -1):
        return "captures_timezone"
    return "captures_build_date"


def _shift(case: Case) -> int | None:
    pair = levels(case, "time")
    if pair is None or not all(re.fullmatch(r"[+-]?\d{1,12}", level.value) for level in pair):
        return None
    return int(pair[1].value) - int(pair[0].value)


def clock_number(case: Case, left: str, right: str) -> bool:
    """Whether two numbers count the day on which each run's clock stood.

    That is the day since 1970, as in shadow(5), or the day of the year (strftime's `%j`); a zone
    or a midnight may make it the day before or after.
    """
    pair = moved(case, "time")
    if pair is None or not all(re.fullmatch(r"\d{3}|\d{5}", word) for word in (left, right)):
        return False
    clocks = [datetime.fromtimestamp(int(value), UTC) for value in pair]
    days = [clock.toordinal() - _EPOCH_DAY for clock in clocks]
    if len(left) == 3:
        days = [clock.timetuple().tm_yday for clock in clocks]
    return all(abs(int(word) - day) <= 1 for word, day in zip((left, right), days, strict=True))


def _zone_shift(case: Case) -> int | None:
    """Return how far the zone moved, None where it did not or is not known."""
    pair = levels(case, "timezone")
    if pair is None:
        return None
    left, right = offset(pair[0].value), offset(pair[1].value)
    return (right - left or None) if left is not None and right is not None else None


def _foreign(case: Case, left: Stamp, right: Stamp) -> bool:
    """Whether the day and month names of the two sides are of two languages."""
    spoken = []
    for stamp in (left, right):
        known = [WORDS[word].languages for word in stamp.words if word in WORDS]
        spoken.append(frozenset.intersection(*known) if known else frozenset())
    return foreign(spoken[0], spoken[1], moved=moved(case, "locale") is not None)


def _read(hit: re.Match[str], form: int) -> Stamp | None:
    group = hit.groupdict()
    # A word before the date that names no day is not part of it.
    dayname = (group.get("a") or "").lower()
    text = hit[0] if not dayname or dayname in WORDS else hit[0][len(dayname) :].lstrip(",. ")
    start = hit.end() - len(text)
    words = tuple(w for w in (dayname, (group.get("b") or "").lower()) if w)
    if group.get("e"):
        return Stamp(text=text, form=form, start=start, end=hit.end(), epoch=int(group["e"]))
    try:
        day = _day(group)
    except ValueError:
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
