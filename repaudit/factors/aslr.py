"""Address space layout randomisation, by the ADDR_NO_RANDOMIZE personality (personality(2))."""

from __future__ import annotations

from collections.abc import Mapping

from repaudit.factors.interface import Factor, Machine
from repaudit.model.experiment import Edit, Held, Level


class _Aslr:
    name = "aslr"
    summary = "address space randomisation: off, or on"
    slots = frozenset({"exec:personality/ADDR_NO_RANDOMIZE"})

    def levels(self, machine: Machine) -> tuple[Level, ...] | Held:
        return tuple(Level(factor=self.name, name=v, value=v) for v in ("off", "on"))

    def edits(self, level: Level, machine: Machine) -> tuple[Edit, ...]:
        fixed = "on" if level.value == "off" else "off"
        return (Edit(slot="exec:personality/ADDR_NO_RANDOMIZE", value=fixed),)

    def observe(self, reading: Mapping[str, str], level: Level) -> str | None:
        return reading.get("aslr")


FACTOR: Factor = _Aslr()
