"""Who wrote what, and what it read that is not the same in two builds: the record of one step.

A program is one execve of one process; what a process does before its first, or in a fork of its
own, counts for the program that it comes from. Paths are those of the step's root directory.

What a program reads of other files is recorded where that was asked for: of the paths asked for and
of those that the step writes.
"""

from __future__ import annotations

import ctypes
import os
import struct
from typing import Any, NamedTuple

from repaudit.interposer import names, pipes, ptrace, rootfs, seccomp
from repaudit.interposer.program import ends

_MOST_PROGRAMS = 20_000
_MOST_WORDS, _MOST_ARGV = 256, 2048
_MOST_DETAILS = 16
#: Of all arguments, directories and the like together, in characters.
_MOST_TEXT = 32 << 20
_MOST_FOLDERS = 4096
_AT_FDCWD = -100
_EXCHANGE = 2  # RENAME_EXCHANGE
_MALLOC = "8"  # bytes of randomness that glibc's malloc takes once in each program
_NOWHERE = tuple(map(str.encode, names.NO_FILES))
#: Files that are read for chance or for the time: seen where all that is read is.
_DRAWN = {
    b"/dev/random": "random",
    b"/dev/urandom": "random",
    b"/proc/sys/kernel/random/": "random",
    b"/proc/uptime": "clock",
    b"/proc/stat": "clock",
}
_ROOTS = {seccomp.CHROOT, seccomp.PIVOT_ROOT}
_KINDS = {seccomp.UNAME: "uname", seccomp.GETAFFINITY: "cpus", seccomp.SYSINFO: "memory"}


class Name(NamedTuple):
    """How a call gives a name: the arguments that hold the directory (None: cwd) and the path."""

    folder: int | None
    path: int


#: What the calls do that name files: what is done, and the names, the new one last.
_NAMES: dict[int, tuple[str, tuple[Name, ...]]] = {
    seccomp.RENAME: ("move", (Name(None, 0), Name(None, 1))),
    seccomp.RENAMEAT: ("move", (Name(0, 1), Name(2, 3))),
    seccomp.RENAMEAT2: ("move", (Name(0, 1), Name(2, 3))),
    seccomp.LINK: ("link", (Name(None, 0), Name(None, 1))),
    seccomp.LINKAT: ("link", (Name(0, 1), Name(2, 3))),
    seccomp.SYMLINK: ("make", (Name(None, 1),)),
    seccomp.SYMLINKAT: ("make", (Name(1, 2),)),
    seccomp.MKDIR: ("make", (Name(None, 0),)),
    seccomp.MKDIRAT: ("make", (Name(0, 1),)),
    seccomp.MKNOD: ("make", (Name(None, 0),)),
    seccomp.MKNODAT: ("make", (Name(0, 1),)),
    seccomp.TRUNCATE: ("change", (Name(None, 0),)),
}
_OPENS = {
    seccomp.OPEN: (Name(None, 0), 1),
    seccomp.OPENAT: (Name(0, 1), 2),
    seccomp.CREAT: (Name(None, 0), None),
    seccomp.OPENAT2: (Name(0, 1), 2),
}


class Undone(NamedTuple):
    """A call that has begun: what it does when it succeeds, for which program, with which names."""

    what: str
    program: int
    paths: tuple[str, ...]


