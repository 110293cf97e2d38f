"""Try the fixes: build the edited Containerfile as the audited one was, and see what still differs.

All fixes go in together, but for such as break the build (stages/search.py). A fix shows its factor
only where no other one was made up to the step in question, and only in two contrasts: so two
builds more are made where that could demonstrate something.

What was found before stands, whatever becomes of the trial.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from repaudit.host import process
from repaudit.host.scratch import filling
from repaudit.model.errors import RepauditError
from repaudit.model.experiment import INTRINSIC, BuildRun, Outcome, PlannedRun, Role
from repaudit.model.finding import (
    Confidence,
    Evidence,
    EvidenceKind,
    Finding,
    Fix,
    FixOutcome,
)
from repaudit.model.report import Problem, Report
from repaudit.stages.build import Bench, open_run
from repaudit.stages.compare import compare
from repaudit.stages.experiment import records
from repaudit.stages.fix import Fixes, Proposal
from repaudit.stages.reading import Reading
from repaudit.stages.search import Search

_Place = tuple[str, str]
#: How many fixes are left out to see whether they are needed; each costs as many builds as a try.
_MOST_SPARED = 4


class Trial(Struct, frozen=True, kw_only=True):
    """The fixes, and the runs that showed what they are to mend; the first is the control."""

    bench: Bench
    fixes: Fixes
    runs: Sequence[BuildRun]

    def judge(self, report: Report) -> tuple[Report, list[BuildRun]]:
        """Return the report with an outcome for each fix, and the runs that were made for it.

        Where the fixes cannot be tried, they are untried, and a problem of the report says why.
        """
        try:
            with filling(self.bench.folder):
                return self._tried(report)
        except RepauditError as error:
            process.resume()
            return self._untried(report, error), []

    def _untried(self, report: Report, error: RepauditError) -> Report:
        words = error.message.replace(str(self.bench.folder), "…")  # no part of the answer
        message = f"the fixes could not be tried: {words}"
        findings = tuple(
            _with(finding, finding.fix, FixOutcome.UNTRIED, words)
            if finding.fix and finding.fix.edit
            else finding
            for finding in report.findings
        )
        problem = Problem(message=message, hint=error.hint)
        return replace(report, findings=findings, problems=(*report.problems, problem))

    def _tried(self, report: Report) -> tuple[Report, list[BuildRun]]:
        planned = list(self._contrast())
        if not self.fixes.proposals or len(planned) < 2:
            return report, []
        self.bench.progress.phase("trying the fixes")
        bench = self.bench.starting_from(self.runs, self.fixes.file)
        search = Search(bench, self.fixes, planned)
        last = self._spared(search, search.run(), report)
        if last and any(self._may_show(finding, search.kept) for finding in report.findings):
            self.bench.progress.phase("trying the fixes once more")
            last += search.repeat()
        steady = all(run.outcome is Outcome.BUILT for run in last)
        differing = self._differing(last) if last else set()
        names = tuple(run.planned.name for run in last)
        known = {proposal.finding for proposal in search.kept} if last else set()
        findings = []
        for finding in report.findings:
            if finding.id in known:
                shows = steady and self._may_show(finding, search.kept)
                others = 0 if self._alone(finding, search.kept) else len(known) - 1
                beside = _others(finding, report)
                finding = _judged(finding, differing, beside, known, names, others, shows=shows)
            elif finding.fix and finding.fix.edit:
                outcome, reason = search.dropped[finding.id]
                finding = _with(finding, finding.fix, outcome, reason)
            findings.append(finding)
        trial = records([self.runs[0], *search.made])[1:]
        return replace(report, findings=tuple(findings), trial=trial), search.made

    def _spared(self, search: Search, last: list[BuildRun], report: Report) -> list[BuildRun]:
        """Leave out fixes without which nothing more differs; return the runs of those that stay.

        Only a fix of places that another one is to mend as well can be such a one.
        """
        places = {finding.id: _places(finding) for finding in report.findings}
        differing = self._differing(last) if last else set()
        for one in list(search.kept)[::-1]:
            others = [places[p.finding] for p in search.kept if p is not one]
            own = places[one.finding]
            if not last or own & differing or not own <= set().union(*others):
                continue
            if search.attempts >= _MOST_SPARED:
                break
            made = search.without(one)
            if made and self._differing(made) <= differing:
                search.leave_out(one)
                last = made
        return last

    def _may_show(self, finding: Finding, kept: Sequence[Proposal]) -> bool:
        """Whether a difference that is gone demonstrates the factor, which is not known so yet.

        What chance makes stays away by chance, too.
        """
        return (
            finding.id in {proposal.finding for proposal in kept}
            and [suspect.confidence for suspect in finding.factors] == [Confidence.INDICATED]
            and finding.factors[0].factor not in INTRINSIC
            and self._alone(finding, kept)
        )

    def _alone(self, finding: Finding, kept: Sequence[Proposal]) -> bool:
        """Whether no other fix changes the step that wrote it, or anything above that."""
        where = finding.instruction
        lines = {statement.line: statement for statement in self.fixes.file.statements}
        end = lines[where.line].end if where and where.line in lines else None
        return not any(
            end is None or self.fixes.begins(other) <= end
            for other in kept
            if other.finding != finding.id
        )

    def _contrast(self) -> Iterator[PlannedRun]:
        """Yield the control, the replicate if there was one, and the variant that moved most."""
        built = [run.planned for run in self.runs if run.outcome is Outcome.BUILT]
        if not built or built[0].role is not Role.CONTROL:
            return
        control = built[0]
        yield control
        yield from (run for run in built if run.role is Role.REPLICATE)
        variants = [run for run in built if run.role is Role.VARIANT]

        def moved(run: PlannedRun) -> int:
            return sum(a != b for a, b in zip(run.levels, control.levels, strict=True))

        if variants:
            yield max(variants, key=moved)

    def _differing(self, made: Sequence[BuildRun]) -> set[_Place]:
        left = open_run(made[0])
        reading = Reading.below(self.bench.folder / "comparisons")
        return {
            (difference.path, difference.aspect.value)
            for run in made[1:]
            if run.outcome is Outcome.BUILT
            for difference in compare(left, open_run(run), reading).differences
        }


def _places(finding: Finding) -> set[_Place]:
    return {(difference.path, difference.aspect.value) for difference in finding.differences}


def _others(finding: Finding, report: Report) -> list[Finding]:
    """Return the other findings that have a place in common with this one."""
    return [
        other
        for other in report.findings
        if other.id != finding.id and _places(other) & _places(finding)
    ]


def _with(finding: Finding, fix: Fix, outcome: FixOutcome, reason: str | None) -> Finding:
    return replace(finding, fix=replace(fix, outcome=outcome, reason=reason))


def _judged(
    finding: Finding,
    differing: set[_Place],
    beside: Sequence[Finding],
    known: set[str],
    names: tuple[str, ...],
    others: int,
    *,
    shows: bool,
) -> Finding:
    """Return a finding whose fix was built; where its difference is gone, that is evidence.

    `beside` are the findings of the same places. `others` counts the fixes that may have had a part
    in it; `shows` says that it demonstrates the one factor that is suspected.
    """
    if finding.fix is None:
        return finding
    places = _places(finding)
    left = sorted(places & differing)
    if left:
        more = f" and {len(left) - 1} more" if len(left) > 1 else ""
        untouched = {o.cause.slug for o in beside if o.id not in known and _places(o) & set(left)}
        why = f"; what is unmended there: {', '.join(sorted(untouched))}" if untouched else ""
        reason = f"{left[0][0]} still differs ({left[0][1]}){more}{why}"
        outcome = FixOutcome.REMAINS if len(left) == len(places) else FixOutcome.PARTLY
        return _with(finding, finding.fix, outcome, reason)
    with_others = f"{others} other {'fix was' if others == 1 else 'fixes were'} in as well"
    detail = "with the fix its place no longer differs"
    if len(places) > 1:
        detail = "with the fix its places no longer differ"
    detail += f"; {with_others}" if others else ""
    detail += f", in {len(names)} builds" if shows else ""
    evidence = Evidence(kind=EvidenceKind.EXPERIMENT, source="fix", detail=detail, runs=names)
    factors = finding.factors
    if shows:
        factors = (replace(factors[0], confidence=Confidence.DEMONSTRATED),)
    judged = replace(finding, factors=factors, evidence=(evidence, *finding.evidence))
    return _with(judged, finding.fix, FixOutcome.GONE, with_others if others else None)
