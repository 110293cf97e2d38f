"""The path of the build context, which no step of a container build sees.

Builders copy the context; a step's own paths are set by WORKDIR, in the Containerfile. A builder
that shows its path to the steps would give this factor levels.
"""

from __future__ import annotations

from collections.abc import Mapping

from repaudit.factors.interface import Factor, Machine
from repaudit.model.experiment import Edit, Held, Level


class _BuildPath:
    name = "build_path"
    summary = "the path of the context (held: no build step sees it)"
    slots: frozenset[str] = frozenset()

    def levels(self, machine: Machine) -> tuple[Level, ...] | Held:
        return Held(
            factor=self.name,
            reason="the builder copies the context, and no step sees where it lay",
        )

    def edits(self, level: Level, machine: Machine) -> tuple[Edit, ...]:
        return ()

    def observe(self, reading: Mapping[str, str], level: Level) -> str | None:
        return None


FACTOR: Factor = _BuildPath()
