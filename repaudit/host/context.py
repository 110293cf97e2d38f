"""A build context as it is at one moment, so that a change of it under the builds is seen."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

#: What tells one state of a path from another. Folders have mode and owner alone: what comes into
#: them, or goes, is a path of its own.
State = tuple[int, ...]


def state(root: Path, skip: Callable[[str, bool], bool]) -> dict[str, State]:
    """Return the state of each path below `root`, without reading a file (lstat(2)).

    `skip` is asked for each path, and whether it is a folder, whether to leave it out, a folder
    with all that is in it. What goes away meanwhile is left out.
    """
    return dict(_walk(root, "", skip))


def _walk(
    folder: Path, above: str, skip: Callable[[str, bool], bool]
) -> Iterator[tuple[str, State]]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
    for entry in entries:
        path = above + entry.name
        inner = entry.is_dir(follow_symlinks=False)
        if skip(path, inner):
            continue
        try:
            found = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        yield path, _state(found)
        if inner:
            yield from _walk(folder / entry.name, f"{path}/", skip)


def _state(found: os.stat_result) -> State:
    owner = (found.st_mode, found.st_uid, found.st_gid)
    if stat.S_ISDIR(found.st_mode):
        return owner
    # The inode's own change time cannot be set back, as the content's can.
    return (*owner, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def hide(path: Path) -> None:
    """Remove a path, with all that is in it, and leave its folder as old as it was."""
    folder = path.parent.stat()
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    os.utime(path.parent, ns=(folder.st_atime_ns, folder.st_mtime_ns))


def changed(before: Mapping[str, State], after: Mapping[str, State]) -> list[str]:
    """Return the paths that came, went, or are not as they were."""
    return sorted(path for path in {*before, *after} if before.get(path) != after.get(path))
