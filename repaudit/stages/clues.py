"""What the clues of one place come to: which of them speak, and what the runs make of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from repaudit.forensics import general_cause, leaves_nothing
from repaudit.model.difference import Aspect, Difference
from repaudit.model.experiment import INTRINSIC
from repaudit.model.finding import UNEXPLAINED, Clue, EvidenceKind
from repaudit.oci.spool import MOST_OF_ONE
from repaudit.stages.chains import causeless
from repaudit.stages.contents import Contents
from repaudit.stages.decode import Decoded
from repaudit.stages.findings import MOST_EVIDENCE, RANKS, RENAMED

if TYPE_CHECKING:
    from repaudit.stages.provenance import Author

#: The source of what the designed runs show.
DESIGN = "design"
BY_ITSELF = "differs_without_variation"
#: What may be said of another order.
_ORDERS = {
    "random_order_in_output",
    "collation_order_varies_by_locale",
    "random_order_in_static_libraries",
    "random_order_in_cpio_archive",
    "random_order_in_tarball",
    "random_order_in_zip",
    "random_order_of_directory_entries",
}
_BY_CHANCE = "random_order_in_output"
#: What is said of a value that is another each time, and of which no more is known.
_OF_NO_SOURCE = {BY_ITSELF, "embeds_random_value"}
_RACE = ("random", "concurrency")
_MOST_HELD = 64


class Sourced(Struct, frozen=True):
    """A clue and the name of the forensic that gave it."""

    source: str
    clue: Clue

    @property
    def key(self) -> tuple[int, str, str]:
        """A total order, the best evidence first."""
        return (RANKS[self.clue.kind], self.clue.detail, self.source)


class Best:
    """What is shown of very many clues: those that speak first, and one for each set of factors."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, str], Sourced] = {}
        self._by_factors: dict[tuple[str, ...], Sourced] = {}

    def add(self, found: Sourced) -> None:
        """Take one in."""
        _keep(self._by_factors, found.clue.factors, found)
        _keep(self._first, (found.source, found.clue.detail), found)
        if len(self._first) > _MOST_HELD:
            some = sorted(self._first.items(), key=lambda item: item[1].key)
            self._first = dict(some[:MOST_EVIDENCE])

    def sorted(self) -> list[Sourced]:
        """Return them, the best evidence first."""
        some = dict.fromkeys([*self._first.values(), *self._by_factors.values()])
        return sorted(some, key=lambda found: found.key)


_K = TypeVar("_K")


def _keep(held: dict[_K, Sourced], name: _K, found: Sourced) -> None:
    known = held.get(name)
    if known is None or found.key < known.key:
        held[name] = found


def cut_off(difference: Difference, contents: Contents) -> Iterator[Sourced]:
    """Say that most of a file was not looked into, where that is so: no cause speaks for that."""
    kept = contents.get((difference.left, difference.right))
    if kept is None or kept.whole or difference.aspect is not Aspect.CONTENT:
        return
    detail = f"of files as large as {difference.path}, the first {MOST_OF_ONE >> 20} MiB are read"
    clue = Clue(slug=UNEXPLAINED, factors=(), kind=EvidenceKind.SIGNATURE, detail=detail)
    yield Sourced("contents", clue)


def seen(author: Author, clue: Clue) -> Sourced:
    """Say which process wrote it, and whether that read what the blamed factors move."""
    detail = _words(author, clue.factors)
    return Sourced("trace", replace(clue, kind=EvidenceKind.TRACE, detail=detail))


@lru_cache(maxsize=1_000)
def _words(author: Author, factors: tuple[str, ...]) -> str:
    return author.words(factors)


def placed(clues: list[Sourced], slug: str) -> list[Sourced]:
    """Return what is said of a file of one of two images, at the known place of a cause.

    Where all is accounted for, that; else that what differs there is unexplained, once, and beside
    it what is accounted for. Where nothing is said but that the place is known, nobody looked.
    """
    others = [found for found in clues if found.source != "known_path"]
    if any(found.clue.whole for found in clues):
        return clues
    if others and all(found.clue.slug != UNEXPLAINED for found in others):
        return clues
    if not others:
        kind, detail = EvidenceKind.SIGNATURE, "nobody can say that its program wrote what differs"
        unknown = Clue(slug=UNEXPLAINED, factors=(), kind=kind, detail=detail)
        others = [Sourced("known_path", unknown)]

    def told(found: Sourced) -> Sourced:
        known = found.clue.slug != UNEXPLAINED
        detail = f"accounted for: {found.clue.detail}" if known else found.clue.detail
        blamed = replace(found.clue, slug=UNEXPLAINED, factors=(), place=slug, detail=detail)
        return replace(found, clue=blamed)

    return list(map(told, others))


def noted(detail: str) -> Sourced:
    """Say of a file what else in the image says against it: a list, or what runs by it."""
    kind = EvidenceKind.SIGNATURE
    return Sourced("contents", Clue(slug=UNEXPLAINED, factors=(), kind=kind, detail=detail))


def renamed(difference: Difference, other: str) -> Sourced:
    """Say where the other side has the bytes of a file: a name may decide what becomes of them."""
    side, its = ("left", "right") if difference.left is None else ("right", "left")
    detail = f"the {its} has at {difference.path} what the {side} has at {other}"
    kind = EvidenceKind.SIGNATURE
    told = Clue(slug=UNEXPLAINED, factors=(), kind=kind, detail=detail, place=RENAMED)
    return Sourced("contents", told)


