"""See that what is built stays as it was read: one text for all runs, and a context at rest.

The runs go on for minutes, in a folder in which people work. Two images of two contexts may differ
by the change between them, or be the same before it, and neither says anything of the build.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from repaudit.containerfile.ignored import IGNORE_FILES, Ignored, ignored_by_all
from repaudit.host.context import State, changed, state
from repaudit.model.errors import SourceError
from repaudit.model.text import printable

_MOST_SHOWN = 5


def rules_of(context: Path, containerfile: Path) -> list[Ignored]:
    """Return the rules of each file that may say what the build ignores."""
    beside = [containerfile.with_name(containerfile.name + end) for end in IGNORE_FILES]
    names = [*beside, *(context / end for end in IGNORE_FILES)]
    return [Ignored(path.read_bytes()) for path in names if path.is_file()]


class Steady:
    """A context and its Containerfile, as they were when this was made.

    `data` is the Containerfile's text as it was read. Left out is what the build ignores.
    """

    def __init__(self, context: Path, containerfile: Path, data: bytes) -> None:
        self._context = context
        self._containerfile = containerfile
        self._data = data
        self._rules = rules_of(context, containerfile)
        self._before = self._state()

    @property
    def paths(self) -> tuple[str, ...]:
        """What is in the context, sorted; no folder's name ends in a slash."""
        return tuple(self._before)

    def check(self) -> None:
        """Raise SourceError if anything of it is not as it was."""
        found = changed(self._before, self._state())
        if not found and self._read() != self._data:
            found = [self._containerfile.name]
        if found:
            more = f" and {len(found) - _MOST_SHOWN} more" if len(found) > _MOST_SHOWN else ""
            raise SourceError(
                "the context changed while the builds ran: "
                + ", ".join(map(printable, found[:_MOST_SHOWN]))
                + more,
                hint="run again and leave it alone, or audit a copy; what no build needs is best "
                "named in .containerignore",
            )

    def _state(self) -> dict[str, State]:
        return state(self._context, self._skip)

    def _skip(self, path: str, folder: bool) -> bool:
        return path not in IGNORE_FILES and ignored_by_all(self._rules, path, folder=folder)

    def _read(self) -> bytes | None:
        try:
            return self._containerfile.read_bytes()
        except OSError:
            return None


def place(path: Path, data: bytes, origin: Path) -> None:
    """Write a Containerfile of ours, and beside it what to ignore that goes with the name.

    It stands outside of the context, in a folder of its own.
    """
    path.parent.mkdir()
    path.write_bytes(data)
    for suffix in IGNORE_FILES:
        ignore = origin.with_name(origin.name + suffix)
        if ignore.is_file():
            shutil.copy(ignore, path.with_name(path.name + suffix))
