"""What a user asked for goes where he said: to standard output, a file, a device or a pipe.

A file is written whole or not at all, and one that is there keeps its mode; a link stays one. A
device, a pipe and what our own output goes to take the bytes, and are never replaced.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path
from typing import BinaryIO

from repaudit.host.scratch import check_folder, write
from repaudit.model.errors import UsageError

_HINT = "name a file to write"


def check(path: Path | None) -> None:
    """Raise UsageError where nothing can be written: before the work, not after."""
    if path is None:
        _own(1)
        return
    real = _real(path)
    if real.is_dir():
        raise UsageError(f"cannot write {path}: it is a folder", hint="name a file")
    if _passes_on(path):
        if not os.access(path, os.W_OK):
            raise UsageError(f"cannot write {path}: {os.strerror(errno.EACCES)}", hint=_HINT)
        return
    try:
        check_folder(real.parent)
    except UsageError as error:
        raise UsageError(f"cannot write {path}: {error.message}", hint=error.hint) from error


def deliver(data: bytes, path: Path | None = None) -> None:
    """Write to a path, or to standard output; raise UsageError where that cannot be.

    That a reader has seen enough is no error.
    """
    if path is None:
        _pour(data, _own(1), "standard output")
        return
    own = next((number for number in (1, 2) if _leads_to(path, number)), None)
    if own is not None:
        _pour(data, _own(own), str(path))
    elif _passes_on(path):
        try:
            with path.open("wb", buffering=0) as file:
                _pour(data, file, str(path))
        except OSError as error:
            raise UsageError(f"cannot write to {path}: {error.strerror}", hint=_HINT) from error
    else:
        real = _real(path)
        write(real, data, like=real.stat() if real.exists() else None, strict=False)


def _pour(data: bytes, stream: BinaryIO, name: str) -> None:
    rest = memoryview(data)
    try:
        while rest:
            rest = rest[stream.write(rest) or 0 :]  # what has no buffer may take a part
        stream.flush()
    except OSError as error:
        if stream.fileno() in {1, 2}:
            # What is left in the buffer shall not fail once more when Python ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        if not isinstance(error, BrokenPipeError):
            raise UsageError(f"cannot write to {name}: {error.strerror}", hint=_HINT) from error


def _own(number: int) -> BinaryIO:
    stream = sys.stdout if number == 1 else sys.stderr
    if stream is None:
        raise UsageError("standard output is closed", hint=_HINT)
    stream.flush()
    return stream.buffer


def _real(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:  # the latter of links in a ring
        raise UsageError(f"cannot write {path}: its links lead nowhere", hint=_HINT) from error


def _passes_on(path: Path) -> bool:
    """Whether what is written to a path goes on from there."""
    try:
        regular = stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False
    return not regular or _leads_to(path, 1) or _leads_to(path, 2)


def _leads_to(path: Path, number: int) -> bool:
    """Whether a path names what one of our outputs goes to."""
    try:
        return os.path.samestat(path.stat(), os.fstat(number))
    except OSError:  # one of them is not there
        return False
