"""Files that differ without a cause of their own, and whose writer read another that differs.

A traced run shows who read what, not that the bytes came of it: so this is indicated. It is said in
the place of `unexplained` and of chance alone, where no program that had a part in a file drew
anything else that is not the same in two builds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from repaudit.model.difference import Aspect, Difference, Place, Process
from repaudit.model.finding import UNEXPLAINED, Clue, EvidenceKind
from repaudit.stages.derive import roots

if TYPE_CHECKING:
    from repaudit.stages.provenance import Author

_CHANCE = {"random"}
_READ = {Aspect.CONTENT, Aspect.KIND, Aspect.LINK, Aspect.PRESENCE}


def causeless(clue: Clue) -> bool:
    """Whether a clue names no cause but chance."""
    return clue.slug == UNEXPLAINED or set(clue.factors) == _CHANCE


class Told(Struct, frozen=True, kw_only=True):
    """A difference, who wrote it, and what was found of it."""

    difference: Difference
    author: Author | None
    clues: Sequence[Clue]

    @property
    def open(self) -> bool:
        """Whether something of it has no cause of its own."""
        return not self.clues or any(map(causeless, self.clues))

    @property
    def own(self) -> bool:
        """Whether something of it has a cause of its own."""
        return not all(map(causeless, self.clues))


class Follower(Struct, frozen=True, kw_only=True):
    """A difference that stands under the files at `roots`, who says so, and in which words.

    `process` is the one that wrote it, where a run was traced.
    """

    difference: Difference
    roots: Sequence[Place]
    source: str
    kind: EvidenceKind
    says: str
    process: Process | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The paths of the roots."""
        return tuple(sorted({path for _, path, _ in self.roots}))

    @property
    def words(self) -> str:
        """Say it, with the first of the roots."""
        more = f" and {len(self.names) - 1} more" if len(self.names) > 1 else ""
        return f"{self.says} {self.names[0]}{more}"


def holder(difference: Difference, roots: Sequence[Place]) -> Follower:
    """Return a place that holds digests or bytes of others."""
    return Follower(
        difference=difference,
        roots=roots,
        source="derive",
        kind=EvidenceKind.SIGNATURE,
        says=f"{difference.path} differs only in what it holds of",
    )


def heir(difference: Difference, roots: Sequence[Place]) -> Follower:
    """Return a place that was copied up from a layer below, as it was there."""
    return Follower(
        difference=difference,
        roots=roots,
        source="derive",
        kind=EvidenceKind.SIGNATURE,
        says=f"on both sides a later layer has the {difference.aspect} that a layer below has, as "
        "what is copied up with a change does: it follows (indicated) that of",
    )


def reader(told: Told, roots: Sequence[Place]) -> Follower:
    """Return a place for which others were read."""
    rest = "what has no other cause follows" if told.own else "it follows"
    who = told.author.words(()) if told.author else ""
    return Follower(
        difference=told.difference,
        roots=roots,
        source="trace",
        kind=EvidenceKind.TRACE,
        says=f"{told.difference.path} was {who}; {rest} (indicated) what was read for it, of",
        process=told.author.process if told.author else None,
    )


def read_for(
    some: Sequence[Told],
    differences: Sequence[Difference],
    follow: Mapping[Place, Sequence[Place]],
) -> dict[Place, tuple[Place, ...]]:
    """Return the roots of what was read for each place that has no cause of its own, or not whole.

    `follow` are the roots of the places that hold others.
    """
    by_path: dict[str, list[Place]] = {}
    for difference in differences:
        if difference.aspect in _READ:
            by_path.setdefault(difference.path, []).append(difference.place)
    read = {
        one.difference.place: places
        for one in some
        if one.author and not one.author.drawn and one.open
        if one.difference.aspect is Aspect.CONTENT
        if (places := [place for path in one.author.sources for place in by_path.get(path, ())])
    }
    own = {one.difference.place for one in some if one.own}
    whole = roots({**follow, **{p: places for p, places in read.items() if p not in own}})
    known = whole or follow
    return {
        place: tuple(sorted({r for p in places for r in known.get(p, (p,))}, key=str))
        for place, places in read.items()
        if place in own or place in whole
    }
