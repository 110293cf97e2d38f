"""What this machine can vary, build and read: facts for the plan and for `repaudit doctor`."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from msgspec import Struct

from repaudit.host import process, scratch

#: (program, Debian package, what it is for, whether a rebuild cannot do without)
TOOLS = (
    ("buildah", "buildah", "builds the images", True),
    ("runc", "runc", "runs the build steps", True),
    ("containers-storage", "containers-storage", "reads the new layers of a build", True),
    ("setpriv", "util-linux", "ends what a killed run leaves", True),
    ("unshare", "util-linux", "gives each run namespaces of its own", True),
    ("nsenter", "util-linux", "enters them", True),
    ("busybox", "busybox-static", "probes what a step sees", True),
    ("git", "git", "finds the last commit of the context", False),
    ("skopeo", "skopeo", "fetches images from registries and storages", False),
    ("uv", "pipx", "locks requirements files (`pipx install uv`)", False),
    ("mvn", "maven", "locks a pom.xml", False),
    ("mke2fs", "e2fsprogs", "varies file_order", False),
    ("localedef", "libc-bin", "varies locale", False),
    ("setarch", "util-linux", "varies kernel", False),
    ("diffoscope", "diffoscope-minimal", "shows how binary files differ", False),
    ("bwrap", "bubblewrap", "keeps diffoscope away from the network and your files", False),
)
_PRELOAD = "*/faketime/libfaketime.so.1"
_TRACER = Path(__file__).resolve().parent.parent / "interposer" / "attach.py"
_LOCALES = ("C", "et_EE")
_CPU_FILES = (
    "/proc/cpuinfo",
    "/proc/stat",
    "/sys/devices/system/cpu/online",
    "/sys/devices/system/cpu/possible",
    "/sys/devices/system/cpu/present",
)


class Tool(Struct, frozen=True, kw_only=True):
    """A program that repaudit uses, and where it is (None: not installed)."""

    name: str
    package: str
    purpose: str
    needed: bool
    path: str | None


def tools() -> tuple[Tool, ...]:
    """Return every program that repaudit may use."""
    return tuple(
        Tool(name=n, package=p, purpose=w, needed=need, path=process.find_tool(n))
        for n, p, w, need in TOOLS
    )


def versions(some: Sequence[Tool]) -> dict[str, str]:
    """Return what those of the programs that tell it call themselves, with their version."""
    there = [(tool.name, tool.path) for tool in some if tool.path is not None]
    with ThreadPoolExecutor() as pool:
        told = pool.map(lambda one: process.run([one[1], "--version"]), there)
        lines = [
            (name, result.stdout.decode(errors="replace").strip().partition("\n")[0])
            for (name, _), result in zip(there, told, strict=True)
            if result.status == 0
        ]
    return {name: line for name, line in lines if line}


def cpus() -> tuple[int, ...]:
    """Return the CPUs that we may run on."""
    return tuple(sorted(os.sched_getaffinity(0)))


def cpu_files() -> tuple[tuple[str, str], ...]:
    """Return those of the kernel's files that tell of CPUs which are there: (path, text)."""
    return tuple(
        (path, Path(path).read_text("utf-8", errors="replace"))
        for path in _CPU_FILES
        if Path(path).is_file()
    )


def kernel() -> str:
    """Return the kernel's release."""
    return os.uname().release


def old_kernel() -> str:
    """Return the release that the UNAME26 personality shows, or "" where it cannot be set."""
    if process.find_tool("setarch") is None:
        return ""
    result = process.run(["setarch", os.uname().machine, "--uname-2.6", "uname", "-r"])
    return result.stdout.decode().strip() if result.status == 0 else ""


def preload() -> str | None:
    """Return the path of libfaketime (package libfaketime), None where it is not installed."""
    found = sorted(Path("/usr/lib").glob(_PRELOAD)) + sorted(Path("/usr/lib").glob("faketime/*.1"))
    return str(found[0]) if found else None


def symbol_version(library: str) -> str | None:
    """Return the newest glibc symbol version that a library asks for, as "GLIBC_2.34"."""
    found = re.findall(rb"GLIBC_(2\.\d+)(?![.\d])", Path(library).read_bytes())
    newest = max(found, key=lambda v: int(v.split(b".")[1]), default=None)
    return f"GLIBC_{newest.decode()}" if newest else None


def untraceable() -> str | None:
    """Return why build steps cannot be traced with ptrace(2) here, None if they can."""
    result = process.run([sys.executable, "-I", "-S", "-B", str(_TRACER)])
    return None if result.status == 0 else result.stdout.decode().strip() or result.last_words


def loop() -> bool:
    """Tell whether a file system of our own can be made and mounted."""
    return process.find_tool("mke2fs") is not None and Path("/dev/loop-control").exists()


def locales() -> str | None:
    """Return a folder with the compiled locales that the experiment uses, None if impossible.

    They are compiled once, from the C library's sources (package locales), into the user's cache.
    """
    home = scratch.cache("locales")
    if all((home / f"{name}.UTF-8").is_dir() for name in _LOCALES):
        return str(home)
    if process.find_tool("localedef") is None or not Path("/usr/share/i18n/locales").is_dir():
        return None
    for name in _LOCALES:
        if not _compile_locale(name, home / f"{name}.UTF-8"):
            return None
    return str(home)


def _compile_locale(name: str, target: Path) -> bool:
    if target.is_dir():
        return True
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        made = Path(folder) / target.name
        argv = ["localedef", "--no-archive", "-i", name, "-f", "UTF-8", str(made)]
        if process.run(argv).status != 0:
            return False
        try:
            made.rename(target)
        except OSError:  # another run was faster: its result is as good
            shutil.rmtree(made, ignore_errors=True)
    return target.is_dir()
