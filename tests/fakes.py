"""Small stand-ins: a machine that can vary everything, runs that were never made, blobs that are
not to be opened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, BinaryIO

from msgspec.structs import replace

from repaudit.factors import Machine
from repaudit.model.digest import Descriptor
from repaudit.model.experiment import BuildRun, Outcome, PlannedRun, Step

MACHINE = Machine(
    cpus=(0, 1, 2, 3),
    cpu_files=(
        ("/proc/cpuinfo", "".join(f"processor\t: {n}\nsiblings\t: 4\n\n" for n in range(4))),
        ("/proc/stat", "cpu  4 8\ncpu0 1 2\ncpu1 1 2\ncpu2 1 2\ncpu3 1 2\nintr 7\nbtime 9\n"),
        *(
            (f"/sys/devices/system/cpu/{name}", "0-3\n")
            for name in ("online", "possible", "present")
        ),
    ),
    kernel="6.1.0-18-amd64",
    old_kernel="2.6.61-18-amd64",
    preload="/usr/lib/faketime/libfaketime.so.1",
    preload_needs="GLIBC_2.34",
    locales="/var/cache/locales",
    loop=True,
    start=1_700_000_000,
    seed="a seed",
)


def machine(**lacks: Any) -> Machine:
    """MACHINE, but for what is named."""
    return replace(MACHINE, **lacks)


class SealedBlobs:
    """Blobs that nobody may open: what has equal digests is not read."""

    def open(self, descriptor: Descriptor) -> BinaryIO:
        raise AssertionError(f"{descriptor.digest} was opened")


def reading(root: str = "0-0-", **seen: str) -> tuple[tuple[str, str], ...]:
    """What one probe saw, in the form that a workplace returns it."""
    return (("root", root), *seen.items())


def built(
    planned: PlannedRun,
    *readings: tuple[tuple[str, str], ...],
    refused: Mapping[str, str] | None = None,
    steps: int = 1,
) -> BuildRun:
    """A run that was built, with `steps` RUN steps, the last of which refused some factors."""
    done = [Step(args=("sh", "-c", "true"), refused=()) for _ in range(steps)]
    if refused:
        done[-1] = Step(args=("sh",), refused=tuple(sorted(refused.items())))
    return BuildRun(
        planned=planned,
        outcome=Outcome.BUILT,
        image="sha256:" + "0" * 64,
        steps=tuple(done),
        readings=readings,
    )
