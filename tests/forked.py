"""`repaudit …` as a process of its own, forked from one that has the program loaded.

To start Python and import a command takes longer than most of what tests ask of it. A forked
process has the environment, folder, umask and streams that it is given, runs `__main__` as
`python -m repaudit` does, and ends as an interpreter ends. `python -m tests.forked` is the server;
each process that runs tests has one.
"""

from __future__ import annotations

import atexit
import functools
import gc
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parent.parent
#: How the variables begin that Python reads when it starts, so that they do nothing here.
AT_START = ("LANG", "LC_", "PYTHON")
_LOADED = ("audit", "comparison", "pinning", "cli.app", "cli.rebuild", "cli.diff", "cli.gate")
_LONGEST = 1 << 16


def run(
    words: Sequence[str | Path],
    env: Mapping[str, str],
    cwd: Path | None = None,
    *,
    umask: int = -1,
    timeout: float = 300,
) -> subprocess.CompletedProcess[bytes]:
    """Run `repaudit words…` to its end."""
    asked = [list(map(str, words)), dict(env), str(cwd or Path.cwd()), umask]
    server = _server()
    pipes = [os.pipe() for _ in range(2)]
    socket.send_fds(server, [json.dumps(asked).encode()], [end for _, end in pipes])
    for _, end in pipes:
        os.close(end)
    process = int(server.recv(_LONGEST))
    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(_read, end) for end, _ in pipes]
        try:
            stdout, stderr = (reader.result(timeout) for reader in readers)
        except BaseException:
            os.kill(process, signal.SIGKILL)
            raise
        finally:
            status = int(server.recv(_LONGEST))
    return subprocess.CompletedProcess(asked[0], status, stdout, stderr)


def _read(end: int) -> bytes:
    with open(end, "rb") as file:
        return file.read()


@functools.cache
def _server() -> socket.socket:
    """Start the server, and return the way to it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    argv = [sys.executable, "-m", "tests.forked", str(theirs.fileno())]
    null = subprocess.DEVNULL
    with theirs:
        fds = [theirs.fileno()]
        server = subprocess.Popen(argv, env=env, pass_fds=fds, stdin=null, stdout=null)
    atexit.register(_end, ours, server)
    return ours


def _end(channel: socket.socket, server: subprocess.Popen[bytes]) -> None:
    channel.close()
    server.wait()


def _serve(channel: socket.socket) -> None:
    for name in _LOADED:
        import_module(f"repaudit.{name}")
    gc.freeze()
    coerced = {name: os.environ[name] for name in ("LC_CTYPE",) if name in os.environ}
    while True:
        data, streams, *_ = socket.recv_fds(channel, _LONGEST, 2)
        if not data:
            return
        words, env, cwd, umask = json.loads(data)
        process = os.fork()
        if not process:
            channel.close()
            return _become(words, coerced | env, cwd, umask, streams)
        for stream in streams:
            os.close(stream)
        channel.send(b"%d" % process)
        channel.send(b"%d" % os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))


def _become(
    words: list[str], env: dict[str, str], cwd: str, umask: int, streams: Sequence[int]
) -> None:
    for number, stream in enumerate(streams, start=1):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(cwd)
    if umask >= 0:
        os.umask(umask)
    os.environ.clear()
    os.environ.update(env)
    sys.argv[1:] = words
    runpy.run_module("repaudit", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
