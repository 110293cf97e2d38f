"""Have this process traced from now on: handshake with a tracer that is forked off.

As with `strace -D` it is the tracer that is forked, not the process traced: that one becomes the
runtime and then the step, so that exit status, signals, terminals and process ids are what they are
without us. The tracer ends with the last process that it follows. Started as a program, this module
tells whether a step could be traced on this machine.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import sys

if __name__ == "__main__":
    _HERE = os.path.abspath(__file__)
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(_HERE))))

from repaudit.interposer import ptrace, seccomp
from repaudit.interposer.tracer import Tracer, Wish


def attach(wish: Wish) -> str | None:
    """Have this process, and all that comes of it, traced from now on; else return why it is not.

    A record that is asked for is there when this returns, and locked (flock(2)) until it is whole.
    """
    if not ptrace.supported():
        return "steps are traced on x86-64 alone"
    try:
        return _attached(wish)
    except OSError as error:
        return f"the tracer did not start: {error.strerror}"


def _attached(wish: Wish) -> str | None:
    ready, said = os.pipe()
    wait, go = os.pipe()
    more = seccomp.PROVENANCE if wish.out else seccomp.OTHERS
    reads = seccomp.READS if wish.asked or wish.planted else ()
    filter_ = seccomp.program((*seccomp.CLOCK, *reads, *more))
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
        os.write(said, f"the tracer did not start: {error.strerror}".encode())
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
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return descriptor


def _leave_all_but(kept: set[int]) -> None:
    """Hold none of the builder's pipes open, since it waits for their end, nor its folder."""
    os.chdir("/")
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
