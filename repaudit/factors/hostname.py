"""The host name: UTS namespace, HOSTNAME, /etc/hosts and /etc/hostname.

The builder's own name is random for each container, so the control sets one too.
"""

from __future__ import annotations

from collections.abc import Mapping

from repaudit.factors.interface import Factor, Machine
from repaudit.model.experiment import Edit, Held, Level


class _Hostname:
    name = "hostname"
    summary = "the host name, a canary at both levels"
    slots = frozenset(
        {
            "/hostname",
            "/process/env/HOSTNAME",
            "/mounts/etc/hosts",
            "/mounts/etc/hostname",
            "run:text/hosts",
            "run:text/hostname",
        }
    )

    def levels(self, machine: Machine) -> tuple[Level, ...] | Held:
        names = [f"host-{machine.token(self.name, level)}" for level in ("control", "variant")]
        return tuple(Level(factor=self.name, name=n, value=n, canaries=(n,)) for n in names)

    def edits(self, level: Level, machine: Machine) -> tuple[Edit, ...]:
        hosts = f"127.0.0.1 localhost\n::1 localhost\n127.0.1.1 {level.value}\n"
        return (
            Edit(slot="/hostname", value=level.value),
            Edit(slot="/process/env/HOSTNAME", value=level.value),
            Edit(slot="run:text/hosts", value=hosts),
            Edit(slot="run:text/hostname", value=level.value + "\n"),
            Edit(slot="/mounts/etc/hosts", value="hosts"),
            Edit(slot="/mounts/etc/hostname", value="hostname"),
        )

    def observe(self, reading: Mapping[str, str], level: Level) -> str | None:
        return reading.get("hostname")


FACTOR: Factor = _Hostname()
