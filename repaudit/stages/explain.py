"""What a designed set of runs shows: which factors each place of the image follows.

Every run is compared with the control, so each place that differs anywhere has one value a run. A
text is decoded line by line, with the run's own clock blanked out first, so that a time stamp hides
nothing behind it; anything else is decoded as a whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from repaudit.forensics import without_clock
from repaudit.model.difference import Aspect, Difference, Place
from repaudit.model.experiment import PlannedRun
from repaudit.stages.contents import Contents
from repaudit.stages.decode import explanations, shown, telling, unrepeated
from repaudit.stages.derive import derived

#: Longer texts, and those whose lines differ in number, are decoded as a whole.
_MOST_BYTES = 1 << 20
_MOST_LINES = 2_000
_NAMES_LAYERS = {Aspect.HISTORY, Aspect.ANNOTATION, Aspect.COMPRESSION}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """What the runs show of one place.

    Its value follows `factors`, each with the number of runs that moved it; `certain` says that
    nothing else explains it and that each was moved, and not moved, often enough. `chance` says
    that it differs, in part or in whole, between two runs in which nothing was moved, `baffling`
    that a part of it follows no factor and no two of them. `differing` runs differ from the
    control there.
    """

    factors: tuple[tuple[str, int], ...]
    runs: int
    differing: int
    certain: bool
    chance: bool
    baffling: bool

    def words(self, some: Iterable[str]) -> str:
        """Say of the factors in `some` how the runs show them; of none, how often it differs."""
        said = [
            f"follows {name} in all {self.runs} runs, {times} of which moved it"
            for name, times in self.factors
            if name in some
        ]
        often = f"differs from the control in {self.differing} of {self.runs - 1} other runs"
        why = "in one of which nothing was moved" if self.chance else "and follows no factor or two"
        return "; ".join(said) or f"{often}, {why}"


@dataclass(frozen=True, slots=True)
class _Observed:
    """One run, what it moved, how it differs from the control, and the bytes of that."""

    run: PlannedRun
    moved: frozenset[str]
    differences: Mapping[Place, Difference]
    contents: Contents
    derived: frozenset[Place] = frozenset()


class Observations:
    """The runs so far. The control comes first, then the replicate, then runs that move factors."""

    def __init__(self, control: PlannedRun) -> None:
        self._seen = [_Observed(control, frozenset(), {}, {})]

    def add(
        self,
        run: PlannedRun,
        moved: frozenset[str],
        differences: Sequence[Difference],
        contents: Contents,
    ) -> None:
        """Take in how one more run differs from the control."""
        by_place = {difference.place: difference for difference in differences}
        follow = frozenset(derived(differences, contents))
        self._seen.append(_Observed(run, moved, by_place, contents, follow))

    @property
    def moved(self) -> tuple[frozenset[str], ...]:
        """The factors that each run moved."""
        return tuple(observed.moved for observed in self._seen)

    def decode(self, factors: Sequence[str]) -> dict[Place, Decoded]:
        """Return what is known of every place that differs in some run."""
        return {place: self._decode(place, tuple(factors)) for place in self._places()}

    def settled(self, factors: Sequence[str]) -> bool:
        """Whether there is nothing that another run could tell."""
        return all(decoded.certain for decoded in self.decode(factors).values())

    def doubts(self, factors: Sequence[str]) -> list[frozenset[str]]:
        """Return what should be moved, and nothing else, to learn more; the most asked for first.

        Nothing is to be moved where a place follows no factor: a race shows in some runs alone.
        """
        asked: Counter[frozenset[str]] = Counter()
        for pattern in self._patterns(tuple(factors)):
            sets = _explained(pattern, self.moved, tuple(factors))
            if len(sets) == 1:
                asked.update(unrepeated(sets[0], pattern, self.moved))
            else:
                asked[telling(sets, pattern, self.moved)] += 1
        return [some for some, _ in sorted(asked.items(), key=lambda a: (-a[1], sorted(a[0])))]

    def best(self, factors: Sequence[str], rows: Sequence[frozenset[str]]) -> frozenset[str]:
        """Return the row, of those left, after which the fewest explanations stay open."""
        patterns = list(self._patterns(tuple(factors)))
        return min(
            rows,
            key=lambda row: sum(
                _undecided(_explained(pattern, self.moved, tuple(factors)), row)
                for pattern in patterns
            ),
        )

    def _patterns(self, factors: tuple[str, ...]) -> Iterator[tuple[int, ...]]:
        for place in self._places():
            for region in self._regions(place):
                pattern = _pattern(_blanked(region, self._clocks()))
                open_still = not self._sure(pattern, factors)
                if len(set(pattern)) > 1 and open_still and not _by_chance(pattern, self.moved):
                    yield pattern

    def _sure(self, pattern: tuple[int, ...], factors: tuple[str, ...]) -> bool:
        """Whether one set of factors, and no other, is shown to explain the values."""
        sets = _explained(pattern, self.moved, factors)
        return (
            len(sets) == 1
            and shown(sets[0], self.moved)
            and not unrepeated(sets[0], pattern, self.moved)
        )

    def _places(self) -> set[Place]:
        """Return where some run differs, other than in what only follows from another place."""
        places = {p for o in self._seen for p in o.differences if p not in o.derived}
        return {place for place in places if place[2] not in _NAMES_LAYERS}

    def _clocks(self) -> tuple[int | None, ...]:
        levels = (observed.run.level("time") for observed in self._seen)
        return tuple(int(level.value) if level else None for level in levels)

    def _decode(self, place: Place, factors: tuple[str, ...]) -> Decoded:
        found: dict[str, None] = {}
        certain, chance, baffling = True, False, False
        for region in self._regions(place):
            told = _blanked(region, self._clocks())
            if told != region and "time" in factors:
                found["time"] = None
                certain &= shown(("time",), self.moved)
            if len(set(told)) == 1:
                continue
            pattern = _pattern(told)
            if _by_chance(pattern, self.moved):
                chance = True
                continue
            sets = _explained(pattern, self.moved, factors)
            certain &= self._sure(pattern, factors)
            baffling |= not sets
            found.update(dict.fromkeys(sets[0] if len(sets) == 1 else ()))
        times = tuple((name, sum(name in run for run in self.moved)) for name in found)
        return Decoded(
            factors=times,
            runs=len(self._seen),
            differing=sum(place in observed.differences for observed in self._seen),
            certain=certain and (bool(found) or chance),
            chance=chance,
            baffling=baffling,
        )

    def _regions(self, place: Place) -> Iterator[tuple[str, ...]]:
        """Yield the values that each part of a place has in the runs, unless they are all one."""
        first = next(o.differences[place] for o in self._seen if place in o.differences)
        values = tuple(
            _value(o.differences[place].right if place in o.differences else first.left)
            for o in self._seen
        )
        texts = self._texts(place, first) if place[2] == Aspect.CONTENT else None
        if texts is None:
            yield values
            return
        for region in zip(*texts, strict=True):
            if len(set(region)) > 1:
                yield region

    def _texts(self, place: Place, first: Difference) -> list[list[str]] | None:
        """Return the lines of each run's text, None unless all are texts of as many lines."""
        own: bytes | None = None
        sides: list[bytes | None] = []
        for observed in self._seen:
            difference = observed.differences.get(place)
            kept = (
                observed.contents.get((difference.left, difference.right)) if difference else None
            )
            if difference and (kept is None or max(kept.left_size, kept.right_size) > _MOST_BYTES):
                return None
            own = kept.left.read_bytes() if kept and own is None else own
            sides.append(kept.right.read_bytes() if kept else None)
        lines = [_lines(own if side is None else side) for side in sides]
        whole = [one for one in lines if one is not None]
        alike = len(whole) == len(lines) and len({len(one) for one in whole}) == 1
        return whole if alike and len(whole[0]) <= _MOST_LINES else None


