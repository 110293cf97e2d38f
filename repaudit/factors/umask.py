"""The umask that a build step starts with (runtime-spec config.md, `process.user.umask`)."""

from __future__ import annotations

from collections.abc import Mapping

from repaudit.factors.interface import Factor, Machine
from repaudit.model.experiment import Edit, Held, Level


class _Umask:
    name = "umask"
    summary = "the umask: 0022, or 0002"
    slots = frozenset({"/process/user/umask"})

    def levels(self, machine: Machine) -> tuple[Level, ...] | Held:
        return tuple(Level(factor=self.name, name=v, value=v) for v in ("0022", "0002"))

    def edits(self, level: Level, machine: Machine) -> tuple[Edit, ...]:
        return (Edit(slot="/process/user/umask", value=level.value),)

    def observe(self, reading: Mapping[str, str], level: Level) -> str | None:
        return reading.get("umask")


FACTOR: Factor = _Umask()
