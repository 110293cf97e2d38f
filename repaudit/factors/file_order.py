"""The order in which a directory lists its files.

Each run's storage is an ext4 file system of its own, which lists names by their hash. The hash
seed is a parameter of the file system (mke2fs(8), `-E hash_seed`), so the control's order is the
same every night and the variant's is another, at native speed.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping

from repaudit.factors.interface import Factor, Machine
from repaudit.model.experiment import Edit, Held, Level


class _FileOrder:
    name = "file_order"
    summary = "the order of directory listings, by the hash seed of the run's own ext4"
    slots = frozenset({"run:filesystem"})

    def levels(self, machine: Machine) -> tuple[Level, ...] | Held:
        if not machine.loop:
            return Held(factor=self.name, reason="no file system of our own can be mounted here")
        return tuple(
            Level(factor=self.name, name=f"ext4 seed {name}", value=_seed(name)) for name in "AB"
        )

    def edits(self, level: Level, machine: Machine) -> tuple[Edit, ...]:
        return (Edit(slot="run:filesystem", value=level.value),)

    def observe(self, reading: Mapping[str, str], level: Level) -> str | None:
        return reading.get("file_order")


def _seed(name: str) -> str:
    return str(uuid.UUID(bytes=hashlib.sha256(name.encode()).digest()[:16]))


FACTOR: Factor = _FileOrder()
