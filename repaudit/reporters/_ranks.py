"""What a report comes to, cause by cause: the order in which people act."""

from __future__ import annotations

from msgspec import Struct

from repaudit.model.experiment import INTRINSIC, SETTABLE
from repaudit.model.finding import Cause, Confidence, Finding
from repaudit.model.report import Report

_CONFIDENCES = list(Confidence)


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
    groups: dict[str, list[Finding]] = {}
    for finding in report.findings:
        groups.setdefault(finding.cause.slug, []).append(finding)
    return tuple(sorted(map(_group, groups.values()), key=_rank))


def _group(findings: list[Finding]) -> Ranked:
    return Ranked(
        cause=findings[0].cause,
        findings=tuple(findings),
        factors=in_order({suspect.factor for f in findings for suspect in f.factors}),
        confidence=max((f.confidence for f in findings), key=_CONFIDENCES.index),
        places=len({d.place for finding in findings for d in finding.differences}),
    )


def _rank(one: Ranked) -> tuple[int, int, str]:
    unexplained = one.confidence is Confidence.UNEXPLAINED
    first = 0 if unexplained else 1 if one.factors else 2
    return (first, -one.places, one.cause.slug)


def in_order(factors: set[str]) -> tuple[str, ...]:
    """Return factors in the order in which reports name them."""
    known = [name for name in (*SETTABLE, *INTRINSIC) if name in factors]
    return (*known, *sorted(factors.difference(known)))
