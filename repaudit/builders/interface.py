"""The contract of a builder.

Laws: two control runs of `golden/clean-scratch` give equal images; a build that fails gives an
Outcome, not an exception; only layers that the build made are read; when `build` returns, or its
process is killed, no mount, process or container is left; it may be called from several threads at
once with different folders.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from repaudit.model.experiment import BuildRun, Edit, PlannedRun


class BuildRequest(Struct, frozen=True, kw_only=True):
    """What is to be built. `timestamp` is the epoch to clamp times to, None for a bare build.

    `hidden` are paths below the context, with no link on the way, that no build shall see.
    """

    context: Path
    containerfile: Path
    target: str | None
    build_args: tuple[tuple[str, str], ...]
    secrets: tuple[str, ...]
    timestamp: int | None
    hidden: tuple[str, ...] = ()


class Base(Struct, frozen=True, kw_only=True):
    """A base image: its name in the Containerfile, its digest, history entries, and diff_ids.

    `created` is in seconds since 1970, None where it does not say, or is clamped to 0. `identity`
    is what the storages call the image.
    """

    name: str
    identity: str
    digest: str
    history: int
    created: int | None
    diff_ids: tuple[str, ...]


class Prepared(Struct, frozen=True, kw_only=True):
    """What all runs share: the request, the base images, and the storages that hold them.

    `room` is how many bytes each run may fill.
    """

    request: BuildRequest
    stores: tuple[str, ...]
    bases: tuple[Base, ...]
    room: int


class Frozen(Struct, frozen=True, kw_only=True):
    """What a run left that is over: its folder, and the images in it that others may start from."""

    folder: str
    images: frozenset[str]


class Builder(Protocol):
    """Drives one image build tool, with the interposer in the place of its runtime."""

    @property
    def name(self) -> str:
        """The file's name, as `--builder` takes it."""

    @property
    def summary(self) -> str:
        """One line for `repaudit list builders`."""

    def command(self, request: BuildRequest, containerfile: str) -> tuple[str, ...]:
        """Return what makes the control's image by hand, in the folder of the context."""

    def prepare(
        self, request: BuildRequest, images: Sequence[str], folder: Path, jobs: int
    ) -> Prepared:
        """Resolve `images`, once for all runs; `folder` and below is ours to fill."""

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
        """Build once, in `folder`, with each factor's edits in force.

        `line` is told each line that the build prints, as it comes. A build that has not ended
        after `patience()` seconds has failed; None stands for no end. No instruction is left out
        but those whose images are in `start`.
        """

    def freeze(self, runs: Sequence[BuildRun]) -> tuple[Frozen, ...]:
        """Return of each run what it built just as all the others did; nothing if that is unclear.

        The instruction that ends the build is never part of it.
        """

    def forget(self, folder: Path) -> None:
        """Give back the room of a run that is over, and that no other will start from."""

    def check_bases(self, prepared: Prepared) -> None:
        """Raise SourceError if a base image is no longer the one that was resolved."""
