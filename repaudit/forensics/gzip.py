"""gzip: the time and the name in the header, another compressor, and what is inside (RFC 1952)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from repaudit.forensics._case import UNPACKED_LIMIT, clue, contents, inflate, sides, whole
from repaudit.forensics._inner import inside
from repaudit.forensics._tarball import is_tar
from repaudit.forensics.interface import Case, Forensic
from repaudit.model.finding import Clue

_MAGIC = b"\x1f\x8b\x08"
_FIXED = 10
_EXTRA, _NAME = 4, 8
_NAME_LIMIT = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    """RFC 1952, 2.3: MTIME, the original file name if there is one, where the rest starts."""

    mtime: int
    name: bytes
    end: int


class _Gzip:
    name = "gzip"

    def examine(self, case: Case) -> Iterator[Clue]:
        """Yield what of the header differs, then what of the stream or of its contents."""
        data = contents(case)
        left, right = (_header(side) for side in data) if data else (None, None)
        if data is None or left is None or right is None:
            return
        if left.mtime != right.mtime:
            seen = sides(str(left.mtime), str(right.mtime))
            yield clue("timestamps_in_gzip_headers", f"MTIME {seen}")
        if left.name != right.name:
            yield clue("file_name_in_gzip_headers", f"FNAME {sides(left.name, right.name)}")
        if data[0][left.end :] == data[1][right.end :]:
            return
        inner = inflate(data[0]), inflate(data[1])
        if inner[0] != inner[1]:
            if not (is_tar(inner[0]) and is_tar(inner[1])):  # tar.py opens those
                yield from inside(case, "(inflated)", *inner)
        elif whole(case) and 0 < len(inner[0]) < UNPACKED_LIMIT and data[0][-8:] == data[1][-8:]:
            # The trailer, checksum and length, says that what was not cut off is all of it.
            yield clue("compressor_differs", f"{len(inner[0])} equal bytes in two streams")


def _header(data: bytes) -> _Header | None:
    if len(data) < _FIXED or not data.startswith(_MAGIC):
        return None
    flags, mtime = data[3], struct.unpack_from("<I", data, 4)[0]
    position = _FIXED
    if flags & _EXTRA:
        if len(data) < position + 2:
            return None
        position += 2 + struct.unpack_from("<H", data, position)[0]
    name = b""
    if flags & _NAME:
        end = data.find(b"\0", position, position + _NAME_LIMIT)
        if end < 0:
            return None
        name, position = data[position:end], end + 1
    return _Header(mtime=mtime, name=name, end=position)


FORENSIC: Forensic = _Gzip()
