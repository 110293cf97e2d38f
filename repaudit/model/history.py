"""Nights: what the gate keeps of each audit, and what later nights need to know of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from repaudit.model.canonical import read
from repaudit.model.report import Report
from repaudit.model.text import printable

NIGHT_SCHEMA = "repaudit-night/1"


class Light(StrEnum):
    """What the gate showed an image on one night."""

    GREEN = "green"
    RED = "red"
    INCONCLUSIVE = "inconclusive"

    @property
    def exit_code(self) -> int:
        """The process exit code that stands for this light."""
        return {"green": 0, "red": 1, "inconclusive": 3}[self.value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The commit that was audited. `dirty` means that the context held more than the commit."""

    commit: str
    dirty: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """One image's audit as the history keeps it; `repaudit-night/1`.

    `source` is None where the context is in no repository. `excused` are the ids of findings that
    did not count on that night.
    """

    schema: str = NIGHT_SCHEMA
    image: str
    light: Light
    source: Source | None
    excused: tuple[str, ...]
    report: Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is looked up of a night: `findings` and `excused` hold ids, `varied` factors.

    `sequence` orders nights, from 1. No clock does, since nights run under clocks that move.
    """

    sequence: int
    light: Light
    source: Source | None
    varied: tuple[str, ...]
    findings: frozenset[str]
    excused: frozenset[str]


def seen(sequence: int, night: Night) -> Seen:
    """Return what later nights need to know of this one; ids are made fit to be stored."""
    return Seen(
        sequence=sequence,
        light=night.light,
        source=night.source,
        varied=tuple(sorted(map(printable, night.report.varied))),
        findings=frozenset(printable(finding.id) for finding in night.report.findings),
        excused=frozenset(map(printable, night.excused)),
    )


def night_from_json(data: bytes) -> Night:
    """Read a night back; raise MalformedError where it is not one that this version knows."""
    hint = "a history holds what `repaudit gate --history` wrote, and nothing else"
    return read(data, Night, NIGHT_SCHEMA, "a night", hint)
