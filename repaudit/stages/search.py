"""Find the fixes that do not break the build: one that does is found by halving, and left out."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from repaudit import containerfile as cf
from repaudit.model.experiment import BuildRun, Outcome, PlannedRun
from repaudit.model.finding import FixOutcome
from repaudit.stages.breakage import last_words
from repaudit.stages.build import Bench, with_epoch
from repaudit.stages.fix import Fixes, Proposal, runs
from repaudit.stages.steady import place

#: How many fixes may break the build before the rest is left untried.
_MOST_BROKEN = 8


class Search:
    """Build with the fixes until a build passes; `dropped` says why a fix was left out."""

    def __init__(self, bench: Bench, fixes: Fixes, planned: Sequence[PlannedRun]) -> None:
        self._bench = bench
        self._fixes = fixes
        self._planned = planned
        self.kept = list(fixes.proposals)
        self.dropped: dict[str, tuple[FixOutcome, str]] = {}
        self.made: list[BuildRun] = []
        self.attempts = 0

    def run(self) -> list[BuildRun]:
        """Return the runs of the first build that passes, none where no fix is left."""
        for number in range(_MOST_BROKEN + 1):
            if not self.kept:
                return []
            made = self._make(self.kept, self._planned, f"fixed-{number + 1}")
            failed = next((run for run in made if run.outcome is Outcome.FAILED), None)
            if failed is None:
                return made
            if number < _MOST_BROKEN:
                self._drop(failed)
        for proposal in self.kept:
            self.dropped[proposal.finding] = (FixOutcome.UNTRIED, "too many other fixes broke")
        return []

    def without(self, one: Proposal) -> list[BuildRun]:
        """Return the runs with all other fixes, none where one of them fails."""
        self.attempts += 1
        self._bench.progress.phase("trying the fixes without one that may not be needed")
        rest = [other for other in self.kept if other is not one]
        made = self._make(rest, self._planned, f"fixed-without-{self.attempts}")
        return made if all(run.outcome is Outcome.BUILT for run in made) else []

    def leave_out(self, one: Proposal) -> None:
        """Leave out a fix without which nothing more differs."""
        self.kept.remove(one)
        reason = "without it the difference is gone as well"
        self.dropped[one.finding] = (FixOutcome.UNNEEDED, reason)

    def repeat(self) -> list[BuildRun]:
        """Make the control and the variant of the build that passed once more."""
        ends = [self._planned[0], self._planned[-1]]
        return self._make(self.kept, ends, "fixed-again")

    def _drop(self, failed: BuildRun) -> None:
        """Find the fix that breaks the build alone, and leave it out; else all that may."""
        self._bench.progress.phase("finding the fix that breaks the build")
        suspects, proof, alone = self._suspects(failed), failed, False
        words = last_words(failed)
        while len(suspects) > 1:
            half = suspects[: len(suspects) // 2]
            trial = self._attempt(half, failed.planned)
            fails = trial.outcome is Outcome.FAILED
            suspects = half if fails else suspects[len(half) :]
            proof, alone = (trial, len(half) == 1) if fails else (proof, False)
        if not alone:
            proof = self._attempt(suspects, failed.planned)
        if proof.outcome is Outcome.FAILED:
            gone = [(suspects[0], FixOutcome.BREAKS, last_words(proof))]
        else:
            reason = f"together with others it breaks the build: {words}"
            gone = [(one, FixOutcome.UNTRIED, reason) for one in self._suspects(failed)]
        for proposal, outcome, reason in gone:
            self.kept.remove(proposal)
            self.dropped[proposal.finding] = (outcome, reason)

    def _suspects(self, failed: BuildRun) -> list[Proposal]:
        """Return the fixes of the step that failed, or all that are left."""
        edited = self._parsed(self.kept)
        step = failed.failure.instruction if failed.failure else None
        where = cf.find_step(edited, step) if step else None
        lines = [statement.line for statement in runs(edited)]
        at = lines.index(where.line) if where and where.line in lines else None
        return (self._fixes.touching(at, self.kept) if at is not None else []) or list(self.kept)

    def _attempt(self, some: Sequence[Proposal], planned: PlannedRun) -> BuildRun:
        return self._make(some, [planned], f"fixed-only-{len(self.made)}")[0]

    def _parsed(self, some: Sequence[Proposal]) -> cf.Containerfile:
        return cf.parse(self._fixes.edited(some), name=self._fixes.file.name)

    def _make(
        self, some: Sequence[Proposal], planned: Sequence[PlannedRun], tag: str
    ) -> list[BuildRun]:
        """Build the Containerfile with these fixes; it stands outside of the context."""
        file = self._parsed(some)
        prepared = self._bench.prepared
        request = prepared.request
        path = self._bench.folder / tag / request.containerfile.name
        place(path, file.data, request.containerfile)
        # ARG SOURCE_DATE_EPOCH asks for a value, also where the builder clamps nothing.
        arguments = with_epoch(request.build_args, file, request.timestamp or 0)
        request = replace(request, containerfile=path, build_args=arguments)
        bench = replace(self._bench, prepared=replace(prepared, request=request))
        named = [replace(run, name=f"{tag}-{run.name.removeprefix(f'{tag}-')}") for run in planned]
        made = list(bench.make(named))
        self.made += made
        return made
