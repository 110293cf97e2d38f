"""Nights: what the gate keeps of each audit, and what later nights need to know of it."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from repaudit.model.canonical import read
from repaudit.model.finding import Finding
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


class Source(Struct, frozen=True, kw_only=True):
    """The commit that was audited. `dirty` means that the context held more than the commit."""

    commit: str
    dirty: bool


class Night(Struct, frozen=True, kw_only=True):
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


class SeenFinding(Struct, frozen=True, kw_only=True):
    """What is looked up of a finding: its id, its cause's slug, and words for its place."""

    id: str
    cause: str
    place: str
    excused: bool


class Seen(Struct, frozen=True, kw_only=True):
    """What is looked up of a night.

    `sequence` orders nights, from 1. No clock does, since nights run under clocks that move.
    """

    sequence: int
    light: Light
    source: Source | None
    varied: tuple[str, ...]
    findings: tuple[SeenFinding, ...]

    @property
    def ids(self) -> frozenset[str]:
        """The ids of all findings, excused or not."""
        return frozenset(finding.id for finding in self.findings)


def seen(sequence: int, night: Night) -> Seen:
    """Return what later nights need to know of this one, in texts fit to be stored and shown."""
    found = {
        printable(finding.id): SeenFinding(
            id=printable(finding.id),
            cause=printable(finding.cause.slug),
            place=place_of(finding),
            excused=finding.id in night.excused,
        )
        for finding in night.report.findings
    }
    return Seen(
        sequence=sequence,
        light=night.light,
        source=night.source,
        varied=tuple(sorted(map(printable, night.report.varied))),
        findings=tuple(found[id_] for id_ in sorted(found)),
    )


def place_of(finding: Finding) -> str:
    """Return words for where a finding is: its first file, how many more, and the line."""
    paths = sorted({one.path for one in finding.differences if not one.derived_from})
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    words = [path + more for path in paths[:1]]
    if finding.instruction is not None:
        words.append(f"({finding.instruction.file}:{finding.instruction.line})")
    return printable(" ".join(words)) or "the image"


def night_from_json(data: bytes) -> Night:
    """Read a night back; raise MalformedError where it is not one that this version knows."""
    hint = "a history holds what `repaudit gate --history` wrote, and nothing else"
    return read(data, Night, NIGHT_SCHEMA, "a night", hint)
