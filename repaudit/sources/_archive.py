"""Images in tar archives: the members as files, without unpacking any."""

from __future__ import annotations

from io import BufferedReader, RawIOBase
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO

from repaudit.model.errors import MalformedError, SourceError
from repaudit.model.image import Entry, Kind
from repaudit.oci.compression import Plain, sniff
from repaudit.oci.cursor import CHUNK
from repaudit.oci.header import BLOCK
from repaudit.oci.layer import read_index
from repaudit.sources._files import fresh, missing

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

#: Docker's own archives have one link at most between a layer's name and its file.
_MAX_LINKS = 8


class Archive:
    """The members of a tar file, as files. Links lead to members and nowhere else."""

    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        self.name = name
        self._entries: dict[str, Entry] = {}
        self._folders = {""}
        try:
            with path.open("rb") as file:
                for entry in read_index(file):
                    self._add(entry)
            self._check_folders()
        except MalformedError as error:
            raise MalformedError(f"{name}: {error.message.removeprefix('layer: ')}") from error

    def has(self, path: str) -> bool:
        """Tell whether there is a regular file called `path`."""
        return self._find(path) is not None

    def open(self, path: str) -> BinaryIO:
        """Open one; raise SourceError where it is not there."""
        entry = self._find(path)
        if entry is None:
            raise missing(self.name, path)
        return BufferedReader(_Window(self._path, entry.offset, entry.size), CHUNK)

    def size(self, path: str) -> int:
        """Return a file's length in bytes; raise SourceError where it is not there."""
        entry = self._find(path)
        if entry is None:
            raise missing(self.name, path)
        return entry.size

    def _add(self, entry: Entry) -> None:
        above = entry.path if entry.kind is Kind.DIRECTORY else entry.path.rpartition("/")[0]
        while above not in self._folders:
            self._folders.add(above)
            above = above.rpartition("/")[0]
        if entry.kind is Kind.DIRECTORY:
            return
        if entry.path in self._entries:
            raise MalformedError(f"two members are called {entry.path!r:.200}")
        if entry.stored != entry.size:
            raise MalformedError(f"{entry.path!r:.200} is a sparse member")
        self._entries[entry.path] = entry

    def _check_folders(self) -> None:
        """Refuse what is a folder and something else: below a link, whoever unpacks it writes."""
        for path in sorted(self._folders & self._entries.keys()):
            raise MalformedError(
                f"{path!r:.200} is a folder and a {self._entries[path].kind.value}"
            )

    def _find(self, path: str) -> Entry | None:
        name = path
        for _ in range(_MAX_LINKS):
            entry = self._entries.get(name)
            if entry is None or entry.kind is Kind.FILE:
                return entry
            name = self._target(entry)
        raise MalformedError(f"{self.name}: {path!r:.200} is a link to a link, over and over")

    def _target(self, entry: Entry) -> str:
        if entry.kind is Kind.HARDLINK:
            return entry.link or ""
        if entry.kind is not Kind.SYMLINK:
            raise MalformedError(f"{self.name}: {entry.path!r:.200} is a {entry.kind.value}")
        parts = list(PurePosixPath(entry.path).parent.parts)
        for part in PurePosixPath(entry.link or "").parts:
            if part == "/" or (part == ".." and not parts):
                raise MalformedError(f"{self.name}: {entry.path!r:.200} links out of the archive")
            if part == "..":
                parts.pop()
            else:
                parts.append(part)
        return "/".join(parts)


class _Window(RawIOBase):
    """A part of a file, as a file of its own."""

    def __init__(self, path: Path, start: int, size: int) -> None:
        self._file = path.open("rb")
        self._file.seek(start)
        self._start, self._size, self._at = start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")[: max(self._size - self._at, 0)]
        count = self._file.readinto(view)
        self._at += count
        return count

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        self._file.seek(self._start + self._at)
        return self._at

    def tell(self) -> int:
        return self._at

    def close(self) -> None:
        self._file.close()
        super().close()


def is_archive(path: Path) -> bool:
    """Tell whether there is a file that begins as a tar archive, or as a compressed one."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return sniff(file.read(BLOCK)) is not None


def open_archive(path: Path, scratch: Path) -> Archive:
    """Index an archive; one that is compressed is unpacked to a tar file in `scratch` first."""
    try:
        with path.open("rb") as file:
            if sniff(file.read(BLOCK)) == "tar":
                return Archive(path, str(path))
            file.seek(0)
            plain = Plain(file, str(path))
            target = fresh(scratch, "archive") / "archive.tar"
            with target.open("wb") as copy:
                while data := plain.read(CHUNK):
                    copy.write(data)
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}") from error
    return Archive(target, str(path))
