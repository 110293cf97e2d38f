"""The locale of a build step.

The compiled locales are brought along and LOCPATH points to them, since a locale that an image
does not have is silently C. Estonian sorts z before t and has its own names of days and months.
"""

from __future__ import annotations

from collections.abc import Mapping

from repaudit.factors.interface import HELPERS, Factor, Machine
from repaudit.model.experiment import Edit, Held, Level

_FOLDER = f"{HELPERS}/locale"
#: The version whose collation tables later ones still read (glibc 2.28 rebuilt them).
_NEEDS = "GLIBC_2.28"
_OWN = ("LANG", "LANGUAGE", "LC_*", "LOCPATH")


class _Locale:
    name = "locale"
    summary = "LC_ALL: C.UTF-8, or Estonian, with the locale itself brought along"
    slots = frozenset(
        {
            "/process/env/LC_ALL",
            "/process/env/LOCPATH",
            "run:directory/locale",
            f"/mounts{_FOLDER}",
        }
    )

    def levels(self, machine: Machine) -> tuple[Level, ...] | Held:
        if machine.locales is None:
            return Held(factor=self.name, reason="the package locales is not installed")
        return tuple(
            Level(factor=self.name, name=value, value=value) for value in ("C.UTF-8", "et_EE.UTF-8")
        )

    def edits(self, level: Level, machine: Machine) -> tuple[Edit, ...]:
        return (
            Edit(slot="/process/env/LC_ALL", value=level.value, unless=_OWN, needs=_NEEDS),
            Edit(slot="/process/env/LOCPATH", value=_FOLDER, needs=_NEEDS),
            Edit(slot="run:directory/locale", value=""),
            Edit(slot=f"/mounts{_FOLDER}", value=machine.locales or ""),
        )

    def observe(self, reading: Mapping[str, str], level: Level) -> str | None:
        return reading.get("month")


FACTOR: Factor = _Locale()
