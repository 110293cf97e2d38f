"""The number of CPUs that a step may run on (sched_setaffinity(2), inherited by the runtime)."""

from __future__ import annotations

from collections.abc import Mapping

from repaudit.factors.interface import Factor, Machine
from repaudit.model.experiment import Edit, Held, Level


class _Cpus:
    name = "cpus"
    summary = "the CPUs that nproc counts: all, or one"
    slots = frozenset({"exec:affinity"})

    def levels(self, machine: Machine) -> tuple[Level, ...] | Held:
        if len(machine.cpus) < 2:
            return Held(factor=self.name, reason="this machine has one CPU")
        return tuple(
            Level(factor=self.name, name=str(len(some)), value=",".join(map(str, some)))
            for some in (machine.cpus, machine.cpus[-1:])
        )

    def edits(self, level: Level, machine: Machine) -> tuple[Edit, ...]:
        return (Edit(slot="exec:affinity", value=level.value),)

    def observe(self, reading: Mapping[str, str], level: Level) -> str | None:
        return reading.get("cpus")


FACTOR: Factor = _Cpus()
