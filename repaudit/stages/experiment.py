"""The experiment as a whole: make the runs, stand in for one that breaks, compare, judge."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from repaudit import containerfile as cf
from repaudit.host import clock
from repaudit.model.difference import Place
from repaudit.model.experiment import BuildRun, Held, Outcome, Role
from repaudit.model.finding import Evidence, EvidenceKind, Finding, Instruction
from repaudit.model.report import Bound, LayerRecord, Problem, Report, RunRecord, Subject, Verdict
from repaudit.sources import Opened
from repaudit.stages.attribute import attribution
from repaudit.stages.breakage import Breakage, last_words, stand_in
from repaudit.stages.build import Bench, open_run
from repaudit.stages.clues import DESIGN
from repaudit.stages.explain import MOST_CUT
from repaudit.stages.findings import MOST_EVIDENCE, breakage_finding, merge
from repaudit.stages.plan import Effect, effect
from repaudit.stages.provenance import Provenance
from repaudit.stages.scene import Scene
from repaudit.stages.settle import Compared, Comparing, Settled, settle, struck_by_chance

#: What buildah says of the first line of a heredoc, where it knows none.
_UNREAD = "Unknown instruction"
#: Before this no zip file, jar or wheel can say when (APPNOTE 4.4.6), and whoever makes one
#: names the year.
_ZIP_EPOCH, _ZIP_YEAR = 315_532_800, "1980"
#: The one factor that works inside of a step's programs.
_CLOCK = "time"


class Experiment(Struct, frozen=True, kw_only=True):
    """One rebuild, from the runs to the report. `shown` is what findings call the Containerfile."""

    bench: Bench
    parsed: cf.Containerfile
    target: str | None
    shown: str
    explain: bool

    def report(self, subject: Subject) -> tuple[Report, list[BuildRun]]:
        """Make the runs and judge them; a run that fails is part of the answer."""
        plan, began = self.bench.plan, round(clock.now())
        runs = list(self.bench.make(plan.runs))
        control = runs[0]
        for run in runs:  # nothing was varied in these, so nothing can be blamed
            if run.outcome is Outcome.FAILED and run.planned.role is not Role.VARIANT:
                if spared := self._spared(run):
                    return spared.report(subject)
                return self._failed(subject, runs, run), runs
        findings: list[Finding] = []
        limits: list[Held] = []
        failed = [run for run in runs if run.outcome is Outcome.FAILED]
        problems: list[Problem] = []
        breakages: tuple[Breakage, ...] = ()
        if failed:  # all variants have the same levels, so one of them speaks for all
            built = [run for run in runs if run.outcome is Outcome.BUILT]
            if any(run.planned.role is Role.VARIANT for run in built):
                problems.append(self._unsteady(failed[0]))
            else:
                instead = stand_in(self.bench, failed[0])
                breakages, limits = instead.breakages, list(instead.limits)
                findings = [self._breakage(broken) for broken in breakages]
                problems += [self._unsteady(run) for run in (instead.unsteady,) if run]
                runs = [*built, *instead.runs]
        others = [run for run in runs[1:] if run.outcome is Outcome.BUILT]
        seen = Effect(varied=(), held=plan.held, limits=())
        if others and others[-1].planned.role is Role.VARIANT:
            seen = effect(plan, control, others[-1])
        left = open_run(control)
        comparing = Comparing(self.bench, left)
        compared = [comparing.compare(run) for run in others]
        settled = Settled(decoded={}, uncut=(), made=(), traced=None)
        if self.explain and any(one.differences for one in compared):
            bench = self.bench.starting_from([control, *others], self.parsed)
            settled = settle(bench, comparing, control, compared, began)
            runs += settled.made
        elif len(compared) > 1:
            chance = struck_by_chance(self.bench, comparing, control, compared, began)
            settled = replace(settled, decoded=chance)
        findings += self._findings(control, left, compared, settled)
        merged = tuple(_with_uncut(finding, settled.uncut) for finding in merge(findings))
        breaking = {broken.factor for broken in breakages}  # which is an answer
        asked = [name for name in plan.asked if name not in breaking]
        problems += _open_questions(asked, seen, len(others) + 1)
        report = Report(
            verdict=_verdict(merged, problems),
            subject=subject,
            varied=seen.varied,
            held=seen.held,
            limits=(*limits, *seen.limits),
            runs=records(runs),
            bound=_bound(runs),
            layers=LayerRecord.all_of(left.images, self._instructions(left)),
            findings=merged,
            problems=tuple(problems),
        )
        return report, runs

    def _spared(self, failed: BuildRun) -> Experiment | None:
        """Return the experiment that leaves the clock alone, where the build passes only so.

        A step may not bear the library that moves its clock, nor the tracer. One that fails by
        chance is told apart by a second pair of builds, which comes out otherwise most of the time.
        """
        plan = self.bench.plan
        if failed.planned.level(_CLOCK) is None:
            return None
        reason = f"the build fails where its programs are told the time: {last_words(failed)}"
        spared = plan.without(_CLOCK, reason)
        folder = self.bench.folder / "spared"
        folder.mkdir()
        self.bench.progress.phase("building without another clock")
        for number in (1, 2):
            again = replace(failed.planned, name=f"control-again-{number}")
            bare = replace(spared.runs[0], name=f"control-bare-{number}")
            made = self.bench.make([again, bare], apart=0)  # the two are not compared
            outcomes = [run.outcome for run in made]
            if outcomes != [Outcome.FAILED, Outcome.BUILT]:
                return None
        return replace(self, bench=replace(self.bench, plan=spared, folder=folder))

    def _failed(self, subject: Subject, runs: Sequence[BuildRun], failed: BuildRun) -> Report:
        where = self._where(failed)
        at = f" at {where.file}:{where.line} ({where.text[:80]})" if where else ""
        words = last_words(failed)
        hint = "the build must pass on its own first: try `buildah bud` on this context"
        if _UNREAD in words and any(statement.heredocs for statement in self.parsed.statements):
            hint = "buildah reads heredocs from version 1.33 on: take a newer one, or write the "
            hint += "step without"
        clamp = subject.timestamp
        if clamp is not None and clamp < _ZIP_EPOCH and _ZIP_YEAR in words:
            hint = f"times were clamped to {clamp}, and archives of zip know none before "
            hint += f"{_ZIP_YEAR}: name a later time with --timestamp or SOURCE_DATE_EPOCH"
        problem = Problem(message=f"the {failed.planned.name} build failed{at}: {words}", hint=hint)
        return Report(
            verdict=Verdict.INCONCLUSIVE,
            subject=subject,
            held=self.bench.plan.held,
            runs=records(runs),
            problems=(problem,),
        )

    def _unsteady(self, failed: BuildRun) -> Problem:
        where = self._where(failed)
        at = f" at {where.file}:{where.line} ({where.text[:80]})" if where else ""
        varied = failed.planned.role is Role.VARIANT
        how = "at the same levels" if varied else "with nothing varied"
        return Problem(
            message=f"the build failed{at} in one run and passed in another {how}: "
            f"{last_words(failed)}",
            hint="see that the step does not depend on the network or on a race, then run again",
        )

    def _where(self, run: BuildRun) -> Instruction | None:
        step = run.failure.instruction if run.failure else None
        return cf.find_step(self.parsed, step, path=self.shown) if step else None

    def _breakage(self, broken: Breakage) -> Finding:
        level = broken.run.planned.level(broken.factor) if broken.factor else None
        name = level.name if level else ""
        where = self._where(broken.run)
        return breakage_finding(broken.factor, name, last_words(broken.run), where)

    def _findings(
        self,
        control: BuildRun,
        left: Opened,
        compared: Sequence[Compared],
        settled: Settled,
    ) -> Iterator[Finding]:
        instructions = self._instructions(left)
        differing = {d.path for one in compared for d in one.differences}
        provenance = self._provenance(settled.traced, differing) if settled.traced else None
        told: set[Place] = set()
        for one in compared:
            row = one.run in settled.made
            replicate = one.run.planned.role is Role.REPLICATE
            scene = Scene(
                left=control.planned.levels,
                right=one.run.planned.levels,
                runs=(control.planned.name, one.run.planned.name),
                instructions=instructions,
                decoded=settled.decoded,
                provenance=provenance,
                told=told if row else (),  # a row moves what the variant moves, and less
            )
            found = attribution(one.differences, one.contents, scene, one.derived)
            told |= found.told
            findings = found.findings
            yield from (_shown_by_replicate(f, one.run) if replicate else f for f in findings)

    def _provenance(self, traced: BuildRun, differing: Collection[str]) -> Provenance:
        failed = traced.outcome is Outcome.FAILED
        return Provenance(
            self.parsed,
            traced.steps,
            path=self.shown,
            target=self.target,
            build_args=dict(self.bench.prepared.request.build_args),
            differing=differing,
            failed=f"the build fails under a tracer: {last_words(traced)}" if failed else None,
        )

    def _instructions(self, image: Opened) -> tuple[Instruction | None, ...]:
        one = image.images.images[0]
        prepared = self.bench.prepared
        arguments = dict(prepared.request.build_args)
        lowest = self.parsed.chain(self.target, arguments)[0].image
        known = {base.name: base.history for base in prepared.bases}
        return cf.layer_instructions(
            self.parsed,
            json.loads(one.config).get("history") or [],
            known.get(lowest or ""),
            target=self.target,
            build_args=arguments,
            path=self.shown,
            layers=len(one.layers),
        )


def _with_uncut(finding: Finding, uncut: Collection[Place]) -> Finding:
    """Say of how many files a finding shows the whole alone, since they were not cut."""
    number = len({d.place for d in finding.differences if d.place in uncut})
    if not number:
        return finding
    evidence = Evidence(
        kind=EvidenceKind.EXPERIMENT,
        source=DESIGN,
        detail=f"of {number} of these files, the runs were compared as a whole, not part by part: "
        f"they are too large, or more than {MOST_CUT:,} differ",
    )
    return replace(finding, evidence=(evidence, *finding.evidence[: MOST_EVIDENCE - 1]))


def _shown_by_replicate(finding: Finding, run: BuildRun) -> Finding:
    evidence = Evidence(
        kind=EvidenceKind.EXPERIMENT,
        source="replicate",
        detail="differs between two runs in which no factor was moved",
        runs=("control", run.planned.name),
    )
    return replace(finding, evidence=(evidence, *finding.evidence))


def _open_questions(asked: Sequence[str], seen: Effect, built: int) -> Iterator[Problem]:
    """Yield what of the question stays open, whatever differs between the runs that were made."""
    if built < 2:
        yield Problem(
            message="no run but the control could be built, so there is nothing to compare",
            hint="see the limits, and hold what breaks the build: --hold",
        )
        return
    held = {h.factor: h.reason for h in seen.held}
    for name in asked:
        if name in held and name not in seen.varied:
            yield Problem(
                message=f"{name} was asked for and could not be varied: {held[name]}",
                hint="leave it out of --vary, or see what this machine can do: repaudit doctor",
            )
    if not seen.varied:
        yield Problem(
            message="nothing was varied",
            hint="let some factor vary: repaudit list factors",
        )


def _verdict(findings: Sequence[Finding], problems: Sequence[Problem]) -> Verdict:
    if findings:
        return Verdict.UNREPRODUCIBLE
    return Verdict.INCONCLUSIVE if problems else Verdict.REPRODUCIBLE


def _bound(runs: Sequence[BuildRun]) -> Bound | None:
    """Return the bound for all steps: a run that skipped some is no witness of those."""
    others = sum(
        run.outcome is Outcome.BUILT and not one.skipped
        for run, one in zip(runs[1:], records(runs)[1:], strict=True)
    )
    return Bound.of(others) if others else None


def records(runs: Sequence[BuildRun]) -> tuple[RunRecord, ...]:
    """Return runs as the report shows them; the first one executed each step."""
    return tuple(
        RunRecord(
            name=run.planned.name,
            role=run.planned.role,
            levels={level.factor: level.name for level in run.planned.levels},
            outcome=run.outcome,
            image=run.image,
            skipped=len(runs[0].steps) - len(run.steps) if run.outcome is Outcome.BUILT else 0,
        )
        for run in runs
    )
