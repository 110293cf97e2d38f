"""The kernel release that uname(2) tells, by the UNAME26 personality (personality(2))."""

from __future__ import annotations

from collections.abc import Mapping

from repaudit.factors.interface import Factor, Machine
from repaudit.model.experiment import Edit, Held, Level


class _Kernel:
    name = "kernel"
    summary = "what uname -r says: the real release, or a 2.6 one"
    slots = frozenset({"exec:personality/UNAME26"})

    def levels(self, machine: Machine) -> tuple[Level, ...] | Held:
        if machine.old_kernel in {"", machine.kernel}:
            return Held(factor=self.name, reason="the UNAME26 personality cannot be set here")
        return (
            Level(factor=self.name, name="real", value=machine.kernel),
            Level(factor=self.name, name="2.6", value=machine.old_kernel),
        )

    def edits(self, level: Level, machine: Machine) -> tuple[Edit, ...]:
        old = "on" if level.name == "2.6" else "off"
        return (Edit(slot="exec:personality/UNAME26", value=old),)

    def observe(self, reading: Mapping[str, str], level: Level) -> str | None:
        return reading.get("kernel")


FACTOR: Factor = _Kernel()
