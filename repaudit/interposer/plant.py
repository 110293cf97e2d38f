"""Random bytes that are the same in each run that asks for it: an intervention, to name chance.

What differs in all other runs, and in two such runs does not, was made of them. getrandom(2) and
the start of a program (AT_RANDOM, getauxval(3)) are answered by the tracer; the devices are files
that the interposer mounts, and so is what the kernel makes a UUID of at each open.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from typing import Any

from repaudit.interposer import ptrace, seccomp, shift
from repaudit.interposer.edit import HELPERS, bind

_DEVICES, _STREAM, _UUID = ("/dev/random", "/dev/urandom"), "random", "uuid"
_KERNEL_UUID = b"/proc/sys/kernel/random/uuid"
_OUR_UUID = f"{HELPERS}/{_UUID}".encode().ljust(24, b"\0")  # whole words, in the other's room
#: Where the calls that open a file have its name.
_PATHS = {seccomp.OPEN: 0, seccomp.OPENAT: 1, seccomp.OPENAT2: 1}
#: More is given piece by piece: a caller must bear that getrandom(2) returns less.
_MOST = 65_536
_DEVICE = 1 << 20


def mount(config: dict[str, Any], helpers: str) -> None:
    """Let a bundle's random devices be files that are always the same; there they end, though."""
    stream = hashlib.shake_128(b"repaudit").digest(_DEVICE)
    uuid = b"7c1d0b9e-3f52-4a86-9d27-5be40f61a8c3\n"
    for name, data in ((_STREAM, stream), (_UUID, uuid)):
        with open(os.path.join(helpers, name), "wb") as file:
            file.write(data)
    source = os.path.join(helpers, _STREAM)
    config["mounts"] += [bind(device, source, writable=False) for device in _DEVICES]


class Planter:
    """Draws for each program of a step, by what was executed and how often so before.

    Programs that run side by side may change places, and threads may take each other's bytes: then
    two runs differ, and nothing is shown by that.
    """

    def __init__(self) -> None:
        self._started: Counter[tuple[str, ...]] = Counter()
        self._keys: dict[int, bytes] = {}
        self._drawn: Counter[int] = Counter()

    def begin(self, number: int, executable: str, argv: Sequence[str]) -> None:
        """Note that the program that has this number begins."""
        words = (executable, *argv)
        self._keys[number] = repr((words, self._started[words])).encode()
        self._started[words] += 1

    def draw(self, number: int, size: int) -> bytes:
        """Return the next bytes of a program."""
        self._drawn[number] += 1
        key = self._keys[number] + b" %d" % self._drawn[number]
        return hashlib.shake_128(key).digest(min(size, _MOST))

    def answer(self, tid: int, number: int, call: ptrace.Call) -> shift.Undo | None:
        """Answer getrandom(2), and let an open of the kernel's UUID find ours.

        What is to be done at the end of the call comes back.
        """
        if call.number == seccomp.GETRANDOM:
            data = self.draw(number, call.args[1])
            if ptrace.write(tid, call.args[0], data):
                ptrace.answer(tid, len(data))
        elif call.number in _PATHS:
            address = call.args[_PATHS[call.number]]
            if ptrace.text(tid, address) == _KERNEL_UUID:
                former = ptrace.read(tid, address, len(_OUR_UUID))
                ptrace.force(tid, address, _OUR_UUID)
                return lambda tid: ptrace.force(tid, address, former)
        return None
