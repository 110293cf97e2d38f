"""The seccomp filter that stops a step for the tracer, and for nothing else (seccomp(2), bpf(2)).

It is ours, put on the process that becomes the runtime, and so stands beside whatever filter the
bundle asks for: the kernel takes the stricter answer of the two, and TRACE is milder than any
refusal. Calls that no rule names are allowed from the kernel's cache, at no cost.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

_ARCH_X86_64 = 0xC000003E
_TRACE, _ALLOW = 0x7FF00000, 0x7FFF0000
_LOAD, _AND = 0x20, 0x54
_IF_EQUAL, _IF_ANY, _RETURN = 0x15, 0x45, 0x06
_NUMBER_AT, _ARCH_AT, _ARGS_AT = 0, 4, 16

OPEN, OPENAT, CREAT, OPENAT2, TRUNCATE = 2, 257, 85, 437, 76
RENAME, RENAMEAT, RENAMEAT2, LINK, LINKAT = 82, 264, 316, 86, 265
SYMLINK, SYMLINKAT, MKDIR, MKDIRAT, MKNOD, MKNODAT = 88, 266, 83, 258, 133, 259
GETRANDOM, UNAME, GETAFFINITY, SYSINFO = 318, 63, 204, 99
CLOCK_GETTIME, GETTIMEOFDAY, TIME = 228, 96, 201
CLOCK_NANOSLEEP, TIMER_SETTIME, TIMERFD_SETTIME, FUTEX = 230, 223, 286, 202
PTRACE, CLONE, CHROOT, PIVOT_ROOT = 101, 56, 161, 155

O_CREAT = 0o100
O_WRITES = 0o1 | 0o2 | O_CREAT | 0o1000  # O_WRONLY, O_RDWR, O_CREAT, O_TRUNC
O_DIRECTORY, O_PATH = 0o200000, 0o10000000
CLONE_UNTRACED = 0x00800000
#: The clocks that show the date: CLOCK_REALTIME, its coarse and alarm forms, CLOCK_TAI.
DATED = (0, 5, 8, 11)
#: futex(2): operations whose time-out is an instant of CLOCK_REALTIME.
FUTEX_REALTIME, FUTEX_LOCK_PI = 256, 6


class Rule(NamedTuple):
    """A call that stops, and when: `any` of some bits, or one of the values `among`, in `arg`.

    `masked` is applied to the argument before it is compared with `among`. With none of them the
    call always stops.
    """

    number: int
    arg: int = 0
    any: int = 0
    among: Sequence[int] = ()
    masked: int = 0


#: What shows the date, or waits for one.
CLOCK = (
    Rule(CLOCK_GETTIME, 0, among=DATED),
    Rule(GETTIMEOFDAY),
    Rule(TIME),
    Rule(CLOCK_NANOSLEEP, 1, any=1),  # TIMER_ABSTIME
    Rule(TIMER_SETTIME, 1, any=1),
    Rule(TIMERFD_SETTIME, 1, any=1),  # TFD_TIMER_ABSTIME
    Rule(FUTEX, 1, any=FUTEX_REALTIME, among=(FUTEX_LOCK_PI,), masked=127),
)
#: What a step does that traces programs itself.
OTHERS = (Rule(PTRACE), Rule(CLONE, 0, any=CLONE_UNTRACED))
#: What writes a name of a file, and what is not the same in two builds.
PROVENANCE = (
    Rule(OPENAT, 2, any=O_WRITES | O_DIRECTORY),
    Rule(OPEN, 1, any=O_WRITES | O_DIRECTORY),
    *map(Rule, (CREAT, OPENAT2, TRUNCATE, RENAME, RENAMEAT, RENAMEAT2, LINK, LINKAT)),
    *map(Rule, (SYMLINK, SYMLINKAT, MKDIR, MKDIRAT, MKNOD, MKNODAT)),
    *map(Rule, (UNAME, GETAFFINITY, SYSINFO, GETRANDOM, CHROOT, PIVOT_ROOT)),
    *OTHERS,
)
#: Every open, also one that only reads: asked for where it is of use, since it stops most often.
READS = (Rule(OPENAT), Rule(OPEN))


def program(rules: Iterable[Rule]) -> bytes:
    """Return the filter that hands these calls to the tracer, as struct sock_filter[]."""
    body = b"".join(map(_block, rules))
    other = _word(_IF_EQUAL, _ARCH_X86_64, 1, 0) + _word(_RETURN, _ALLOW)
    head = _word(_LOAD, _ARCH_AT) + other + _word(_LOAD, _NUMBER_AT)
    return head + body + _word(_RETURN, _ALLOW)


def _word(code: int, value: int, true: int = 0, false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, true, false, value)


def _block(rule: Rule) -> bytes:
    """Return one rule: its call's number, the tests of the argument, both answers."""
    tests = [(_IF_ANY, rule.any)] if rule.any else []
    wanted = [(_IF_EQUAL, value) for value in rule.among]
    words: list[tuple[int, int]] = [*tests]
    if wanted:
        words += [(_AND, rule.masked)] if rule.masked else []
        words += wanted
    if not words:
        answer = [_word(_RETURN, _TRACE)]
    else:
        answer = [_word(_LOAD, _ARGS_AT + 8 * rule.arg)]
        for at, (code, value) in enumerate(words):
            jump = len(words) - at  # over the words that are left, and the refusal
            answer.append(_word(code, value, jump if code != _AND else 0))
        answer += [_word(_RETURN, _ALLOW), _word(_RETURN, _TRACE)]
    return _word(_IF_EQUAL, rule.number, 0, len(answer)) + b"".join(answer)
