"""Files that are worth keeping from one audit to the next, in the user's cache, within a bound.

Whoever takes a file out must verify it: it may have been cut off, changed, or put there by another
version. A file comes whole or not at all, and one that is taken out stays readable, so audits may
go side by side, and may be killed. What is lost here is only time.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

#: What the files may take together, in bytes.
MOST = 1 << 30
#: The part of it that is made free where there is no room, so that not each file needs a look
#: at all others.
_FREED = 16


class Store:
    """A folder of files by name. Nothing that goes wrong here is an error of the audit."""

    def __init__(self, folder: Path, most: int = MOST) -> None:
        self._folder = folder
        self._most = most
        #: What lies there, as far as is known.
        self._held = most

    def path(self, name: str) -> Path:
        """Return where the file is, if it is kept; it counts as used now."""
        path = self._folder / name
        with suppress(OSError):
            os.utime(path)
        return path

    def put(self, source: Path | bytes, name: str) -> None:
        """Keep a copy of a file or of bytes, and let go of those that were not used for longest."""
        with suppress(OSError):  # no room, no right to write: then the audit goes without
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._held += self._copy(source, self._folder / name)
            if self._held > self._most:
                self._trim()

    def drop(self, name: str) -> None:
        """Let go of a file."""
        with suppress(OSError):
            (self._folder / name).unlink()

    def _copy(self, source: Path | bytes, target: Path) -> int:
        """Put it there whole, and return how much it is."""
        handle, draft = tempfile.mkstemp(dir=self._folder, prefix="draft-")
        try:
            with open(handle, "wb") as copy:  # noqa: PTH123 - a handle
                if isinstance(source, bytes):
                    copy.write(source)
                else:
                    with source.open("rb") as file:
                        shutil.copyfileobj(file, copy, 1 << 20)
                size = copy.tell()
            os.replace(draft, target)  # noqa: PTH105 - the name is a str
        except OSError:
            with suppress(OSError):
                os.unlink(draft)  # noqa: PTH108
            raise
        return size

    def _trim(self) -> None:
        """Remove what was not used for longest; drafts of killed audits grow old too."""
        found = []
        for path in self._folder.iterdir():
            with suppress(OSError):
                status = path.stat()
                found.append((status.st_mtime_ns, path, status.st_size))
        room = self._most - self._most // _FREED
        self._held = 0
        for _, path, size in sorted(found, reverse=True):
            if self._held + size <= room:
                self._held += size
                continue
            room = self._held  # what is older goes too
            with suppress(OSError):
                path.unlink()
