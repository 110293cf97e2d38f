"""Attribute differences to causes: what the forensics say, one finding a cause and place."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from repaudit.forensics import FORENSICS, Case, cause, general_cause, leaves_nothing
from repaudit.model.difference import Aspect, Difference
from repaudit.model.digest import sha256
from repaudit.model.experiment import INTRINSIC, Level
from repaudit.model.finding import (
    UNEXPLAINED,
    Clue,
    Confidence,
    Evidence,
    EvidenceKind,
    Finding,
    Instruction,
    Suspect,
)
from repaudit.model.text import raw
from repaudit.stages.contents import Contents
from repaudit.stages.explain import Decoded, Place, place_of

BREAKS = "build_breaks_when_varied"
BY_ITSELF = "differs_without_variation"
#: Aspects that the builder decides for the whole image, not one instruction for its files.
_BUILDERS = {Aspect.MTIME, Aspect.HISTORY, Aspect.CONFIG, Aspect.ANNOTATION, Aspect.COMPRESSION}
_MOST_EVIDENCE = 6
_CONFIDENCES = list(Confidence)
_RANKS = {
    EvidenceKind.EXPERIMENT: 0,
    EvidenceKind.CANARY: 1,
    EvidenceKind.TRACE: 2,
    EvidenceKind.SIGNATURE: 3,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What is known beside the differences.

    `left` and `right` are the levels of both runs (empty for two existing images), `runs` their
    names, `instructions` the line behind each layer, None where it is not certain. `decoded` is
    what a designed experiment showed of each place, where there was one.
    """

    left: tuple[Level, ...] = ()
    right: tuple[Level, ...] = ()
    runs: tuple[str, ...] = ()
    instructions: tuple[Instruction | None, ...] = ()
    decoded: Mapping[Place, Decoded] = field(default_factory=dict)

    def instruction(self, difference: Difference) -> Instruction | None:
        """Return the line that wrote what differs."""
        layer = difference.layer
        if layer is None or layer >= len(self.instructions):
            return None
        return self.instructions[layer]

    def moved(self, factor: str) -> bool:
        """Whether a factor could make these two runs differ."""
        if factor in INTRINSIC or factor == "time" or not self.left:
            return True  # time passes and chance strikes in every run
        a, b = (
            next((level for level in side if level.factor == factor), None)
            for side in (self.left, self.right)
        )
        return a != b


@dataclass(frozen=True, slots=True)
class _Sourced:
    """A clue and the name of the forensic that gave it."""

    source: str
    clue: Clue

    @property
    def key(self) -> tuple[int, str, str]:
        return (_RANKS[self.clue.kind], self.clue.detail, self.source)


@dataclass(slots=True)
class _Group:
    instruction: Instruction | None
    differences: list[Difference] = field(default_factory=list)
    clues: list[_Sourced] = field(default_factory=list)


def attribute(
    differences: Sequence[Difference], contents: Contents, scene: Scene
) -> tuple[Finding, ...]:
    """Return the findings; each difference stands in one at least, the unexplained first."""
    forensics = FORENSICS.all()
    groups: dict[tuple[str, str], _Group] = {}
    for difference in differences:
        case = _case(difference, contents, scene)
        clues = [
            _Sourced(forensic.name, clue)
            for forensic in forensics
            for clue in forensic.examine(case)
            if _possible(clue, scene)
        ]
        clues = _by_place(clues)
        decoded = scene.decoded.get(place_of(difference))
        if decoded is not None:
            clues = _sharpened(clues, decoded, scene)
        if not clues:
            _add(groups, difference, UNEXPLAINED, None, scene)
        # A detector that could name a part of a file says of the rest that it is unexplained.
        for found in clues:
            _add(groups, difference, found.clue.slug, found, scene)
    findings = [_finding(slug, place, group, scene) for (slug, place), group in groups.items()]
    return tuple(sorted(findings, key=_order))


