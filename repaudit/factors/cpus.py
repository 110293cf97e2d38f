"""The number of CPUs that a step may run on, and what the kernel's files say of it.

The affinity (sched_setaffinity(2)) is inherited by the runtime, and the step. Where a program reads
a file instead, the variant has one in its place that tells of the one CPU that the step may run on,
by its own number: what indexes a table by the CPU that it runs on finds itself in it. The control
keeps the kernel's own files: they tell of all CPUs as it is, and a copy's counters would stand.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from repaudit.factors.interface import Factor, Machine
from repaudit.model.experiment import Edit, Held, Level

_FOLDER = "/sys/devices/system/cpu"
#: What runc lets one mount over, and the name that our file has instead.
_FILES = {
    "/proc/cpuinfo": "cpuinfo",
    "/proc/stat": "stat",
    f"{_FOLDER}/online": "cpu-list",
    f"{_FOLDER}/possible": "cpu-list",
    f"{_FOLDER}/present": "cpu-list",
}
#: What else of /proc/cpuinfo counts the CPUs.
_COUNT = re.compile(r"^(siblings|cpu cores)(\s*:) \d+$", re.MULTILINE)


class _Cpus:
    name = "cpus"
    summary = "the CPUs that nproc counts and the kernel's files list: all, or one"
    slots = frozenset(
        {
            "exec:affinity",
            *(f"run:text/{name}" for name in _FILES.values()),
            *(f"/mounts{path}" for path in _FILES),
        }
    )

    def levels(self, machine: Machine) -> tuple[Level, ...] | Held:
        if len(machine.cpus) < 2:
            return Held(factor=self.name, reason="this machine has one CPU")
        return tuple(
            Level(factor=self.name, name=str(len(some)), value=",".join(map(str, some)))
            for some in (machine.cpus, machine.cpus[:1])
        )

    def edits(self, level: Level, machine: Machine) -> tuple[Edit, ...]:
        there = dict(machine.cpu_files)
        cpu = str(machine.cpus[0])
        texts = {
            "cpuinfo": _cpuinfo(there.get("/proc/cpuinfo", ""), cpu),
            "stat": _stat(there.get("/proc/stat", ""), cpu),
            "cpu-list": f"{cpu}\n",
        }
        shown = {
            path: name if level.value == cpu and path in there and texts[name] else ""
            for path, name in _FILES.items()
        }
        return (
            Edit(slot="exec:affinity", value=level.value),
            *(Edit(slot=f"run:text/{name}", value=text) for name, text in texts.items()),
            *(Edit(slot=f"/mounts{path}", value=name) for path, name in shown.items()),
        )

    def observe(self, reading: Mapping[str, str], level: Level) -> str | None:
        return reading.get("cpus")


def _cpuinfo(text: str, cpu: str) -> str:
    """Return /proc/cpuinfo as a machine has it with this CPU alone, "" where it cannot be told."""
    told = [(re.search(r"^processor\s*: (\d+)$", one, re.MULTILINE), one) for one in _blocks(text)]
    if cpu not in {found[1] for found, _ in told if found}:
        return ""
    kept = [one for found, one in told if not found or found[1] == cpu]
    return "".join(_COUNT.sub(r"\1\2 1", one) + "\n\n" for one in kept)


def _blocks(text: str) -> list[str]:
    return [block.strip("\n") for block in text.split("\n\n") if block.strip()]


def _stat(text: str, cpu: str) -> str:
    """Return /proc/stat as of a machine with this CPU alone, "" where it cannot be told."""
    own = re.search(rf"^cpu{cpu} (.+)$", text, re.MULTILINE)
    if own is None:
        return ""
    others = [line for line in text.splitlines(keepends=True) if not line.startswith("cpu")]
    return "".join([f"cpu  {own[1]}\n", f"{own[0]}\n", *others])


FACTOR: Factor = _Cpus()
