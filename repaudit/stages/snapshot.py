"""At which instants was each package current? The interval, or the least set of instants.

Versions of a suite only go up, so the instants at which a set of packages was current form one
interval each, and two searches by halving find it. Where no instant serves all, the last one
before the first package is overtaken is taken, and the same is done for what it leaves: no
smaller set of instants covers intervals (greedy stabbing).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from msgspec import Struct

from repaudit.ecosystems import Package, newer

#: The version that is current of each (name, architecture) at one instant.
World = Mapping[tuple[str, str], str]


class Interval(Struct, frozen=True, kw_only=True):
    """From the run `first` to the run `last`, both included, `packages` were all current."""

    first: str
    last: str
    packages: tuple[Package, ...]


class Cover(Struct, frozen=True, kw_only=True):
    """The intervals that cover the packages, earliest first, and the packages that none covers.

    One interval and nothing in `nowhere`: one instant serves all.
    """

    intervals: tuple[Interval, ...]
    nowhere: tuple[Package, ...]

    @property
    def forbidding(self) -> tuple[Package, ...]:
        """The packages that the interval with the most packages leaves out, sorted."""
        most = max(self.intervals, key=lambda one: len(one.packages), default=None)
        held = set(most.packages) if most else set()
        found = {package for one in self.intervals for package in one.packages} - held
        return tuple(sorted(found))


def cover(
    packages: Collection[Package], runs: Sequence[str], world: Callable[[str], World]
) -> Cover:
    """Return the least set of intervals in which the packages were current.

    `runs` are canonical instants, ascending; `world` says what was current at one, and is asked of
    some 4 log2(len(runs)) of them for each interval. A package that left the suite is looked for
    in the intervals of the others only.
    """
    if not runs:
        return Cover(intervals=(), nowhere=tuple(sorted(packages)))
    search = _Search(runs, world)
    left = set(packages)
    missing = {one for one in packages if search.sign(one, len(runs) - 1) < 0}
    found: list[Interval] = []
    left -= missing
    nowhere: set[Package] = set()
    while left:
        last = search.last(left)
        current = {one for one in left if search.sign(one, last) == 0}
        if not current:  # from one run to the next they went past the version that is installed
            skipped = {one for one in left if last + 1 < len(runs) and search.over(one, last + 1)}
            nowhere |= skipped or left
            left -= skipped or left
            continue
        found.append(search.interval(current, missing, last))
        left -= current
    covered = {one for interval in found for one in interval.packages}
    nowhere |= missing - covered
    return Cover(intervals=tuple(found), nowhere=tuple(sorted(nowhere)))


class _Search:
    def __init__(self, runs: Sequence[str], world: Callable[[str], World]) -> None:
        self._runs = runs
        self._world = world

    def sign(self, package: Package, run: int) -> int:
        """Return 0 where the package is current, -1 where it is yet to come, 1 where it is over."""
        version = self._world(self._runs[run]).get(package.key)
        if version == package.version:
            return 0
        return 1 if version is not None and newer(version, package.version) else -1

    def over(self, package: Package, run: int) -> bool:
        return self.sign(package, run) > 0

    def last(self, packages: Collection[Package]) -> int:
        """Return the last run in which none of the packages is over, or else the first run."""
        low, high = 0, len(self._runs)
        while high - low > 1:
            middle = (low + high) // 2
            if any(self.over(one, middle) for one in packages):
                high = middle
            else:
                low = middle
        return low

    def interval(
        self, packages: Collection[Package], missing: Collection[Package], last: int
    ) -> Interval:
        """Return the interval that ends at `last`, with what of `missing` is current there."""
        held = {*packages, *(one for one in missing if self.sign(one, last) == 0)}
        low, high = -1, last
        while high - low > 1:
            middle = (low + high) // 2
            if all(self.sign(one, middle) == 0 for one in held):
                high = middle
            else:
                low = middle
        return Interval(first=self._runs[high], last=self._runs[last], packages=tuple(sorted(held)))
