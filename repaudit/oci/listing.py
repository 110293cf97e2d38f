"""The entries of a layer in a file: written once, front to back, and read in pieces.

A file holds the records, then where each begins and where its content lies in the layer (both as
64-bit numbers), then what the listing is of, and at the end its length and its BLAKE3 digest. So a
million entries take some 100 MB of disk and 16 MB of memory.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from io import SEEK_END
from itertools import accumulate, pairwise
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import msgspec
from blake3 import blake3

from repaudit.model.errors import MalformedError
from repaudit.model.image import Entry
from repaudit.oci.compression import Wrapper
from repaudit.oci.record import Record, decode, encode, entry
from repaudit.oci.residue import Parts

#: Grows with each change of the form, so that no file of another form is ever read.
FORM = 4
#: What the records of one layer may take, in bytes; ten million small entries.
MOST_RECORDS = 1 << 30
#: How many paths may stand there again. No builder writes one twice; they are held in memory.
MOST_REPEATS = 100_000
#: How many records are written at once, and how long one may be to wait for others, in bytes.
_BATCH, _LONG = 256, 4096
#: How much is read at once of what is read in a row, and where it is read here and there.
_WINDOW, _GLANCE = 1 << 20, 4096
_LENGTH = struct.Struct("<Q")
_END = struct.Struct("<8sQ32s")
_MAGIC = b"repaudi%d" % FORM


class Foot(msgspec.Struct, array_like=True):
    """What a listing is of. `repeats` tells whether a path may stand in it more than once.

    `last` is what stands behind the last member (`residue`), then follow `zeros`; the layer has
    `size` bytes, and `wrapper` is what its compressor says first.
    """

    digest: str
    diff_id: str
    count: int
    repeats: bool
    last: Parts
    zeros: int
    size: int
    wrapper: Wrapper


class Writer:
    """Writes a listing to `path`, as a context; it is one when `finish` was called."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("wb")
        self._hash = blake3()
        self._batch: list[bytes] = []
        self._starts = array("Q", [0])
        self._offsets = array("Q")
        self._names: list[bytes] = []
        self._paths = array("q")
        self._end: tuple[Parts, int, int] = ((), 0, 0)

    def add(self, path: bytes, encoded: bytes, offset: int) -> None:
        """Append one record, whose content begins at `offset` of the layer."""
        self._batch.append(encoded)
        self._names.append(path)
        self._offsets.append(offset)
        if len(self._batch) == _BATCH or len(encoded) > _LONG:
            self._flush()

    def extend(self, paths: list[bytes], encoded: list[bytes], offsets: Iterable[int]) -> None:
        """Append records as `add` does, many at a time."""
        self._flush()
        self._batch, self._names = encoded, paths
        self._offsets.extend(offsets)
        self._flush()

    def end(self, last: Parts, zeros: int, size: int) -> None:
        """Say how the layer ends; see Foot."""
        self._end = last, zeros, size

    @property
    def count(self) -> int:
        """How many records were added."""
        return len(self._offsets)

    def finish(self, digest: str, diff_id: str, wrapper: Wrapper = ()) -> Listing:
        """Close the file and return what is in it; the layer it is of has these digests."""
        self._flush()
        order = sorted(self._paths)
        repeats = sum(one == other for one, other in pairwise(order))
        if repeats > MOST_REPEATS:
            raise MalformedError(f"layer: more than {MOST_REPEATS} paths stand there again")
        foot = Foot(digest, diff_id, self.count, repeats > 0, *self._end, wrapper)
        data = encode(foot)
        for part in (
            self._starts.tobytes(),
            self._offsets.tobytes(),
            data,
            _LENGTH.pack(len(data)),
        ):
            self._write(part)
        self._file.write(_END.pack(_MAGIC, self._starts[-1], self._hash.digest()))
        self._file.close()
        return Listing(self._path.open("rb"), foot, self._starts, self._offsets)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def _flush(self) -> None:
        ends = accumulate(map(len, self._batch), initial=self._starts.pop())
        self._starts.extend(ends)
        self._paths.extend(map(hash, self._names))
        if self._starts[-1] > MOST_RECORDS:
            raise MalformedError(
                f"layer: names and attributes of over {MOST_RECORDS >> 20} MiB",
                hint="this bound keeps the comparison within the disk",
            )
        self._write(b"".join(self._batch))
        self._batch, self._names = [], []

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._hash.update(data)


