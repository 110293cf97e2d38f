"""The members of a tar archive, one merged header each, with its data yet to be read."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from msgspec.structs import replace

from repaudit.model.errors import MalformedError
from repaudit.oci import header as headers
from repaudit.oci import pax, residue, sparse
from repaudit.oci.cursor import Cursor, truncated
from repaudit.oci.header import BLOCK, Header
from repaudit.oci.residue import Part, Parts

#: No real layer comes near; without a bound a small bomb would keep us busy for days.
MAX_MEMBERS = 5_000_000
#: An extended header and a long name are held in memory. Linux paths end at 4 KiB.
MAX_EXTENDED = 1 << 20
MAX_NAME = 64 << 10
#: How many extended headers may stand before one member. Real ones have up to three.
MAX_HEADERS = 64
ZERO = bytes(BLOCK)
_SPARSE = ord("S")
_EXTENDED = frozenset(b"xgLK")
_REGULAR = frozenset(b"0\0" + b"7")
_LINKS = frozenset(b"12")
_SECOND = 1_000_000_000


class Parser:
    """Parses headers, and the same block twice in a row once: of two archives that go in step.

    Who is given the header of a block that was seen must not change it.
    """

    def __init__(self) -> None:
        self._block = b""
        self._header: Header | None = None

    def parse(self, block: bytes, *, fresh: bool) -> Header:
        """Return a block's header, which is the caller's own if it shall be `fresh`."""
        if fresh or block[156] == _SPARSE:
            return headers.parse(block)
        if block != self._block or self._header is None:
            self._header = headers.parse(block)
            self._block = block
        return self._header


class Members:
    """Goes from member to member of an archive; two that are read in step may have one parser.

    Global extended headers are checked and not applied, as Docker, containerd and podman do.
    """

    def __init__(self, cursor: Cursor, parser: Parser | None = None) -> None:
        self._cursor = cursor
        self._parser = parser or Parser()
        self._end = 0
        #: How many members there were.
        self.count = 0
        #: What headers at the end of the archive say of no member, and how many zeros follow.
        self.last: Parts = ()
        self.zeros = 0

    def next(self) -> Header | None:
        """Return the next header, the cursor at its `size` bytes of data; None after the last one.

        What of the data before was not read is skipped. Raises MalformedError for whatever is not
        a tar archive in each of its blocks.
        """
        pending, cursor = _Pending(), self._cursor
        self.skip()
        while (block := cursor.block()) and block != ZERO:
            header = self._parser.parse(block, fresh=bool(pending.blocks))
            if header.type in _EXTENDED:
                _absorb(pending, header, block, cursor)
                continue
            self.passed(1)
            if pending.blocks:
                _merge(header, pending, block, cursor)
            if header.type == _SPARSE:
                sparse.old(header, block, cursor)
            elif header.type == 0 and header.name.endswith(b"/"):  # V7 had no directory type
                if header.size:
                    header.written += (residue.number(residue.SIZE, header.size),)
                header.type, header.size = ord("5"), 0
            self._end = cursor.offset + header.size + -header.size % BLOCK
            return header
        self.last = pending.written(ZERO)
        self.zeros = _finish(cursor, pending, last=block, empty=self.count == 0)
        return None

    def padding(self) -> bytes:
        """Return what pads the member's data, which was read; nothing where that is zeros."""
        size = self._end - self._cursor.offset
        return self._cursor.take(size).rstrip(b"\0") if size > 0 else b""

    def skip(self) -> None:
        """Skip what of the member at hand was not read."""
        if self._end > self._cursor.offset:
            self._cursor.skip(self._end - self._cursor.offset)

    def passed(self, count: int) -> None:
        """Count members, also those that somebody else has read; raise MalformedError at most."""
        self.count += count
        if self.count > MAX_MEMBERS:
            raise MalformedError(f"layer: more than {MAX_MEMBERS} members")


def members(cursor: Cursor) -> Iterator[Header]:
    """Yield each member's header, as Members does."""
    found = Members(cursor)
    while header := found.next():
        yield header


