"""What the gate says: one light for each image, what changed, and what did not count."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from repaudit.model.history import Light, Source
from repaudit.model.report import Problem, Verdict

GATE_SCHEMA = "repaudit-gate/1"


class State(StrEnum):
    """How a finding stands against the last green night; where there is none, the last of all."""

    NEW = "new"
    SAME = "same"
    GONE = "gone"


class Excuse(Struct, frozen=True, kw_only=True):
    """Why a finding does not count: an entry of the allow file, or the baseline.

    `until` is the day, as YYYY-MM-DD, from which it counts again.
    """

    by: str
    reason: str | None = None
    owner: str | None = None
    until: str | None = None


class Point(Struct, frozen=True, kw_only=True):
    """One result of the history, and the commit that it is of. `sequence` is None for tonight's."""

    sequence: int | None
    source: Source | None


class Range(Struct, frozen=True, kw_only=True):
    """Where a finding came in: after the one, by the other."""

    after: Point
    by: Point


class Flaky(Struct, frozen=True, kw_only=True):
    """How often a finding that comes and goes was there: on `seen` of `nights` nights."""

    seen: int
    nights: int


class Change(Struct, frozen=True, kw_only=True):
    """A finding against the last green night.

    `came` is None where the history does not reach back to a night without it; `notes` are what
    a person should know of it, an expired excuse above all.
    """

    finding: str
    cause: str
    place: str
    remedy: str | None
    state: State
    excuse: Excuse | None
    flaky: Flaky | None
    came: Range | None
    notes: tuple[str, ...] = ()


class Told(Struct, frozen=True, kw_only=True):
    """What one night told: the ids of the findings that counted then, and of those that did not.

    `point` has no number for tonight. `alike`: the same factors were varied as tonight.
    """

    point: Point
    light: Light
    alike: bool
    counting: tuple[str, ...]
    excused: tuple[str, ...]


class Judgement(Struct, frozen=True, kw_only=True):
    """One image's light and why; `last_green` is None where the history holds no green night.

    `nights` are the last ones, the oldest first and tonight's last.
    """

    image: str
    light: Light
    verdict: Verdict
    source: Source | None
    last_green: Point | None
    changes: tuple[Change, ...]
    nights: tuple[Told, ...]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]


class GateResult(Struct, frozen=True, kw_only=True):
    """The gate's answer over all images; `repaudit-gate/1`. `warnings` do not change the light."""

    schema: str = GATE_SCHEMA
    light: Light
    images: tuple[Judgement, ...]
    warnings: tuple[str, ...]


def strongest(lights: tuple[Light, ...]) -> Light:
    """Return the light for all: a difference that is shown counts more than what is not known."""
    order = (Light.RED, Light.INCONCLUSIVE, Light.GREEN)
    return min(lights, key=order.index)
