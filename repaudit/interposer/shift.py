"""The wall clock of programs that no preload reaches: static ones, musl's, Go's, setuid ones.

Reads of the clock are answered by us, without a second stop. Instants that a program waits for are
set back for the time of the call, so that it waits as long as it means to. Times of files stay.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable

from repaudit.interposer import ptrace, seccomp

_SECOND = 1_000_000_000
_EFAULT = 14
#: Where the calls take a pointer to the instant, and how far behind it the instant lies (struct
#: itimerspec begins with the interval).
_WAITS = {
    seccomp.CLOCK_NANOSLEEP: (2, 0),
    seccomp.TIMER_SETTIME: (2, 16),
    seccomp.TIMERFD_SETTIME: (2, 16),
    seccomp.FUTEX: (3, 0),
}
#: A timer's clock is not in the call. No machine runs for thirty years, so an instant later than
#: that is one of CLOCK_REALTIME.
_FIRST_DATE = 30 * 365 * 86_400

Undo = Callable[[int], None]


def reads(call: ptrace.Call) -> bool:
    """Tell whether the call reads the clock."""
    return call.number in _READS


def read(tid: int, call: ptrace.Call, offset: int) -> None:
    """Answer a read of the clock: it is `offset` seconds later than it is."""
    _READS[call.number](tid, call.args, offset)


def wait(tid: int, call: ptrace.Call, offset: int) -> Undo | None:
    """Set back the instant that the call waits for; return what is to be done at its end."""
    found = _WAITS.get(call.number)
    if found is None or not call.args[found[0]]:
        return None
    address = call.args[found[0]] + found[1]
    instant = ptrace.read(tid, address, 16)
    if len(instant) < 16:
        return None
    (seconds,) = struct.unpack_from("<q", instant)
    if seconds < _FIRST_DATE:
        return None
    ptrace.force(tid, address, struct.pack("<q", max(0, seconds - offset)))
    return lambda tid: ptrace.force(tid, address, instant)


def _clock_gettime(tid: int, args: tuple[int, ...], offset: int) -> None:
    now = time.clock_gettime_ns(args[0] & 0xFFFFFFFF) + offset * _SECOND
    _give(tid, args[1], struct.pack("<qq", *divmod(now, _SECOND)))


def _gettimeofday(tid: int, args: tuple[int, ...], offset: int) -> None:
    seconds, rest = divmod(time.time_ns(), _SECOND)
    if args[1]:
        ptrace.write(tid, args[1], bytes(8))  # struct timezone: all zero since long
    if args[0]:
        _give(tid, args[0], struct.pack("<qq", seconds + offset, rest // 1000))
    else:
        ptrace.answer(tid, 0)


def _time(tid: int, args: tuple[int, ...], offset: int) -> None:
    seconds = int(time.time()) + offset
    if args[0]:
        _give(tid, args[0], struct.pack("<q", seconds), seconds)
    else:
        ptrace.answer(tid, seconds)


def _give(tid: int, address: int, data: bytes, value: int = 0) -> None:
    ptrace.answer(tid, value if ptrace.write(tid, address, data) else -_EFAULT)


_READS: dict[int, Callable[[int, tuple[int, ...], int], None]] = {
    seccomp.CLOCK_GETTIME: _clock_gettime,
    seccomp.GETTIMEOFDAY: _gettimeofday,
    seccomp.TIME: _time,
}
