"""The pipelines, readable as prose: a request in, a report out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from repaudit import containerfile as cf
from repaudit.builders import BUILDERS, BuildRequest
from repaudit.factors import Machine
from repaudit.host import clock, machine, source_date
from repaudit.host.scratch import scratch
from repaudit.model.experiment import BuildRun, Held, Outcome, Role
from repaudit.model.finding import Evidence, EvidenceKind, Finding, Instruction
from repaudit.model.report import Problem, Report, RunRecord, Subject, Verdict
from repaudit.sources import Opened, open_image
from repaudit.stages.attribute import Scene, attribute, breakage_finding, merge
from repaudit.stages.build import Bench, Progress, find_breakage, open_run
from repaudit.stages.compare import compare
from repaudit.stages.contents import keep_contents, with_details
from repaudit.stages.keep import keep
from repaudit.stages.plan import Effect, Plan, effect, make_plan

_DAY = 86_400
#: What network clients say when a certificate or a signed list ran out by the moved clock. It is
#: true of the fake clock alone: by then the server has a new one.
_RAN_OUT = re.compile(
    r"certificate (has expired|is not yet valid|verify failed)|has expired|not yet activated"
    r"|Release file .* is (expired|not valid yet)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildRequest:
    """What `repaudit rebuild` is asked; each field means what its option says."""

    context: Path
    file: Path | None = None
    vary: tuple[str, ...] = ()
    hold: tuple[str, ...] = ()
    builds: int = 2
    builder: str = "buildah"
    build_args: tuple[tuple[str, str], ...] = ()
    secrets: tuple[str, ...] = ()
    target: str | None = None
    timestamp: str = "auto"
    jobs: int | None = None
    seed: str = "repaudit"
    output: Path | None = None


def rebuild(request: RebuildRequest, progress: Progress) -> Report:
    """Build an image again and again under varied factors, compare, and say what differs and why.

    Raises a RepauditError where not even the control could be built or read.
    """
    path = cf.find(request.context, request.file)
    shown = _shown(path, request.context)
    parsed = cf.parse(path.read_bytes(), name=shown)
    epoch = source_date.resolve(request.timestamp, request.context)
    plan = make_plan(
        this_machine(request.seed, epoch),
        vary=request.vary,
        hold=request.hold,
        builds=request.builds,
    )
    builder = BUILDERS.load(request.builder)
    images = parsed.external_images(dict(request.build_args), request.target)
    jobs = request.jobs or len(plan.machine.cpus)
    with scratch() as folder:
        progress.phase("resolving base images")
        asked = _build_request(request, path.resolve(), parsed, epoch)
        prepared = builder.prepare(asked, images, folder, jobs)
        bench = Bench(
            builder=builder,
            prepared=prepared,
            plan=plan,
            folder=folder,
            jobs=jobs,
            progress=progress,
        )
        subject = Subject(
            context=request.context.resolve().name,  # where it lies is no part of the answer
            containerfile=shown,
            builder=builder.name,
            timestamp=epoch,
        )
        trial = _Trial(bench=bench, parsed=parsed, request=request, shown=shown)
        report, runs = trial.report(subject)
        builder.check_bases(prepared)
        if request.output is not None:
            keep(request.output, report, runs, plan.machine.start)
        return report


def compare_images(left: str, right: str, progress: Progress, jobs: int) -> Report:
    """Compare two images that exist already; nothing is known of how they were built."""
    with scratch() as folder:
        progress.phase("opening the images")
        sides = []
        for number, reference in enumerate((left, right)):
            own = folder / str(number)
            own.mkdir()
            sides.append(open_image(reference, own))
        findings = _findings(sides[0], sides[1], Scene(), folder / "contents", progress, jobs)
        verdict = Verdict.UNREPRODUCIBLE if findings else Verdict.REPRODUCIBLE
        return Report(verdict=verdict, subject=Subject(left=left, right=right), findings=findings)


def _findings(
    left: Opened, right: Opened, scene: Scene, folder: Path, progress: Progress, jobs: int
) -> tuple[Finding, ...]:
    progress.phase("comparing")
    found = compare(left, right)
    contents = keep_contents(found, left, right, folder)
    progress.phase(f"looking into {len(contents)} files")
    differences = with_details(found.differences, contents, jobs)
    return attribute(differences, contents, scene)


def _shown(path: Path, context: Path) -> str:
    try:
        return path.resolve().relative_to(context.resolve()).as_posix()
    except ValueError:
        return path.name


def this_machine(seed: str, epoch: int | None) -> Machine:
    """Return what this machine can vary, with a clock that starts now or after `epoch`."""
    preload = machine.preload()
    return Machine(
        cpus=machine.cpus(),
        kernel=machine.kernel(),
        old_kernel=machine.old_kernel(),
        preload=preload,
        preload_needs=machine.symbol_version(preload) if preload else None,
        locales=machine.locales(),
        loop=machine.loop(),
        # useradd(8) and others refuse a SOURCE_DATE_EPOCH that lies after the clock.
        start=max(int(clock.now()), (epoch or 0) + _DAY),
        seed=seed,
    )


def _build_request(
    request: RebuildRequest, path: Path, parsed: cf.Containerfile, epoch: int | None
) -> BuildRequest:
    arguments = request.build_args
    name = "SOURCE_DATE_EPOCH"
    if epoch is not None and parsed.declares_argument(name) and name not in dict(arguments):
        arguments = (*arguments, (name, str(epoch)))
    return BuildRequest(
        context=request.context.resolve(),
        containerfile=path,
        # buildah wants a stage's exact name; the user may give its index, or another case.
        target=parsed.stage(request.target, dict(arguments)).name if request.target else None,
        build_args=arguments,
        secrets=request.secrets,
        timestamp=epoch,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trial:
    """The experiment of one rebuild, from the runs to the report."""

    bench: Bench
    parsed: cf.Containerfile
    request: RebuildRequest
    shown: str

    def report(self, subject: Subject) -> tuple[Report, list[BuildRun]]:
        plan = self.bench.plan
        runs = list(self.bench.make(plan.runs))
        control = runs[0]
        for run in runs:  # nothing was varied in these, so nothing can be blamed
            if run.outcome is Outcome.FAILED and run.planned.role is not Role.VARIANT:
                return self._failed(subject, runs, run), runs
        findings: list[Finding] = []
        limits: list[Held] = []
        for number, run in enumerate(runs):
            if run.outcome is Outcome.FAILED:
                runs[number], finding, limit = self._instead_of(run)
                findings += [finding] if finding else []
                limits += [limit] if limit else []
        others = [run for run in runs[1:] if run.outcome is Outcome.BUILT]
        seen = Effect(varied=(), held=plan.held, limits=())
        if others and others[-1].planned.role is Role.VARIANT:
            seen = effect(plan, control, others[-1])
        findings += self._compare(control, others)
        merged = merge(findings)
        problems = () if merged else tuple(_open_questions(plan, seen))
        report = Report(
            verdict=_verdict(merged, problems),
            subject=subject,
            varied=seen.varied,
            held=seen.held,
            limits=(*limits, *seen.limits),
            runs=tuple(map(_record, runs)),
            findings=merged,
            problems=problems,
        )
        return report, runs

    def _failed(self, subject: Subject, runs: Sequence[BuildRun], failed: BuildRun) -> Report:
        where = self._where(failed)
        at = f" at {where.file}:{where.line} ({where.text[:80]})" if where else ""
        words = _last_words(failed)
        problem = Problem(
            message=f"the {failed.planned.name} build failed{at}: {words}",
            hint="the build must pass on its own first: try `buildah bud` on this context",
        )
        return Report(
            verdict=Verdict.INCONCLUSIVE,
            subject=subject,
            held=self.bench.plan.held,
            runs=tuple(map(_record, runs)),
            problems=(problem,),
        )

    def _where(self, run: BuildRun) -> Instruction | None:
        step = run.failure.instruction if run.failure else None
        return cf.find_step(self.parsed, step, path=self.shown) if step else None

    def _instead_of(self, failed: BuildRun) -> tuple[BuildRun, Finding | None, Held | None]:
        """Return a variant that passes, and what is to be said of the level that did not."""
        self.bench.progress.phase("finding the level that breaks the build")
        plan = self.bench.plan
        broken = find_breakage(self.bench, failed)
        words, where = _last_words(broken.run), self._where(broken.run)
        if broken.factor is None:
            return failed, breakage_finding(None, "", words, where), None
        level = broken.run.planned.level(broken.factor)
        name = level.name if level else ""
        moved = dict.fromkeys(plan.moved, 1)
        others = next(ls for ls in plan.levels if ls[0].factor == broken.factor)
        made, number = failed, 0
        for number in [*range(2, len(others)), 0]:
            trial = plan.variant(f"{failed.planned.name}-{number}", moved | {broken.factor: number})
            made = self.bench.make([trial])[0]
            if made.outcome is Outcome.BUILT:
                break
        if broken.factor == "time" and _RAN_OUT.search("\n".join(_log(broken.run))):
            reason = f"at {name} something signed has run out, so it was {others[number].name}"
            return made, None, Held(factor="time", reason=f"{reason}: {words}")
        return made, breakage_finding(broken.factor, name, words, where), None

    def _compare(self, control: BuildRun, others: Sequence[BuildRun]) -> Iterator[Finding]:
        left = open_run(control)
        by_chance: set[tuple[int | None, str, str]] = set()
        for run in others:
            right = open_run(run)
            scene = Scene(
                left=control.planned.levels,
                right=run.planned.levels,
                runs=(control.planned.name, run.planned.name),
                instructions=self._instructions(left),
            )
            folder = self.bench.folder / f"contents-{run.planned.name}"
            found = _findings(left, right, scene, folder, self.bench.progress, self.bench.jobs)
            for finding in found:
                kept = tuple(
                    d
                    for d in finding.differences
                    if (d.layer, d.path, d.aspect.value) not in by_chance
                )
                if run.planned.role is Role.REPLICATE:
                    yield _shown_by_replicate(finding, run)
                elif kept:
                    yield replace(finding, differences=kept)
            if run.planned.role is Role.REPLICATE:
                by_chance = {
                    (d.layer, d.path, d.aspect.value) for f in found for d in f.differences
                }

    def _instructions(self, image: Opened) -> tuple[Instruction | None, ...]:
        one = image.images.images[0]
        arguments = dict(self.request.build_args)
        lowest = self.parsed.chain(self.request.target, arguments)[0].image
        known = {base.name: base.history for base in self.bench.prepared.bases}
        return cf.layer_instructions(
            self.parsed,
            json.loads(one.config).get("history") or [],
            known.get(lowest or ""),
            target=self.request.target,
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


def _open_questions(plan: Plan, seen: Effect) -> Iterator[Problem]:
    """Yield what keeps equal images from meaning «reproducible»."""
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


def _record(run: BuildRun) -> RunRecord:
    return RunRecord(
        name=run.planned.name,
        role=run.planned.role,
        levels={level.factor: level.name for level in run.planned.levels},
        outcome=run.outcome,
        image=run.image,
    )


def _log(run: BuildRun) -> tuple[str, ...]:
    return run.failure.log if run.failure else ()


def _last_words(run: BuildRun) -> str:
    """Return the last line of the log that says why, not just that, the build failed."""
    lines = [line.strip() for line in _log(run) if line.strip()]
    telling = [ln for ln in lines if not ln.startswith(("STEP", "error building at STEP", "time="))]
    last = (telling or lines or ["no output"])[-1]
    return last if len(last) <= 200 else last[:199] + "…"
