"""The time zone in a build step's environment.

A POSIX string (tzset(3)) needs no zone files in the image. The sign is reversed: `<+14>-14` is
fourteen hours ahead of UTC.
"""

from __future__ import annotations

from collections.abc import Mapping

from repaudit.factors.interface import Factor, Machine
from repaudit.model.experiment import Edit, Held, Level


class _Timezone:
    name = "timezone"
    summary = "TZ: UTC, or 14 hours ahead of it"
    slots = frozenset({"/process/env/TZ"})

    def levels(self, machine: Machine) -> tuple[Level, ...] | Held:
        return tuple(
            Level(factor=self.name, name=value, value=value, canaries=(value,))
            for value in ("<+00>-00", "<+14>-14")
        )

    def edits(self, level: Level, machine: Machine) -> tuple[Edit, ...]:
        return (Edit(slot="/process/env/TZ", value=level.value, unless=("TZ",)),)

    def observe(self, reading: Mapping[str, str], level: Level) -> str | None:
        return reading.get("zone")


FACTOR: Factor = _Timezone()
