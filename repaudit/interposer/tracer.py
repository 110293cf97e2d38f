"""Follow a build step with ptrace(2): move the clock where no preload does, note who wrote what.

A step sees nothing of it in `TracerPid`, since the tracer is in no PID namespace of the step's, but
a seccomp filter in its status. A program that traces others itself (strace, gdb, LeakSanitizer) can
do so while only the clock is moved: what it traces is let go. Under a record it is refused (EPERM),
and the record says so.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import NamedTuple

from repaudit.interposer import program, provenance, ptrace, seccomp, shift

_WALL = 0x40000000  # __WALL: threads, too
_MOST_TOLD = 300
_OTHERS = frozenset({seccomp.PTRACE, seccomp.CLONE})
_JOB_CONTROL = {signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}
_BORN = {ptrace.EVENT_FORK, ptrace.EVENT_VFORK, ptrace.EVENT_CLONE}


class Wish(NamedTuple):
    """What is asked of the tracer.

    `offset`: seconds by which the clock of unpreloaded programs is moved (None: not at all);
    `preload`: the library that moves it for all others; `out`: the file for the record (None: no
    record); `asked`: the paths, without a first slash, of which it is recorded who reads them (if
    there are none, reading is not recorded). With a record, `planted` random bytes are those of
    plant.py. `everywhere` counts the first program as part of the
    step; else the step is what has another root directory than we have. `unmoved` is the file to
    add a line to for what the clock was not moved of.
    """

    offset: int | None
    preload: str
    out: str | None
    asked: frozenset[str] = frozenset()
    planted: bool = False
    everywhere: bool = False
    unmoved: str | None = None


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
        self.record = provenance.Record(wish.asked) if wish.out else None
        self.faults: set[str] = set()
        self._told: set[str] = set()
        self._wish = wish
        self._planter = None
        if wish.planted:
            from repaudit.interposer import plant  # with hashlib, which few steps need

            self._planter = plant.Planter()
        self._tasks = {first: Task()}
        self._early: set[int] = set()
        #: Tracees to be let go at their next stop, and who waits for that.
        self._leaving: dict[int, list[int]] = {}
        root = os.stat("/")
        self._outside = None if wish.everywhere else (root.st_dev, root.st_ino)

    def run(self) -> None:
        """Serve until nothing is left to follow."""
        while True:
            try:
                tid, status = os.waitpid(-1, _WALL)
            except ChildProcessError:
                return
            try:
                if status & 0xFF != 0x7F:
                    self._ended(tid)
                    continue
                request, given = self._stopped(tid, status >> 16, status >> 8 & 0xFF)
            except ptrace.Gone:
                request, given = ptrace.CONT, 0
            except Exception as error:
                # A fault of ours is told; the step goes on.
                fault = f"{type(error).__name__}: {error}"
                self.faults.add(fault)
                self._keeps(
                    f"the tracer failed, and a program may have kept the real clock: {fault}"
                )
                request, given = ptrace.CONT, 0
            # Not while an instant is set back for the time of a call: that must end first.
            if request and tid in self._leaving and request != ptrace.SYSCALL:
                ptrace.resume(ptrace.DETACH, tid, given)
                self._forget(tid)
            elif request:
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

    def _ended(self, tid: int) -> None:
        """Forget a thread; let those go on that it was killed too soon to tell of.

        Those are processes: a thread is killed with all others of its process.
        """
        ended = self._tasks.get(tid)
        self._early.discard(tid)
        self._forget(tid)
        for child in tuple(self._early):
            try:
                status = ptrace.content(f"/proc/{child}/status", 4096)
            except OSError:  # it has just ended, too
                continue
            of, parent = (
                int(status.partition(name)[2].split(b"\n")[0]) for name in (b"\nTgid:", b"\nPPid:")
            )
            if of == child and parent not in self._tasks:
                self._tasks[child] = Task(ended)
                self._early.remove(child)
                ptrace.resume(ptrace.CONT, child)

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
        if not kind.native:
            self._keeps("a program that is not of this machine's word size kept the real clock")
        start = program.start(tid) if kind.native else None
        noisy = start is not None and self._prepare(tid, task, kind, start)
        if self.record is not None:
            task.number = self.record.executed(tid, task.number, noisy=noisy)
            if self._planter and start and task.number is not None:
                begun = self.record.programs[task.number]
                self._planter.begin(task.number, begun["executable"], begun["argv"])
                start.plant(tid, self._planter.draw(task.number, 16))

    def _keeps(self, what: str) -> None:
        """Tell, before the step goes on, of what keeps the real clock though it was to be moved."""
        if self._wish.offset is None or self._wish.unmoved is None or what in self._told:
            return
        self._told.add(what)
        with suppress(OSError), open(self._wish.unmoved, "a", encoding="utf-8") as file:
            line = " ".join(what.encode("ascii", "replace").decode().split())
            file.write(line[:_MOST_TOLD] + "\n")

    def _is_inside(self, tid: int) -> bool:
        root = os.stat(f"/proc/{tid}/root")
        return (root.st_dev, root.st_ino) != self._outside

    def _prepare(self, tid: int, task: Task, kind: program.Kind, start: program.Start) -> bool:
        """Decide who moves the clock of a program, and hide the vDSO where calls must be seen.

        Tell whether the preload's own start will make calls that are not the program's.
        """
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
        if call.number in _OTHERS:
            return self._traces(tid, call)
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
        if self._planter and task.number is not None:
            task.undo = task.undo or self._planter.answer(tid, task.number, call)
        return ptrace.SYSCALL if task.undo or task.undone else ptrace.CONT

    def _traces(self, tid: int, call: ptrace.Call) -> int:
        """Serve a program that wants to trace another, or one that hides from tracers."""
        if call.number == seccomp.CLONE:  # it would find nobody who answers the filter
            ptrace.poke(tid, ptrace.RDI, call.args[0] & ~seccomp.CLONE_UNTRACED)
            return ptrace.CONT
        request = call.args[0]
        if self.record is not None:
            if request in {ptrace.TRACE_ME, ptrace.ATTACH, ptrace.SEIZE}:
                self.record.cut.add("ptrace")
            return ptrace.CONT
        if request == ptrace.TRACE_ME:
            self._leaving[tid] = []
        elif request in {ptrace.ATTACH, ptrace.SEIZE}:
            target = self._named(tid, call.args[1])
            if target is not None:
                self._leaving.setdefault(target, []).append(tid)
                ptrace.interrupt(target)
                return 0
        return ptrace.CONT

    def _named(self, tid: int, number: int) -> int | None:
        """Return the tracee that `tid` calls `number` in its PID namespace."""
        for other in self._tasks:
            try:
                if os.path.samefile(f"/proc/{tid}/ns/pid", f"/proc/{other}/ns/pid"):
                    status = ptrace.content(f"/proc/{other}/status", 4096)
                    if int(status.partition(b"\nNSpid:")[2].split(b"\n")[0].split()[-1]) == number:
                        return other
            except OSError:  # it has just ended
                continue
        return None

    def _forget(self, tid: int) -> None:
        self._tasks.pop(tid, None)
        for waiting in self._leaving.pop(tid, ()):
            ptrace.resume(ptrace.CONT, waiting)

    def _shifts(self, tid: int, task: Task, call: ptrace.Call) -> bool:
        return task.shifted and not (task.wary and program.in_libc(tid, call.ip))

    def _returned(self, tid: int, task: Task) -> None:
        undo, undone = task.undo, task.undone
        task.undo = task.undone = None
        if undo is not None:
            undo(tid)
        if undone is not None and self.record is not None:
            self.record.ends(tid, undone, ptrace.result(tid))
