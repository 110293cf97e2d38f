"""ptrace(2), process_vm_readv(2) and seccomp(2), through ctypes: what the tracer asks the kernel.

Imported only where a step is traced: ctypes costs some milliseconds. x86-64 alone (`supported`).
Every call raises Gone where the tracee has been killed meanwhile, which may happen at any stop.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from typing import NamedTuple

CONT, DETACH, SYSCALL, LISTEN = 7, 17, 24, 0x4208
_PEEK_USER, _POKE_DATA, _POKE_USER = 3, 5, 6
_SET_OPTIONS, _GET_EVENT_MESSAGE, _INTERRUPT = 0x4200, 0x4201, 0x4207
_GET_SYSCALL_INFO = 0x420E

EVENT_FORK, EVENT_VFORK, EVENT_CLONE, EVENT_EXEC, EVENT_SECCOMP, EVENT_STOP = 1, 2, 3, 4, 7, 128
#: TRACESYSGOOD and the events above: what follows a step into all its processes and threads.
FOLLOW = 0x1 | 0x2 | 0x4 | 0x8 | 0x10 | 0x80
#: A tracer that ends unforeseen takes its tracees along: they would get ENOSYS for every call that
#: the filter hands to it.
EXIT_KILL = 0x100000
SYSCALL_STOP = 0x85  # SIGTRAP | 0x80: a stop at the end of a system call

#: struct user_regs_struct, in bytes.
RAX, RDI, ORIG_RAX = 10 * 8, 14 * 8, 15 * 8

#: The requests by which a process becomes a tracee: its own, and two of a tracer's.
TRACE_ME, ATTACH, SEIZE = 0, 16, 0x4206

_PAGE, _SHORT = 4096, 256
_INFO = struct.Struct("<B3xIQQQ6Q")
_RESULT = struct.Struct("<q")
_SPEC_ALLOW, _SET_MODE_FILTER, _SECCOMP = 1 << 2, 1, 317


class Gone(Exception):
    """The tracee has ended, or cannot be asked."""


class Call(NamedTuple):
    """A system call at its beginning: number, arguments, and the caller's instruction pointer."""

    number: int
    args: tuple[int, ...]
    ip: int


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def _function(library: ctypes.CDLL, name: str, *types: object) -> ctypes._NamedFuncPointer:
    found = getattr(library, name)
    found.argtypes, found.restype = types, ctypes.c_long
    return found  # type: ignore[no-any-return]


_long, _pointer = ctypes.c_long, ctypes.c_void_p
_fast = ctypes.PyDLL(None)  # none of these calls blocks, and there is one thread
_strict = ctypes.CDLL(None, use_errno=True)
_ptrace = _function(_fast, "ptrace", _long, _long, _long, _long)
_first_ptrace = _function(_strict, "ptrace", _long, _long, _long, _long)
_syscall = _function(_strict, "syscall", _long, _long, _long, _pointer)
_vectors = (ctypes.c_int, _pointer, _long, _pointer, _long, _long)
_readv = _function(_fast, "process_vm_readv", *_vectors)
_writev = _function(_fast, "process_vm_writev", *_vectors)

_buffer = ctypes.create_string_buffer(_PAGE + 1)
_here, _there = _Vector(ctypes.addressof(_buffer), 0), _Vector(0, 0)
_here_at, _there_at = ctypes.addressof(_here), ctypes.addressof(_there)
_info = ctypes.create_string_buffer(88)
_info_at = ctypes.addressof(_info)
_message = ctypes.c_ulong()
_message_at = ctypes.addressof(_message)


