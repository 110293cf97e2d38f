"""The experiment: factors, their levels, the edits that bring a level about, and the runs."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from repaudit.model.trace import Trace

#: The factors that a rebuild can set, in the order in which reports name them.
SETTABLE = (
    "time",
    "timezone",
    "locale",
    "umask",
    "hostname",
    "user",
    "home",
    "environment",
    "build_path",
    "file_order",
    "cpus",
    "kernel",
    "aslr",
)
#: Sources of difference that nobody sets; a replicate shows them.
INTRINSIC = ("random", "concurrency", "filesystem")


class Level(Struct, frozen=True, kw_only=True):
    """One setting of one factor.

    `name` is what reports show and never holds a clock. `value` is what the factor's edits are
    made from. `canaries` are texts that stand nowhere unless this level was in force, so finding
    one in a file is evidence.
    """

    factor: str
    name: str
    value: str
    canaries: tuple[str, ...] = ()


class Edit(Struct, frozen=True, kw_only=True):
    """One change to the environment of a build step.

    `slot` names what is written; no two factors write the same one:

    * `/process/env/NAME`, `/process/user/umask`, `/hostname`, `/mounts/DESTINATION` (runtime-spec;
      "" mounts nothing)
    * `exec:affinity` (comma-separated CPUs), `exec:personality/FLAG` ("on" or "off"): set on the
      process that hands over to the runtime, and inherited
    * `exec:clock` ("on"): trace the step, to move the clock of programs that no preload reaches; it
      stands alone where the factor's other edits are refused
    * `home:alias`: a second path of the home directory, "" for none; HOME names it
    * `run:clock` (the epoch that the run's clock starts at), `run:filesystem` (a hash seed),
      `run:file/NAME` (the host file to copy), `run:text/NAME` (a file's text),
      `run:directory/NAME`: set up once, when the run starts

    `unless` names variables that, if the image sets one of them itself, win over this factor
    (a trailing `*` matches any rest). `needs` is a property of the root file system without which
    the edit is of no use: a symbol version of the C library ("GLIBC_2.34") or "home".
    """

    slot: str
    value: str
    unless: tuple[str, ...] = ()
    needs: str | None = None


class Held(Struct, frozen=True, kw_only=True):
    """A factor that was not varied, and why."""

    factor: str
    reason: str


class Role(StrEnum):
    """What a run is for."""

    CONTROL = "control"
    REPLICATE = "replicate"
    VARIANT = "variant"


class Outcome(StrEnum):
    """How a run ended."""

    BUILT = "built"
    FAILED = "failed"


class PlannedRun(Struct, frozen=True, kw_only=True):
    """One build to be made: its name, its role, and one level for each factor.

    In a `traced` one it is recorded who wrote what (model.trace), and who read the paths that are
    `asked` for. It is no replicate for a race: tracing hides those. In a `planted` one, which is
    traced, steps draw the random bytes that they draw in each such run.
    """

    name: str
    role: Role
    levels: tuple[Level, ...]
    traced: bool = False
    asked: tuple[str, ...] = ()
    planted: bool = False

    def level(self, factor: str) -> Level | None:
        """Return the level that this run gives `factor`, None where it gives none."""
        return next((level for level in self.levels if level.factor == factor), None)


class Step(Struct, frozen=True, kw_only=True):
    """What the interposer did for one RUN step: the factors not applied, each with the reason.

    `untraced` is why a step was not traced that should have been; `trace` what its tracer wrote
    down, where that was asked for.
    """

    args: tuple[str, ...]
    refused: tuple[tuple[str, str], ...]
    untraced: str | None = None
    trace: Trace | None = None


class Failure(Struct, frozen=True, kw_only=True):
    """Why a build failed: the instruction that it stopped at and the log's last lines."""

    instruction: str | None
    status: int
    log: tuple[str, ...]


class BuildRun(Struct, frozen=True, kw_only=True):
    """A run that was made.

    `blobs` is the folder that holds the manifest, the config and the new layers. `steps` is what
    the interposer recorded; `readings` what each probe saw, as (name, value) pairs; `unmoved` what
    of the steps the moved clock did not reach, as the tracer told. A `whole` run executed each
    instruction; others took over the layers of such runs.
    """

    planned: PlannedRun
    outcome: Outcome
    image: str | None = None
    blobs: str | None = None
    failure: Failure | None = None
    steps: tuple[Step, ...] = ()
    readings: tuple[tuple[tuple[str, str], ...], ...] = ()
    unmoved: tuple[str, ...] = ()
    whole: bool = True
    milliseconds: int = 0