def _lines(data: bytes | None) -> list[str] | None:
    if data is None or b"\0" in data:
        return None
    try:
        return data.decode().split("\n")
    except UnicodeDecodeError:
        return None


def _value(text: str | None) -> str:
    return "" if text is None else f"={text}"


def _blanked(region: tuple[str, ...], clocks: tuple[int | None, ...]) -> tuple[str, ...]:
    """Return the region without what each run's own clock told; as it is, where one has none."""
    pairs = list(zip(region, clocks, strict=True))
    if any(clock is None for _, clock in pairs):
        return region
    told = tuple(without_clock(text, clock or 0) for text, clock in pairs)
    return told if all(a != b for a, b in zip(told, region, strict=True)) else region


def _pattern(values: Sequence[Hashable]) -> tuple[int, ...]:
    """Return which values are the same, by the number of the first run that has each."""
    first: dict[Hashable, int] = {}
    return tuple(first.setdefault(value, number) for number, value in enumerate(values))


def _by_chance(pattern: tuple[int, ...], moved: tuple[frozenset[str], ...]) -> bool:
    """Whether runs in which nothing was moved differ."""
    return any(n != pattern[0] for n, some in zip(pattern, moved, strict=True) if not some)


@cache
def _explained(
    pattern: tuple[int, ...], moved: tuple[frozenset[str], ...], factors: tuple[str, ...]
) -> tuple[tuple[str, ...], ...]:
    if _by_chance(pattern, moved):
        return ()
    return explanations(pattern, moved, factors)


def _undecided(found: Sequence[tuple[str, ...]], row: frozenset[str]) -> int:
    """Return how many explanations may be left, at worst, after a run that moves `row`."""
    alike = Counter(frozenset(some) & row for some in found)
    return max(alike.values(), default=0)