class Listing:
    """The records of a layer, in stored order. Close it when done."""

    def __init__(self, file: BinaryIO, foot: Foot, starts: array[int], offsets: array[int]) -> None:
        self._file = file
        self._starts = starts
        self._offsets = offsets
        self._window = b""
        self._at = 0
        self.foot = foot

    def __len__(self) -> int:
        return self.foot.count

    def raw(self, start: int, count: int) -> bytes:
        """Return the bytes of `count` records from number `start` on, fewer at the end."""
        end = self._starts[min(start + count, self.foot.count)]
        return self._read(self._starts[start], end)

    def read(self, start: int, size: int) -> bytes:
        """Return `size` bytes of records from number `start` on, fewer at the end."""
        begin = self._starts[start]
        return self._read(begin, min(begin + size, self._starts[self.foot.count]))

    def record(self, number: int) -> Record:
        """Return one record."""
        return decode(self.raw(number, 1))

    def records(self, start: int, count: int) -> Iterator[Record]:
        """Yield `count` records from number `start` on."""
        first, stop = start, start + count
        while first < stop:
            most = min(first + _BATCH, stop)  # and no more bytes than a window has, of two or more
            last = bisect_right(self._starts, self._starts[first] + _WINDOW, first + 1, most + 1)
            last = max(last - 1, first + 1)
            begins = self._starts[first : last + 1]
            first = last
            data = self._read(begins[0], begins[-1])
            for begin, end in pairwise(begins):
                yield decode(data[begin - begins[0] : end - begins[0]])

    def entry(self, number: int) -> Entry:
        """Return one record as an entry of its layer."""
        return entry(self.record(number), number, self._offsets[number])

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _read(self, begin: int, end: int) -> bytes:
        if begin < self._at or end > self._at + len(self._window):
            near = self._at <= begin <= self._at + len(self._window)
            self._file.seek(begin)
            self._window = self._file.read(max(_WINDOW if near else _GLANCE, end - begin))
            self._at = begin
        return self._window[begin - self._at : end - self._at]


def load(path: Path) -> Listing | None:
    """Return the listing in a file; None where it is not there, or not as it was written."""
    try:
        file = path.open("rb")
    except OSError:
        return None
    try:
        return _parse(file)
    except (OSError, EOFError, ValueError, OverflowError, struct.error, msgspec.MsgspecError):
        file.close()
        return None


def _parse(file: BinaryIO) -> Listing:
    size = file.seek(-_END.size, SEEK_END)
    magic, records, digest = _END.unpack(file.read(_END.size))
    if magic != _MAGIC or _digest(file, size) != digest:
        raise ValueError("not as it was written")
    size = file.seek(size - _LENGTH.size)
    length = _LENGTH.unpack(file.read(_LENGTH.size))[0]
    file.seek(size - length)
    foot = msgspec.msgpack.decode(file.read(length), type=Foot)
    file.seek(records)
    starts, offsets = array("Q"), array("Q")
    starts.fromfile(file, foot.count + 1)
    offsets.fromfile(file, foot.count)
    return Listing(file, foot, starts, offsets)


def _digest(file: BinaryIO, size: int) -> bytes:
    file.seek(0)
    hasher = blake3()
    while size:
        data = file.read(min(size, _WINDOW))
        if not data:
            break
        hasher.update(data)
        size -= len(data)
    return hasher.digest()
