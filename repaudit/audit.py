"""The pipeline of `repaudit rebuild`, readable as prose: a request in, a report out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from repaudit import containerfile as cf
from repaudit.builders import BUILDERS, BuildRequest
from repaudit.containerfile.edit import unified
from repaudit.factors import Machine
from repaudit.host import clock, git, machine, source_date
from repaudit.host.history import History
from repaudit.host.scratch import cache_path, rewrite, scratch
from repaudit.host.store import Store
from repaudit.host.tree import open_tree
from repaudit.model.errors import RepauditError, UsageError
from repaudit.model.gate import GateResult, strongest
from repaudit.model.history import Source
from repaudit.model.pins import PinsReport
from repaudit.model.published import VerifyResult
from repaudit.model.report import Problem, Report, Subject, Verdict
from repaudit.model.text import printable
from repaudit.stages.allow import Rules, baseline_of
from repaudit.stages.build import Bench, Progress, with_epoch
from repaudit.stages.experiment import Experiment
from repaudit.stages.fix import propose
from repaudit.stages.gate import judge, lies_in
from repaudit.stages.keep import (
    clear,
    containerfile_of,
    keep,
    load,
    load_source,
    ours_below,
    record,
)
from repaudit.stages.pins import audit_tree, unless_empty
from repaudit.stages.plan import make_plan
from repaudit.stages.selftest import refuse_if_blind
from repaudit.stages.steady import Steady, place
from repaudit.stages.trial import Trial
from repaudit.stages.verify import read_built, verify

_DAY = 86_400


class RebuildRequest(Struct, frozen=True, kw_only=True):
    """What `repaudit rebuild` is asked; each field means what its option says.

    `reports` are the files that the answer goes to, once it is there.
    """

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
    reports: tuple[Path, ...] = ()
    explain: bool = False
    try_fixes: bool = False


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
        builds=max(request.builds, 3) if request.explain else request.builds,
    )
    builder = BUILDERS.load(request.builder)
    images = parsed.external_images(dict(request.build_args), request.target)
    jobs = request.jobs or len(plan.machine.cpus)
    if request.output is not None:
        clear(request.output)
    with scratch() as folder:
        steady = Steady(request.context, path.resolve(), parsed.data)
        text = folder / "read" / path.resolve().name  # what was read is built, come what may
        place(text, parsed.data, path.resolve())
        written = (*request.reports, *([request.output] if request.output else []))
        hidden = ours_below(request.context, steady.paths, written)
        if hidden:
            progress.phase(f"hiding what repaudit wrote: {', '.join(map(printable, hidden))}")
        source = git.source(request.context, hidden)  # as it is when the builds begin
        progress.phase("resolving base images")
        asked = replace(_build_request(request, text, parsed, epoch), hidden=hidden)
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
            folder=git.folder(request.context),
            containerfile=shown,
            builder=builder.name,
            timestamp=epoch,
            command=builder.command(asked, shown),
        )
        experiment = Experiment(
            bench=bench,
            parsed=parsed,
            target=request.target,
            shown=shown,
            explain=request.explain,
        )
        report, runs = experiment.report(subject)
        fixes = propose(parsed, report.findings)
        report = replace(report, findings=fixes.shown_in(report.findings))
        if request.try_fixes:
            report, tried = Trial(bench=bench, fixes=fixes, runs=runs).judge(report)
            runs += tried
        report = refuse_if_blind(report, folder / "selftest", Store(cache_path("index")))
        builder.check_bases(prepared)
        steady.check()
        if request.output is not None:
            journal = record(plan.machine.start, request.context, path, source, prepared, runs)
            keep(request.output, report, runs, journal, sorted(folder.glob("**/log")))
        return report


class Edits(Struct, frozen=True, kw_only=True):
    """A Containerfile before and after the fixes of a report."""

    report: Report
    path: Path
    before: bytes
    after: bytes

    @property
    def name(self) -> str:
        """What the report calls the file."""
        return self.report.subject.containerfile or self.path.name

    @property
    def diff(self) -> bytes:
        """The unified diff, empty where there is nothing to do."""
        return unified(self.before, self.after, self.name)

    def write(self) -> None:
        """Put the edited file in the place of the other one."""
        rewrite(self.path, self.after)


def fixes_of_context(request: RebuildRequest, progress: Progress) -> Edits:
    """Audit a context, try the fixes, and return those that do not break it."""
    report = rebuild(request, progress)
    return _edits(report, cf.find(request.context, request.file))


def fixes_of_run(run: Path, file: Path | None) -> Edits:
    """Return the fixes of a kept run, or of a report, for the Containerfile as it is now."""
    report = load(run)
    return _edits(report, cf.find(Path(), file) if file else containerfile_of(run))


def _edits(report: Report, path: Path) -> Edits:
    """Leave out the fixes that were tried in vain."""
    before = path.read_bytes()
    parsed = cf.parse(before, name=report.subject.containerfile or path.name)
    useful = [f for f in report.findings if f.fix and f.fix.useful]
    after = propose(parsed, useful).edited()
    return Edits(report=report, path=path, before=before, after=after)


def audit_pins(paths: Sequence[Path]) -> PinsReport:
    """Read what a build depends on in files and folders, and say what of it is not pinned.

    The clock serves one question alone: whether the instant of a snapshot is over.
    """
    return unless_empty(audit_tree(open_tree(paths), clock.now()))


class Watched(Struct, frozen=True, kw_only=True):
    """One image that the gate watches: a build to be made, or a kept run or its report."""

    name: str
    audit: RebuildRequest | Path


class GateRequest(Struct, frozen=True, kw_only=True):
    """What `repaudit gate` is asked; each field means what its option says.

    `listed` where the images are those of a list, so that who looks at it looks at no others.
    """

    images: tuple[Watched, ...]
    rules: Rules
    history: Path | None = None
    listed: bool = False


def gate(request: GateRequest, progress: Progress) -> tuple[GateResult, bytes]:
    """Judge each image against its past and the rules, and keep the night.

    Returns, beside the answer, the baseline that holds all that was found.
    """
    history = History(request.history) if request.history else None
    contexts = [
        (image.name, image.audit.context)
        for image in request.images
        if isinstance(image.audit, RebuildRequest)
    ]
    judgements, found = [], []
    for image in request.images:
        report, source = _audited(image, progress)
        past = history.past(image.name) if history else None
        judgement, night = judge(image.name, report, source, past, request.rules)
        if history:
            history.append(night)
        judgements.append(judgement)
        found.append((image.name, report.findings))
    names = {image.name for image in request.images}
    known = history.images() if history and request.listed else ()
    result = GateResult(
        light=strongest(tuple(one.light for one in judgements)),
        images=tuple(judgements),
        warnings=(
            *(f"unused: {name}" for name in request.rules.unused(found)),
            *(f"not in the list, and in the history: {one}" for one in known if one not in names),
            *lies_in(request.history, contexts),
        ),
    )
    return result, baseline_of(found)


def verify_images(
    published: Mapping[str, str], references: Sequence[tuple[str, str]], progress: Progress
) -> VerifyResult:
    """Compare images, as (name, reference) pairs, with the digests that were published of them."""
    with scratch() as folder:
        progress.phase("reading the images")
        return verify(published, read_built(references, folder))


def _audited(image: Watched, progress: Progress) -> tuple[Report, Source | None]:
    """Return an image's report and the commit that it is of; what cannot be had is inconclusive."""
    source = None
    try:
        if isinstance(image.audit, Path):
            source = load_source(image.audit)
            return load(image.audit), source
        source = git.source(image.audit.context)
        return rebuild(image.audit, progress), source
    except UsageError:
        raise
    except RepauditError as error:  # the other images are judged all the same
        problem = Problem(message=error.message, hint=error.hint)
        subject = Subject(context=image.name)
        return Report(verdict=Verdict.INCONCLUSIVE, subject=subject, problems=(problem,)), source


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
        cpu_files=machine.cpu_files(),
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
    arguments = with_epoch(request.build_args, parsed, epoch)
    return BuildRequest(
        context=request.context.resolve(),
        containerfile=path,
        # buildah wants a stage's exact name; the user may give its index, or another case.
        target=parsed.stage(request.target, dict(arguments)).name if request.target else None,
        build_args=arguments,
        secrets=request.secrets,
        timestamp=epoch,
    )
