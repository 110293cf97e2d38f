"""Make runs, each the one that tells most, until every place that differs is settled."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import islice

from msgspec import Struct
from msgspec.structs import replace

from repaudit.model.difference import Aspect, Difference, Place
from repaudit.model.experiment import BuildRun, Outcome, PlannedRun, Role
from repaudit.oci.shelf import Shelf
from repaudit.oci.spool import Spool
from repaudit.sources import Opened
from repaudit.stages.build import Bench, open_run
from repaudit.stages.compare import compare
from repaudit.stages.contents import Contents, Library, with_details
from repaudit.stages.decode import Decoded
from repaudit.stages.derive import MOST_FILES, Derivation, Derived
from repaudit.stages.design import rows
from repaudit.stages.explain import Observations
from repaudit.stages.reading import Reading

#: Runs that are made beside the design's, where it leaves something in doubt.
MOST_MORE = 4


class Compared(Struct, frozen=True, kw_only=True):
    """How one run differs from the control, the bytes of that, and what follows from what."""

    run: BuildRun
    differences: tuple[Difference, ...]
    contents: Contents
    derived: Derived

    @property
    def seen(self) -> tuple[tuple[Difference, ...], Contents, Collection[Place]]:
        """What an observation takes in."""
        return self.differences, self.contents, self.derived


class Comparing:
    """Compares runs with the control, each image once; what differs in content is kept."""

    def __init__(self, bench: Bench, left: Opened) -> None:
        self._bench = bench
        self._left = left
        self._library = Library(Spool(bench.folder / "contents"))
        self._derivation = Derivation(self._library)
        self._known: dict[str | None, Compared] = {}

    def compare(self, run: BuildRun, *, details: bool = True) -> Compared:
        """Return how a run's image differs from the control's, with details for people."""
        if run.image not in self._known:
            self._known[run.image] = self._compared(run, details=details)
        return replace(self._known[run.image], run=run)

    def _compared(self, run: BuildRun, *, details: bool) -> Compared:
        bench, spool = self._bench, self._library.spool
        bench.progress.phase(f"comparing {run.planned.name}")
        spool.renew()
        reading = Reading(shelf=Shelf(bench.folder / "comparisons"), spool=spool)
        differences = compare(self._left, open_run(run), reading).differences
        if details:
            files = sum(difference.aspect is Aspect.CONTENT for difference in differences)
            bench.progress.phase(f"looking into {files} files")
            folder = bench.folder / "shown"
            differences = with_details(differences, self._library, folder, bench.jobs)
        return Compared(
            run=run,
            differences=differences,
            contents=self._library,
            derived=self._derivation.of(differences),
        )


class Settled(Struct, frozen=True, kw_only=True):
    """What the runs show of each place, the runs that were made, and one that was traced.

    `uncut` are the places that were not cut into regions: too large, or too many.
    """

    decoded: Mapping[Place, Decoded]
    uncut: Collection[Place]
    made: tuple[BuildRun, ...]
    traced: BuildRun | None


def settle(
    bench: Bench,
    comparing: Comparing,
    control: BuildRun,
    compared: list[Compared],
    began: int,
) -> Settled:
    """Make more runs until each place is settled, and one that is traced.

    How they differ from the control is added to `compared`, whose last is the variant that moves
    all. A run that does not build shows nothing. `began` is when the first run did, in seconds
    since the epoch.
    """
    search = _Search(bench, comparing, control, compared, began)
    search.follow_the_design()
    search.repeat_what_is_in_doubt()
    traced = search.trace()
    return Settled(
        decoded=search.seen.decode(search.factors),
        uncut=search.seen.uncut,
        made=tuple(search.made),
        traced=traced,
    )


def struck_by_chance(
    bench: Bench,
    comparing: Comparing,
    control: BuildRun,
    compared: list[Compared],
    began: int,
) -> Mapping[Place, Decoded]:
    """Return what the runs that were made anyway show of places that differ with nothing moved."""
    search = _Search(bench, comparing, control, compared, began)
    known = search.seen.decode(search.factors)
    return {place: one for place, one in known.items() if one.chance}


class _Search:
    def __init__(
        self,
        bench: Bench,
        comparing: Comparing,
        control: BuildRun,
        compared: list[Compared],
        began: int,
    ) -> None:
        self._bench = bench
        self._comparing = comparing
        self._control = control
        self._compared = compared
        self.made: list[BuildRun] = []
        variant = compared[-1].run.planned
        self._levels = {
            levels[0].factor: levels.index(variant.level(levels[0].factor) or levels[0])
            for levels in bench.plan.levels
        }
        self.factors = tuple(name for name in bench.plan.moved if self._levels[name])
        self.seen = Observations(control.planned, began)
        for one in compared:
            varied = one.run.planned.role is Role.VARIANT
            self.seen.add(one.run.planned, frozenset(self.factors if varied else ()), *one.seen)

    def follow_the_design(self) -> None:
        left = list(rows(self.factors, self._bench.plan.machine.seed)) if self.factors else []
        while left and not self.seen.settled(self.factors):
            batch = []
            for _ in range(min(self._bench.jobs, len(left))):
                batch.append(self.seen.best(self.factors, left))
                left.remove(batch[-1])
            self._make(batch)

    def repeat_what_is_in_doubt(self) -> None:
        most = len(self.made) + MOST_MORE
        while len(self.made) < most and (doubts := self.seen.doubts(self.factors)):
            self._make((doubts * self._bench.jobs)[: self._bench.jobs])

    def trace(self) -> BuildRun:
        """See who writes what; this is no replicate, since races hide from a tracer.

        Who reads what differs is of use where something differs without a cause of its own. Where
        chance strikes, two runs more show what of that is made of random bytes.
        """
        known = list(self.seen.decode(self.factors).values())
        asked: set[str] = set()
        if any(one.chance or one.baffling or not one.followed for one in known):
            asked = {d.path for one in self._compared for d in one.differences if d.path}
        some = tuple(islice(sorted(asked), MOST_FILES))
        planned = replace(self._control.planned, name="traced", traced=True, asked=some)
        if not any(one.chance for one in known):
            return self._bench.make([planned])[0]
        names = ("planted", "planted-again")
        pair = [replace(planned, name=name, planted=True) for name in names]
        # Apart, since what holds the real clock's second would be the same in the two as well.
        made = self._bench.make([planned, *pair])
        if all(run.outcome is Outcome.BUILT for run in made):
            compared = (self._comparing.compare(run, details=False) for run in made)
            self.seen.plant(*(one.differences for one in compared))
        return made[0]

    def _make(self, moved: Sequence[frozenset[str]]) -> None:
        planned = [self._run(some, len(self.made) + n) for n, some in enumerate(moved, start=1)]
        # What follows the kernel's clock is known from the replicate: these need not wait.
        for some, run in zip(moved, self._bench.make(planned, apart=0), strict=True):
            self.made.append(run)
            if run.outcome is Outcome.BUILT:
                one = self._comparing.compare(run, details=False)
                self._compared.append(one)
                self.seen.add(run.planned, some, *one.seen)

    def _run(self, moved: frozenset[str], number: int) -> PlannedRun:
        if not moved:
            name = f"replicate-{number}"
            return replace(self._control.planned, role=Role.REPLICATE, name=name)
        return self._bench.plan.variant(f"row-{number}", {n: self._levels[n] for n in moved})
