"""Attribute differences to causes: what the forensics say, one finding a cause and place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from repaudit.forensics import FORENSICS, cause
from repaudit.model.difference import Aspect, Difference, Place, Process
from repaudit.model.experiment import INTRINSIC, Level
from repaudit.model.finding import (
    UNEXPLAINED,
    Clue,
    Confidence,
    Evidence,
    Finding,
    Instruction,
    Suspect,
)
from repaudit.stages.cases import Cases
from repaudit.stages.chains import Follower, Told, causeless, heir, holder, read_for, reader
from repaudit.stages.clues import DESIGN, Best, Sourced, clocked, cut_off, seen, sharpened, spoken
from repaudit.stages.contents import Contents
from repaudit.stages.decode import Decoded
from repaudit.stages.derive import derived, inherited
from repaudit.stages.findings import MOST_EVIDENCE, identity, order, rooted

if TYPE_CHECKING:
    from repaudit.stages.provenance import Author, Provenance

#: Aspects that the builder decides for the whole image, not one instruction for its files.
_BUILDERS = {Aspect.MTIME, Aspect.HISTORY, Aspect.CONFIG, Aspect.ANNOTATION, Aspect.COMPRESSION}
_MOST_ROOTS = 20
_WRITES_NO_BYTES = {"chmod", "chown", "chgrp", "chattr", "setfacl", "setcap", "mv", "set", "cd"}
#: The way out where `--explain` has been asked.
_LOOK = (
    "Look in what this line runs for chance that strikes seldom, for a race, and for what three "
    "factors make together; more runs tell more: `--builds`."
)
_CONFIDENCES = list(Confidence)
#: What was told of some differences: by whom, and without that.
_Same = dict[tuple[Sourced, ...], tuple[tuple[Sourced, ...], tuple[Clue, ...]]]


class Scene(Struct, frozen=True, kw_only=True, dict=True):
    """What is known beside the differences.

    `left` and `right` are the levels of both runs (empty for two existing images), `runs` their
    names, `instructions` the line behind each layer, None where it is not certain. `decoded` is
    what a designed experiment showed of each place, `provenance` what a traced run showed, where
    there was one. `told` are places of which other pairs of runs told all that is to be told.
    """

    left: tuple[Level, ...] = ()
    right: tuple[Level, ...] = ()
    runs: tuple[str, ...] = ()
    instructions: tuple[Instruction | None, ...] = ()
    decoded: Mapping[Place, Decoded] = field(default_factory=dict)
    provenance: Provenance | None = None
    told: Collection[Place] = ()

    def instruction(self, difference: Difference) -> Instruction | None:
        """Return the line that wrote what differs."""
        author = self.author(difference)
        return author.instruction if author else self._layers(difference)

    def author(self, difference: Difference) -> Author | None:
        """Return who wrote what differs, where a traced run shows it."""
        line = self._layers(difference)
        if line is None or self.provenance is None:
            return None
        return self.provenance.author(difference, line)

    def left_alone(self, difference: Difference) -> bool:
        """Whether the line behind a layer did not write the file that is in it.

        A traced run shows it. Without one, the line's words do, where it does nothing but change
        modes, owners and the like.
        """
        line = self._layers(difference)
        if line is None:
            return False
        told = self.provenance.left_alone(difference, line) if self.provenance else None
        return _changes_attributes(line.text) if told is None else told

    def _layers(self, difference: Difference) -> Instruction | None:
        """Return the line behind the layer that holds what differs."""
        layer = difference.layer
        if layer is None or layer >= len(self.instructions):
            return None
        return self.instructions[layer]

    @cached_property
    def apart(self) -> frozenset[str]:
        """The factors in which these two runs differ."""
        levels = set(self.left).symmetric_difference(self.right)
        return frozenset(level.factor for level in levels)

    def moved(self, factor: str) -> bool:
        """Whether a factor could make these two runs differ."""
        if factor in INTRINSIC or factor == "time" or not self.left:
            return True  # time passes and chance strikes in every run
        return factor in self.apart


@cache
def _changes_attributes(line: str) -> bool:
    from repaudit.containerfile.shell import runs_only  # two images have no lines

    keyword, _, step = line.partition(" ")
    return keyword == "RUN" and runs_only(step, _WRITES_NO_BYTES)


class _Group(Struct):
    instruction: Instruction | None
    differences: list[Difference] = field(default_factory=list)
    processes: list[Process | None] = field(default_factory=list)
    clues: Best = field(default_factory=Best)


class Attribution(Struct, frozen=True, kw_only=True):
    """What was found of a pair of runs, and the places of which another pair can tell no more."""

    findings: tuple[Finding, ...]
    told: frozenset[Place]


def attribute(
    differences: Sequence[Difference], contents: Contents, scene: Scene
) -> tuple[Finding, ...]:
    """Return the findings; each difference stands in one at least, the unexplained first."""
    return attribution(differences, contents, scene, derived(differences, contents)).findings


def attribution(
    differences: Sequence[Difference],
    contents: Contents,
    scene: Scene,
    holds: Mapping[Place, tuple[Place, ...]],
) -> Attribution:
    """Return the findings of one of several pairs; `holds` are the roots of what is derived.

    Each difference stands in one at least, but for those that the scene calls told.
    """
    groups: dict[tuple[str, str], _Group] = {}
    inherits = inherited(differences, scene.left_alone)
    follow = {**holds, **inherits}
    new = [d for d in differences if d.place not in scene.told]
    same: _Same = {}
    cases = Cases(differences, contents, scene.left, scene.right)
    examined = [_examined(d, cases, contents, scene, same) for d in new if d.place not in follow]
    read = read_for([told for told, _ in examined], differences, follow)
    holding = [holder(d, holds[d.place]) for d in new if d.place in holds]
    holding += [heir(d, inherits[d.place]) for d in new if d.place in inherits]
    reading = [
        reader(told, roots) for told, _ in examined if (roots := read.get(told.difference.place))
    ]
    followers = [*holding, *reading]
    if scene.told:  # what stands under a place that was told of needs it here
        needed = {root for one in followers for root in one.roots if root in scene.told}
        more = (d for d in differences if d.place in needed)
        examined += [_examined(d, cases, contents, scene, same) for d in more]
    for told, clues in examined:
        if told.difference.place in read:
            clues = tuple(found for found in clues if not causeless(found.clue))
        elif not clues:
            _add(groups, told, UNEXPLAINED, None, scene)
        # A detector that could name a part of a file says of the rest that it is unexplained.
        for found in [*clues, *(seen(told.author, found.clue) for found in clues if told.author)]:
            _add(groups, told, found.clue.slug, found, scene)
    _put_under_roots(followers, groups)
    findings = [_finding(slug, place, group, scene) for (slug, place), group in groups.items()]
    findings = findings if scene.runs else rooted(findings)
    return Attribution(
        findings=tuple(sorted(findings, key=order)),
        told=frozenset(_told_of(examined, scene)),
    )


def _examined(
    difference: Difference, cases: Cases, contents: Contents, scene: Scene, same: _Same
) -> tuple[Told, tuple[Sourced, ...]]:
    """Return what is told of one difference, and by whom; of very many it is one value."""
    author = None if difference.aspect in _BUILDERS else scene.author(difference)
    instruction = scene.instruction(difference)
    case = cases.of(difference, instruction.text if instruction else None)
    found = [
        Sourced(forensic.name, clue)
        for forensic in FORENSICS.all()
        for clue in forensic.examine(case)
        if _possible(clue, scene)
    ]
    clues = spoken([*found, *cut_off(difference, contents)], one_build=bool(scene.left))
    decoded = scene.decoded.get(difference.place)
    if decoded is not None:
        clues = sharpened(clues, decoded, scene.apart)
        if author and not author.sources:
            clues = clocked(clues, decoded, author.drawn)
    sourced = tuple(clues)
    sourced, bare = same.setdefault(sourced, (sourced, tuple(found.clue for found in clues)))
    return Told(difference=difference, author=author, clues=bare), sourced


def _told_of(examined: Iterable[tuple[Told, Sequence[Sourced]]], scene: Scene) -> Iterator[Place]:
    """Yield the places of which the experiment left nothing open, and detectors named it all."""
    for told, clues in examined:
        decoded = scene.decoded.get(told.difference.place)
        if decoded and decoded.clear:
            named = {f for found in clues if found.source != DESIGN for f in found.clue.factors}
            if named.issuperset(one.factor for one in decoded.followed):
                yield told.difference.place


def _possible(clue: Clue, scene: Scene) -> bool:
    return not clue.factors or any(map(scene.moved, clue.factors))


def _add(
    groups: dict[tuple[str, str], _Group],
    told: Told,
    slug: str,
    found: Sourced | None,
    scene: Scene,
) -> None:
    difference = told.difference
    instruction = None if difference.aspect in _BUILDERS else scene.instruction(difference)
    if instruction:
        place = f"{instruction.file} {instruction.stage} {instruction.text}"
    elif difference.aspect in _BUILDERS:
        place = "image"
    else:
        place = f"layer {difference.layer}"
    if slug == UNEXPLAINED:  # nobody knows whether two unexplained files have one cause
        image = f"{difference.platform} " if difference.platform else ""
        place = f"{image}{place} {difference.aspect} {PurePosixPath(difference.path).parent}"
    group = groups.setdefault((slug, place), _Group(instruction))
    if not group.differences or group.differences[-1] != difference:
        group.differences.append(difference)
        group.processes.append(told.author.process if told.author else None)
    if found:
        group.clues.add(found)


def _put_under_roots(
    followers: Sequence[Follower], groups: Mapping[tuple[str, str], _Group]
) -> None:
    """Add what follows from other files to the groups of those."""
    of: dict[Place, list[_Group]] = {}
    for group in groups.values():
        for place in {difference.place for difference in group.differences}:
            of.setdefault(place, []).append(group)
    for one in followers:
        names = one.names
        clue = Clue(slug="", factors=(), kind=one.kind, detail=one.words)
        for group in {id(g): g for root in one.roots for g in of.get(root, ())}.values():
            group.differences.append(replace(one.difference, derived_from=names[:_MOST_ROOTS]))
            group.processes.append(one.process)
            group.clues.add(Sourced(one.source, clue))


def _finding(slug: str, place: str, group: _Group, scene: Scene) -> Finding:
    clues = group.clues.sorted()
    factors = {f: None for found in clues for f in found.clue.factors if scene.moved(f)}
    suspects = tuple(Suspect(factor=f, confidence=_sure(f, group, scene)) for f in factors)
    process = _commonest(group.processes)
    explained = slug == UNEXPLAINED and scene.provenance is not None
    return Finding(
        id=identity(slug, place),
        cause=replace(cause(slug), remedy=_LOOK) if explained else cause(slug),
        factors=tuple(sorted(suspects, key=lambda s: _CONFIDENCES.index(s.confidence))),
        instruction=group.instruction,
        process=process,
        evidence=tuple(_evidence(clues, scene)),
        differences=tuple(group.differences if set(group.processes) == {process} else _each(group)),
    )


def _commonest(processes: Sequence[Process | None]) -> Process | None:
    """Return the process named most often, the first of several."""
    counted = Counter(process for process in processes if process)
    return counted.most_common(1)[0][0] if counted else None


def _each(group: _Group) -> Iterator[Difference]:
    """Yield the differences, each with the process that wrote it."""
    for difference, process in zip(group.differences, group.processes, strict=True):
        yield replace(difference, process=process)


def _sure(factor: str, group: _Group, scene: Scene) -> Confidence:
    """Return how sure it is that a factor made all the differences of a group."""
    found = [scene.decoded.get(d.place) for d in group.differences if not d.derived_from]
    if all(d is not None and d.sure(factor) for d in found):
        return Confidence.DEMONSTRATED
    return Confidence.INDICATED


def _evidence(clues: Sequence[Sourced], scene: Scene) -> Iterator[Evidence]:
    first = {(found.source, found.clue.detail): found for found in reversed(clues)}
    for found in list(reversed(first.values()))[:MOST_EVIDENCE]:
        clue = found.clue
        yield Evidence(kind=clue.kind, source=found.source, detail=clue.detail, runs=scene.runs)