def merge(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings of several pairs of runs as one list; the same cause and place is one."""
    merged: dict[str, Finding] = {}
    for finding in findings:
        known = merged.get(finding.id)
        if known is not None:
            # A place that differs in several runs is shown once, as it was first seen.
            both = {place_of(d): d for d in (*finding.differences, *known.differences)}
            evidence = dict.fromkeys((*known.evidence, *finding.evidence))
            finding = replace(
                known,
                factors=tuple(dict.fromkeys((*known.factors, *finding.factors))),
                evidence=tuple(evidence)[:_MOST_EVIDENCE],
                differences=tuple(sorted(both.values(), key=lambda d: d.key)),
            )
        merged[finding.id] = finding
    return tuple(sorted(merged.values(), key=_order))


def breakage_finding(
    factor: str | None, level: str, log: str, where: Instruction | None
) -> Finding:
    """Return the finding of a build that passes under the control's levels alone.

    `factor` is the one that breaks it at `level`, None where no single one does; `log` is the last
    line of the build's output.
    """
    place = f"{factor} {where.text if where else ''}"
    told = f"the build fails when {factor} is {level}" if factor else "the build fails when varied"
    suspect = Suspect(factor=factor, confidence=Confidence.INDICATED) if factor else None
    return Finding(
        id=_identity(BREAKS, place),
        cause=cause(BREAKS),
        factors=(suspect,) if suspect else (),
        instruction=where,
        process=None,
        evidence=(
            Evidence(kind=EvidenceKind.EXPERIMENT, source="rebuild", detail=f"{told}: {log}"),
        ),
        differences=(),
    )


def _identity(slug: str, place: str) -> str:
    return sha256(raw(f"{slug}\0{place}")).partition(":")[2][:12]


def _case(difference: Difference, contents: Contents, scene: Scene) -> Case:
    kept = contents.get((difference.left, difference.right))
    sides = kept.load() if kept and difference.aspect is Aspect.CONTENT else (None, None)
    instruction = scene.instruction(difference)
    return Case(
        difference=difference,
        left=sides[0],
        right=sides[1],
        left_levels=scene.left,
        right_levels=scene.right,
        instruction=instruction.text if instruction else None,
    )


def _sharpened(clues: list[_Sourced], decoded: Decoded, scene: Scene) -> list[_Sourced]:
    """Let the experiment overrule what only looked so, and say what no detector saw."""
    if not decoded.certain:
        return clues
    followed = {name for name, _ in decoded.factors}
    real = followed | (set(INTRINSIC) if decoded.chance else set())
    kept, covered = [], set()
    for found in clues:
        blamed = real.intersection(found.clue.factors)
        if found.clue.slug == UNEXPLAINED or (found.clue.factors and not blamed):
            continue
        covered |= blamed
        factors = tuple(name for name in found.clue.factors if name in blamed)
        kept.append(replace(found, clue=replace(found.clue, factors=factors)))
        if blamed & followed:
            kept.append(_told(found.clue.slug, factors, decoded))
    kept += [
        _told(general_cause(name).slug, (name,), decoded)
        for name, _ in decoded.factors
        if name not in covered and scene.moved(name)  # else other runs than these two show it
    ]
    if decoded.chance and not covered.intersection(INTRINSIC):
        kept.append(_told(BY_ITSELF, ("random",), decoded))
    return kept


def _told(slug: str, factors: tuple[str, ...], decoded: Decoded) -> _Sourced:
    detail = decoded.words(factors)
    clue = Clue(slug=slug, factors=factors, kind=EvidenceKind.EXPERIMENT, detail=detail)
    return _Sourced("design", clue)


def _by_place(clues: list[_Sourced]) -> list[_Sourced]:
    """Let what is known of a place speak for what its content shows.

    It speaks for clues that blame the same, and for all that nobody need explain of a file that the
    remedy does away with.
    """
    away = [f for f in clues if f.source == "known_path" and leaves_nothing(f.clue.slug)]
    if away:
        clues = [f for f in clues if f in away or (f.clue.factors and f.clue.slug != UNEXPLAINED)]
    known = [found.clue for found in clues if found.source == "known_path" and found.clue.factors]

    def renamed(found: _Sourced) -> _Sourced:
        blamed = set(found.clue.factors)
        for place in known:
            if blamed and blamed <= set(place.factors):
                return replace(found, clue=replace(found.clue, slug=place.slug))
        return found

    return [renamed(found) for found in clues]


def _possible(clue: Clue, scene: Scene) -> bool:
    return not clue.factors or any(map(scene.moved, clue.factors))


def _add(
    groups: dict[tuple[str, str], _Group],
    difference: Difference,
    slug: str,
    found: _Sourced | None,
    scene: Scene,
) -> None:
    instruction = None if difference.aspect in _BUILDERS else scene.instruction(difference)
    if instruction:
        place = f"{instruction.file} {instruction.stage} {instruction.text}"
    elif difference.aspect in _BUILDERS:
        place = "image"
    else:
        place = f"layer {difference.layer}"
    if slug == UNEXPLAINED:  # nobody knows whether two unexplained files have one cause
        place += f" {difference.aspect} {PurePosixPath(difference.path).parent}"
    group = groups.setdefault((slug, place), _Group(instruction))
    if not group.differences or group.differences[-1] != difference:
        group.differences.append(difference)
    if found:
        group.clues.append(found)


def _finding(slug: str, place: str, group: _Group, scene: Scene) -> Finding:
    clues = sorted(group.clues, key=lambda found: found.key)
    factors = {f: None for found in clues for f in found.clue.factors if scene.moved(f)}
    suspects = tuple(Suspect(factor=f, confidence=_sure(f, group, scene)) for f in factors)
    return Finding(
        id=_identity(slug, place),
        cause=cause(slug),
        factors=tuple(sorted(suspects, key=lambda s: _CONFIDENCES.index(s.confidence))),
        instruction=group.instruction,
        process=None,
        evidence=tuple(_evidence(clues, scene)),
        differences=tuple(group.differences),
    )


def _sure(factor: str, group: _Group, scene: Scene) -> Confidence:
    """Return how sure it is that a factor made all the differences of a group."""
    found = [scene.decoded.get(place_of(d)) for d in group.differences]
    if all(d is not None and d.certain and factor in dict(d.factors) for d in found):
        return Confidence.DEMONSTRATED
    return Confidence.INDICATED


def _evidence(clues: Sequence[_Sourced], scene: Scene) -> Iterator[Evidence]:
    first = {(found.source, found.clue.detail): found for found in reversed(clues)}
    for found in list(reversed(first.values()))[:_MOST_EVIDENCE]:
        clue = found.clue
        yield Evidence(kind=clue.kind, source=found.source, detail=clue.detail, runs=scene.runs)


def _order(finding: Finding) -> tuple[int, int, str, str]:
    """Unexplained first; then line by line, what concerns the whole image last."""
    unexplained = finding.confidence is Confidence.UNEXPLAINED
    line = finding.instruction.line if finding.instruction else sys.maxsize
    return (0 if unexplained else 1, line, finding.cause.slug, finding.id)
