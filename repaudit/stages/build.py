"""Make the planned runs, side by side where there are CPUs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, Protocol

from msgspec import Struct, field
from msgspec.structs import replace

from repaudit import containerfile as cf
from repaudit.builders import Builder, Frozen, Prepared
from repaudit.host import clock, process
from repaudit.model.digest import Descriptor
from repaudit.model.errors import SourceError
from repaudit.model.experiment import BuildRun, Level, Outcome, PlannedRun, Role
from repaudit.oci.image import load_manifest
from repaudit.sources import Opened
from repaudit.sources.layout import Folder
from repaudit.stages.plan import Plan, edits

#: Seconds between the starts of two runs. Files carry the real clock's time, and two runs that go
#: side by side must not write a file in the same second, or in the two that a zip archive tells.
STAGGER = 2.1


#: The factor that is a property of the file system on which a run's layers lie.
_ORDER = "file_order"
#: A run that takes as many times the control's time, and as many seconds, will never end.
_TIMES, _LEAST = 10, 120


class Patience:
    """How long a run may take, once it is known how long the control took."""

    def __init__(self) -> None:
        self._control: float | None = None

    def learn(self, run: BuildRun) -> None:
        """Take in how long a run took that was built, if it is the control."""
        if run.planned.role is Role.CONTROL and run.outcome is Outcome.BUILT:
            self._control = run.milliseconds / 1000

    def seconds(self) -> float | None:
        """Return the most seconds; None as long as the control builds."""
        return None if self._control is None else max(_LEAST, _TIMES * self._control)


class Progress(Protocol):
    """Who is told how far the audit is."""

    def run_began(self, run: str) -> None:
        """Hear that a run starts."""

    def run_says(self, run: str, line: str) -> None:
        """Hear a line that a run printed."""

    def run_ended(self, run: str, outcome: str) -> None:
        """Hear how a run ended."""

    def phase(self, name: str) -> None:
        """Hear what the audit does now."""


class Bench(Struct, frozen=True, kw_only=True):
    """What it takes to make runs: the builder, what it prepared, a folder, and who listens.

    `starts` is what runs start from, by the level of their file system: its order of directories
    goes on in the layers that are taken over. Runs of the `last` bench give their room back: no
    others start from them.
    """

    builder: Builder
    prepared: Prepared
    plan: Plan
    folder: Path
    jobs: int
    progress: Progress
    patience: Patience = field(default_factory=Patience)
    stagger: float = STAGGER
    starts: Mapping[Level | None, Frozen] = field(default_factory=dict)
    last: bool = False

    def starting_from(self, runs: Sequence[BuildRun], parsed: cf.Containerfile) -> Bench:
        """Return the bench whose runs do not execute again what was the same in all whole runs."""
        built = [run for run in runs if run.outcome is Outcome.BUILT and run.whole]
        request = self.prepared.request
        separable = parsed.separable(dict(request.build_args), request.target)
        frozen = self.builder.freeze(built) if separable else ()
        levels = [run.planned.level(_ORDER) for run in built]
        starts = dict(reversed(list(zip(levels, frozen, strict=True)))) if frozen else {}
        used = {at: one for at, one in starts.items() if one.images}
        return replace(self, starts=used, last=True)

    def make(self, runs: Sequence[PlannedRun], apart: float | None = None) -> tuple[BuildRun, ...]:
        """Return the runs, made, in the order asked; up to `jobs` go side by side.

        `apart` is the least time between two starts, in seconds; by default, `stagger`.
        """
        apart = self.stagger if apart is None else apart
        with ThreadPoolExecutor(max_workers=self.jobs) as pool:
            began = clock.ticks()
            futures = [
                pool.submit(self._one, run, began + number * apart)
                for number, run in enumerate(runs)
            ]
            try:
                return tuple(future.result() for future in futures)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                process.stop_all()
                raise

    def _one(self, run: PlannedRun, start: float) -> BuildRun:
        process.wait_until(start)
        self.progress.run_began(run.name)
        begin = self.starts.get(run.level(_ORDER))
        made = self._build(run, self.folder / run.name, begin)
        if begin and made.outcome is Outcome.FAILED:  # be it because of what it started from
            self.progress.phase(f"building {run.name} from its first step")
            made = self._build(run, self.folder / f"{run.name}-whole", None)
        self.patience.learn(made)
        self.progress.run_ended(run.name, made.outcome.value)
        return made

    def _build(self, run: PlannedRun, folder: Path, start: Frozen | None) -> BuildRun:
        try:
            return self.builder.build(
                self.prepared,
                run,
                edits(run, self.plan.machine),
                folder,
                self._hear(run.name),
                self.patience.seconds,
                start,
            )
        finally:  # be it that there was too little room: what was found is yet to be written down
            if self.last:
                self.builder.forget(folder)

    def _hear(self, name: str) -> Callable[[str], None]:
        return lambda line: self.progress.run_says(name, line)


def with_epoch(
    arguments: tuple[tuple[str, str], ...], file: cf.Containerfile, epoch: int | None
) -> tuple[tuple[str, str], ...]:
    """Return the build arguments with SOURCE_DATE_EPOCH, where the file asks for it."""
    name = "SOURCE_DATE_EPOCH"
    if epoch is not None and file.declares_argument(name) and name not in dict(arguments):
        return (*arguments, (name, str(epoch)))
    return arguments


class _RunBlobs(Folder):
    """The blobs that a run left: manifest, config, and the layers that it made."""

    def open(self, descriptor: Descriptor) -> BinaryIO:
        try:
            return super().open(descriptor)
        except SourceError as error:
            raise SourceError(
                f"blob {descriptor.digest} of a run was not kept: it is a base image's",
                hint="this should not happen: please report it, with the Containerfile",
            ) from error


def open_run(run: BuildRun) -> Opened:
    """Return the image of a run that was built: manifest, config, and the layers that it made."""
    if run.blobs is None or run.image is None:
        raise SourceError(f"the run {run.planned.name} has no image")
    blobs = _RunBlobs(Path(run.blobs))
    return Opened(images=load_manifest(blobs, run.image), blobs=blobs)
