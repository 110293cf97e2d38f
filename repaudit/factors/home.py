"""The path of the home directory.

The variant's HOME is a second path of the same directory (a bind mount), so that what a step
writes below $HOME lands where it always does, and only a step that records the path differs.
"""

from __future__ import annotations

from collections.abc import Mapping

from repaudit.factors.interface import HELPERS, Factor, Machine
from repaudit.model.experiment import Edit, Held, Level


class _Home:
    name = "home"
    summary = "HOME: as the image has it, or a second path of the same directory"
    slots = frozenset({"home:alias", "run:directory/home"})

    def levels(self, machine: Machine) -> tuple[Level, ...] | Held:
        alias = f"{HELPERS}/home/{machine.token(self.name)}"
        return (
            Level(factor=self.name, name="own", value=""),
            Level(factor=self.name, name=alias, value=alias, canaries=(alias,)),
        )

    def edits(self, level: Level, machine: Machine) -> tuple[Edit, ...]:
        return (
            Edit(slot="run:directory/home", value=f"home/{machine.token(self.name)}"),
            Edit(slot="home:alias", value=level.value, unless=("HOME",), needs="home"),
        )

    def observe(self, reading: Mapping[str, str], level: Level) -> str | None:
        return reading.get("home")


FACTOR: Factor = _Home()