def spoken(clues: list[Sourced], *, one_build: bool) -> list[Sourced]:
    """Return the clues that speak for a place; `one_build` says that two runs of one are compared.

    Two images of which nothing is known may differ there in what nobody's program wrote.
    """
    return _by_line(_by_place(clues, one_build=one_build))


def _by_place(clues: list[Sourced], *, one_build: bool) -> list[Sourced]:
    """Let what is known of a place speak for what its content shows.

    It speaks for clues that blame the same, and for all of a file that it tells whole; of one build
    also for what nobody need explain, as the remedy does away with the file.
    """
    away = [found for found in clues if _goes(found, one_build=one_build)]
    if away:
        clues = [f for f in clues if f in away or (f.clue.factors and not causeless(f.clue))]
    known = [found.clue for found in clues if found.source == "known_path" and found.clue.factors]

    def renamed(found: Sourced) -> Sourced:
        blamed = set(found.clue.factors)
        for place in known:
            if blamed and blamed <= set(place.factors):
                return replace(found, clue=replace(found.clue, slug=place.slug))
        return found

    return [renamed(found) for found in clues]


def _by_line(clues: list[Sourced]) -> list[Sourced]:
    """Let what the line says that it draws speak where nothing else is known, and only there."""
    told = [found for found in clues if found.source == "line"]
    others = [found for found in clues if found.source != "line"]
    if told and all(found.clue.slug == UNEXPLAINED for found in others):
        return told
    return others


def sharpened(clues: list[Sourced], decoded: Decoded, apart: Collection[str]) -> list[Sourced]:
    """Let the experiment overrule what only looked so, and say what no detector saw.

    `apart` are the factors in which the two runs differ.
    """
    followed = {one.factor for one in decoded.followed}
    real = followed | (set(INTRINSIC) if decoded.chance else set())
    kept, covered = [], set()
    for found in _erratic(clues, decoded, followed):
        blamed = real.intersection(found.clue.factors)
        if decoded.chance and found.clue.kind is EvidenceKind.CANARY:
            blamed = set(found.clue.factors)  # it was seen there, whatever else is in that word
        if decoded.settled and (found.clue.slug == UNEXPLAINED or _contradicted(found, blamed)):
            continue
        covered |= blamed
        factors = tuple(name for name in found.clue.factors if name in blamed)
        if not decoded.settled:
            factors = found.clue.factors
        kept.append(replace(found, clue=replace(found.clue, factors=factors)))
        shown = followed | ({"random"} if decoded.drawn else set())
        if blamed & shown:
            kept.append(_told(found.clue.slug, tuple(sorted(blamed & shown)), decoded))
    told = kept or decoded.chance
    passing = any(one.factor == "time" and (one.passes or not told) for one in decoded.followed)
    goes = any(_goes(found, one_build=True) for found in kept)
    kept += [
        _told(general_cause(name).slug, (name,), decoded)
        for name in sorted(followed - covered)
        if decoded.sure(name) or not goes
        # Else other runs than these two show it; but time passes between any two.
        if name in apart or (name == "time" and passing)
    ]
    if decoded.chance and not covered.intersection(INTRINSIC):
        kept.append(_told(BY_ITSELF, ("random",), decoded))
    raced = any(found.clue.slug == _BY_CHANCE for found in kept)
    if decoded.baffling and not (raced or goes):
        kept.append(_told(UNEXPLAINED, (), decoded))
    return kept


def clocked(clues: list[Sourced], decoded: Decoded, drawn: Sequence[str]) -> list[Sourced]:
    """Blame the clock, and not random bytes, where those who wrote a place read the clock alone.

    `drawn` are the kinds of input that they read and that are not the same in two builds.
    """
    if decoded.drawn or not decoded.chance or tuple(drawn) != ("clock",):
        return clues
    cause = general_cause("time")
    return [
        replace(found, clue=replace(found.clue, slug=cause.slug, factors=("time",)))
        if found.clue.factors == ("random",) and found.clue.slug in _OF_NO_SOURCE
        else found
        for found in clues
    ]


def _erratic(clues: Sequence[Sourced], decoded: Decoded, followed: set[str]) -> Iterator[Sourced]:
    """Yield the clues; another order that follows nothing is a race's, whatever it looks like."""
    race = decoded.baffling or (decoded.chance and decoded.settled)
    factors = _RACE[:1] if decoded.drawn else _RACE
    for found in clues:
        if found.clue.slug in _ORDERS and not followed.intersection(found.clue.factors) and race:
            clue = replace(found.clue, slug=_BY_CHANCE, factors=factors)
            yield replace(found, clue=clue)
            yield _told(_BY_CHANCE, factors, decoded)
        else:
            yield found


def _goes(found: Sourced, *, one_build: bool) -> bool:
    """Whether nobody need explain the rest of a file, for there is none or it goes away."""
    return found.source == "known_path" and (
        found.clue.whole or (one_build and leaves_nothing(found.clue.slug))
    )


def _contradicted(found: Sourced, blamed: set[str]) -> bool:
    return bool(found.clue.factors) and not blamed


def _told(slug: str, factors: tuple[str, ...], decoded: Decoded) -> Sourced:
    detail = decoded.words(factors)
    clue = Clue(slug=slug, factors=factors, kind=EvidenceKind.EXPERIMENT, detail=detail)
    return Sourced(DESIGN, clue)
