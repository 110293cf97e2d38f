"""What a report comes to, cause by cause: the order in which people act."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from repaudit.model.experiment import INTRINSIC, SETTABLE
from repaudit.model.finding import Cause, Confidence, Finding
from repaudit.model.report import Report
from repaudit.reporters._words import Naming

_CONFIDENCES = list(Confidence)
#: A report of more findings begins with a summary, of so many causes.
_FEW, _MOST_CAUSES, _MOST_PLACES = 8, 7, 3


class Ranked(Struct, frozen=True, kw_only=True):
    """One cause with all its findings, which follow the Containerfile.

    `places` counts what differs because of it, `factors` are in the order of reports, and
    `confidence` is the weakest among the findings.
    """

    cause: Cause
    findings: tuple[Finding, ...]
    factors: tuple[str, ...]
    confidence: Confidence
    places: int

    @property
    def lines(self) -> tuple[int, ...]:
        """The lines of the Containerfile that are at fault."""
        return tuple(sorted({f.instruction.line for f in self.findings if f.instruction}))


def ranked(report: Report) -> tuple[Ranked, ...]:
    """Return the causes: what nothing explains first, then what accounts for most places.

    What has no factor of its own follows from other causes, and goes with them; it stands last.
    """
    groups: dict[Cause, list[Finding]] = {}
    for finding in report.findings:  # what is unexplained at a known place has its own remedy
        groups.setdefault(finding.cause, []).append(finding)
    return tuple(sorted(map(_group, groups.values()), key=_rank))


class Line(Struct, frozen=True, kw_only=True):
    """A line of the summary: how often a cause was found, in how many places, and what it is."""

    findings: int
    places: int
    cause: str
    told: str


def summary(report: Report, call: Naming) -> tuple[Line, ...]:
    """Return what a report of many findings comes to; nothing for one that is read at a glance."""
    if len(report.findings) <= _FEW:
        return ()
    causes = ranked(report)
    shown = causes if len(causes) <= _MOST_CAUSES + 1 else causes[:_MOST_CAUSES]
    lines = [
        Line(
            findings=len(one.findings),
            places=one.places,
            cause=one.cause.slug,
            told=_told(one, call),
        )
        for one in shown
    ]
    if rest := causes[len(shown) :]:
        findings = tuple(finding for one in rest for finding in one.findings)
        more = f"{len(rest)} more causes"
        lines.append(Line(findings=len(findings), places=_places(findings), cause=more, told=""))
    return tuple(lines)


def _told(one: Ranked, call: Naming) -> str:
    """Return where it is that nothing explains, or else the factors and the cause."""
    if one.confidence is not Confidence.UNEXPLAINED:
        return ": ".join(filter(None, (", ".join(one.factors), one.cause.title)))
    own = (d for f in one.findings for d in f.differences if not d.derived_from)
    names = list(dict.fromkeys(map(call, own)))
    rest = len(names) - _MOST_PLACES
    return ", ".join(names[:_MOST_PLACES]) + (f" and {rest} more" if rest > 0 else "")


def _places(findings: Sequence[Finding]) -> int:
    return len({d.place for finding in findings for d in finding.differences})


def _group(findings: list[Finding]) -> Ranked:
    return Ranked(
        cause=findings[0].cause,
        findings=tuple(findings),
        factors=in_order({suspect.factor for f in findings for suspect in f.factors}),
        confidence=max((f.confidence for f in findings), key=_CONFIDENCES.index),
        places=_places(findings),
    )


def _rank(one: Ranked) -> tuple[int, int, str]:
    if one.confidence is Confidence.UNEXPLAINED:
        return (0, 0, "")  # in the order of the report
    return (1 if one.factors else 2, -one.places, one.cause.slug)


def in_order(factors: set[str]) -> tuple[str, ...]:
    """Return factors in the order in which reports name them."""
    known = [name for name in (*SETTABLE, *INTRINSIC) if name in factors]
    return (*known, *sorted(factors.difference(known)))
