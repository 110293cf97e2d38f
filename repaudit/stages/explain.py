"""What a designed set of runs shows: which factors each place of the image follows.

Every run is compared with the control, so each place that differs anywhere has one value a run. A
file is decoded region by region, so that one cause hides nothing of another behind it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Container, Iterator, Sequence
from functools import cache

from msgspec.structs import replace

from repaudit.model.difference import Aspect, Difference, Place, Within
from repaudit.model.experiment import PlannedRun
from repaudit.stages.contents import Contents
from repaudit.stages.decode import (
    MOST_LUCK,
    Decoded,
    Followed,
    explanations,
    luck,
    shown,
    telling,
    undecided,
    unrepeated,
)
from repaudit.stages.drawn import Drawn
from repaudit.stages.names import Names
from repaudit.stages.observed import Observed, files_at, values_at
from repaudit.stages.regions import Clocks, Region, cut, whole

#: The files beyond as many are decoded as a whole.
MOST_CUT = 2_000
_explained = cache(explanations)
_NAMES_LAYERS = {Aspect.HISTORY, Aspect.ANNOTATION, Aspect.COMPRESSION}


class Observations:
    """The runs so far. The control comes first, then the replicate, then runs that move factors.

    `real` is what the real clock showed meanwhile, in seconds since the epoch. `moved` holds the
    factors that each run moved, `uncut` the files that were not cut into regions: they are too
    large, or too many; `drawn` the places that are shown to be made of random bytes.
    """

    def __init__(self, control: PlannedRun, real: int) -> None:
        self._seen = [Observed(control, frozenset(), (), {}, {})]
        self._real = real
        self.moved: tuple[frozenset[str], ...] = (frozenset(),)
        self.uncut: set[Place] = set()
        self.drawn: Container[Place] = frozenset()
        self._granted: set[Place] = set()
        self._parts: dict[Place, tuple[Region, ...]] = {}
        self._forget()

    def _forget(self) -> None:
        """Forget what was concluded from the runs before."""
        self._order: list[Place] = []
        self._regions: dict[Place, tuple[Region, ...]] = {}
        self._named: dict[Within, Names] = {}
        self._sure = cache(self._shown)
        self._answer = cache(self._decoded)

    def add(
        self,
        run: PlannedRun,
        moved: frozenset[str],
        differences: Sequence[Difference],
        contents: Contents,
        derived: Collection[Place] = (),
    ) -> None:
        """Take in how a run differs from the control, and which places follow from others."""
        # Of runs with one image it is one value.
        same = (one.differences for one in self._seen if one.told is differences)
        by_place = next(same, None) or {one.place: one for one in differences}
        self._seen.append(Observed(run, moved, differences, by_place, contents, derived))
        self.moved = (*self.moved, moved)
        self._forget()
        known = ((place, self._extended(place, some)) for place, some in self._parts.items())
        self._parts = {place: regions for place, regions in known if regions is not None}

    def plant(
        self,
        traced: Sequence[Difference],
        one: Sequence[Difference],
        other: Sequence[Difference],
    ) -> None:
        """Take in a traced run, and two that were given the same random bytes."""
        self.drawn = Drawn([seen.differences for seen in self._seen], traced, (one, other))
        self._answer.cache_clear()

    def _extended(self, place: Place, regions: tuple[Region, ...]) -> tuple[Region, ...] | None:
        """Return a file's regions with the last run, which has the bytes of an earlier one.

        None comes back where it has not, or where another clock may have told what they hold.
        """
        *values, last = values_at(self._seen, place)
        *clocks, clock = self._clocks().steps
        for same, (value, told) in enumerate(zip(values, clocks, strict=True)):
            if (value, told) == (last, clock):
                return tuple(
                    replace(one, pattern=(*one.pattern, one.pattern[same])) for one in regions
                )
        return None

    def decode(self, factors: Sequence[str]) -> dict[Place, Decoded]:
        """Return what is known of the places that differ in some run."""
        places = [place for place in self._places() if self._cut(place)]
        return {place: self._decode(place, tuple(factors)) for place in places}

    def settled(self, factors: Sequence[str]) -> bool:
        """Whether there is nothing that another run could tell."""
        return all(decoded.settled for decoded in self.decode(factors).values())

    def doubts(self, factors: Sequence[str]) -> list[frozenset[str]]:
        """Return what should be moved, and nothing else, to learn more; the most asked for first.

        Nothing is to be moved where a place follows no factor: a race shows in some runs alone.
        """
        asked: Counter[frozenset[str]] = Counter()
        for pattern, times in self._open(tuple(factors)).items():
            sets = _explained(pattern, self.moved, tuple(factors))
            if len(sets) == 1:
                again = unrepeated(sets[0], pattern, self.moved)
                asked.update(dict.fromkeys(again or [frozenset(sets[0])], times))
            else:
                asked[telling(sets, pattern, self.moved)] += times
        return [some for some, _ in sorted(asked.items(), key=lambda a: (-a[1], sorted(a[0])))]

    def best(self, factors: Sequence[str], rows: Sequence[frozenset[str]]) -> frozenset[str]:
        """Return the row, of those left, after which the fewest explanations stay open."""
        patterns = self._open(tuple(factors))
        return min(
            rows,
            key=lambda row: sum(
                times * undecided(_explained(pattern, self.moved, tuple(factors)), row)
                for pattern, times in patterns.items()
            ),
        )

    def _open(self, factors: tuple[str, ...]) -> Counter[tuple[int, ...]]:
        """Count the patterns of which it is not sure what explains them."""
        found: Counter[tuple[int, ...]] = Counter()
        for place in self._places():
            open_, struck = self._sorted(self._cut(place))
            for pattern in open_:
                sure = self._sure(pattern, factors, struck)
                if not sure and not (struck and self._strays(pattern, factors)):
                    found[pattern] += 1
        return found

    def _strays(self, pattern: tuple[int, ...], factors: tuple[str, ...]) -> bool:
        """Whether no single factor explains a pattern: of pairs, one fits chance soon enough."""
        sets = _explained(pattern, self.moved, factors)
        return not sets or len(sets[0]) > 1

    def _sorted(self, regions: Sequence[Region]) -> tuple[list[tuple[int, ...]], int]:
        """Return the patterns of a place's regions that are not chance's, and how many are.

        What is not shown to follow a factor, where chance is seen to strike, is chance's as well.
        """
        patterns = [region.pattern for region in regions if not region.steady]
        others = [pattern for pattern in patterns if not self._by_chance(pattern)]
        return others, len(patterns) - len(others)

    def _shown(self, pattern: tuple[int, ...], factors: tuple[str, ...], struck: int) -> bool:
        """Whether one set of factors, and no other, is shown to explain the values, luck aside.

        Chance that `struck` many regions of a place had as many tries to look like factors.
        """
        sets = _explained(pattern, self.moved, factors)
        return (
            len(sets) == 1
            and shown(sets[0], self.moved)
            and not unrepeated(sets[0], pattern, self.moved)
            and luck(sets[0], pattern, factors) * max(1, struck) <= MOST_LUCK[len(sets[0])]
        )

    def _by_chance(self, pattern: tuple[int, ...]) -> bool:
        """Whether runs in which nothing was moved differ."""
        return any(n != 0 for n, some in zip(pattern, self.moved, strict=True) if not some)

    def _places(self) -> list[Place]:
        """Return where some run differs, other than in what only follows from another place."""
        if not self._order:
            places = {p for o in self._seen for p in o.differences if p not in o.derived}
            self._order = sorted((p for p in places if p[2] not in _NAMES_LAYERS), key=str)
        return self._order

    def _decode(self, place: Place, factors: tuple[str, ...]) -> Decoded:
        """Return what is known of a place: the same for all that differ alike, which are many."""
        differing = sum(place in observed.differences for observed in self._seen)
        unmoved = sum(place in o.differences for o in self._seen if not o.moved)
        return self._answer(self._cut(place), differing, unmoved, factors, place in self.drawn)

    def _decoded(
        self,
        regions: tuple[Region, ...],
        differing: int,
        unmoved: int,
        factors: tuple[str, ...],
        drawn: bool,
    ) -> Decoded:
        found: dict[str, Followed] = {}
        settled, baffling = True, False
        others, struck = self._sorted(regions)
        chance = struck > 0
        for region in regions:
            for one in self._followed(region, factors, struck):
                if chance and not (one.sure or region.steady):
                    continue
                known = found.get(one.factor)
                if known is None or one.sure > known.sure:
                    found[one.factor] = one
            if region.steady:
                settled &= not region.told or shown(("time",), self.moved)
        for pattern in others:
            explained = bool(_explained(pattern, self.moved, factors))
            settled &= self._sure(pattern, factors, struck) or (chance and not explained)
            baffling |= not (chance or explained)
        return Decoded(
            followed=tuple(found.values()),
            runs=len(self._seen),
            differing=differing,
            unmoved=unmoved,
            settled=settled,
            chance=chance,
            baffling=baffling,
            drawn=chance and drawn,
        )

    def _followed(
        self, region: Region, factors: tuple[str, ...], struck: int
    ) -> Iterator[Followed]:
        """Yield the factors that a region follows."""
        if region.told and "time" in factors:
            times = sum("time" in some for some in self.moved)
            sure = shown(("time",), self.moved)
            yield Followed(factor="time", where=region.label, times=times, sure=sure)
        elif region.told or region.stamped:
            yield Followed(factor="time", where=region.label, times=0, sure=False)
        if region.steady or self._by_chance(region.pattern):
            return
        sets = _explained(region.pattern, self.moved, factors)
        for name in sets[0] if len(sets) == 1 else ():
            times = sum(name in some for some in self.moved)
            sure = self._sure(region.pattern, factors, struck)
            beside = tuple(other for other in sets[0] if other != name)
            yield Followed(factor=name, where=region.label, times=times, sure=sure, beside=beside)

    def _cut(self, place: Place) -> tuple[Region, ...]:
        """Return the regions of a place that are not the same in all runs.

        None, where it is too large to be cut and a clock may be all that differs from run to run.
        """
        if place not in self._regions:
            self._regions[place] = self._read(place)
        return self._regions[place]

    def _read(self, place: Place) -> tuple[Region, ...]:
        values = values_at(self._seen, place)
        uncut = whole(values)
        if place[2] == Aspect.PRESENCE:
            return self._names(place[0]).regions(place[1]) or (uncut,)
        if place[2] != Aspect.CONTENT:
            return (uncut,)
        if place in self._parts:
            return self._parts[place]
        granted = place in self._granted or len(self._granted) < MOST_CUT
        files = files_at(self._seen, place) if granted else None
        if files is None:
            self.uncut.add(place)
            return () if self._by_chance(uncut.pattern) else (uncut,)
        self._granted.add(place)
        known = {value: file.read_bytes() for value, file in zip(values, files, strict=True)}
        regions = cut([known[value] for value in values], place[1], self._clocks())
        self._parts[place] = regions
        return regions

    def _names(self, layer: Within) -> Names:
        """Return the names in a layer that not all runs have."""
        if layer not in self._named:
            names = {
                place[1]: [value is not None for value in values_at(self._seen, place)]
                for place in self._places()
                if place[0] == layer and place[2] == Aspect.PRESENCE
            }
            self._named[layer] = Names(names, self._clocks())
        return self._named[layer]

    def _clocks(self) -> Clocks:
        levels = (observed.run.level("time") for observed in self._seen)
        return Clocks(steps=tuple(int(lv.value) if lv else None for lv in levels), real=self._real)
