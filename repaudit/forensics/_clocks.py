"""Texts without what a clock told, so that what else differs is seen."""

from __future__ import annotations

from typing import NamedTuple

from repaudit.forensics._stamps import BARE, DAY, NO_YEAR, Stamp, stamps
from repaudit.forensics._words import WORDS

_BLANK = "<clock>"


class Blanked(NamedTuple):
    """A text without what a clock told, and for each stamp the manner in which it was written.

    A manner is the form, the language, the zone, and how far it is from the clock in steps of six
    hours: what other factors decide.
    """

    rest: str
    manners: tuple[tuple[str, ...], ...]


def without_clock(text: str, clock: int) -> Blanked:
    """Return `text` with the dates and times of a run whose clock started at `clock` blanked.

    A stamp is the run's if it lies within two days of its start: zones move it, and runs take time.
    Two runs whose texts are then alike differ by what their clocks told, and by nothing else.
    """
    pieces, manners, end = [], [], 0
    for stamp in stamps(text):
        if _of_clock(stamp, clock):
            pieces += [text[end : stamp.start], _BLANK]
            manners.append(_manner(stamp, clock))
            end = stamp.end
    return Blanked("".join([*pieces, text[end:]]), tuple(manners))


def _of_clock(stamp: Stamp, clock: int) -> bool:
    if stamp.seconds is not None:
        return abs(stamp.seconds - clock) < 2 * DAY
    if stamp.day is not None and stamp.day.year != NO_YEAR:
        return abs(int(stamp.day.timestamp()) - clock) < 2 * DAY
    return stamp.clock is not None and stamp.form != BARE


def _manner(stamp: Stamp, clock: int) -> tuple[str, ...]:
    known = [WORDS[word].languages for word in stamp.words if word in WORDS]
    spoken = "C" if all("en" in one for one in known) else "other"
    steps = 0
    if stamp.epoch is None and stamp.clock is not None:
        dated = stamp.day is not None and stamp.day.year != NO_YEAR
        away = (stamp.seconds or 0) - clock if dated else stamp.clock - clock
        # A zone moves it by more than one step, and a run of up to five hours by none.
        steps = (away + 3_600) // 21_600 % 4
    return (f"{stamp.form} {spoken}", f"{stamp.zone} {steps}")
