"""Members of which one block of 512 bytes tells all: most of a layer, read at a third of the cost.

Neighbours have all but name, size and checksum in common. What `header` and `record` make of the
rest is remembered in encoded form, and a member's own fields are put before it. So there is one
truth about headers, and this is a memory of it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple
from zlib import adler32

from repaudit.model.errors import MalformedError
from repaudit.oci.header import fields, number, text
from repaudit.oci.record import encode, has_data, plain_path, record

#: Files, links, devices, directories and fifos; not what an extended header or a map belongs to.
_TYPES = frozenset(b"0123456")
#: How msgpack begins an array of sixteen fields, as a record is.
_SIXTEEN = b"\xdc\x00\x10"
#: A member's own fields in a header, and in a record, where any will do.
_NAME, _SIZE, _SUM = b"n".ljust(100, b"\0"), b"0".ljust(12, b"\0"), b" " * 8
_OWN = _SIXTEEN + encode((b"n", 0, 0, None, None))[1:]


class Common(NamedTuple):
    """What a row of members has in common; `total` is the sum of those bytes."""

    has_data: bool
    total: int
    rest: bytes

    def encode(self, path: bytes, size: int, content: bytes | None) -> bytes:
        """Return a member's record as `record.encode` does; `content` is its data's digest."""
        return _SIXTEEN + encode((path, size, size, content, None))[1:] + self.rest


def plain(block: bytes) -> tuple[bytes, int, Common] | None:
    """Return the path, size and rest of a header that is right and usual, else None.

    What is None may be right all the same, and is to be read in full.
    """
    common = _common(block[100:124] + block[136:148] + block[156:])
    if common is None:
        return None
    name, size = block[:100], block[124:136]
    path = plain_path(text(name))
    # Sums as in header.checksum_fits.
    total = common.total + (adler32(name) & 0xFFFF) + (adler32(size) & 0xFFFF) - 2
    try:
        fits = number(block[148:156]) == total
        length = number(size)
    except MalformedError:
        return None
    if not path or not fits or length < 0:
        return None
    return path, length if common.has_data else 0, common


@lru_cache(maxsize=1024)
def _common(rest: bytes) -> Common | None:
    """Remember what is said beside name, size and sum; None where that is not to be had so."""
    if rest[36] not in _TYPES:
        return None
    block = _NAME + rest[:24] + _SIZE + rest[24:36] + _SUM + rest[36:]
    try:
        header = fields(block)
        found = encode(record(header, 0))
    except MalformedError:
        return None
    if not found.startswith(_OWN):  # the name has a prefix
        return None
    return Common(has_data(header), sum(rest) + sum(_SUM), found[len(_OWN) :])
