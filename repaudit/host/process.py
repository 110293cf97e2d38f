"""Running programs: argv lists, an allow-listed environment, and none that outlives us."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from msgspec import Struct

from repaudit.host import clock
from repaudit.model.errors import ToolFailedError, ToolMissingError

#: What a program may see of our own environment: how to reach the network, credentials, PATH.
_PASSED = (
    "HOME",
    "PATH",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "APT_CONFIG",
    "REGISTRY_AUTH_FILE",
    "DOCKER_CONFIG",
    "XDG_RUNTIME_DIR",
    "CONTAINERS_CONF",
    "CONTAINERS_REGISTRIES_CONF",
    "CONTAINERS_STORAGE_CONF",
)
#: A step starts programs in Go by the dozen, which look for garbage while they start: that took a
#: tenth of a build. Steps do not see it.
_FIXED = {"LC_ALL": "C.UTF-8", "TZ": "UTC", "GOGC": "400"}
#: The kernel kills the child when the thread that started it ends, SIGKILL included.
_TIED = ("setpriv", "--pdeathsig", "KILL", "--")


_running: set[subprocess.Popen[bytes]] = set()
_stopping = threading.Event()


@contextmanager
def started(
    argv: Sequence[str],
    **options: Any,  # noqa: ANN401 - as Popen takes them
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program in a process group of its own, and leave nothing of it at the end."""
    if _stopping.is_set():
        raise ToolFailedError(f"{argv[0]} was not started: repaudit is being stopped")
    with subprocess.Popen(
        [*_TIED, *argv], stdin=subprocess.DEVNULL, start_new_session=True, **options
    ) as process:
        _running.add(process)
        try:
            yield process
        except BaseException:
            _kill(process)
            raise
        finally:
            _running.discard(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def stop_all() -> None:
    """End every program that runs, from whichever thread it was started, and start no more."""
    _stopping.set()
    for process in tuple(_running):
        _kill(process)


def resume() -> None:
    """Let programs be started again: another audit begins."""
    _stopping.clear()


def wait_until(tick: float) -> None:
    """Wait until `clock.ticks()` has reached `tick`, or until all is stopped."""
    _stopping.wait(max(0.0, tick - clock.ticks()))


class Result(Struct, frozen=True, kw_only=True):
    """How a program ended: exit status (negative: killed by that signal) and what it printed."""

    status: int
    stdout: bytes
    stderr: bytes

    @property
    def last_words(self) -> str:
        """The last line of stderr that is not empty, for messages."""
        lines = self.stderr.decode(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else f"exit status {self.status}"


def find_tool(tool: str) -> str | None:
    """Return the path of a program, None where it is not installed, also not beside Python."""
    usual = f"/usr/sbin:/sbin:/usr/bin:/bin:{Path(sys.executable).parent}"
    return shutil.which(tool) or shutil.which(tool, path=usual)


def require(tool: str, package: str) -> str:
    """Return the path of a program; raise ToolMissingError, naming the Debian package, if none."""
    path = find_tool(tool)
    if path is None:
        raise ToolMissingError(tool, package)
    return path


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment that programs get: the allow-list, fixed words, then `extra`."""
    passed = {name: os.environ[name] for name in _PASSED if name in os.environ}
    return {**passed, **_FIXED, **(extra or {})}


def run_bounded(
    argv: Sequence[str], *, handles: Sequence[int], timeout: float, most: int
) -> Result:
    """Run a program that is not trusted; keep `most` bytes of what it prints, nothing of stderr.

    What it prints goes to a file, so that the limit that it has on files (RLIMIT_FSIZE) bounds it.
    The program gets the open files of `handles`. Where we are root, it is nobody.
    """
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"]
    words = [*nobody, "--", *argv] if os.geteuid() == 0 else argv
    options = {"stderr": subprocess.DEVNULL, "pass_fds": handles, "cwd": "/"}
    with (
        tempfile.TemporaryFile() as out,
        started(words, env=environment(), stdout=out, **options) as process,
    ):
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            _kill(process)
            process.wait()
        out.seek(0)
        return Result(status=process.returncode, stdout=out.read(most), stderr=b"")


def run(
    argv: Sequence[str],
    *,
    timeout: float | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Result:
    """Run a program to its end. After `timeout` seconds it is killed and the status is -9."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with started(argv, env=environment(env), cwd=cwd, **pipes) as process:
        try:
            stdout, stderr = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            _kill(process)
            stdout, stderr = process.communicate()
        return Result(status=process.returncode, stdout=stdout, stderr=stderr)


def check(argv: Sequence[str], *, doing: str, env: Mapping[str, str] | None = None) -> bytes:
    """Run a program and return its stdout; raise ToolFailedError, saying `doing`, if it fails."""
    result = run(argv, env=env)
    if result.status != 0:
        raise ToolFailedError(
            f"{doing}: {Path(argv[0]).name}: {result.last_words}",
            hint="run `repaudit doctor` to see what this machine can do",
        )
    return result.stdout
