"""Running programs: argv lists, an allow-listed environment, and none that outlives us."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

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
#: A step decides what it prints: bounds for what we keep of it, in bytes.
_MOST_LINE, _MOST_LOG = 64 << 10, 64 << 20
_FIXED = {"LC_ALL": "C.UTF-8", "TZ": "UTC"}
#: The kernel kills the child when the thread that started it ends, SIGKILL included.
_TIED = ("setpriv", "--pdeathsig", "KILL", "--")


_running: set[subprocess.Popen[bytes]] = set()
_stopping = threading.Event()


@contextmanager
def _started(
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
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
    """Return the path of a program, None where it is not installed."""
    return shutil.which(tool) or shutil.which(tool, path="/usr/sbin:/sbin:/usr/bin:/bin")


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
        _started(words, env=environment(), stdout=out, **options) as process,
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
    with _started(argv, env=environment(env), cwd=cwd, **pipes) as process:
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


#: Every file system of the host is made read-only but for the folder that is ours to fill; what is
#: written to the two places that builders share (locks, short names) lands in that folder too.
_ENTER = r"""
mount --bind "$1" "$1" || exit
for shared in /run /var/cache; do
  mkdir -p "$1$shared/upper" "$1$shared/work" || exit
  layers="lowerdir=$shared,upperdir=$1$shared/upper,workdir=$1$shared/work"
  mount -t overlay -o "$layers" overlay "$shared" || exit
done
while read -r _ _ _ _ point options rest; do
  case "$rest" in
    *"- proc "* | *"- sysfs "* | *"- cgroup"* | *"- dev"* | *"- mqueue "*) continue ;;
  esac
  case "$options,$point" in
    ro,* | *",$1" | *,/run | *,/var/cache) continue ;;
  esac
  mount -o remount,bind,ro "$(printf '%b' "$point")" 2>/dev/null || [ "$point" != / ] || exit
done < /proc/self/mountinfo
echo ready
exec sleep infinity
"""


class Jail:
    """A mount and PID namespace of its own. When it ends, or we do, all in it is gone.

    Two halves are needed for that (util-linux `unshare --kill-child` and PR_SET_PDEATHSIG): a
    killed parent takes `unshare` along, and that takes the namespace's first process, with which
    the kernel ends all others and drops the mounts. PR_SET_PDEATHSIG is about the thread that
    makes it, so that thread must live as long as the jail is in use.

    In here nothing can be written but what lies in `writable`, and the kernel's own file systems.
    """

    def __init__(self, writable: Path) -> None:
        unshare = ["unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"]
        self.given_up = False
        self._held = ExitStack()
        self._process = self._held.enter_context(
            _started(
                [*unshare, "sh", "-c", _ENTER, "sh", str(writable)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment(),
            )
        )
        out, err = self._process.stdout, self._process.stderr
        if out is None or err is None or out.readline() != b"ready\n":
            self._process.kill()
            words = err.read().decode(errors="replace").strip() if err else ""
            self._held.close()
            raise ToolFailedError(
                f"making a namespace: {words or 'unshare failed'}",
                hint="repaudit must run as root, where mount and PID namespaces are allowed",
            )
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
        self.pid = int(children[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._held.close()

    def inside(self, argv: Sequence[str]) -> list[str]:
        """Return the command that runs `argv` in here."""
        return ["nsenter", f"--target={self.pid}", "--mount", "--pid", "--wd=/", "--", *argv]

    def path(self, path: Path) -> Path:
        """Return where we see, from outside, what is `path` in here."""
        return Path(f"/proc/{self.pid}/root") / path.relative_to("/")

    def run(self, argv: Sequence[str], *, env: Mapping[str, str]) -> Result:
        """Like `run`, in here."""
        return run(self.inside(argv), env=env)

    def check(self, argv: Sequence[str], *, doing: str) -> bytes:
        """Like `check`, in here."""
        return check(self.inside(argv), doing=doing)

    def follow(
        self,
        argv: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str],
        line: Callable[[str], None],
        patience: Callable[[], float | None] = lambda: None,
    ) -> int:
        """Run `argv` in here, hand each line that it prints to `line`, and keep all in `log`.

        When it has run for `patience()` seconds, which may change meanwhile, the jail ends with all
        that is in it, and `given_up` is true.
        """
        with (
            self._ended_after(patience),
            log.open("wb") as copy,
            _started(
                self.inside(argv),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=environment(env),
            ) as process,
        ):
            room = _MOST_LOG
            while process.stdout and (raw := process.stdout.readline(_MOST_LINE)):
                copy.write(raw[:room])
                room = max(0, room - len(raw))
                line(raw.decode(errors="replace").rstrip("\n"))
            return process.wait()

    @contextmanager
    def _ended_after(self, patience: Callable[[], float | None]) -> Iterator[None]:
        done = threading.Event()
        began = clock.ticks()

        def watch() -> None:
            while not done.wait(1):
                seconds = patience()
                if seconds is not None and clock.ticks() - began > seconds:
                    self.given_up = True
                    self._process.kill()
                    return

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()
