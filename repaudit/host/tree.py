"""Which files stand in a folder, in a fixed order, and their bytes: nothing outside of it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from repaudit.host import process
from repaudit.host.git import TAME, gitlink
from repaudit.model.errors import UsageError

#: Folders that tools fill, where nobody writes down what a build takes in.
SKIPPED = frozenset(
    """.git .hg .svn .bzr .tox .nox .venv venv node_modules __pycache__ .mypy_cache .ruff_cache
    .pytest_cache .eggs .gradle .terraform site-packages dist-packages""".split()
)
#: Bytes of a file that tell of which kind it is.
HEAD = 4096
_MOST_FILES = 1_000_000


class Tree(Struct, frozen=True, kw_only=True):
    """A folder and the files in it that are to be looked at, sorted, relative to it.

    `named` are those of them that were asked for one by one.
    """

    root: Path
    files: tuple[str, ...]
    named: frozenset[str] = frozenset()

    def head(self, path: str) -> bytes:
        """Return the first bytes of a file, nothing where it is no regular file of the folder."""
        return self._read(path, HEAD) or b""

    def size(self, path: str) -> int:
        """Return a file's size in bytes, 0 where it is none."""
        try:
            return (self.root / path).stat().st_size
        except (OSError, ValueError):
            return 0

    def read(self, path: str, most: int = -1) -> bytes | None:
        """Return a file's bytes, at most `most`; None where it is no regular file of the folder."""
        return self._read(path, most)

    def commit(self, folder: str, path: str) -> str | None:
        """Return the commit at which git has a submodule, by its path from a folder of the tree."""
        return gitlink(self.root / folder, path)

    def real(self, path: str) -> str:
        """Return the path of the file that `path` leads to, which is itself unless there is a link.

        What leads out of the folder, or nowhere, is `path`.
        """
        try:
            found = (self.root / path).resolve(strict=True)
            return found.relative_to(self.root).as_posix()
        except (OSError, ValueError, RuntimeError):
            return path

    def refusal(self, path: str) -> str:
        """Return why `read` gives no bytes of a file."""
        try:
            real = (self.root / path).resolve(strict=True)
            if not real.is_relative_to(self.root):
                return "it is a link that leads out of the folder"
            if not stat.S_ISREG(real.stat().st_mode):
                return "it is no regular file"
        except FileNotFoundError:
            return "it is a link to what is not there"
        except RuntimeError:
            return "it is a link to itself"
        except (OSError, ValueError) as error:
            return f"it cannot be opened: {getattr(error, 'strerror', None) or error}"
        return "it cannot be opened: permission denied"

    def _read(self, path: str, most: int) -> bytes | None:
        try:
            real = (self.root / path).resolve(strict=True)
            if not real.is_relative_to(self.root) or not stat.S_ISREG(real.stat().st_mode):
                return None
            with real.open("rb") as file:
                return file.read(most)
        except (OSError, ValueError, RuntimeError):  # gone, not ours to read, a NUL, a loop
            return None


def open_tree(paths: Sequence[Path]) -> Tree:
    """Return the tree that `paths` name: folders whole, files alone.

    In a git checkout a folder's files are those that git knows and those that it does not ignore;
    elsewhere all but `SKIPPED` folders. The tree's root is the folder that holds all of them.

    Raises:
        UsageError: one of them is not there, or is neither file nor folder.

    """
    found: set[Path] = set()
    named: set[Path] = set()
    folders = []
    for given in paths:
        path = _there(given)
        if path.is_dir():
            folders.append(path)
            found.update(path / name for name in _listed(path))
        else:
            folders.append(path.parent)
            named.add(path)
    root = Path(os.path.commonpath(folders)) if folders else Path.cwd()
    names = (path.relative_to(root).as_posix() for path in found | named)
    return Tree(
        root=root.resolve(),
        files=tuple(sorted(names, key=os.fsencode)),
        named=frozenset(path.relative_to(root).as_posix() for path in named),
    )


def _there(given: Path) -> Path:
    try:
        path = given.resolve(strict=True) if given.is_dir() else given.parent.resolve() / given.name
        kind = path.stat().st_mode
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no such file or folder"
        raise UsageError(f"{given}: {reason}", hint="name a file or a folder") from error
    if not (stat.S_ISDIR(kind) or stat.S_ISREG(kind)):
        raise UsageError(f"{given} is neither file nor folder", hint="name a file or a folder")
    return path


def _listed(folder: Path) -> Iterator[str]:
    names = _by_git(folder)
    yield from _walked(folder) if names is None else names


def _by_git(folder: Path) -> list[str] | None:
    """Return what git lists below a folder, None where it is no checkout of ours.

    Only the checkout's own rules count for what is ignored: not those of this machine's user.
    """
    if process.find_tool("git") is None:
        return None
    ask = ["ls-files", "-z", "--cached", "--others", "--exclude-per-directory=.gitignore"]
    result = process.run(["git", *TAME, "-C", str(folder), *ask])
    if result.status != 0:
        return None
    return [os.fsdecode(name) for name in set(result.stdout.split(b"\0")) if name]


def _walked(folder: Path) -> Iterator[str]:
    count = 0
    for base, inner, names in os.walk(folder):
        inner[:] = [name for name in inner if not _skipped(Path(base, name))]
        for name in names:
            count += 1
            if count > _MOST_FILES:
                hint = "name the folders that matter"
                raise UsageError(f"{folder} holds more than {_MOST_FILES} files", hint=hint)
            yield Path(base, name).relative_to(folder).as_posix()


def _skipped(folder: Path) -> bool:
    return folder.name in SKIPPED or (folder / "pyvenv.cfg").exists()
