"""Why two dates or times that stand at the same place differ."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

from repaudit.forensics._case import Blame, levels, moved, of_one_build
from repaudit.forensics._stamps import DAY, Stamp, offset
from repaudit.forensics._words import WORDS, foreign
from repaudit.forensics.interface import Case

_EPOCH_DAY = datetime(1970, 1, 1, tzinfo=UTC).toordinal()
#: Two builds that start their clocks at one instant read them minutes apart.
_SLACK = 1200
#: What zones are called in winter and in summer.
_SEASONS = (
    *(("CET", "CEST"), ("EET", "EEST"), ("WET", "WEST"), ("GMT", "BST")),
    *((f"{place}ST", f"{place}DT") for place in "ECMP"),
)
#: Without levels, an epoch is only believed near the other side's.
_NEAR = 10 * 366 * DAY


def compare(case: Case, left: Stamp, right: Stamp) -> Iterator[Blame]:
    """Yield why two stamps that stand at the same place differ; one reason at least."""
    if left.text == right.text:
        return
    pair = (left.text, right.text)
    zones = left.zone != right.zone and left.zone is not None and right.zone is not None
    if zones and levels(case, "timezone") is None and _seasons(left, right):
        zones = False
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
        if abs(delta) >= _NEAR and not of_one_build(case):
            return "unexplained"
        if left.zone and left.zone == right.zone and not of_one_build(case):
            return "captures_build_date" if delta else None  # the zone is the same
        return why_later(case, delta, wrap=False)
    if left.day is not None and right.day is not None:
        days = (right.day - left.day).days
        near = of_one_build(case) or abs(days) * DAY < _NEAR
        return _by_date(case, days) if near else "unexplained"
    if left.clock is not None and right.clock is not None and left.day == right.day:
        return why_later(case, right.clock - left.clock, wrap=True)
    return "unexplained"


def why_later(case: Case, delta: int, *, wrap: bool) -> str | None:
    """Return why a wall clock reads `delta` seconds later; `wrap` for a time of day alone."""
    shift, zone = _shift(case), _zone_shift(case)
    if delta == 0:
        return None
    if zone is None:
        # Zones lie up to 26 hours apart; whole days are what two nights are.
        zones = delta % 1800 == 0 and delta % DAY != 0 and abs(delta) <= 26 * 3600
        unknown = levels(case, "timezone") is None
        return "captures_timezone" if unknown and zones else "captures_build_date"
    expected = zone + (shift or 0) if wrap else zone
    distance = delta - expected
    if wrap:
        # A shift of whole days leaves the time of day to the zone alone.
        distance = (distance + DAY // 2) % DAY - DAY // 2
        explains = not (shift or 0) % DAY
    else:
        explains = not shift
    return "captures_timezone" if explains and abs(distance) <= _SLACK else "captures_build_date"


def _seasons(left: Stamp, right: Stamp) -> bool:
    """Whether two zones are one, in summer and in winter, by the names that it has then."""
    names = {(left.zone or "").strip().upper(), (right.zone or "").strip().upper()}
    return any(names == {winter, summer} for winter, summer in _SEASONS)


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
