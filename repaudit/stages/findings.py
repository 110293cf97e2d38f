"""Findings as values: their identity and order, and how those of several pairs become one list."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from repaudit.forensics import cause
from repaudit.model.difference import Difference, Place
from repaudit.model.digest import sha256
from repaudit.model.finding import (
    UNEXPLAINED,
    Cause,
    Confidence,
    Evidence,
    EvidenceKind,
    Finding,
    Instruction,
    Suspect,
)
from repaudit.model.text import raw

BREAKS = "build_breaks_when_varied"
_FOLLOWS = "names_of_intermediate_images"
_BASE = "/org.opencontainers.image.base.digest"
#: The way out where there is no build to vary.
_WHOSE = (
    "Ask of each image which base, inputs and commands made what differs here. Whose source you "
    "have, build again, and hold the result against both with `repaudit diff`: which of the two it "
    "agrees with says where the other comes in."
)
#: What is known of a file that has another name on the other side.
RENAMED = "same_bytes_under_another_name"
#: What is known of a file that names another folder on the other side.
FOLDER = "another_folder"
#: What is said of a known place behind the title of its cause.
_NOT_ALL = "; but not all that differs there is known to come of that"
#: What is unexplained so stands first.
_OF_NO_PLACE = {cause(slug).title for slug in (UNEXPLAINED, RENAMED)}
_CONFIDENCES = list(Confidence)
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
    same: dict[str, list[Finding]] = {}
    for finding in findings:
        same.setdefault(finding.id, []).append(finding)
    return tuple(sorted(map(_one, same.values()), key=order))


def _one(same: Sequence[Finding]) -> Finding:
    if len(same) == 1:
        return same[0]
    # A place that differs in several runs is shown once, as it was first seen.
    alone = len({f.process for f in same}) == 1 and not any(map(_named, same))
    places = {d.place: d for f in reversed(same) for d in (f.differences if alone else _each(f))}
    told = {(e.kind, e.source, e.detail): e for f in reversed(same) for e in f.evidence}
    return replace(
        same[0],
        factors=_suspects(same),
        evidence=tuple(sorted(told.values(), key=lambda e: RANKS[e.kind])[:MOST_EVIDENCE]),
        differences=tuple(sorted(places.values(), key=lambda d: d.key)),
    )


def _named(finding: Finding) -> bool:
    """Whether not one process wrote all of a finding, so that each difference names its own."""
    return any(difference.process for difference in finding.differences)


def _each(finding: Finding) -> Iterator[Difference]:
    """Yield the differences, each with the process that wrote it."""
    named = _named(finding)
    for one in finding.differences:
        yield one if named else replace(one, process=finding.process)


def _suspects(same: Sequence[Finding]) -> tuple[Suspect, ...]:
    """Return each factor once, with what is true of it at all places of these findings together."""
    names = dict.fromkeys(suspect.factor for finding in same for suspect in finding.factors)
    found = (Suspect(factor=name, confidence=_confidence(name, same)) for name in names)
    return tuple(sorted(found, key=lambda suspect: _CONFIDENCES.index(suspect.confidence)))


def _confidence(factor: str, same: Sequence[Finding]) -> Confidence:
    held = [(s.confidence, f) for f in same for s in f.factors if s.factor == factor]
    shown = {p for sure, f in held if sure is Confidence.DEMONSTRATED for p in _places(f)}
    if shown and all(_places(finding) <= shown for finding in same):
        return Confidence.DEMONSTRATED
    weakest = max((sure for sure, _ in held), key=_CONFIDENCES.index)
    return max(weakest, Confidence.INDICATED, key=_CONFIDENCES.index)


def _places(finding: Finding) -> set[Place]:
    return {d.place for d in finding.differences if not d.derived_from}


def rooted(findings: list[Finding]) -> list[Finding]:
    """Take back that the names in two images follow from other findings, where there are none."""
    if {finding.cause.slug for finding in findings} != {_FOLLOWS}:
        return findings
    said = Evidence(
        kind=EvidenceKind.SIGNATURE, source="known_path", detail="the base image is another one"
    )
    return [
        replace(
            one,
            id=identity(UNEXPLAINED, one.id),
            cause=unexplained_of_two(),
            evidence=(said,) if any(map(_names_base, one.differences)) else (),
        )
        for one in findings
    ]


def unexplained_of_two() -> Cause:
    """Return the cause that stands for none, with what helps where no run made either image."""
    return replace(cause(UNEXPLAINED), remedy=_WHOSE)


def unexplained_at(slug: str) -> Cause:
    """Return the cause that stands for none where another one, that of `slug`, is known to show."""
    known = cause(slug)
    said = "" if slug in (RENAMED, FOLDER) else _NOT_ALL
    return replace(known, slug=UNEXPLAINED, title=f"{known.title}{said}")


def _names_base(difference: Difference) -> bool:
    """Whether it is the base image that has two names."""
    comments = difference.left or "", difference.right or ""
    return difference.path.endswith(_BASE) or all(one.startswith("FROM ") for one in comments)


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
    """Unexplained first, of a known place or package last; by line, the whole image last."""
    rank = 2
    if finding.confidence is Confidence.UNEXPLAINED:
        rank = 0 if finding.cause.title in _OF_NO_PLACE else 1
    line = finding.instruction.line if finding.instruction else sys.maxsize
    return (rank, line, finding.cause.slug, finding.id)
