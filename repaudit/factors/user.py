"""The user's name in the environment: USER and LOGNAME.

The user id stays what the Containerfile says: it is part of the build's own text.
"""

from __future__ import annotations

from collections.abc import Mapping

from repaudit.factors.interface import Factor, Machine
from repaudit.model.experiment import Edit, Held, Level

_NAMES = ("USER", "LOGNAME")


class _User:
    name = "user"
    summary = "USER and LOGNAME: root, or a canary (the user id stays)"
    slots = frozenset(f"/process/env/{name}" for name in _NAMES)

    def levels(self, machine: Machine) -> tuple[Level, ...] | Held:
        canary = f"user-{machine.token(self.name)}"
        return (
            Level(factor=self.name, name="root", value="root"),
            Level(factor=self.name, name=canary, value=canary, canaries=(canary,)),
        )

    def edits(self, level: Level, machine: Machine) -> tuple[Edit, ...]:
        return tuple(
            Edit(slot=f"/process/env/{name}", value=level.value, unless=_NAMES) for name in _NAMES
        )

    def observe(self, reading: Mapping[str, str], level: Level) -> str | None:
        return reading.get("user")


FACTOR: Factor = _User()