def supported() -> bool:
    """Tell whether this machine's registers and call numbers are the ones that we know."""
    return os.uname().machine == "x86_64" and sys.maxsize > 1 << 32


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def seize(pid: int) -> None:
    """Begin to trace `pid`, without stopping it; raise OSError if that is not allowed."""
    if _first_ptrace(SEIZE, pid, 0, FOLLOW) == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def install(program: bytes) -> None:
    """Put a seccomp filter on this thread, and on all that it will start; raise OSError if refused.

    Without `no_new_privs`, which the step would see: so CAP_SYS_ADMIN is needed.
    """
    told = _Program(len(program) // 8, program)
    flags = _SPEC_ALLOW
    if _syscall(_SECCOMP, _SET_MODE_FILTER, flags, ctypes.addressof(told)) == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def hold(tid: int) -> None:
    """Let a stopped tracee die with the tracer."""
    _ptrace(_SET_OPTIONS, tid, 0, FOLLOW | EXIT_KILL)


def resume(request: int, tid: int, signal: int = 0) -> None:
    """Let a stopped tracee go on, and give it `signal`; silent if it is gone."""
    _ptrace(request, tid, 0, signal)


def interrupt(tid: int) -> None:
    """Ask a running tracee to stop."""
    _ptrace(_INTERRUPT, tid, 0, 0)


def message(tid: int) -> int:
    """Return what an event tells: the new process, or the thread that called execve."""
    if _ptrace(_GET_EVENT_MESSAGE, tid, 0, _message_at) == -1:
        raise Gone
    return _message.value


def _asked(tid: int) -> None:
    if _ptrace(_GET_SYSCALL_INFO, tid, len(_info), _info_at) <= 0:
        raise Gone


def call(tid: int) -> Call:
    """Return the system call at whose beginning a filter stopped the tracee."""
    _asked(tid)
    told = _INFO.unpack_from(_info)
    return Call(told[4], told[5:], told[2])


def result(tid: int) -> int:
    """Return what the system call returned at whose end the tracee stands: negative is an errno."""
    _asked(tid)
    return int(_RESULT.unpack_from(_info, 24)[0])


def stack(tid: int) -> int:
    """Return the stack pointer."""
    _asked(tid)
    return int(_INFO.unpack_from(_info)[3])


def poke(tid: int, register: int, value: int) -> None:
    """Set a register of a stopped tracee."""
    if _ptrace(_POKE_USER, tid, register, _signed(value)) == -1:
        raise Gone


def answer(tid: int, value: int) -> None:
    """Let the system call at whose beginning the tracee stands return `value`, without running."""
    poke(tid, ORIG_RAX, -1)
    poke(tid, RAX, value)


def force(tid: int, address: int, data: bytes) -> None:
    """Write whole words, to what is read-only for the tracee as well (its copy is changed)."""
    for at, (word,) in enumerate(struct.iter_unpack("<q", data)):
        if _ptrace(_POKE_DATA, tid, _signed(address + 8 * at), word) == -1:
            raise Gone


def write(tid: int, address: int, data: bytes) -> bool:
    """Write memory as the tracee itself could; False for a bad address."""
    ctypes.memmove(_buffer, data, len(data))
    _here.length = _there.length = len(data)
    _there.base = address
    return bool(_writev(tid, _here_at, 1, _there_at, 1, 0) == len(data))


def content(path: str, most: int) -> bytes:
    """Return the first bytes of a file below /proc: half the price of open()."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, most)
    finally:
        os.close(descriptor)


def read(tid: int, address: int, size: int) -> bytes:
    """Return up to `size` bytes of memory; fewer at the end of what is mapped."""
    found = bytearray()
    while len(found) < size:
        part = _page(tid, address + len(found), size - len(found))
        if not part:
            break
        found += _buffer.raw[:part]
    return bytes(found)


def text(tid: int, address: int) -> bytes:
    """Return the string at an address, cut off after 4096 bytes; empty for a bad address."""
    found = b""
    size = _SHORT  # as most names are: to copy a page takes as long as to ask for it
    while (part := _page(tid, address + len(found), size - len(found))) > 0:
        _buffer[part] = b"\0"
        more = _buffer.value
        found += more
        if len(more) < part or len(found) >= _PAGE:
            break
        size = _PAGE
    return found


def _page(tid: int, address: int, size: int) -> int:
    """Read to the end of the page at most, into the buffer: what lies behind may not be there."""
    _here.length = _there.length = min(size, _PAGE - address % _PAGE)
    _there.base = address
    return int(max(0, _readv(tid, _here_at, 1, _there_at, 1, 0)))
