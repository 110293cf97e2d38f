"""Follow a build step with ptrace(2): move the clock where no preload does, note who wrote what.

`attach` forks off a tracer of the calling process, as `strace -D` does: the process itself becomes
the runtime and then the step, so that exit status, signals, terminals and process ids are what they
are without us. The tracer ends with the last process that it follows. Started as a program, this
module tells whether a step could be traced here.

A traced step sees no trace of it in `TracerPid` (the tracer is in no PID namespace of the step's),
but a seccomp filter in its status.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import sys
from typing import NamedTuple

if __name__ == "__main__":
    _HERE = os.path.abspath(__file__)
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(_HERE))))

from repaudit.interposer import program, provenance, ptrace, seccomp, shift

_WALL = 0x40000000  # __WALL: threads, too
_JOB_CONTROL = {signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}
_BORN = {ptrace.EVENT_FORK, ptrace.EVENT_VFORK, ptrace.EVENT_CLONE}


class Wish(NamedTuple):
    """What is asked of the tracer.

    `offset`: seconds by which the clock of unpreloaded programs is moved (None: not at all);
    `preload`: the library that moves it for all others; `out`: the file for the record (None: no
    record). `everywhere` counts the first program as part of the step; else the step is what has
    another root directory than we have.
    """

    offset: int | None
    preload: str
    out: str | None
    everywhere: bool = False


def attach(wish: Wish) -> str | None:
    """Have this process, and all that comes of it, traced from now on; else return why it is not.

    A record that is asked for is there when this returns, and locked (flock(2)) until it is whole.
    """
    if not ptrace.supported():
        return "steps are traced on x86-64 alone"
    ready, said = os.pipe()
    wait, go = os.pipe()
    rules = (*seccomp.CLOCK, *(seccomp.PROVENANCE if wish.out else ()))
    filter_ = seccomp.program(rules)
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        os.close(go)
        _between(wish, parent, said, wait, filter_)
    _, status = os.waitpid(child, 0)
    os.close(said)
    os.close(wait)
    with open(ready, "rb") as answer, open(go, "wb", buffering=0) as word:
        if status:
            return f"a seccomp filter was refused: {os.strerror(os.waitstatus_to_exitcode(status))}"
        word.write(b"!")
        reason = answer.read().decode()
    if reason:
        return reason
    ptrace.install(filter_)
    return None


def _between(wish: Wish, parent: int, said: int, wait: int, filter_: bytes) -> None:
    """Start the tracer as a process that nobody waits for; end, telling if a filter is refused."""
    status = 1
    try:
        os.setsid()
        if os.fork() == 0:
            status = 0
            _serve(wish, parent, said, wait)
        else:
            ptrace.install(filter_)
            status = 0
    except OSError as error:
        status = error.errno or status
    finally:
        os._exit(status)


def _serve(wish: Wish, parent: int, said: int, wait: int) -> None:
    """Trace `parent`, once it is sure that it wants to be; say into the pipe why not."""
    try:
        out = _locked(wish.out)
        _leave_all_but({said, wait, *([out] if out is not None else [])})
        # Not sooner: the end of the process between us would stop the parent with a SIGCHLD.
        if not os.read(wait, 1):
            return
        ptrace.seize(parent)
    except OSError as error:
        os.write(said, f"ptrace was refused: {error.strerror}".encode())
        return
    os.close(said)
    os.close(wait)
    tracer = Tracer(wish, parent)
    tracer.run()
    if out is not None and tracer.record is not None:
        with open(out, "w", encoding="utf-8") as file:
            json.dump({**tracer.record.result(), "faults": sorted(tracer.faults)}, file)


def _locked(path: str | None) -> int | None:
    if path is None:
        return None
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def _leave_all_but(kept: set[int]) -> None:
    """Hold none of the builder's pipes open: it waits for their end."""
    null = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(null, standard)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in kept:
            try:
                os.close(int(name))
            except OSError as error:
                if error.errno != errno.EBADF:  # the listing's own descriptor
                    raise


class Task:
    """A thread: what it executes, and the call whose end we wait for."""

    __slots__ = ("inside", "number", "shifted", "undo", "undone", "wary")

    def __init__(self, parent: Task | None = None) -> None:
        self.inside: bool = parent is not None and parent.inside
        self.number: int | None = parent.number if parent else None
        self.shifted: bool = parent is not None and parent.shifted
        self.wary: bool = parent is not None and parent.wary
        self.undo: shift.Undo | None = None
        self.undone: provenance.Undone | None = None


