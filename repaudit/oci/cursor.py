"""A position in an archive that is read once, front to back, in constant memory."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from io import SEEK_END
from typing import TYPE_CHECKING, BinaryIO, Protocol

from repaudit.model.errors import MalformedError
from repaudit.oci.header import BLOCK

if TYPE_CHECKING:
    from hashlib import _Hash

#: Bytes asked of the stream at a time. Threads that wait for each other do so less often than with
#: a quarter of it, which saves a quarter of the time; more does not, and leaves the caches.
CHUNK = 1 << 20


class Readable(Protocol):
    """What can be read front to back."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, at least one unless the end is reached."""


class Cursor:
    """Reads blocks and contents in order. Too few bytes raise MalformedError."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._buffer = b""
        self._at = 0
        self._base = 0

    @property
    def offset(self) -> int:
        """How many bytes of the archive lie behind."""
        return self._base + self._at

    def block(self) -> bytes:
        """Return the next 512 bytes, or none where the archive ends right here."""
        at, end = self._at, self._at + BLOCK
        if end > len(self._buffer):
            self._fill(BLOCK)
            at, end = 0, BLOCK
            if not self._buffer:
                return b""
            if end > len(self._buffer):
                raise truncated()
        self._at = end
        return self._buffer[at:end]

    def take(self, size: int) -> bytes:
        """Return the next `size` bytes; for what is bounded by the caller."""
        return b"".join(self._pieces(size))

    def hash(self, size: int, hasher: _Hash | None = None) -> str:
        """Read over `size` bytes and return their sha256 digest, after what `hasher` has seen."""
        end = self._at + size
        if hasher is None and end <= len(self._buffer):
            piece = self._buffer[self._at : end]
            self._at = end
            return "sha256:" + sha256(piece).hexdigest()
        hasher = hasher or sha256()
        for data in self._pieces(size):
            hasher.update(data)
        return "sha256:" + hasher.hexdigest()

    def pieces(self, size: int) -> Iterator[memoryview]:
        """Yield the next `size` bytes as they come."""
        return self._pieces(size)

    def skip(self, size: int) -> None:
        """Read over `size` bytes."""
        if size <= len(self._buffer) - self._at:
            self._at += size
            return
        for _ in self._pieces(size):
            pass

    def agreed(self, other: Cursor, size: int) -> memoryview | None:
        """Return the next `size` bytes if both have them at hand, the same; else go nowhere."""
        at, end = self._at, self._at + size
        if end > len(self._buffer) or other._at + size > len(other._buffer):
            return None
        data = memoryview(self._buffer)[at:end]
        # Two views are compared item by item, and slices are copies: this is memcmp.
        if not other._buffer.startswith(data, other._at):
            return None
        self._at = end
        other._at += size
        return data

    def at_hand(self) -> tuple[bytes, int, int]:
        """Return what was read of the stream, and where in it lies what is next, and how much."""
        return self._buffer, self._at, len(self._buffer) - self._at

    def alike(self, other: Cursor) -> int:
        """Return how many of the next bytes are at hand on both sides, the same.

        Where they differ soon, it may be up to a block less.
        """
        most = min(len(self._buffer) - self._at, len(other._buffer) - other._at)
        view = memoryview(other._buffer)[other._at : other._at + most]
        if self._buffer.startswith(view, self._at):
            return most
        least = 0
        while most - least > BLOCK:
            middle = (least + most) // 2
            if self._buffer.startswith(view[least:middle], self._at + least):
                least = middle
            else:
                most = middle
        return least

    def with_other(self, other: Cursor, size: int) -> Iterator[tuple[memoryview, memoryview, bool]]:
        """Yield the next `size` bytes of both, piece by piece, and whether a piece is the same."""
        while size > 0:
            self._need()
            other._need()
            here, there = len(self._buffer) - self._at, len(other._buffer) - other._at
            count = min(size, here, there)
            one = memoryview(self._buffer)[self._at : self._at + count]
            two = memoryview(other._buffer)[other._at : other._at + count]
            same = self._buffer.startswith(two, self._at)
            self._at += count
            other._at += count
            size -= count
            yield one, two, same

    def only_zeros(self) -> bool:
        """Read to the end and tell whether nothing but zero bytes was left."""
        zeros = True
        while zeros and self._buffer:
            rest = bytes(memoryview(self._buffer)[self._at :])
            zeros = rest.count(0) == len(rest)
            self._at = len(self._buffer)
            self._fill(1)
        return zeros

    def _pieces(self, size: int) -> Iterator[memoryview]:
        while size > 0:
            self._need()
            piece = memoryview(self._buffer)[self._at : self._at + size]
            self._at += len(piece)
            size -= len(piece)
            yield piece

    def _need(self) -> None:
        if self._at == len(self._buffer):
            self._fill(1)
            if not self._buffer:
                raise truncated()

    def _fill(self, need: int) -> None:
        """Drop what was read and read on until `need` bytes are there, or the archive ends."""
        self._base += self._at
        parts = [self._buffer[self._at :]] if self._at < len(self._buffer) else []
        have = len(self._buffer) - self._at
        while have < need and (data := self._stream.read(CHUNK)):
            parts.append(data)
            have += len(data)
        self._buffer = parts[0] if len(parts) == 1 else b"".join(parts)
        self._at = 0


class SeekingCursor(Cursor):
    """A cursor on a file, which jumps over what is skipped."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self._file = file
        self._size = file.seek(0, SEEK_END)
        file.seek(0)

    def skip(self, size: int) -> None:
        """Jump over `size` bytes."""
        if size <= len(self._buffer) - self._at:
            super().skip(size)
            return
        target = self.offset + size
        if target > self._size:
            raise truncated()
        self._base, self._buffer, self._at = self._file.seek(target), b"", 0


def truncated() -> MalformedError:
    """Return the error for an archive that ends too early."""
    return MalformedError("layer: the archive ends in the middle of a member")
