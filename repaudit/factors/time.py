"""The wall clock of a build step.

libfaketime is preloaded and reads its offset from a file, so that the environment is the same in
every run and a step that writes its environment down does not differ by our doing. Programs that no
preload reaches (static ones, musl's, Go's, setuid ones) get the same offset from the tracer. The
variant is 400 days ahead: another year, month and weekday, so that formats with whole days show it
too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from repaudit.factors.interface import HELPERS, Factor, Machine
from repaudit.model.experiment import Edit, Held, Level

_DAY = 86_400
#: What the control's level is called, at which a clock stands that was not moved.
_REAL = "start"
#: Seconds by which a clock may be early and still stand at its level.
_SLACK = 60
#: Less than the least shift, in seconds: no run is that long, and no real clock is at a level then.
_LONGEST = 25 * 3_600
_EPOCH = re.compile(r"[0-9]{1,12}")
_LIBRARY = "libfaketime.so.1"
_OWN = ("LD_PRELOAD", "FAKETIME*")
_ENV = {
    "LD_PRELOAD": f"{HELPERS}/{_LIBRARY}",
    "FAKETIME_TIMESTAMP_FILE": f"{HELPERS}/clock",
    "NO_FAKE_STAT": "1",  # files keep their real times; layers are clamped by the builder
    "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # time-outs and sleeps stay as they are
}


class _Time:
    name = "time"
    summary = "the wall clock, 400 days ahead (libfaketime; for static programs, ptrace)"
    slots = frozenset(
        {
            "run:clock",
            "exec:clock",
            f"run:file/{_LIBRARY}",
            *(f"/process/env/{name}" for name in _ENV),
        }
    )

    def levels(self, machine: Machine) -> tuple[Level, ...] | Held:
        if machine.preload is None:
            return Held(factor=self.name, reason="libfaketime is not installed")
        # Certificates and signed package lists may have run out in 400 days; they have not a day
        # later, and the date differs all the same.
        shifts = {_REAL: 0, "start+400d": 400 * _DAY, "start+26h": 26 * 3_600}
        return tuple(
            Level(factor=self.name, name=name, value=str(machine.start + shift))
            for name, shift in shifts.items()
        )

    def edits(self, level: Level, machine: Machine) -> tuple[Edit, ...]:
        needs = machine.preload_needs
        return (
            Edit(slot="run:clock", value=level.value),
            Edit(slot="exec:clock", value="on", unless=("FAKETIME*",)),
            Edit(slot=f"run:file/{_LIBRARY}", value=machine.preload or ""),
            *(
                Edit(slot=f"/process/env/{name}", value=value, unless=_OWN, needs=needs)
                for name, value in _ENV.items()
            ),
        )

    def observe(self, reading: Mapping[str, str], level: Level) -> str | None:
        # Where the host's `date` cannot run, no program is preloaded, and the static one tells all.
        epoch = reading.get("epoch") or reading.get("static-epoch", "")
        if not _EPOCH.fullmatch(epoch):
            return None
        # Two runs may lie on either side of a midnight, so that another date shows nothing.
        there = -_SLACK <= int(epoch) - int(level.value) < _LONGEST
        return level.name if there else _REAL


FACTOR: Factor = _Time()
