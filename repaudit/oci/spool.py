"""Contents that differ, kept in a folder under their own digests, so that each lies there once."""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from blake3 import blake3

from repaudit.host.store import Store
from repaudit.model.image import Entry

if TYPE_CHECKING:
    from collections.abc import Iterable

#: The most bytes of one content that are kept, and of all.
MOST_OF_ONE = 32 << 20
MOST_OF_ALL = 4 << 30
#: The most bytes of contents that one audit puts into a store.
_MOST_STORED = 64 << 20


class Spool:
    """A folder of contents, each cut off at MOST_OF_ONE; it takes no more than MOST_OF_ALL.

    Where there is a store, contents are looked up in it, and the smaller ones put there.
    """

    def __init__(self, folder: Path, store: Store | None = None) -> None:
        self._folder = folder
        self._store = store
        self._room = MOST_OF_ALL
        self._store_room = _MOST_STORED
        self._drafts = 0
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def folder(self) -> Path:
        """Where the contents are."""
        return self._folder

    def path(self, entry: Entry) -> Path:
        """Return where an entry's content is, if it is kept."""
        return self._folder / (entry.fingerprint or b"").hex()

    def has(self, entry: Entry) -> bool:
        """Whether an entry's content is kept, or its beginning."""
        if entry.fingerprint is None:
            return False
        path = self.path(entry)
        return path.is_file() or self._fetched(path, entry.fingerprint)

    def _fetched(self, path: Path, fingerprint: bytes) -> bool:
        if self._store is None:
            return False
        with suppress(OSError):
            data = self._store.path(path.name).read_bytes()
            if blake3(data).digest() == fingerprint:
                path.write_bytes(data)
                return True
            self._store.drop(path.name)
        return False

    def _stored(self, path: Path) -> None:
        """Put a content into the store; its beginning alone could not be verified later."""
        size = path.stat().st_size
        if self._store is not None and size < MOST_OF_ONE and size <= self._store_room:
            self._store_room -= size
            self._store.put(path, path.name)

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
            self._stored(self.path(entry))

    def take_in(self, draft: Path, content: bytes) -> None:
        """Keep the content with this BLAKE3 digest, which lies in `draft`."""
        self._stored(draft.replace(self._folder / content.hex()))

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
            self._spool.take_in(self._path, content)
        else:
            self._path.unlink()
        return content, digest
