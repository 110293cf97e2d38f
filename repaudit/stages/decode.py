"""Decode which factors a value follows, given the runs in which it was seen.

Each run moves a set of factors; a region of the image (a line, a mode, a whole file) has one value
in each run. A set of factors explains the values if the value is the same in all runs that agree in
those factors, and another than the control's in each run that moves all of them. The smallest such
sets are the answer; the experiment goes on until there is one. Where a factor's level brings chance
in (addresses, say), each run that moves it has a value of its own.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from itertools import combinations

from msgspec import Struct

#: The most factors that one region is thought to follow.
MOST_FACTORS = 2
#: Runs in which a factor is moved, and runs in which it is not, before it is held to be shown.
EACH_WAY = 2
#: How likely chance may be to look as if one factor, or two, were behind it. `luck` is reckoned for
#: one moment, and the experiment looks after each run: with these, a race of any odds that shows is
#: blamed on factors in one case of twenty at most (tests/test_race.py).
MOST_LUCK = {1: 0.02, 2: 0.05}
#: As many values as a race between two has.
_COIN = 2
#: In how many ways one factor, or two together, may decide between two values.
_WAYS = {1: 1, 2: 5}


class Followed(Struct, frozen=True, kw_only=True):
    """A factor that a place follows: in which region, in how many runs it was moved.

    `sure` says that nothing else explains it, and that it was moved, and not moved, so often that
    chance would hardly look like it. `beside` is the other factor, where it takes two.
    """

    factor: str
    where: str
    times: int
    sure: bool
    beside: tuple[str, ...] = ()

    @property
    def passes(self) -> bool:
        """Whether it is the real clock's time, which is another in each run."""
        return not self.times

    def words(self, runs: int) -> str:
        """Say how the runs show it."""
        also = f", together with {', '.join(self.beside)}," if self.beside else ""
        said = (
            f"follows {self.factor}{also} in all {runs} runs, {self.times} of which moved it"
            if not self.passes
            else f"holds the real time of each of {runs} runs, which no factor moves"
        )
        return f"{self.where}: {said}" if self.where else said


class Decoded(Struct, frozen=True, kw_only=True):
    """What the runs show of one place.

    `settled` says that another run could tell no more. `chance` says that it differs, in part or in
    whole, between two runs in which nothing was moved, `baffling` that a part of it follows no
    factor and no two of them. `drawn` says that it is made of random bytes: runs that were given
    the same ones have one value. `differing` runs differ from the control there, of which `unmoved`
    moved nothing.
    """

    followed: tuple[Followed, ...]
    runs: int
    differing: int
    unmoved: int
    settled: bool
    chance: bool
    baffling: bool
    drawn: bool = False

    @property
    def clear(self) -> bool:
        """Whether all that differs follows factors, and nothing of it is in doubt."""
        return bool(self.followed) and self.settled and not (self.chance or self.baffling)

    def sure(self, factor: str) -> bool:
        """Whether the runs show beyond doubt that the place follows `factor`."""
        drawn = self.drawn and factor == "random"
        return drawn or any(one.factor == factor and one.sure for one in self.followed)

    def words(self, some: Iterable[str]) -> str:
        """Say of the factors in `some` how the runs show them; of none, how often it differs."""
        some = set(some)
        said = [one.words(self.runs) for one in self.followed if one.factor in some]
        if self.drawn and "random" in some:
            said.append(
                "the same in two runs that drew the same random bytes, another in each of "
                f"{self.runs + 1} that did not"
            )
        return "; ".join(said) or self._often()

    def _often(self) -> str:
        if self.chance and not self.unmoved:
            return f"each of {self.runs} runs has another name in its place, whatever it moved"
        often = f"differs from the control in {self.differing} of {self.runs - 1} other runs"
        if not self.chance:
            return f"{often}, and follows no factor or two"
        some = "which" if self.unmoved == self.differing else f"{self.unmoved} of which"
        return f"{often}, {some} moved nothing"


def explanations(
    values: Sequence[Hashable], moved: Sequence[frozenset[str]], factors: Sequence[str]
) -> tuple[tuple[str, ...], ...]:
    """Return the smallest sets of factors that explain `values`, all of one size.

    `moved` holds the factors that each run moves; run 0 is the control. Nothing is returned where
    no set of up to MOST_FACTORS explains the values.
    """
    for size in range(1, MOST_FACTORS + 1):
        found = [s for s in combinations(factors, size) if explains(frozenset(s), values, moved)]
        if found:
            return tuple(found)
    return ()


