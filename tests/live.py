"""The real command line against the real tools: run it, and look for what it leaves behind."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import forked

ROOT = Path(__file__).parent.parent
GOLDEN = "localhost/repaudit-golden"
#: A known fault of the package: the test says what is right, and fails once it is mended.
bug = functools.partial(pytest.mark.xfail, strict=True)


@dataclass(frozen=True, kw_only=True)
class Done:
    """How a command ended."""

    status: int
    stdout: bytes
    stderr: str
    seconds: float

    @property
    def text(self) -> str:
        return self.stdout.decode()

    @property
    def error(self) -> str:
        """The one message that was given, without its prefix."""
        said = [line for line in self.stderr.splitlines() if line.startswith("error: ")]
        assert len(said) == 1, self.stderr
        return said[0].removeprefix("error: ")

    @property
    def way_out(self) -> str:
        said = [line for line in self.stderr.splitlines() if line.startswith("  way out: ")]
        assert len(said) == 1, self.stderr
        return said[0].removeprefix("  way out: ")


class Shell:
    """A shell to type `repaudit …` into: an own home, scratch root and working directory.

    Nothing else of the tests' environment is passed, so neither locale nor time zone matter. HOME
    is passed on to every tool, so it marks the processes that are ours.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.cwd = folder / "cwd"
        self.home = folder / "home"
        self.tmp = folder / "tmp"
        for path in (self.cwd, self.home, self.tmp):
            path.mkdir(parents=True)
        cache = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "XDG_CACHE_HOME": cache,  # the compiled locales are in there
            "TMPDIR": str(self.tmp),
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            **environment,
        }

    def start(
        self, *words: str | Path, env: Mapping[str, str] | None = None, **options: object
    ) -> subprocess.Popen[bytes]:
        """Start `repaudit …`."""
        choices = {"stdin": subprocess.DEVNULL, "cwd": self.cwd, "umask": 0o022, **options}
        argv = [sys.executable, "-m", "repaudit", *map(str, words)]
        return subprocess.Popen(argv, env=self.environment | dict(env or {}), **choices)  # type: ignore[call-overload,no-any-return]

    def __call__(
        self, *words: str | Path, env: Mapping[str, str] | None = None, umask: int = 0o022
    ) -> Done:
        """Run `repaudit …` to its end; it must never end in a traceback."""
        began = time.monotonic()
        more = dict(env or {})
        if not any(name.startswith(forked.AT_START) for name in more):
            environment = self.environment | more
            ended = forked.run(words, environment, self.cwd, umask=umask, timeout=120)
        else:
            pipe = subprocess.PIPE
            with self.start(*words, env=env, umask=umask, stdout=pipe, stderr=pipe) as process:
                try:
                    said = process.communicate(timeout=120)
                except BaseException:
                    process.kill()
                    raise
            ended = subprocess.CompletedProcess(words, process.returncode, *said)
        done = Done(
            status=ended.returncode,
            stdout=ended.stdout,
            stderr=ended.stderr.decode(),
            seconds=time.monotonic() - began,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def context(self, containerfile: str, name: str = "context", **files: str) -> Path:
        """Make a build context; in file names a `__` stands for a dot."""
        folder = self.cwd / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "Containerfile").write_text(containerfile, "utf-8")
        for file, text in files.items():
            (folder / file.replace("__", ".")).write_text(text, "utf-8")
        return folder

    @property
    def scratch(self) -> list[str]:
        """What lies below the scratch root."""
        return sorted(path.name for path in self.tmp.glob("repaudit-*/*"))

    def processes(self) -> list[str]:
        """The command lines of the living processes of ours: by HOME, by path, by cgroup."""
        marks = [str(self.tmp).encode(), f"HOME={self.home}\0".encode()]
        return living(marks + [f"/repaudit-{token}/".encode() for token in self.scratch])

    def mounts(self) -> list[str]:
        lines = Path("/proc/mounts").read_text("utf-8").splitlines()
        return [line for line in lines if str(self.tmp) in line]

    def loops(self) -> list[str]:
        """The disks of ours that some loop device has."""
        found = []
        for path in Path("/sys/block").glob("loop*/loop/backing_file"):
            try:
                found.append(path.read_text("utf-8").strip())
            except OSError:  # it was detached meanwhile
                continue
        return [path for path in found if str(self.tmp) in path]


def living(marks: Sequence[bytes]) -> list[str]:
    """Return the command lines of processes that hold a mark in what /proc tells of them."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            told = [(folder / name).read_bytes() for name in ("cmdline", "environ", "cgroup")]
        except OSError:  # it ended meanwhile
            continue
        if any(mark in text for mark in marks for text in told):
            found.append(told[0].replace(b"\0", b" ").decode(errors="replace"))
    return found


def cgroups(tokens: Sequence[str]) -> list[str]:
    """Return the control groups of these scratch folders."""
    top = Path("/sys/fs/cgroup")
    return sorted(
        str(path)
        for token in tokens
        for pattern in (f"repaudit-{token}", f"*/repaudit-{token}")
        for path in top.glob(pattern)
    )


def busybox() -> str:
    """Return where the static busybox lies that steps have for a shell."""
    path = shutil.which("busybox")
    assert path, "busybox-static is not installed"
    return path


def until(seconds: float, nothing: Callable[[], Sequence[object]]) -> Sequence[object]:
    """Wait, at most so long, until `nothing()` is empty, and return what it is then."""
    end = time.monotonic() + seconds
    while (left := nothing()) and time.monotonic() < end:
        time.sleep(0.05)
    return left


def blobs(folder: Path) -> list[Path]:
    return sorted(folder.glob("blobs/sha256/*"))


def _members(folder: Path) -> Iterator[tuple[str, bytes]]:
    for blob in blobs(folder):
        try:
            with tarfile.open(blob) as tar:
                for member in tar:
                    file = tar.extractfile(member) if member.isfile() else None
                    yield member.name, file.read() if file else b""
        except tarfile.ReadError:  # a manifest or a config
            continue


def files(folder: Path) -> dict[str, bytes]:
    """Return the files in the new layers of a run that was kept in `folder`."""
    return dict(_members(folder))
