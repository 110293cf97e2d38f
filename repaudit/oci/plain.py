"""Members of which one block of 512 bytes tells all: most of a layer, read at a third of the cost.

Neighbours have all but name, size and checksum in common. What `header` and `record` make of the
rest is remembered in encoded form, and a member's own fields are put before it. So there is one
truth about headers, and this is a memory of it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple
from zlib import adler32

from msgspec import Struct

from repaudit.model.errors import MalformedError
from repaudit.oci.header import fields, number
from repaudit.oci.record import encode, has_data, plain_path, record
from repaudit.oci.residue import SIZE, Parts, form

#: Files, links, devices, directories and fifos; not what an extended header or a map belongs to.
_TYPES = frozenset(b"0123456")
#: How msgpack begins an array of eighteen fields, as a record is.
_EIGHTEEN = b"\xdc\x00\x12"
#: A member's own fields in a header, and in a record, where any will do.
_NAME, _SIZE, _SUM = b"n".ljust(100, b"\0"), b"0" * 11 + b"\0", b" " * 8
_OWN = _EIGHTEEN + encode((b"n", 0, 0, None, None, 0))[1:]


class Common(NamedTuple):
    """What a row of members has in common; `total` is the sum of those bytes.

    `rest` is in encoded form, and `last` is what it ends with: how such headers are written.
    """

    has_data: bool
    total: int
    rest: bytes
    last: Parts

    def written_with(self, size: bytes) -> bytes:
        """Return `rest` of a member whose size is written in another form."""
        return self.rest[: -len(encode(self.last))] + encode(((SIZE, size), *self.last))


class Plain(Struct, gc=False):
    """A header that is right and usual: what it says, and what stands behind that in a record."""

    path: bytes
    size: int
    slashes: int
    has_data: bool
    rest: bytes

    def encode(self, content: bytes | None) -> bytes:
        """Return the member's record as `record.encode` does; `content` is its data's digest."""
        own = (self.path, self.size, self.size, content, None, self.slashes)
        return _EIGHTEEN + encode(own)[1:] + self.rest


def plain(block: bytes) -> Plain | None:
    """Return what a header says if that is soon told, else None: it may be right all the same."""
    common = _common(block[100:124] + block[136:148] + block[156:])
    if common is None:
        return None
    name, field, checksum = block[:100], block[124:136], block[148:156]
    stored = name.rstrip(b"\0")
    path = b"" if b"\0" in stored else plain_path(stored)
    # Sums as in header.checksum_fits.
    total = common.total + (adler32(name) & 0xFFFF) + (adler32(field) & 0xFFFF) - 2
    if not path or checksum != b"%06o\0 " % total:
        return None
    rest, digits = common.rest, field[:-1]
    try:
        if digits.isdigit() and not field[-1]:  # as in residue.form
            size = int(digits, 8)
        else:
            size, rest = number(field), common.written_with(form(field) or b"")
    except (ValueError, MalformedError):  # an 8 or a 9
        return None
    if size < 0 or (size and not common.has_data):
        return None
    return Plain(path, size, len(stored) - len(path), common.has_data, rest)


@lru_cache(maxsize=1024)
def _common(rest: bytes) -> Common | None:
    """Remember what is said beside name, size and sum; None where that is not to be had so."""
    if rest[36] not in _TYPES:
        return None
    block = _NAME + rest[:24] + _SIZE + rest[24:36] + _SUM + rest[36:]
    try:
        header = fields(block)
        found = record(header, 0)
        encoded = encode(found)
    except MalformedError:
        return None
    if not encoded.startswith(_OWN):  # the name has a prefix
        return None
    return Common(has_data(header), sum(rest) + sum(_SUM), encoded[len(_OWN) :], found.written)
