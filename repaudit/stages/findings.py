"""Findings as values: their identity and order, and how those of several pairs become one list."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import replace

from repaudit.forensics import cause
from repaudit.model.digest import sha256
from repaudit.model.finding import (
    Confidence,
    Evidence,
    EvidenceKind,
    Finding,
    Instruction,
    Suspect,
)
from repaudit.model.text import raw

BREAKS = "build_breaks_when_varied"
#: The most evidence that one finding shows.
MOST_EVIDENCE = 6
#: The kinds of evidence, the strongest first.
RANKS = {
    EvidenceKind.EXPERIMENT: 0,
    EvidenceKind.TRACE: 1,
    EvidenceKind.CANARY: 2,
    EvidenceKind.SIGNATURE: 3,
}


def merge(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings of several pairs of runs as one list; the same cause and place is one."""
    merged: dict[str, Finding] = {}
    for finding in findings:
        known = merged.get(finding.id)
        if known is not None:
            # A place that differs in several runs is shown once, as it was first seen.
            both = {d.place: d for d in (*finding.differences, *known.differences)}
            told = {(e.kind, e.source, e.detail): e for e in (*finding.evidence, *known.evidence)}
            evidence = sorted(told.values(), key=lambda e: RANKS[e.kind])
            finding = replace(
                known,
                factors=tuple(dict.fromkeys((*known.factors, *finding.factors))),
                evidence=tuple(evidence[:MOST_EVIDENCE]),
                differences=tuple(sorted(both.values(), key=lambda d: d.key)),
            )
        merged[finding.id] = finding
    return tuple(sorted(merged.values(), key=order))


def breakage_finding(
    factor: str | None, level: str, log: str, where: Instruction | None
) -> Finding:
    """Return the finding of a build that passes under the control's levels alone, each time.

    `factor` is the one that breaks it at `level`, None where no single one does; `log` is the last
    line of the build's output.
    """
    place = f"{factor} {where.text if where else ''}"
    told = f"the build fails when {factor} is {level}" if factor else "the build fails when varied"
    suspect = Suspect(factor=factor, confidence=Confidence.INDICATED) if factor else None
    return Finding(
        id=identity(BREAKS, place),
        cause=cause(BREAKS),
        factors=(suspect,) if suspect else (),
        instruction=where,
        process=None,
        evidence=(
            Evidence(
                kind=EvidenceKind.EXPERIMENT,
                source="rebuild",
                detail=f"{told}, in both of two runs: {log}",
            ),
        ),
        differences=(),
    )


def identity(slug: str, place: str) -> str:
    """Return what a finding is called from night to night."""
    return sha256(raw(f"{slug}\0{place}")).partition(":")[2][:12]


def order(finding: Finding) -> tuple[int, int, str, str]:
    """Unexplained first; then line by line, what concerns the whole image last."""
    unexplained = finding.confidence is Confidence.UNEXPLAINED
    line = finding.instruction.line if finding.instruction else sys.maxsize
    return (0 if unexplained else 1, line, finding.cause.slug, finding.id)
