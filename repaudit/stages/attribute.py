"""Attribute differences to causes: what the forensics say, one finding a cause and place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from repaudit.forensics import FORENSICS, place_of
from repaudit.model.difference import Difference, Place
from repaudit.model.finding import UNEXPLAINED, Clue, Finding
from repaudit.stages.cases import Cases
from repaudit.stages.chains import Told, causeless, heir, holder, read_for, reader
from repaudit.stages.clues import (
    DESIGN,
    Sourced,
    clocked,
    cut_off,
    noted,
    placed,
    renamed,
    seen,
    sharpened,
    spoken,
)
from repaudit.stages.contents import Contents
from repaudit.stages.derive import derived, inherited
from repaudit.stages.findings import order, rooted
from repaudit.stages.groups import BUILDERS, Groups, add, finding, put_under_roots
from repaudit.stages.scene import Scene

#: What was told of some differences: by whom, and without that.
_Same = dict[tuple[Sourced, ...], tuple[tuple[Sourced, ...], tuple[Clue, ...]]]


class Attribution(Struct, frozen=True, kw_only=True):
    """What was found of a pair of runs, and the places of which another pair can tell no more."""

    findings: tuple[Finding, ...]
    told: frozenset[Place]


def attribute(
    differences: Sequence[Difference], contents: Contents, scene: Scene
) -> tuple[Finding, ...]:
    """Return the findings; each difference stands in one at least, the unexplained first."""
    holds = derived(differences, contents, one_build=bool(scene.left))
    return attribution(differences, contents, scene, holds).findings


def attribution(
    differences: Sequence[Difference],
    contents: Contents,
    scene: Scene,
    holds: Mapping[Place, tuple[Place, ...]],
) -> Attribution:
    """Return the findings of one of several pairs; `holds` are the roots of what is derived.

    Each difference stands in one at least, but for those that the scene calls told.
    """
    groups: Groups = {}
    inherits = inherited(differences, scene.left_alone)
    follow = {**holds, **inherits}
    new = [d for d in differences if d.place not in scene.told]
    same: _Same = {}
    cases = Cases(differences, contents, scene.left, scene.right, scene.alone)
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
            add(groups, told, UNEXPLAINED, None, scene)
        # A detector that could name a part of a file says of the rest that it is unexplained.
        for found in [*clues, *(seen(told.author, found.clue) for found in clues if told.author)]:
            add(groups, told, found.clue.slug, found, scene)
    put_under_roots(followers, groups)
    findings = [finding(slug, place, group, scene) for (slug, place), group in groups.items()]
    findings = findings if scene.runs else rooted(findings)
    return Attribution(
        findings=tuple(sorted(findings, key=order)),
        told=frozenset(_told_of(examined, scene)),
    )


def _examined(
    difference: Difference, cases: Cases, contents: Contents, scene: Scene, same: _Same
) -> tuple[Told, tuple[Sourced, ...]]:
    """Return what is told of one difference, and by whom; of very many it is one value."""
    author = None if difference.aspect in BUILDERS else scene.author(difference)
    instruction = scene.instruction(difference)
    case = cases.of(difference, instruction.text if instruction else None)
    found = [
        Sourced(forensic.name, clue)
        for forensic in FORENSICS.all()
        for clue in forensic.examine(case)
        if _possible(clue, scene)
    ]
    clues = spoken([*found, *cut_off(difference, contents)], one_build=bool(scene.left))
    place = None if scene.left else place_of(case)
    if place:
        clues = placed(clues, place)
    elif other := scene.elsewhere.get(difference.place):
        clues = [*clues, renamed(difference, other)]
    if note := scene.noted.get(difference.place):
        clues = [*clues, noted(note)]
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