class _Pending:
    """What extended headers said about the member that follows them."""

    def __init__(self) -> None:
        self.records: dict[bytes, bytes] = {}
        self.name = b""
        self.link = b""
        #: Their blocks, and what is known of how these are written; the records as they stand.
        self.blocks: list[tuple[bytes, Parts]] = []
        self.data = b""
        #: What else is known of how they are written.
        self.parts: list[Part] = []

    def written(self, block: bytes) -> Parts:
        """Return the parts of the headers, of a member with this block."""
        found = (residue.header(one, parts, block) for one, parts in self.blocks)
        return (*chain.from_iterable(found), *self.parts)


def _absorb(pending: _Pending, header: Header, block: bytes, cursor: Cursor) -> None:
    """Take in an extended header."""
    kind = chr(header.type)
    bound = MAX_EXTENDED if kind in "xg" else MAX_NAME + 1
    if header.size > bound:
        raise MalformedError(f"layer: an extended header of {header.size} bytes")
    data = cursor.take(header.size)
    if padding := cursor.take(-header.size % BLOCK).rstrip(b"\0"):
        pending.parts.append(residue.part(b"%c padding" % header.type, padding))
    if kind == "x":
        _once(pending.records)
        pending.records, pending.data = pax.records(data), data
    elif kind == "g":
        found = pax.records(data)
        several = any(one[156] == header.type for one, _ in pending.blocks)
        whole = (residue.part(b"g records", data),)
        pending.parts += whole if several else residue.of_all(data, found)
    elif kind == "L":
        _once(pending.name)
        pending.name = _long(pending, b"L", data)
    else:
        _once(pending.link)
        pending.link = _long(pending, b"K", data)
    pending.blocks.append((block, header.written))
    if len(pending.blocks) > MAX_HEADERS:
        raise MalformedError(f"layer: more than {MAX_HEADERS} extended headers for one member")


def _once(said: object) -> None:
    """Refuse what is said twice of one member: some readers take the first, some the last."""
    if said:
        raise MalformedError("layer: two extended headers say the same of one member")


def _long(pending: _Pending, kind: bytes, data: bytes) -> bytes:
    name = data.rstrip(b"\0")
    if b"\0" in name:
        raise MalformedError(f"layer: a NUL in a name: {name!r:.200}")
    if len(data) - len(name) != 1:
        pending.parts.append((kind + b" end", b"%d" % (len(data) - len(name))))
    return name


def _merge(header: Header, pending: _Pending, block: bytes, cursor: Cursor) -> None:
    found = pending.records
    _once(pending.name and b"path" in found)
    _once(pending.link and b"linkpath" in found)
    bare = replace(header)
    pax.merge(header, found)
    size = pax.stored_size(found)
    if size is not None and header.type not in headers.NO_DATA:
        header.size = size
    header.name = pending.name or header.name
    header.link = pending.link or header.link
    stored = header.size
    written = header.written + pending.written(block)
    if header.type in _REGULAR:
        written += sparse.extended(header, found, cursor)
    written += pax.written(header, pending.data, found, stored)
    header.written = written + tuple(_beside(bare, header, pending, stored))


def _beside(bare: Header, header: Header, pending: _Pending, size: int) -> Iterator[Part]:
    """Yield what a header says, and an extended one otherwise; `size` is that of its data."""
    for where, one, other in (
        (residue.NAME, bare.name, header.name),
        (residue.LINK, bare.link, header.link),
        (residue.UNAME, bare.uname, header.uname),
        (residue.GNAME, bare.gname, header.gname),
    ):
        if one != other:
            yield residue.part(where + 2, one)
    for where, here, there in (
        (residue.UID, bare.uid, header.uid),
        (residue.GID, bare.gid, header.gid),
        (residue.SIZE, bare.size, size),
        (residue.MTIME, bare.mtime // _SECOND, header.mtime // _SECOND),
    ):
        if here != there:
            yield residue.number(where, here)
    if pending.name not in (b"", header.name):
        yield residue.part(b"L name", pending.name)
    if header.type not in _LINKS and header.link != bare.link:
        yield residue.part(b"linkpath", header.link)


def _finish(cursor: Cursor, pending: _Pending, *, last: bytes, empty: bool) -> int:
    """Check that the archive ends as one: two zero blocks or one or none, and then only zeros.

    Return how many zeros these are.
    """
    if pending.records or pending.name or pending.link or (empty and not last):
        raise truncated()
    end = cursor.offset - len(last)
    second = cursor.block() if last else b""
    if second and (second != ZERO or not cursor.only_zeros()):
        raise MalformedError("layer: there is more data after the end of the archive")
    return cursor.offset - end
