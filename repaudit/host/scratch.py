"""Scratch space that a killed run cannot leave behind for good, and files that are never half.

Each run owns a folder `/var/tmp/repaudit-UID/TOKEN` (or below TMPDIR) and a lock on it. A lock ends
with its process, however that ends, so the next start finds the folders without one and removes
them, together with their control groups.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from repaudit.host import clock, process
from repaudit.model.errors import ScratchError, ToolFailedError, UsageError

_CGROUPS = Path("/sys/fs/cgroup")
#: Prefix of the control groups of one run's steps; the folder's name follows.
CGROUP_PREFIX = "repaudit-"
_NOT_IN_MOUNT_OPTIONS = frozenset(" \t\n,:\"'\\")
#: Seconds to wait for dying processes to leave their control groups.
_PATIENCE = 2.0
#: What a file system answers that takes no more: its user's share is used up, too, or it was made
#: read-only after a fault. Nobody who only reads is told so.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})


def _home() -> Path:
    base = Path(os.environ.get("TMPDIR") or "/var/tmp")  # noqa: S108 - owner and type are checked
    if set(str(base)) & _NOT_IN_MOUNT_OPTIONS:
        raise UsageError(
            f"scratch space cannot lie below {str(base)!r}: an option of mount(8) cannot hold it",
            hint="set TMPDIR to a folder without blanks, commas, colons, quotes and backslashes",
        )
    home = base / f"repaudit-{os.getuid()}"
    try:
        home.mkdir(mode=0o700, exist_ok=True)
        status = home.lstat()
    except OSError as error:
        raise ScratchError(base, error.strerror) from error
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise ToolFailedError(f"{home} is not a folder of ours", hint="remove it, or set TMPDIR")
    return home


def _remove(folder: Path) -> None:
    """Remove a folder and its control groups; what will not go yet is left to the next start."""
    until = clock.ticks() + _PATIENCE
    while not _removed_cgroups(folder.name):
        if clock.ticks() > until:
            return
        clock.sleep(0.05)
    shutil.rmtree(folder, ignore_errors=True)


def _removed_cgroups(name: str) -> bool:
    """Remove a run's control groups; a dying process holds its own for some milliseconds."""
    unified = _CGROUPS / f"{CGROUP_PREFIX}{name}"
    groups = [*_CGROUPS.glob(f"*/{CGROUP_PREFIX}{name}"), *([unified] if unified.is_dir() else ())]
    for group in groups:
        _remove_cgroup(group)
    return not any(group.is_dir() for group in groups)


def _remove_cgroup(group: Path) -> None:
    with suppress(OSError):
        for child in group.iterdir():
            if child.is_dir():
                _remove_cgroup(child)
    with suppress(OSError):
        group.rmdir()


def _try_lock(folder: Path) -> int | None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


@contextmanager
def scratch() -> Iterator[Path]:
    """Yield a new folder of our own, removed at the end; first remove what dead runs left.

    Raises ScratchError where there is none to be had, or no room is left in it.
    """
    process.resume()
    home = _home()
    mark = hashlib.sha256(bytes(home)).hexdigest()[:4]  # of our own among all homes' groups
    gate = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(gate, fcntl.LOCK_EX)
        for old in home.iterdir():
            with suppress(OSError):  # it went away meanwhile, or is no folder of ours
                dead = _try_lock(old)
                if dead is not None:
                    _remove(old)
                    os.close(dead)
        for group in _CGROUPS.glob(f"*/{CGROUP_PREFIX}{mark}*"):
            if not (home / group.name.removeprefix(CGROUP_PREFIX)).exists():
                _remove_cgroup(group)  # nobody's any more; one in use cannot be removed
        folder = home / (mark + secrets.token_hex(4))
        with filling(home):
            folder.mkdir(mode=0o700)
        lock = _try_lock(folder)
    finally:
        os.close(gate)
    try:
        with filling(folder):
            yield folder
    finally:
        _remove(folder)
        if lock is not None:
            os.close(lock)


@contextmanager
def filling(folder: Path) -> Iterator[None]:
    """Raise a ScratchError that names the folder where what is done in here finds no room."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise ScratchError(folder, error.strerror) from error


def cache(name: str) -> Path:
    """Return the folder `name` of the user's cache (XDG_CACHE_HOME), made if it is not there."""
    folder = cache_path(name)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def cache_path(name: str) -> Path:
    """Return where the folder `name` of the user's cache is, or would be."""
    base = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(base) / "repaudit" / name


def check_folder(path: Path) -> None:
    """Raise UsageError where no file can be made in a folder: it is tried, as root may do all."""
    try:
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise UsageError(
            f"cannot write to {path}: {error.strerror}", hint="name a folder that can be written"
        ) from error


def digest_of(path: Path) -> str:
    """Return the sha256 digest of a file."""
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def rewrite(path: Path, data: bytes) -> None:
    """Write a file that is there anew, whole or not at all; its mode and owner stay.

    A link stays one: what it leads to is written. Raises UsageError where that cannot be.
    """
    real = path.resolve()
    try:
        status = real.stat()
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}", hint="name the file") from error
    write(real, data, like=status)


def write(
    path: Path, data: bytes, *, like: os.stat_result | None = None, strict: bool = True
) -> None:
    """Write a file whole or not at all; raise UsageError where it cannot be written.

    Mode and owner are those of `like`, or else 0644 and our own; unless it is `strict`, an owner
    whom we may not give a file to is let go of.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
            try:
                file.write(data)
                file.flush()
                if like is not None:
                    with suppress(*(() if strict else (PermissionError,))):
                        os.fchown(file.fileno(), like.st_uid, like.st_gid)
                os.fchmod(file.fileno(), stat.S_IMODE(like.st_mode) if like else 0o644)
                os.replace(file.name, path)  # noqa: PTH105 - the name is a str
            except BaseException:
                with suppress(OSError):
                    os.unlink(file.name)  # noqa: PTH108
                raise
    except OSError as error:
        raise UsageError(
            f"cannot write {path}: {error.strerror}", hint="name a folder that can be written"
        ) from error


def write_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """Write a new folder with these files whole or not at all; scripts (`.sh`) may be run.

    Raises UsageError where it is there already, or cannot be written.
    """
    made = Path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=path.parent, prefix="."))
        for name, data in files.items():
            with (made / name).open("xb") as file:
                file.write(data)
                file.flush()
                os.fchmod(file.fileno(), 0o755 if name.endswith(".sh") else 0o644)
                os.fsync(file.fileno())
        made.chmod(0o755)
        made.rename(path)  # takes the place of nothing but an empty folder
    except OSError as error:
        raise UsageError(
            f"cannot write {path}: {error.strerror}", hint="name a new folder that can be written"
        ) from error
    finally:
        if made.name:
            shutil.rmtree(made, ignore_errors=True)
