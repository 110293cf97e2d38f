"""The 512-byte header of a tar member: ustar (POSIX, pax(1)), GNU and V7.

Where the formats leave room we decide as Go's archive/tar does, for that is what container
runtimes unpack layers with.
"""

from __future__ import annotations

import re
from functools import lru_cache
from zlib import adler32

from msgspec import Struct

from repaudit.model.errors import MalformedError
from repaudit.oci import residue
from repaudit.oci.residue import Parts

BLOCK = 512
_GNU, _USTAR, _STAR_TRAILER = b"ustar  \0", b"ustar\0", b"tar\0"
_OCTAL = re.compile(rb"[0-7]*")
_INT64 = range(-(1 << 63), 1 << 63)
#: Member types that never have data, whatever their size field says.
NO_DATA = frozenset(b"123456")


class Header(Struct):
    """The fields of one header, extended records merged in; `size` is what lies in the archive.

    `mtime` is in nanoseconds. `name` and `link` are bytes as stored. `real_size` and `regions`
    are set for sparse files alone. `written` is what of it no other field tells.
    """

    type: int
    name: bytes
    link: bytes
    mode: int
    uid: int
    gid: int
    uname: bytes
    gname: bytes
    mtime: int
    size: int
    device: tuple[int, int]
    xattrs: tuple[tuple[str, str], ...] = ()
    real_size: int | None = None
    regions: tuple[tuple[int, int], ...] = ()
    written: Parts = ()


def number(field: bytes) -> int:
    """Return a numeric field: octal digits, or base-256 where the first bit is set (GNU).

    Raises MalformedError for what is neither, or needs more than 64 bits.
    """
    digits = field.rstrip(b" \0")
    if digits.isdigit():  # as most are; int() takes more than digits
        try:
            return int(digits, 8)
        except ValueError:
            pass  # an 8 or a 9
    return _odd_number(field)


@lru_cache(maxsize=1024)
def _odd_number(field: bytes) -> int:
    if field[0] & 0x80:
        bits = 8 * len(field) - 1
        value = int.from_bytes(field, "big") & ((1 << bits) - 1)
        value -= (value >> (bits - 1)) << bits
    else:
        digits = field.strip(b" \0").partition(b"\0")[0]
        if _OCTAL.fullmatch(digits) is None:
            raise MalformedError(f"layer: not a number in a header: {field!r}")
        value = int(digits or b"0", 8)
    if value not in _INT64:
        raise MalformedError(f"layer: a number of more than 64 bits in a header: {field!r}")
    return value


def checksum_fits(block: bytes) -> bool:
    """Tell whether the header's sum of bytes is right, taken as unsigned or as signed ones."""
    return _signed(block) is not None


def _signed(block: bytes) -> bool | None:
    """Tell whether the header's sum is one of signed bytes; None where it is wrong."""
    # The low half of adler32 is the sum of bytes plus one, exact below 65521: so two halves of a
    # block. It is twenty times as fast as sum(), and every header passes here.
    total = (adler32(block[:256]) & 0xFFFF) + (adler32(block[256:512]) & 0xFFFF) - 2
    field = block[148:156]
    total += 8 * 32 - (adler32(field) & 0xFFFF) + 1
    try:
        stored = number(field)
    except MalformedError:
        return None
    if stored == total:
        return False
    rest = block[:148] + block[156:512]
    return True if stored == total - 256 * sum(byte >> 7 for byte in rest) else None


def text(field: bytes) -> bytes:
    """Return a field up to its first NUL."""
    return field.partition(b"\0")[0]


def parse(block: bytes) -> Header:
    """Return the header in `block`; raise MalformedError where its sum or a number is wrong."""
    signed = _signed(block)
    if signed is None:
        raise MalformedError("layer: a header does not match its checksum")
    header = fields(block)
    header.written += residue.checksum(block[148:156], signed=signed)
    return header


def fields(block: bytes) -> Header:
    """Like `parse`, whatever the sum is."""
    kind = block[156]
    name = text(block[:100])
    size = number(block[124:136])
    if size < 0:
        raise MalformedError(f"layer: {name!r:.200} has a negative size")
    # Members that follow each other differ in little but their names, sizes and sums.
    prefix, link, mode, uid, gid, uname, gname, mtime, device, written = _common(
        block[100:124] + block[136:148] + block[156:]
    )
    data = kind not in NO_DATA
    return Header(
        kind,
        prefix + b"/" + name if prefix else name,
        link,
        mode,
        uid,
        gid,
        uname,
        gname,
        mtime,
        size if data else 0,
        device,
        written=residue.own(block, size, data=data) + written,
    )


_Common = tuple[bytes, bytes, int, int, int, bytes, bytes, int, tuple[int, int], Parts]


@lru_cache(maxsize=1024)
def _common(rest: bytes) -> _Common:
    """Return the other fields of a header, the prefix first; `rest` is all but those in `parse`."""
    block = bytes(100) + rest[:24] + bytes(12) + rest[24:36] + bytes(8) + rest[36:]
    uname = gname = prefix = b""
    device = (0, 0)
    named = block[257:263] == _USTAR or block[257:265] == _GNU
    if named:
        uname, gname = text(block[265:297]), text(block[297:329])
        prefix = _prefix(block)
        if block[156] in b"34":
            device = (number(block[329:337]), number(block[337:345]))
    mode = number(block[100:108])
    return (
        prefix,
        text(block[157:257]),
        mode & 0o7777,
        number(block[108:116]),
        number(block[116:124]),
        uname,
        gname,
        number(block[136:148]) * 1_000_000_000,
        device,
        residue.common(block, mode, prefix, named=named),
    )


def _prefix(block: bytes) -> bytes:
    magic = block[257:265]
    if magic.startswith(_USTAR):
        # star keeps two times where POSIX has the end of the prefix.
        return text(block[345 : 476 if block[508:] == _STAR_TRAILER else 500])
    if magic == _GNU and block[156] != ord("S") and block[345]:
        # GNU keeps times there, but Go before 1.8 wrote a prefix, and so did Docker of that age.
        try:
            number(block[345:357])
        except MalformedError:
            return text(block[345:500])
    return b""
