"""A variable that no build asked for: whoever records the whole environment records it."""

from __future__ import annotations

from collections.abc import Mapping

from repaudit.factors.interface import Factor, Machine
from repaudit.model.experiment import Edit, Held, Level

_VARIABLE = "BUILD_ENVIRONMENT_CANARY"


class _Environment:
    name = "environment"
    summary = f"a variable of its own, {_VARIABLE}, a canary at both levels"
    slots = frozenset({f"/process/env/{_VARIABLE}"})

    def levels(self, machine: Machine) -> tuple[Level, ...] | Held:
        values = [f"env-{machine.token(self.name, level)}" for level in ("control", "variant")]
        return tuple(Level(factor=self.name, name=v, value=v, canaries=(v,)) for v in values)

    def edits(self, level: Level, machine: Machine) -> tuple[Edit, ...]:
        return (Edit(slot=f"/process/env/{_VARIABLE}", value=level.value),)

    def observe(self, reading: Mapping[str, str], level: Level) -> str | None:
        return reading.get("environment")


FACTOR: Factor = _Environment()
