"""What became of findings from night to night: new, gone, the same, flaky; since which commit."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from repaudit.model.gate import Flaky, Point, Range, State, Told
from repaudit.model.history import Light, Seen, SeenFinding

#: How many nights back a finding is followed, and how many without it make its return a new one.
_WINDOW, _GAP = 30, 7


class Trend(Struct, frozen=True, kw_only=True):
    """How one finding stands. `came` is None where no night without it came before."""

    finding: SeenFinding
    state: State
    flaky: Flaky | None
    came: Range | None


def last_green(past: Sequence[Seen]) -> Seen | None:
    """Return the last night that was green, None where none was."""
    return next((night for night in reversed(past) if night.light is Light.GREEN), None)


def trends(past: Sequence[Seen], tonight: Seen) -> tuple[Trend, ...]:
    """Say how each finding stands against the last green night; nights come oldest first.

    Tonight has no number yet: its `sequence` is 0.

    Where no night was green, it is against the last one. An inconclusive night without findings
    could not see any: it makes none go, and counts for nothing.
    """
    telling = [night for night in past if _tells(night)]
    base = last_green(past) or next(reversed(telling), None)
    since = [night for night in telling if base and night.sequence >= base.sequence]
    before = base.ids if base else frozenset()
    states = {f: State.SAME if f.id in before else State.NEW for f in tonight.findings}
    if _tells(tonight):
        went = {f.id: f for night in since for f in night.findings if f.id not in tonight.ids}
        states |= dict.fromkeys(went.values(), State.GONE)
        telling.append(tonight)
    # A night that varied less, or more, is no witness: it did not look for the same.
    alike = [night for night in telling if night.varied == tonight.varied][-_WINDOW:]
    return tuple(_trend(finding, state, alike) for finding, state in states.items())


def told(past: Sequence[Seen], tonight: Seen) -> tuple[Told, ...]:
    """Return what the last nights told, tonight's last."""
    return tuple(
        Told(
            point=point(night),
            light=night.light,
            alike=night.varied == tonight.varied,
            counting=tuple(finding.id for finding in night.findings if not finding.excused),
            excused=tuple(finding.id for finding in night.findings if finding.excused),
        )
        for night in (*past, tonight)[-_WINDOW:]
    )


def point(night: Seen) -> Point:
    """Return what is said of a night when another is compared with it."""
    return Point(sequence=night.sequence or None, source=night.source)


def _tells(night: Seen) -> bool:
    return night.light is not Light.INCONCLUSIVE or bool(night.findings)


def _trend(finding: SeenFinding, state: State, nights: Sequence[Seen]) -> Trend:
    there = [finding.id in night.ids for night in nights]
    start = _start(there)
    came = None
    if 0 < start < len(nights):
        came = Range(after=point(nights[start - 1]), by=point(nights[start]))
    life, lived = nights[start:], there[start:]
    flaky = Flaky(seen=sum(lived), nights=len(lived)) if _comes_and_goes(life, lived) else None
    return Trend(finding=finding, state=state, flaky=flaky, came=came)


def _start(there: Sequence[bool]) -> int:
    """Return where a finding came in, for the last time that it had been away for long."""
    start, last = len(there), -_GAP - 1
    for number in (number for number, is_there in enumerate(there) if is_there):
        if number - last > _GAP:
            start = number
        last = number
    return start


def _comes_and_goes(nights: Sequence[Seen], there: Sequence[bool]) -> bool:
    """Tell whether it was away and came back, or was there and away at one and the same commit."""
    away = [number for number, is_there in enumerate(there) if not is_there]
    back = bool(away) and any(there[away[0] :])
    clean = [night.source if night.source and not night.source.dirty else None for night in nights]
    sources = {
        is_there: {source for source, now in zip(clean, there, strict=True) if now is is_there}
        for is_there in (True, False)
    }
    return back or bool(sources[True] & sources[False] - {None})
