"""The contract of a factor.

Laws, tested for every factor: `levels` gives the control first and at least one variant, or the
reason why it cannot; both levels are explicit (what is unset depends on the host); `edits` is
pure, writes the same slots at every level, and those are exactly `slots`; no two factors share
one; canaries of two levels have equal lengths; a golden case `factor-<name>` shows it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct

from repaudit.model.experiment import Edit, Held, Level

#: Where a build step finds what we bring along. It lies below /dev, a tmpfs of the bundle, so that
#: no mount point is left in the image.
HELPERS = "/dev/.repaudit"


class Machine(Struct, frozen=True, kw_only=True):
    """What of this machine decides which levels there are.

    `cpus` are the CPUs that we may run on, and `cpu_files` the kernel's files that tell of CPUs, as
    (path, text), those that are there. `kernel` is its release and `old_kernel` the one that
    the UNAME26 personality shows. `preload` is libfaketime's path and `preload_needs` the newest
    symbol version that it asks of the C library; `locales` is the folder of compiled locales;
    each is None where it is not there. `loop` tells whether a file system of our
    own can be mounted. `start` is the instant, in seconds since the epoch, at which every run's
    clock starts. `seed` makes the canaries.
    """

    cpus: tuple[int, ...]
    cpu_files: tuple[tuple[str, str], ...]
    kernel: str
    old_kernel: str
    preload: str | None
    preload_needs: str | None
    locales: str | None
    loop: bool
    start: int
    seed: str

    def token(self, *words: str, length: int = 10) -> str:
        """Return `length` hex digits that depend on the seed and `words` alone."""
        text = "\0".join((self.seed, *words))
        return hashlib.sha256(text.encode()).hexdigest()[:length]


class Factor(Protocol):
    """One thing that a rebuild can vary."""

    @property
    def name(self) -> str:
        """The file's name, as `--vary` takes it."""

    @property
    def summary(self) -> str:
        """One line for `repaudit list factors`."""

    @property
    def slots(self) -> frozenset[str]:
        """The slots that its edits write (see model.experiment.Edit)."""

    def levels(self, machine: Machine) -> tuple[Level, ...] | Held:
        """Return the levels, control first, or why this machine cannot vary the factor."""

    def edits(self, level: Level, machine: Machine) -> tuple[Edit, ...]:
        """Return what brings `level` about."""

    def observe(self, reading: Mapping[str, str], level: Level) -> str | None:
        """Return what a probe saw of this factor in a run at `level`, None where it saw nothing."""