class Tracer:
    """The loop that serves every stop of every thread of a step."""

    def __init__(self, wish: Wish, first: int) -> None:
        self.record = provenance.Record() if wish.out else None
        self.faults: set[str] = set()
        self._wish = wish
        self._tasks = {first: Task()}
        self._early: set[int] = set()
        root = os.stat("/")
        self._outside = None if wish.everywhere else (root.st_dev, root.st_ino)

    def run(self) -> None:
        """Serve until nothing is left to follow."""
        while True:
            try:
                tid, status = os.waitpid(-1, _WALL)
            except ChildProcessError:
                return
            if status & 0xFF != 0x7F:
                self._tasks.pop(tid, None)
                self._early.discard(tid)
                continue
            try:
                request, given = self._stopped(tid, status >> 16, status >> 8 & 0xFF)
            except ptrace.Gone:
                request, given = ptrace.CONT, 0
            except Exception as error:
                # A fault of ours is told in the record; the step goes on.
                self.faults.add(f"{type(error).__name__}: {error}")
                request, given = ptrace.CONT, 0
            if request:
                ptrace.resume(request, tid, given)

    def _stopped(self, tid: int, event: int, given: int) -> tuple[int, int]:
        """Serve one stop; return how the thread goes on (0: not yet), and its signal."""
        if event == ptrace.EVENT_SECCOMP:
            return self._called(tid, self._tasks[tid]), 0
        if event in _BORN:
            return self._bore(tid), 0
        if event == ptrace.EVENT_EXEC:
            self._executed(tid)
            return ptrace.CONT, 0
        if event == ptrace.EVENT_STOP:
            if given in _JOB_CONTROL:
                return ptrace.LISTEN, 0
            if tid not in self._tasks:  # its parent has not told of it yet
                self._early.add(tid)
                return 0, 0
            return ptrace.CONT, 0
        if given == ptrace.SYSCALL_STOP:
            self._returned(tid, self._tasks[tid])
            return ptrace.CONT, 0
        return ptrace.CONT, given

    def _bore(self, tid: int) -> int:
        child = ptrace.message(tid)
        self._tasks[child] = Task(self._tasks[tid])
        if child in self._early:
            self._early.remove(child)
            ptrace.resume(ptrace.CONT, child)
        return ptrace.CONT

    def _executed(self, tid: int) -> None:
        former = ptrace.message(tid)  # execve in a thread gives it the process's own number
        task = self._tasks[tid] = self._tasks.pop(former)
        task.undo = task.undone = None
        ptrace.hold(tid)
        if not task.inside and not self._is_inside(tid):
            return
        task.inside = True
        task.shifted = task.wary = False
        kind = program.kind(tid)
        noisy = kind.native and self._prepare(tid, task, kind)
        if self.record is not None:
            task.number = self.record.executed(tid, task.number, noisy=noisy)

    def _is_inside(self, tid: int) -> bool:
        root = os.stat(f"/proc/{tid}/root")
        return (root.st_dev, root.st_ino) != self._outside

    def _prepare(self, tid: int, task: Task, kind: program.Kind) -> bool:
        """Decide who moves the clock of a program, and hide the vDSO where calls must be seen.

        Tell whether the preload's own start will make calls that are not the program's.
        """
        start = program.start(tid)
        preload = program.Preload(asked=False, first=False)
        if self._wish.offset is not None:
            if kind.glibc and not start.secure:
                preload = program.preload(tid, self._wish.preload)
            # Go asks the kernel itself, beside the C code that it may be linked with.
            task.shifted = not preload.asked or kind.go
            task.wary = preload.asked and kind.go
        if task.shifted or self.record is not None:
            start.hide_vdso(tid)
        return preload.first

    def _called(self, tid: int, task: Task) -> int:
        if not task.inside:
            return ptrace.CONT
        call = ptrace.call(tid)
        if shift.reads(call):
            if self.record is not None:
                self.record.read(task.number, "clock")
            if self._shifts(tid, task, call):
                shift.read(tid, call, self._wish.offset or 0)
            return ptrace.CONT
        if self._shifts(tid, task, call):
            task.undo = shift.wait(tid, call, self._wish.offset or 0)
        if self.record is not None:
            task.undone = self.record.begins(tid, task.number, call)
        return ptrace.SYSCALL if task.undo or task.undone else ptrace.CONT

    def _shifts(self, tid: int, task: Task, call: ptrace.Call) -> bool:
        return task.shifted and not (task.wary and program.in_libc(tid, call.ip))

    def _returned(self, tid: int, task: Task) -> None:
        undo, undone = task.undo, task.undone
        task.undo = task.undone = None
        if undo is not None:
            undo(tid)
        if undone is not None and self.record is not None:
            self.record.ends(tid, undone, ptrace.result(tid))


def probe() -> str | None:
    """Return why a step could not be traced on this machine, None if it could."""
    ready, said = os.pipe()
    child = os.fork()
    if child == 0:
        reason = attach(Wish(offset=0, preload="", out=None, everywhere=True))
        os.write(said, (reason or "").encode())
        os._exit(0)
    os.close(said)
    with open(ready, "rb") as answer:
        reason = answer.read().decode()
    _, status = os.waitpid(child, 0)
    return reason or (None if status == 0 else f"the traced process ended with {status}")


if __name__ == "__main__":
    found = probe()
    sys.stdout.write(f"{found or 'ok'}\n")
    sys.exit(0 if found is None else 3)
