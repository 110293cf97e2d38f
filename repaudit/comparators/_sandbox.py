"""A sandbox for programs that read a stranger's files: bubblewrap, prlimit, and a clock.

Whoever is in it has no network, no process and no file of the user to see, nothing to write to but
a small file system in memory, no rights, and not much of anything: processor and wall time, memory
of each process, processes, the length of files and of what it prints.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from repaudit.host import process
from repaudit.host.process import Result

#: What a program may take: seconds, bytes of address space each, processes, bytes of one file, of
#: all files together, and of what it prints.
SECONDS = 30
_MEMORY, _PROCESSES = 2 << 30, 256
_FILE, _FILES, MOST_PRINTED = 256 << 20, 1 << 30, 64 << 20
_NOBODY = "65534"
_LIMITS = (
    "prlimit",
    f"--as={_MEMORY}",
    f"--cpu={SECONDS}",
    f"--fsize={_FILE}",
    "--core=0",
    "--",
)
_HIDDEN = ("/root", "/home", "/var", "/run", "/mnt", "/media", "/srv", "/opt", "/etc/ssl/private")
_SANDBOX = (
    *("bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--clearenv"),
    *("--uid", _NOBODY, "--gid", _NOBODY, "--cap-drop", "ALL"),
    *("--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"),
    *("--size", str(_FILES), "--tmpfs", "/tmp", "--chdir", "/tmp"),  # noqa: S108
    *("--setenv", "PATH", "/usr/bin:/bin", "--setenv", "HOME", "/tmp"),  # noqa: S108
    *("--setenv", "LC_ALL", "C.UTF-8", "--setenv", "TZ", "UTC"),
)


def available() -> bool:
    """Whether there is what the sandbox is made of."""
    return process.find_tool("bwrap") is not None and process.find_tool("prlimit") is not None


def run(argv: Sequence[str], files: Mapping[str, Path], seconds: float = SECONDS) -> Result:
    """Run a program in the sandbox; `files` are shown to it at those paths, read only.

    It is killed after `seconds`, and what it prints is cut off at MOST_PRINTED bytes.
    """
    hide = [word for path in _HIDDEN if Path(path).is_dir() for word in ("--tmpfs", path)]
    limits = [*_LIMITS[:-1], f"--nproc={_PROCESSES}", "--"]
    with ExitStack() as held:
        show: list[str] = []
        handles = []
        for inside, path in files.items():  # nobody may not look for them where they are
            handles.append(held.enter_context(path.open("rb")).fileno())
            show += ["--perms", "0444", "--ro-bind-data", str(handles[-1]), inside]
        words = [*_SANDBOX, *hide, *show, *limits, *argv]
        return process.run_bounded(words, handles=handles, timeout=seconds, most=MOST_PRINTED)