def explains(
    some: frozenset[str], values: Sequence[Hashable], moved: Sequence[frozenset[str]]
) -> bool:
    """Whether `values` are as they would be if exactly the factors in `some` made them."""
    control = values[0]
    agreeing: dict[frozenset[str], list[Hashable]] = {}
    for value, run in zip(values, moved, strict=True):
        agreeing.setdefault(run & some, []).append(value)
    if any(value != control for value in agreeing.get(frozenset(), ())):
        return False
    groups = [group for levels, group in agreeing.items() if levels]
    if len(some) == 1:
        return bool(groups) and control not in groups[0] and _steady_or_by_chance(groups[0])
    return all(len(set(group)) == 1 for group in groups) and _all_matter(some, agreeing)


def _steady_or_by_chance(group: Sequence[Hashable]) -> bool:
    """Whether all values are one, or no two are: what is between has another cause besides."""
    return len(set(group)) in {1, len(group)}


def _all_matter(some: frozenset[str], agreeing: dict[frozenset[str], list[Hashable]]) -> bool:
    """Whether each factor of `some` changes the value where it alone makes the difference."""
    for factor in some:
        pairs = [
            (levels, levels | {factor})
            for levels in agreeing
            if factor not in levels and levels | {factor} in agreeing
        ]
        if not any(agreeing[without][0] != agreeing[with_][0] for without, with_ in pairs):
            return False
    return True


def luck(some: Sequence[str], values: Sequence[Hashable], factors: Sequence[str]) -> float:
    """Return how likely runs that follow nothing are to look as if they followed factors.

    That is the chance of these very values, were each drawn as often as it was seen, times the
    number of ways in which as many of `factors` as are in `some` could have explained others as
    well: a race looks like one pair or another in one image of five. Of more than two values it
    does not matter which is which: then it is the chance that runs agree and differ as these do,
    were all values drawn alike, of as many as make that likeliest.
    """
    runs, different = len(values), len(set(values))
    drawn = math.prod((count / runs) ** count for count in Counter(values).values())
    if different > _COIN:
        most = range(different, runs * runs)
        drawn = max(math.perm(number, different) / number**runs for number in most)
    return drawn * math.comb(len(factors), len(some)) * _WAYS[len(some)]


def unrepeated(
    some: Sequence[str], values: Sequence[Hashable], moved: Sequence[frozenset[str]]
) -> tuple[frozenset[str], ...]:
    """Return what was moved, of the factors in `some`, where one run alone has another value.

    A race strikes in one run as well, so that more than one has to show it.
    """
    groups: dict[frozenset[str], list[Hashable]] = {}
    for value, run in zip(values, moved, strict=True):
        groups.setdefault(run.intersection(some), []).append(value)
    few = (levels for levels, group in groups.items() if len(group) < EACH_WAY)
    return tuple(levels for levels in few if groups[levels] != [values[0]])


def telling(
    sets: Sequence[Sequence[str]], values: Sequence[Hashable], moved: Sequence[frozenset[str]]
) -> frozenset[str]:
    """Return what to move, and nothing else, so that the fewest of `sets` explain the value too.

    Each set foretells the value that was seen where the same of its factors were moved. Nothing is
    returned where there are no sets.
    """
    known = [
        {run.intersection(some): value for run, value in zip(moved, values, strict=True)}
        for some in sets
    ]
    concerned = sorted({name for some in sets for name in some})
    moves = [frozenset(m) for n in (1, 2, 3) for m in combinations(concerned, n)]

    def undecided(move: frozenset[str]) -> tuple[int, int, list[str]]:
        foretold = [
            seen.get(move.intersection(some)) for seen, some in zip(known, sets, strict=True)
        ]
        return (max(Counter(foretold).values()), len(move), sorted(move))

    return min(moves, key=undecided, default=frozenset())


def undecided(found: Sequence[tuple[str, ...]], row: frozenset[str]) -> int:
    """Return how many explanations may be left, at worst, after a run that moves `row`."""
    alike = Counter(frozenset(some) & row for some in found)
    return max(alike.values(), default=0)


def shown(some: Sequence[str], moved: Sequence[frozenset[str]]) -> bool:
    """Whether each factor was moved, and not moved, in EACH_WAY runs at least."""
    for factor in some:
        times = sum(factor in run for run in moved)
        if min(times, len(moved) - times) < EACH_WAY:
            return False
    return True
