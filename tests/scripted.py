"""A builder that makes up images: what each run would leave is a function of the run's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from repaudit import containerfile as cf
from repaudit.builders import BuildRequest, Frozen, Prepared
from repaudit.cli.progress import Silent
from repaudit.model.experiment import BuildRun, Edit, Failure, Outcome, PlannedRun
from repaudit.model.report import Report, Subject
from repaudit.stages.build import Bench
from repaudit.stages.experiment import Experiment
from repaudit.stages.plan import make_plan
from tests import fakes, images

TEXT = b"FROM scratch\nRUN make\n"
Layer = Callable[[PlannedRun], bytes | None]


class Scripted:
    """`layer` returns the one layer of a run's image, None where the build fails."""

    name = "scripted"
    summary = "made up"

    def __init__(self, layer: Layer) -> None:
        self._layer = layer

    def command(self, request: BuildRequest, containerfile: str) -> tuple[str, ...]:
        return ()

    def prepare(
        self, request: BuildRequest, images: Sequence[str], folder: Path, jobs: int
    ) -> Prepared:
        return Prepared(request=request, stores=(), bases=(), room=1 << 20)

    def build(
        self,
        prepared: Prepared,
        run: PlannedRun,
        edits: Mapping[str, Sequence[Edit]],
        folder: Path,
        line: Callable[[str], None],
        patience: Callable[[], float | None],
        start: Frozen | None = None,
    ) -> BuildRun:
        layer = self._layer(run)
        if layer is None:
            return BuildRun(
                planned=run,
                outcome=Outcome.FAILED,
                failure=Failure(instruction=None, status=1, log=("made up",)),
            )
        store = images.Store()
        root = store.image(layer, history=[{"created_by": "/bin/sh -c make"}])
        images.write_files(folder, store.layout(root))
        return BuildRun(
            planned=run,
            outcome=Outcome.BUILT,
            image=root["digest"],
            steps=(),
            readings=(),
            blobs=str(folder),
        )

    def freeze(self, runs: Sequence[BuildRun]) -> tuple[Frozen, ...]:
        """Return nothing: there is no instruction."""
        return ()

    def forget(self, folder: Path) -> None:
        """Keep it: there is no room to give back."""

    def check_bases(self, prepared: Prepared) -> None:
        """There are none."""


def bench(layer: Layer, folder: Path, *, builds: int = 3) -> Bench:
    """Return the bench of such runs."""
    builder = Scripted(layer)
    request = BuildRequest(
        context=folder,
        containerfile=folder / "Containerfile",
        target=None,
        build_args=(),
        secrets=(),
        timestamp=0,
    )
    return Bench(
        builder=builder,
        prepared=builder.prepare(request, (), folder, 1),
        plan=make_plan(fakes.MACHINE, vary=(), hold=(), builds=builds),
        folder=folder,
        jobs=2,
        progress=Silent(),
        stagger=0,
    )


def experiment(made: Bench, *, explain: bool = True) -> tuple[Report, list[BuildRun]]:
    """Return what `rebuild --explain` says of such runs, or `rebuild --builds N`, and the runs."""
    file = cf.parse(TEXT, name="Containerfile")
    whole = Experiment(bench=made, parsed=file, target=None, shown="Containerfile", explain=explain)
    return whole.report(Subject(context="made-up"))


def explained(layer: Layer, folder: Path, *, explain: bool = True, builds: int = 3) -> Report:
    """Return the report of such runs."""
    return experiment(bench(layer, folder, builds=builds), explain=explain)[0]
