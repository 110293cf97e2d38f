"""Differences with one cause at one place, which become one finding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from repaudit.forensics import cause
from repaudit.model.difference import Aspect, Difference, Place, Process
from repaudit.model.finding import (
    UNEXPLAINED,
    Cause,
    Clue,
    Confidence,
    Evidence,
    Finding,
    Instruction,
    Suspect,
)
from repaudit.model.withheld import withheld
from repaudit.stages.chains import Follower, Told
from repaudit.stages.clues import Best, Sourced
from repaudit.stages.findings import (
    FOLDER,
    MOST_EVIDENCE,
    RENAMED,
    identity,
    unexplained_at,
    unexplained_of_two,
)
from repaudit.stages.scene import Scene

#: Aspects that the builder decides for the whole image, not one instruction for its files.
BUILDERS = {Aspect.MTIME, Aspect.HISTORY, Aspect.CONFIG, Aspect.ANNOTATION, Aspect.COMPRESSION}
#: Aspects of which a side is a text that somebody wrote.
_TEXTS = {Aspect.CONFIG, Aspect.HISTORY, Aspect.ANNOTATION, Aspect.XATTR, Aspect.LINK}
_MOST_ROOTS = 20
#: The way out where `--explain` has been asked.
_LOOK = (
    "Look in what this line runs for chance that strikes seldom, for a race, and for what three "
    "factors make together; more runs tell more: `--builds`."
)
_CONFIDENCES = list(Confidence)


class Group(Struct):
    """What is told of one cause at one place, as it comes."""

    instruction: Instruction | None
    #: The cause that is known to show where what differs is unexplained, if there is one.
    known: str = ""
    differences: list[Difference] = field(default_factory=list)
    processes: list[Process | None] = field(default_factory=list)
    clues: Best = field(default_factory=Best)


#: By the cause's slug and the place.
Groups = dict[tuple[str, str], Group]


def add(
    groups: Groups,
    told: Told,
    slug: str,
    found: Sourced | None,
    scene: Scene,
) -> None:
    """Take what was found of one difference into the group of that cause and place."""
    difference = told.difference
    instruction = None if difference.aspect in BUILDERS else scene.instruction(difference)
    if instruction:
        place = f"{instruction.file} {instruction.stage} {instruction.text}"
    elif difference.aspect in BUILDERS or difference.is_layer:
        place = "image"
    else:
        place = f"layer {difference.layer}"
    if slug == UNEXPLAINED:  # nobody knows whether two unexplained files have one cause
        image = f"{difference.platform} " if difference.platform else ""
        known = found.clue.place if found else ""
        apart = known or f"{difference.aspect} {scene.folder(difference)}"
        if other := scene.elsewhere.get(difference.place) if known == RENAMED else None:
            apart = " ".join([known, *scene.folders(difference, other)])  # a name for both sides
        elif found and known == FOLDER:
            apart = f"{known} {found.clue.detail}"  # one for the same two folders
        group = groups.setdefault((slug, f"{image}{place} {apart}"), Group(instruction, known))
    else:
        group = groups.setdefault((slug, place), Group(instruction))
    if not group.differences or group.differences[-1] != difference:
        group.differences.append(difference)
        group.processes.append(told.author.process if told.author else None)
    if found:
        group.clues.add(found)


def put_under_roots(followers: Sequence[Follower], groups: Groups) -> None:
    """Add what follows from other files to the groups of those."""
    of: dict[Place, list[Group]] = {}
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


def finding(slug: str, place: str, group: Group, scene: Scene) -> Finding:
    """Return what a group comes to."""
    clues = group.clues.sorted()
    factors = {f: None for found in clues for f in found.clue.factors if scene.moved(f)}
    suspects = tuple(Suspect(factor=f, confidence=_sure(f, group, scene)) for f in factors)
    process = _commonest(group.processes)
    alone = set(group.processes) == {process}
    return Finding(
        id=identity(slug, place),
        cause=_cause(slug, group.known, scene),
        factors=tuple(sorted(suspects, key=lambda s: _CONFIDENCES.index(s.confidence))),
        instruction=group.instruction,
        process=process,
        evidence=tuple(_evidence(clues, scene)),
        differences=tuple(map(_shown, group.differences if alone else _each(group))),
    )


def _cause(slug: str, known: str, scene: Scene) -> Cause:
    """Return a cause; one that stands for none has the way out that there is."""
    if known:
        return unexplained_at(known)
    if slug != UNEXPLAINED:
        return cause(slug)
    if not scene.runs:
        return unexplained_of_two()
    return replace(cause(slug), remedy=_LOOK) if scene.provenance else cause(slug)


def _commonest(processes: Sequence[Process | None]) -> Process | None:
    """Return the process named most often, the first of several."""
    counted = Counter(process for process in processes if process)
    return counted.most_common(1)[0][0] if counted else None


def _each(group: Group) -> Iterator[Difference]:
    """Yield the differences, each with the process that wrote it."""
    for difference, process in zip(group.differences, group.processes, strict=True):
        yield replace(difference, process=process)


def _shown(difference: Difference) -> Difference:
    """Return a difference as reports may hold it; a file's content is there as a digest."""
    if difference.aspect not in _TEXTS:
        return difference
    sides = [side and withheld(side) for side in (difference.left, difference.right)]
    return replace(difference, left=sides[0], right=sides[1])


def _sure(factor: str, group: Group, scene: Scene) -> Confidence:
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
