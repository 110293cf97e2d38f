"""What a traced process has just begun to execute, and what of its start the tracer may change.

Sources: elf(5), getauxval(3), ld.so(8), vdso(7).
"""

from __future__ import annotations

import os
import struct
from array import array
from typing import NamedTuple

from repaudit.interposer import ptrace

_AT_NULL, _AT_IGNORE, _AT_SECURE, _AT_RANDOM, _AT_SYSINFO_EHDR = 0, 1, 23, 25, 33
_PT_INTERP, _PT_NOTE = 3, 4
_NOTE = struct.Struct("<III")
_GO_BUILD_ID = 4
_CHUNK = 4096
_MOST_WORDS = 1 << 20
_MOST_ENVIRONMENT = 256 << 10
_MOST_KINDS = 1024


class Kind(NamedTuple):
    """What an executable file is: of our word size, started by glibc's ld.so, made by Go."""

    native: bool
    glibc: bool
    go: bool


_FOREIGN = Kind(native=False, glibc=False, go=False)
_kinds: dict[tuple[int, int, int, int], Kind] = {}


def kind(tid: int) -> Kind:
    """Return what `tid` executes."""
    path = f"/proc/{tid}/exe"
    try:
        facts = os.stat(path)
        key = (facts.st_dev, facts.st_ino, facts.st_size, facts.st_ctime_ns)
        if key not in _kinds:
            if len(_kinds) >= _MOST_KINDS:
                _kinds.clear()
            with open(path, "rb") as file:
                _kinds[key] = parse(file.read(_CHUNK))
        return _kinds[key]
    except OSError as error:
        raise ptrace.Gone from error


def parse(head: bytes) -> Kind:
    """Read the first page of an ELF file; what is cut off or malformed counts as not there."""
    if head[:6] != b"\x7fELF\2\1" or len(head) < 64:
        return _FOREIGN
    at, size, count = (*struct.unpack_from("<Q", head, 32), *struct.unpack_from("<HH", head, 54))
    glibc = go = False
    for number in range(min(count, 64)):
        start = at + number * size
        if start + 56 > len(head):
            break
        what, offset, length = (
            *struct.unpack_from("<I", head, start),
            *struct.unpack_from("<Q", head, start + 8),
            *struct.unpack_from("<Q", head, start + 32),
        )
        part = head[offset : offset + min(length, 256)]
        glibc |= what == _PT_INTERP and b"/ld-linux" in part
        go |= what == _PT_NOTE and _is_go(part)
    return Kind(native=True, glibc=glibc, go=go)


def _is_go(notes: bytes) -> bool:
    at = 0
    while at + _NOTE.size <= len(notes):
        name, description, kind = _NOTE.unpack_from(notes, at)
        at += _NOTE.size
        if kind == _GO_BUILD_ID and notes[at : at + name] == b"Go\0\0":
            return True
        at += (name + 3 & ~3) + (description + 3 & ~3)
    return False


class Start(NamedTuple):
    """The auxiliary vector of a program that has not run yet: where it lies, and its words."""

    address: int
    words: array[int]

    @property
    def secure(self) -> bool:
        """Whether it got rights by being executed (setuid), and so ignores a preload."""
        return any(kind == _AT_SECURE and value for kind, value in self._pairs())

    def _pairs(self) -> zip[tuple[int, int]]:
        return zip(self.words[::2], self.words[1::2], strict=False)

    def hide_vdso(self, tid: int) -> None:
        """Let the program not find the vDSO, so that it must ask the kernel for the time."""
        for number, (kind, _) in enumerate(self._pairs()):
            if kind == _AT_SYSINFO_EHDR:
                ptrace.force(tid, self.address + 16 * number, struct.pack("<q", _AT_IGNORE))

    def plant(self, tid: int, data: bytes) -> None:
        """Give the program other random bytes to start with; there are 16."""
        for kind, value in self._pairs():
            if kind == _AT_RANDOM:
                ptrace.write(tid, value, data)


def start(tid: int) -> Start:
    """Read the auxiliary vector behind the arguments and the environment, on the new stack."""
    address = ptrace.stack(tid)
    words = array("Q", ptrace.read(tid, address, _CHUNK))
    if not words:
        raise ptrace.Gone
    environment = words[0] + 2  # the count, the arguments, a null
    behind = _find(tid, address, words, environment) + 1
    at = behind
    while True:
        while at + 1 >= len(words):
            _more(tid, address, words)
        if words[at] == _AT_NULL:
            return Start(address + 8 * behind, words[behind:at])
        at += 2


def _find(tid: int, address: int, words: array[int], begin: int) -> int:
    """Return the index of the first null word from `begin` on."""
    while True:
        try:
            return words.index(0, begin)
        except ValueError:
            _more(tid, address, words)


def _more(tid: int, address: int, words: array[int]) -> None:
    data = ptrace.read(tid, address + 8 * len(words), 16 * _CHUNK)
    if len(data) < 8 or len(words) > _MOST_WORDS:
        raise ptrace.Gone
    words.frombytes(data[: len(data) // 8 * 8])


class Preload(NamedTuple):
    """Whether a program's environment asks for a library that is there, and is the first to."""

    asked: bool
    first: bool


def preload(tid: int, library: str) -> Preload:
    """Tell whether the program's environment asks for `library`, which is libfaketime.

    The first program that libfaketime meets makes what it shares with those that come of it.
    """
    try:
        environment = b"\0" + ptrace.content(f"/proc/{tid}/environ", _MOST_ENVIRONMENT)
    except OSError as error:
        raise ptrace.Gone from error
    value = environment.partition(b"\0LD_PRELOAD=")[2].partition(b"\0")[0]
    named = library.encode() in value.replace(b":", b" ").split()
    asked = named and os.path.exists(f"/proc/{tid}/root{library}")
    return Preload(asked, asked and b"\0FAKETIME_SHARED=" not in environment)


def in_libc(tid: int, address: int) -> bool:
    """Tell whether an instruction belongs to the C library, which a preload stands before."""
    with open(f"/proc/{tid}/maps", encoding="utf-8", errors="replace") as file:
        for line in file:
            first, _, last = line.partition(" ")[0].partition("-")
            if int(first, 16) <= address < int(last, 16):
                return os.path.basename(line.rstrip()).startswith(("libc.so", "libc-2", "ld-"))
    return False


def ends(tid: int, *descriptors: int) -> set[str]:
    """Return what a process has for its standard input, output or error, by their numbers."""
    found = set()
    for descriptor in descriptors:
        try:
            found.add(os.readlink(f"/proc/{tid}/fd/{descriptor}"))
        except FileNotFoundError:  # closed
            continue
        except OSError as error:
            raise ptrace.Gone from error
    return found
