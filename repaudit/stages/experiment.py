"""The experiment as a whole: make the runs, stand in for one that breaks, compare, judge."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from repaudit import containerfile as cf
from repaudit.host import clock
from repaudit.model.experiment import BuildRun, Held, Outcome, Role, Step
from repaudit.model.finding import Evidence, EvidenceKind, Finding, Instruction
from repaudit.model.report import Bound, LayerRecord, Problem, Report, RunRecord, Subject, Verdict
from repaudit.sources import Opened
from repaudit.stages.attribute import Scene, attribute
from repaudit.stages.build import Bench, Breakage, find_breakage, open_run
from repaudit.stages.findings import breakage_finding, merge
from repaudit.stages.plan import Effect, Plan, effect
from repaudit.stages.provenance import Provenance
from repaudit.stages.settle import Compared, Settled, compare_run, settle

#: What network clients say when a certificate or a signed list ran out by the moved clock. It is
#: true of the fake clock alone: by then the server has a new one.
_TELLS_NOTHING = re.compile(
    r"(?i)(\[\d+/\d+\] )?STEP \d|error: building at STEP|error building at STEP|time="
    r"|while running runtime|exit status \d|subprocess exited"
)
_RAN_OUT = re.compile(
    r"certificate problem: certificate has expired|certificate verify failed|CERT_HAS_EXPIRED"
    r"|CERTIFICATE_VERIFY_FAILED|x509: certificate has expired or is not yet valid"
    r"|CertificateExpiredException|The certificate has expired|certificate is not yet activated"
    r"|Release file for .* (is expired|is not valid yet)",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
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
                return self._failed(subject, runs, run), runs
        findings: list[Finding] = []
        limits: list[Held] = []
        failed = [run for run in runs if run.outcome is Outcome.FAILED]
        if failed:  # all variants have the same levels, so one of them speaks for all
            made, findings, limits = self._instead_of(failed[0])
            runs = [run for run in runs if run.outcome is Outcome.BUILT] + made
        others = [run for run in runs[1:] if run.outcome is Outcome.BUILT]
        seen = Effect(varied=(), held=plan.held, limits=())
        if others and others[-1].planned.role is Role.VARIANT:
            seen = effect(plan, control, others[-1])
        left = open_run(control)
        compared = [compare_run(self.bench, left, run) for run in others]
        settled = Settled(decoded={}, made=(), steps=())
        if self.explain and any(one.differences for one in compared):
            settled = settle(self.bench, left, control, compared, began)
            runs += settled.made
        findings += self._findings(control, left, compared, settled)
        merged = merge(findings)
        problems = () if merged else tuple(_open_questions(plan, seen, len(others) + 1))
        report = Report(
            verdict=_verdict(merged, problems),
            subject=subject,
            varied=seen.varied,
            held=seen.held,
            limits=(*limits, *seen.limits),
            runs=tuple(map(record, runs)),
            bound=_bound(runs),
            layers=LayerRecord.all_of(left.images, self._instructions(left)),
            findings=merged,
            problems=problems,
        )
        return report, runs

    def _failed(self, subject: Subject, runs: Sequence[BuildRun], failed: BuildRun) -> Report:
        where = self._where(failed)
        at = f" at {where.file}:{where.line} ({where.text[:80]})" if where else ""
        words = last_words(failed)
        problem = Problem(
            message=f"the {failed.planned.name} build failed{at}: {words}",
            hint="the build must pass on its own first: try `buildah bud` on this context",
        )
        return Report(
            verdict=Verdict.INCONCLUSIVE,
            subject=subject,
            held=self.bench.plan.held,
            runs=tuple(map(record, runs)),
            problems=(problem,),
        )

    def _where(self, run: BuildRun) -> Instruction | None:
        step = run.failure.instruction if run.failure else None
        return cf.find_step(self.parsed, step, path=self.shown) if step else None

    def _instead_of(self, failed: BuildRun) -> tuple[list[BuildRun], list[Finding], list[Held]]:
        """Take one breaking level after the other back, until a variant passes.

        Returns that run, or the last that failed, and what is to be said of each level.
        """
        plan, findings, limits = self.bench.plan, [], []
        moved = dict.fromkeys(plan.moved, 1)
        while failed.outcome is Outcome.FAILED and moved:
            ran_out = next((line for line in _log(failed) if _RAN_OUT.search(line)), None)
            if ran_out and moved.get("time") == 1:
                factor = "time"
                reason = "something signed had run out 400 days ahead, so it was less"
                limits.append(Held(factor="time", reason=f"{reason}: {_short(ran_out)}"))
            else:
                self.bench.progress.phase("finding the level that breaks the build")
                broken = find_breakage(self.bench, failed, moved)
                findings.append(self._breakage(broken))
                if broken.factor is None:
                    break
                factor = broken.factor
            moved = self._taken_back(moved, factor)
            name = f"{failed.planned.name}-less-{factor}"
            failed = self.bench.make([plan.variant(name, moved)])[0]
        return [failed], findings, limits

    def _breakage(self, broken: Breakage) -> Finding:
        level = broken.run.planned.level(broken.factor) if broken.factor else None
        name = level.name if level else ""
        where = self._where(broken.run)
        return breakage_finding(broken.factor, name, last_words(broken.run), where)

    def _taken_back(self, moved: Mapping[str, int], factor: str) -> dict[str, int]:
        """Return the levels with `factor` at its next variant, or at control after the last."""
        levels = next(some for some in self.bench.plan.levels if some[0].factor == factor)
        number = moved[factor] + 1
        rest = {name: level for name, level in moved.items() if name != factor}
        return rest | ({factor: number} if number < len(levels) else {})

    def _findings(
        self,
        control: BuildRun,
        left: Opened,
        compared: Sequence[Compared],
        settled: Settled,
    ) -> Iterator[Finding]:
        instructions = self._instructions(left)
        provenance = self._provenance(settled.steps) if settled.steps else None
        for one in compared:
            replicate = one.run.planned.role is Role.REPLICATE
            scene = Scene(
                left=control.planned.levels,
                right=one.run.planned.levels,
                runs=(control.planned.name, one.run.planned.name),
                instructions=instructions,
                decoded=settled.decoded,
                provenance=provenance,
            )
            found = attribute(one.differences, one.contents, scene)
            yield from (_shown_by_replicate(f, one.run) if replicate else f for f in found)

    def _provenance(self, steps: Sequence[Step]) -> Provenance:
        arguments = dict(self.bench.prepared.request.build_args)
        return Provenance(
            self.parsed, steps, path=self.shown, target=self.target, build_args=arguments
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


def _shown_by_replicate(finding: Finding, run: BuildRun) -> Finding:
    evidence = Evidence(
        kind=EvidenceKind.EXPERIMENT,
        source="replicate",
        detail="differs between two runs in which no factor was moved",
        runs=("control", run.planned.name),
    )
    return replace(finding, evidence=(evidence, *finding.evidence))


def _open_questions(plan: Plan, seen: Effect, built: int) -> Iterator[Problem]:
    """Yield what keeps equal images from meaning that the image is reproducible."""
    if built < 2:
        yield Problem(
            message="no run but the control could be built, so there is nothing to compare",
            hint="see the limits, and hold what breaks the build: --hold",
        )
        return
    held = {h.factor: h.reason for h in seen.held}
    for name in plan.asked:
        if name in held and name not in seen.varied:
            yield Problem(
                message=f"{name} was asked for and could not be varied: {held[name]}",
                hint="leave it out of --vary, or see what this machine can do: repaudit doctor",
            )
    if not seen.varied:
        yield Problem(
            message="the runs are equal, but nothing was varied",
            hint="let some factor vary: repaudit list factors",
        )


def _verdict(findings: Sequence[Finding], problems: Sequence[Problem]) -> Verdict:
    if findings:
        return Verdict.UNREPRODUCIBLE
    return Verdict.INCONCLUSIVE if problems else Verdict.REPRODUCIBLE


def _bound(runs: Sequence[BuildRun]) -> Bound | None:
    others = sum(run.outcome is Outcome.BUILT for run in runs[1:])
    return Bound.of(others) if others else None


def record(run: BuildRun) -> RunRecord:
    """Return a run as the report shows it."""
    return RunRecord(
        name=run.planned.name,
        role=run.planned.role,
        levels={level.factor: level.name for level in run.planned.levels},
        outcome=run.outcome,
        image=run.image,
    )


def _log(run: BuildRun) -> tuple[str, ...]:
    return run.failure.log if run.failure else ()


def last_words(run: BuildRun) -> str:
    """Return the last line of the log that says why, not just that, the build failed."""
    lines = [line.strip() for line in _log(run) if line.strip()]
    telling = [line for line in lines if not _TELLS_NOTHING.match(line)]
    return _short((telling or lines or ["no output"])[-1])


def _short(text: str) -> str:
    return text if len(text) <= 200 else text[:199] + "…"
