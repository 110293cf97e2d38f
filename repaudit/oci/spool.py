"""Contents that differ, kept in a folder under their own digests, so that each lies there once."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from blake3 import blake3

from repaudit.model.image import Entry

if TYPE_CHECKING:
    from collections.abc import Iterable

#: The most bytes of one content that are kept, and of all.
MOST_OF_ONE = 32 << 20
MOST_OF_ALL = 4 << 30


class Spool:
    """A folder of contents, each cut off at MOST_OF_ONE; it takes no more than MOST_OF_ALL."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._room = MOST_OF_ALL
        self._drafts = 0
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, entry: Entry) -> Path:
        """Return where an entry's content is, if it is kept."""
        return self._folder / (entry.fingerprint or b"").hex()

    def has(self, entry: Entry) -> bool:
        """Whether an entry's content is kept, or its beginning."""
        return bool(entry.fingerprint) and self.path(entry).is_file()

    def draft(self, seen: Iterable[memoryview] = ()) -> Draft:
        """Begin a content, of which `seen` was read already."""
        self._drafts += 1
        draft = Draft(self, self._folder / f"draft-{self._drafts}")
        for piece in seen:
            draft.update(piece)
        return draft

    def keep(self, entry: Entry, data: bytes) -> None:
        """Keep a content that is at hand, if it is whole or as long as any that is kept."""
        enough = len(data) == min(entry.stored, MOST_OF_ONE)
        if enough and not self.has(entry) and self.grant(len(data)):
            self.path(entry).write_bytes(data)

    def place(self, content: bytes) -> Path:
        """Return where the content with this BLAKE3 digest goes."""
        return self._folder / content.hex()

    def grant(self, size: int) -> bool:
        """Take `size` bytes of room; tell whether there was as much."""
        self._room -= size
        return self._room >= 0


class Draft:
    """A content that is being read: hashed whole, and written as far as there is room."""

    def __init__(self, spool: Spool, path: Path) -> None:
        self._spool = spool
        self._path = path
        self._hashes = blake3(), sha256()
        self._room = MOST_OF_ONE
        self._whole = True
        self._file = path.open("wb")

    def update(self, piece: memoryview) -> None:
        """Take in the next bytes."""
        for hasher in self._hashes:
            hasher.update(piece)
        if self._room > 0 and self._whole:
            self._whole = self._spool.grant(min(len(piece), self._room))
            if self._whole:
                self._file.write(piece[: self._room])
            self._room -= len(piece)

    def finish(self) -> tuple[bytes, bytes]:
        """Keep the content; return its BLAKE3 and sha256 digests."""
        self._file.close()
        content, digest = (hasher.digest() for hasher in self._hashes)
        if self._whole:
            self._path.replace(self._spool.place(content))
        else:
            self._path.unlink()
        return content, digest
