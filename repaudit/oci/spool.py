"""Contents that differ, kept in a folder under their own digests, so that each lies there once.

Small ones lie in one file together: to make and to remove a file of its own costs a hundred times
as much as to write what is in it, and a hundred thousand may differ.
"""

from __future__ import annotations

import weakref
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from sys import intern
from threading import Lock
from typing import TYPE_CHECKING, BinaryIO, Protocol

from blake3 import blake3
from msgspec import Struct

from repaudit.host.store import Store
from repaudit.model.image import Entry

if TYPE_CHECKING:
    from collections.abc import Iterable

#: The most bytes of one content that are kept, and of all that one comparison brings.
MOST_OF_ONE = 128 << 20
MOST_OF_ALL = 4 << 30
#: The most bytes of contents that one audit puts into a store.
_MOST_STORED = 64 << 20
#: What is not longer lies in one file with others.
_SMALL = 64 << 10
_PLACES = _SMALL + 1


class Source(Protocol):
    """Where bytes are."""

    def read_bytes(self) -> bytes:
        """Return them."""


class Stored(Struct, frozen=True):
    """A content that was kept, cut off at MOST_OF_ONE; `size` is its whole length."""

    source: Source
    size: int


class Spool:
    """A folder of contents, each cut off at MOST_OF_ONE; a comparison may bring MOST_OF_ALL.

    Where there is a store, contents are looked up in it, and the smaller ones put there.
    """

    def __init__(self, folder: Path, store: Store | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._store = store
        self._store_room = _MOST_STORED
        self._drafts = 0
        self._packed = _Packed(folder / "small")
        #: By sha256 digest: where a small content begins in that file, times _PLACES, and its
        #: length in one number, which takes a third of the memory; and the others.
        self._small: dict[str, int] = {}
        self._large: dict[str, Stored] = {}
        self.renew()

    def renew(self) -> None:
        """Begin another comparison, which may bring as much again."""
        self._room = MOST_OF_ALL

    def find(self, digest: str | None) -> Stored | None:
        """Return the content with this sha256 digest, None where it is not kept."""
        if digest is None:
            return None
        if digest in self._small:
            offset, size = divmod(self._small[digest], _PLACES)
            return Stored(_Piece(self._packed, offset, size), size)
        return self._large.get(digest)

    def has(self, entry: Entry) -> bool:
        """Whether an entry's content is kept, or its beginning."""
        return entry.digest in self._small or entry.digest in self._large or self._fetched(entry)

    def recall(self, entry: Entry) -> str | None:
        """Return the sha256 digest of an entry's content if that is kept, whatever it says."""
        if entry.digest is not None:
            return entry.digest if self.has(entry) else None
        data = self._stored(entry)
        if data is None:
            return None
        digest = f"sha256:{sha256(data).hexdigest()}"
        self._put(data, digest, len(data))
        return digest

    def _fetched(self, entry: Entry) -> bool:
        data = None if entry.digest is None else self._stored(entry)
        if entry.digest is None or data is None:
            return False
        self._put(data, entry.digest, len(data))
        return True

    def _stored(self, entry: Entry) -> bytes | None:
        if self._store is None or entry.fingerprint is None:
            return None
        name = entry.fingerprint.hex()
        with suppress(OSError):
            data = self._store.path(name).read_bytes()
            if blake3(data).digest() == entry.fingerprint:
                return data
            self._store.drop(name)
        return None

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
        if enough and entry.digest and not self.has(entry) and self.grant(len(data)):
            self.take_in(data, entry.digest, entry.fingerprint, entry.stored)

    def take_in(
        self, data: bytes | Path, digest: str, fingerprint: bytes | None, size: int
    ) -> None:
        """Keep a content of `size` bytes with these sha256 and BLAKE3 digests, or its beginning.

        It is at hand, or a file of ours.
        """
        data = self._put(data, digest, size)
        # The beginning alone could not be verified later.
        if self._store and fingerprint and size < MOST_OF_ONE and size <= self._store_room:
            self._store_room -= size
            self._store.put(data, fingerprint.hex())

    def grant(self, size: int) -> bool:
        """Take `size` bytes of room; tell whether there was as much."""
        self._room -= size
        return self._room >= 0

    def _put(self, data: bytes | Path, digest: str, size: int) -> bytes | Path:
        """Put a content where it is kept; return it if it has no file of its own, else that."""
        if isinstance(data, bytes) and len(data) <= _SMALL:
            self._small[intern(digest)] = self._packed.append(data) * _PLACES + size
            return data
        path = self._folder / digest.partition(":")[2]
        if isinstance(data, Path):
            data.replace(path)
        else:
            path.write_bytes(data)
        self._large[digest] = Stored(path, size)
        return path


class _Packed:
    """One file of many contents; several threads may read it."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w+b", buffering=0)
        self._lock = Lock()
        self._end = 0
        weakref.finalize(self, self._file.close)

    def append(self, data: bytes) -> int:
        """Write a content behind the others, and return where it begins."""
        with self._lock:
            begin = self._file.seek(self._end)
            self._end += self._file.write(data)
        return begin

    def read(self, offset: int, size: int) -> bytes:
        """Return `size` bytes from `offset` on."""
        with self._lock:
            self._file.seek(offset)
            return self._file.read(size)


class _Piece(Struct, frozen=True):
    """A content that lies with others in one file."""

    packed: _Packed
    offset: int
    size: int

    def read_bytes(self) -> bytes:
        """Return it."""
        return self.packed.read(self.offset, self.size)


class Draft:
    """A content that is being read: hashed whole, and kept as far as there is room.

    `path` is where it lies meanwhile, once it is no small one.
    """

    def __init__(self, spool: Spool, path: Path) -> None:
        self._spool = spool
        self._path = path
        self._hashes = blake3(), sha256()
        self._size = 0
        self._whole = True
        self._held = bytearray()
        self._file: BinaryIO | None = None

    def update(self, piece: memoryview) -> None:
        """Take in the next bytes."""
        for hasher in self._hashes:
            hasher.update(piece)
        room = MOST_OF_ONE - self._size
        if room > 0 and self._whole:
            self._whole = self._spool.grant(min(len(piece), room))
            if self._whole:
                self._write(piece[:room])
        self._size += len(piece)

    def _write(self, piece: memoryview) -> None:
        if self._file is None:
            self._held += piece
            if len(self._held) > _SMALL:
                self._file = self._path.open("wb")
                self._file.write(self._held)
                self._held.clear()
        else:
            self._file.write(piece)

    def finish(self) -> tuple[bytes, bytes]:
        """Keep the content; return its BLAKE3 and sha256 digests."""
        content, digest = (hasher.digest() for hasher in self._hashes)
        if self._file is not None:
            self._file.close()
        if self._whole:
            data = self._path if self._file else bytes(self._held)
            self._spool.take_in(data, f"sha256:{digest.hex()}", content, self._size)
        elif self._file is not None:
            self._path.unlink()
        return content, digest