class Record:
    """What a step did, within bounds of memory; `cut` names those that were reached."""

    def __init__(self, asked: frozenset[str] = frozenset()) -> None:
        self._asked = asked
        self._pipes = pipes.Pipes()
        self.programs: list[dict[str, Any]] = []
        self.cut: set[str] = set()
        self._room = _MOST_TEXT
        self._noise: list[dict[str, dict[str, int]]] = []
        self._names = names.Names()
        self._folders: dict[str, str] = {}
        #: Whether some process may have another root directory than the first.
        self._rooted = False

    def executed(self, tid: int, parent: int | None, *, noisy: bool) -> int | None:
        """Note that a process has begun a program; return its number (its parent's: no room).

        A `noisy` one will begin with what the preload does once, which is not its own.
        """
        if len(self.programs) >= _MOST_PROGRAMS or self._room < 0:
            self.cut.add("programs")
            return parent
        try:
            words = ptrace.content(f"/proc/{tid}/cmdline", _MOST_ARGV + 1)
            executable, cwd = os.readlink(f"/proc/{tid}/exe"), os.readlink(f"/proc/{tid}/cwd")
        except OSError as error:
            raise ptrace.Gone from error
        argv = words[:_MOST_ARGV].removesuffix(b"\0").split(b"\0")
        if len(words) > _MOST_ARGV or len(argv) > _MOST_WORDS:
            self.cut.add("arguments")
        self._room -= len(words) + len(executable) + len(cwd)
        self.programs.append(
            {
                "parent": parent,
                "executable": executable,
                "argv": [os.fsdecode(word) for word in argv[:_MOST_WORDS]],
                "cwd": cwd,
                "inputs": {},
            }
        )
        self._noise.append({"clock": {"": int(noisy)}, "random": {_MALLOC: 1 + int(noisy)}})
        number = len(self.programs) - 1
        outputs = ends(tid, 1, 2)
        for path in outputs:
            if path.startswith("/") and not path.startswith(names.NO_FILES):
                self._names.inherited(path, number, parent)
        if self._asked:
            inputs = ends(tid, 0)
            self._pipes.starts(number, inputs, outputs)
            for path in inputs:
                self._reads(number, path)
        return number

    def _reads(self, program: int, path: str) -> None:
        plain = path.lstrip("/")
        if plain in self._asked or self._names.known(path):
            self.read(program, "file", plain)

    def _draws(self, program: int, path: bytes) -> None:
        for beginning, kind in _DRAWN.items():
            if path.startswith(beginning):
                self.read(program, kind)

    def read(self, program: int | None, kind: str, detail: str = "") -> None:
        """Note that a program read something that is not the same in two builds."""
        if program is None:
            return
        seen = self.programs[program]["inputs"].setdefault(kind, {})
        if detail not in seen:
            if len(seen) >= _MOST_DETAILS or self._room < 0:
                self.cut.add("inputs")
                return
            self._room -= len(detail)
        seen[detail] = seen.get(detail, 0) + 1

    def begins(self, tid: int, program: int | None, call: ptrace.Call) -> Undone | None:
        """Note what a call reads; return what must be seen at its end, None for nothing."""
        if program is None:
            return None
        if call.number in _OPENS:
            return self._open(tid, program, call)
        if call.number in _NAMES:
            return self._name(tid, program, call)
        if call.number == seccomp.GETRANDOM:
            self.read(program, "random", str(call.args[1]))
        elif call.number in _KINDS:
            self.read(program, _KINDS[call.number])
        elif call.number in _ROOTS:
            self._rooted = True
        return None

    def _open(self, tid: int, program: int, call: ptrace.Call) -> Undone | None:
        place, at = _OPENS[call.number]
        flags = seccomp.O_WRITES if at is None else call.args[at]
        if call.number == seccomp.OPENAT2:
            how = ptrace.read(tid, flags, 8)
            flags = struct.unpack("<Q", how)[0] if len(how) == 8 else 0
        if flags & seccomp.O_PATH:
            return None
        path = ptrace.text(tid, call.args[place.path])
        if path.startswith(_NOWHERE):
            self._draws(program, path)
            return None
        folder = None if place.folder is None else call.args[place.folder]
        if not flags & seccomp.O_WRITES:
            if flags & seccomp.O_DIRECTORY:
                where = self._absolute(tid, folder, os.fsdecode(path))
                self.read(program, "listing", os.path.normpath(where))
            elif self._asked:
                self._reads(program, self._place(tid, folder, path))
            return None
        if flags & seccomp.O_CREAT and not flags & seccomp.O_DIRECTORY:
            where = self._place(tid, folder, path)
            if not self._exists(tid, where):
                # Whether the call succeeds is told by whether the file is there at last: a second
                # stop at its end would double the cost of what steps do most.
                self._names.wrote(where, program)
                return None
        return Undone("open", program, ())

    def _name(self, tid: int, program: int, call: ptrace.Call) -> Undone | None:
        what, places = _NAMES[call.number]
        paths = tuple(
            self._place(
                tid,
                None if place.folder is None else call.args[place.folder],
                ptrace.text(tid, call.args[place.path]),
            )
            for place in places
        )
        if what == "make":
            if not self._exists(tid, paths[0]):  # else the call fails
                self._folders.clear()
                self._names.wrote(paths[0], program)
            return None
        if call.number == seccomp.RENAMEAT2 and call.args[4] & _EXCHANGE:
            what = "swap"
        return Undone(what, program, paths)

    def _place(self, tid: int, folder: int | None, given: bytes) -> str:
        """Return where a name lies, the links of its directories followed."""
        path = os.fsdecode(given)
        if not path and folder is not None:  # AT_EMPTY_PATH: the file itself
            return self._absolute(tid, folder, "")
        head, _, name = self._absolute(tid, folder, path).rstrip("/").rpartition("/")
        if head not in self._folders:
            if len(self._folders) >= _MOST_FOLDERS:
                self._folders.clear()
            self._folders[head] = self._followed(tid, head)
        return f"{self._folders[head]}/{name}"

    def _root(self, tid: int) -> str:
        """Return the root directory of `tid`, without its last slash: not empty after chroot(2)."""
        if not self._rooted:
            return ""
        try:
            return os.readlink(f"/proc/{tid}/root").rstrip("/")
        except OSError as error:
            raise ptrace.Gone from error

    def _absolute(self, tid: int, folder: int | None, path: str) -> str:
        """Return a path from the root directory of the step, its links not followed."""
        if path.startswith("/"):
            return self._root(tid) + path
        descriptor = ctypes.c_int(_AT_FDCWD if folder is None else folder).value
        place = "cwd" if descriptor == _AT_FDCWD else f"fd/{descriptor}"
        try:
            return f"{os.readlink(f'/proc/{tid}/{place}')}/{path}"
        except OSError as error:
            raise ptrace.Gone from error

    def _followed(self, tid: int, folder: str) -> str:
        """Return a directory with its links followed, as `tid` does: below its own root."""
        root = self._root(tid)
        if not f"{folder}/".startswith(f"{root}/"):
            return folder
        here = f"/proc/{tid}/root"
        found = rootfs.resolve(here, folder.removeprefix(root))
        return folder if found is None else root + found.removeprefix(here).rstrip("/")

    def _exists(self, tid: int, path: str) -> bool:
        """Tell whether a name is there, its last link not followed."""
        root = self._root(tid)
        inner = path.removeprefix(root) if f"{path}/".startswith(f"{root}/") else path
        # Half the price of lstat(2), as the kernel fills in nothing.
        return os.access(f"/proc/{tid}/root{inner}", os.F_OK, follow_symlinks=False)

    def ends(self, tid: int, undone: Undone, result: int) -> None:
        """Note what a call did that has ended with `result`."""
        if result < 0:
            return
        what, program, paths = undone
        if what == "open":
            try:
                path = os.readlink(f"/proc/{tid}/fd/{result}")
            except OSError as error:
                raise ptrace.Gone from error
            if path.startswith("/") and not path.endswith(" (deleted)"):
                self._names.wrote(path, program)
        elif what == "change":
            self._names.wrote(paths[0], program)
        else:
            self._named(what, program, *paths)

    def _named(self, what: str, program: int, old: str, new: str) -> None:
        if old in self._folders or new in self._folders:
            self._folders.clear()
        if what == "move":
            self._names.moved(old, new, program)
        elif what == "link":
            self._names.linked(old, new, program)
        else:
            self._names.swapped(old, new, program)

    def result(self) -> dict[str, Any]:
        """Return all of it, in an order that does not depend on chance."""
        for program, noise in zip(self.programs, self._noise, strict=True):
            program["inputs"] = _without(noise, program["inputs"])
        fed = self._pipes.fed([program["parent"] for program in self.programs])
        for number, program in enumerate(self.programs):
            program["fed"] = sorted(fed.get(number, ()))
        writers = self._names.writers()
        return {
            "programs": self.programs,
            "writers": writers,
            "cut": sorted(self.cut | ({"names"} if self._names.full else set())),
        }


def _without(
    noise: dict[str, dict[str, int]], inputs: dict[str, dict[str, int]]
) -> dict[str, dict[str, int]]:
    """Take out what the C library and the preload read when a program starts."""
    left: dict[str, dict[str, int]] = {}
    for kind, seen in inputs.items():
        for detail, count in seen.items():
            own = count - noise.get(kind, {}).get(detail, 0)
            if own > 0:
                left.setdefault(kind, {})[detail] = own
    return left
