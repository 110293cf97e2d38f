"""Facts of a root file system that belongs to a stranger: read inside it, never out of it."""

from __future__ import annotations

import os
import stat

_LIBC = (
    "lib/x86_64-linux-gnu/libc.so.6",
    "lib/aarch64-linux-gnu/libc.so.6",
    "lib64/libc.so.6",
    "lib/libc.so.6",
)
_MOST_LINKS = 40
_MOST_BYTES = 16 << 20


def resolve(root: str, path: str) -> str | None:
    """Return where `path` of the image lies on the host, its links followed inside `root`.

    None where it does not exist or its links go in circles. As chroot(2) would see it: an absolute
    link starts again at `root`, and `..` never leaves it.
    """
    todo = _parts(path)
    done: list[str] = []
    links = 0
    while todo:
        part = todo.pop()
        if part == "..":
            del done[-1:]
            continue
        here = os.path.join(root, *done, part)
        try:
            mode = os.lstat(here).st_mode
        except (OSError, ValueError):  # ValueError: a NUL, which no file's name has
            return None
        if not stat.S_ISLNK(mode):
            done.append(part)
            continue
        links += 1
        if links > _MOST_LINKS:
            return None
        target = os.readlink(here)
        if target.startswith("/"):
            done = []
        todo.extend(_parts(target))
    return os.path.join(root, *done)


def _parts(path: str) -> list[str]:
    """Return the components of a path, last first."""
    return [part for part in reversed(path.split("/")) if part not in {"", "."}]


def read(root: str, path: str) -> bytes | None:
    """Return a regular file of the image, cut off at 16 MiB; None where there is none."""
    where = resolve(root, path)
    # Opening a device can act on it, so its kind is looked at before.
    if where is None or not stat.S_ISREG(os.lstat(where).st_mode):
        return None
    with open(where, "rb") as file:
        return file.read(_MOST_BYTES)


def libc(root: str) -> bytes | None:
    """Return the image's glibc, None where it has none (or has musl: libc.so, without the 6)."""
    return next((data for path in _LIBC if (data := read(root, path))), None)


def home(root: str, uid: int) -> str | None:
    """Return the home directory of `uid` by the image's passwd, None unless it is a directory."""
    passwd = read(root, "etc/passwd") or b"root:x:0:0:root:/root:/bin/sh"
    for line in passwd.decode(errors="surrogateescape").splitlines():
        fields = line.split(":")
        if len(fields) == 7 and fields[2] == str(uid) and fields[5].startswith("/"):
            where = resolve(root, fields[5])
            return fields[5] if where and stat.S_ISDIR(os.lstat(where).st_mode) else None
    return None
