"""gzip: the fields of the header, and what is inside (RFC 1952)."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import cast
from zlib import crc32

from isal import igzip_lib, isal_zlib

from repaudit.formats._bytes import fingerprint, inflate, take, unpack
from repaudit.formats.interface import MAGIC, STEP, Budget, Format, Kind, Part
from repaudit.model.errors import UnreadableError

_MAGIC = b"\x1f\x8b\x08"
_HEADER = Struct("<3xBIBB")  # FLG, MTIME, XFL, OS
_TRAILER = Struct("<II")  # CRC32, ISIZE
_CHECK, _EXTRA, _NAME, _COMMENT = 2, 4, 8, 16
_MORE = _CHECK | _EXTRA | _NAME | _COMMENT
#: What isal raises for a damaged stream; its stub calls the class an instance.
CORRUPT = (cast("type[Exception]", igzip_lib.IsalError), EOFError)


class _Gzip:
    name = "gzip"
    rank = MAGIC
    positional = False

    def claims(self, head: bytes, name: str) -> bool:
        return head.startswith(_MAGIC)

    def parts(self, data: bytes, budget: Budget) -> Iterator[Part]:
        pieces: list[bytes] = []
        packed: list[bytes] = []
        at = 0
        # A file may hold several streams, one after the other (2.2).
        while data.startswith(_MAGIC, at):
            prefix = f"stream {len(pieces) + 1}{STEP}" if pieces else ""
            start, fields = header(data, at)
            for name, value in fields:
                yield Part(prefix + name, value)
            decoder = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_DEFLATE)
            piece, at = inflate(decoder, data, start, budget, CORRUPT)
            check, size = unpack(_TRAILER, data, at)
            if check != isal_zlib.crc32(piece) or size != len(piece) & 0xFFFFFFFF:
                raise UnreadableError("the checksum of a gzip stream is wrong")
            yield Part(f"{prefix}crc32", b"%08x" % check, Kind.DERIVED, "inflated")
            pieces.append(piece)
            packed.append(fingerprint(data[start:at]))
            at += _TRAILER.size
        yield Part("inflated", b"".join(pieces), Kind.FILE)
        yield Part("packed", fingerprint(b"".join(packed)), Kind.DERIVED, "inflated")
        if at < len(data):
            yield Part("trailing", data[at:], Kind.FILE)


def header(data: bytes, at: int) -> tuple[int, list[tuple[str, bytes]]]:
    """Return where the deflated bytes of the stream at `at` start, and the fields before them.

    Raises UnreadableError where the header is cut off, or its checksum is wrong.
    """
    start = at
    flags, mtime, extra_flags, system = unpack(_HEADER, data, at)
    found = [
        ("mtime", b"%d" % mtime),
        ("extra flags", b"%d" % extra_flags),
        ("system", b"%d" % system),
    ]
    if flags & ~_MORE:
        found.append(("flags", b"%02x" % (flags & ~_MORE)))
    at += _HEADER.size
    if flags & _EXTRA:
        size = int.from_bytes(take(data, at, 2), "little")
        found.append(("extra", take(data, at + 2, size)))
        at += 2 + size
    for flag, name in ((_NAME, "name"), (_COMMENT, "comment")):
        if flags & flag:
            end = data.find(b"\0", at)
            if end < 0:
                raise UnreadableError("the header of a gzip file is cut off")
            found.append((name, data[at:end]))
            at = end + 1
    if flags & _CHECK:
        if int.from_bytes(take(data, at, 2), "little") != crc32(data[start:at]) & 0xFFFF:
            raise UnreadableError("the checksum of a gzip header is wrong")
        found.append(("header has a checksum", b"yes"))
        at += 2
    return at, found


FORMAT: Format = _Gzip()
