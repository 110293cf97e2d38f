"""A namespace of its own for a build: where it can write, and how all in it ends."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from repaudit.host import clock
from repaudit.host.process import Result, check, environment, run, started
from repaudit.model.errors import ToolFailedError

#: A step decides what it prints: bounds for what we keep of it, in bytes.
_MOST_LINE, _MOST_LOG = 64 << 10, 64 << 20
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
            started(
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
            started(
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
