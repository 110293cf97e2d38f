"""Two layers read in step, each into its listing.

Layers of two builds hold nearly the same members in nearly the same order. So both are read at the
same time; a header that is the same is parsed once, a content that is the same is compared, which
is faster than to hash it, and hashed once; and one that differs is at hand to be kept. Where the
layers fall out of step, each member is read alone until they meet again. The listings do not
depend on any of that, but for `sha256`, which only contents have that were found to differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from itertools import chain
from typing import NamedTuple

import msgspec
from blake3 import blake3

from repaudit.oci import residue
from repaudit.oci.cursor import Cursor, Readable
from repaudit.oci.header import BLOCK, Header
from repaudit.oci.listing import Writer
from repaudit.oci.members import Members, Parser
from repaudit.oci.plain import plain
from repaudit.oci.record import Record, encode, has_data, record, sparse_map
from repaudit.oci.residue import Parts
from repaudit.oci.spool import Spool

#: How much of a content is held while both sides agree, in case that they do not later on. Beyond
#: that, it must be read once more.
_HELD = 8 << 20
_EMPTY = blake3().digest()
_ZEROS = tuple(bytes(size) for size in range(BLOCK))
_Digests = tuple[bytes, bytes | None, bytes, bytes | None]
_Pairs = Iterable[tuple[memoryview, memoryview]]


def read_twins(left: Readable, right: Readable, writers: tuple[Writer, Writer], to: Spool) -> None:
    """Read two uncompressed layers to their ends; raise MalformedError as `read_layer` does."""
    parser = Parser()
    sides = _Side(left, writers[0], parser), _Side(right, writers[1], parser)
    _Twins(*sides, to).read()


def read_alone(stream: Readable, writer: Writer) -> None:
    """Like `read_twins`, of one layer."""
    side = _Side(stream, writer, Parser())
    while side.header:
        side.alone()


class _Side:
    """One layer: the member at hand, and who was passed while the other side was elsewhere."""

    def __init__(self, stream: Readable, writer: Writer, parser: Parser) -> None:
        self.cursor = Cursor(stream)
        self.writer = writer
        self.passed: set[int] = set()
        self.members = Members(self.cursor, parser)
        self.header: Header | None = None
        self.offset = 0
        self.next()

    def next(self) -> None:
        """Go to the next member."""
        self.header = self.members.next()
        self.offset = self.cursor.offset
        if self.header is None:
            self.writer.end(self.members.last, self.members.zeros, self.offset)

    def alone(self) -> None:
        """Read the member at hand without looking at the other side."""
        header = self.header
        if header is None:
            return
        found = record(header, self.writer.count)
        if has_data(header):
            found.content, found.sha256 = self.digests(header)
        found.written += self.padding()
        self.write(found, encode(found))
        self.next()

    def write(self, found: Record, encoded: bytes) -> None:
        """Put down the member at hand."""
        self.writer.add(found.path, encoded, self.offset)

    def padding(self) -> Parts:
        """Return what is told of the padding of the content at hand, which was read."""
        padding = self.members.padding()
        return (residue.part(residue.PADDING, padding),) if padding else ()

    def take(self, stride: _Stride) -> None:
        """Put down the members of a stride, which lie here, and go behind them."""
        begin = self.cursor.offset
        self.members.passed(len(stride.paths))
        self.writer.extend(stride.paths, stride.encoded, [begin + at for at in stride.offsets])
        self.cursor.skip(stride.size)

    def pass_by(self, name: bytes) -> None:
        """Read the member at hand alone, and remember that the other side has yet to meet it."""
        self.passed.add(hash(name))
        self.alone()

    def digests(self, header: Header) -> tuple[bytes, bytes | None]:
        """Read the content at hand and return its BLAKE3 digest; of a sparse one sha256 too.

        What stands for the holes is nowhere in the archive, so that no one could hash it later.
        """
        prefix = sparse_map(header)
        hasher, second = blake3(prefix), sha256(prefix) if prefix else None
        for piece in self.cursor.pieces(header.size):
            hasher.update(piece)
            if second:
                second.update(piece)
        return hasher.digest(), second.digest() if second else None


class _Stride(NamedTuple):
    """Members in a row: their paths, records, and where each one's data lies in the row's bytes."""

    paths: list[bytes]
    encoded: list[bytes]
    offsets: list[int]
    size: int


def _stride(buffer: bytes, at: int, most: int) -> _Stride:
    """Read the plain members that lie whole in a buffer, from `at` on and before `most` bytes.

    It ends before one whose padding is not zeros.
    """
    paths: list[bytes] = []
    encoded: list[bytes] = []
    offsets: list[int] = []
    view, here, end = memoryview(buffer), at, at + most
    while here + BLOCK <= end and (found := plain(buffer[here : here + BLOCK])):
        data, size = here + BLOCK, found.size
        padding = -size % BLOCK
        behind = data + size + padding
        if behind > end or not buffer.startswith(_ZEROS[padding], data + size):
            break
        content = _EMPTY if found.has_data else None
        if size:
            content = blake3(view[data : data + size]).digest()
        paths.append(found.path)
        encoded.append(found.encode(content))
        offsets.append(data - at)
        here = behind
    return _Stride(paths, encoded, offsets, here - at)


class _Twins:
    """Both layers, and where contents go that differ."""

    def __init__(self, left: _Side, right: _Side, to: Spool) -> None:
        self._left = left
        self._right = right
        self._to = to

    def read(self) -> None:
        """Read both to their ends."""
        left, right = self._left, self._right
        while True:
            one, other = left.header, right.header
            if one is not None and other is not None:
                if one is other or one.name == other.name:
                    self._together(one, other)
                else:
                    self._apart(one.name, other.name)
            elif one is not None:
                left.alone()
            elif other is not None:
                right.alone()
            else:
                return

    def _apart(self, one: bytes, other: bytes) -> None:
        """Go on where the other side is ahead, else on both: so insertions are soon behind."""
        left, right = self._left, self._right
        if hash(other) in left.passed:
            left.passed.remove(hash(other))
            right.alone()
        elif hash(one) in right.passed:
            right.passed.remove(hash(one))
            left.alone()
        else:
            left.pass_by(one)
            right.pass_by(other)

    def _together(self, one: Header, other: Header) -> None:
        left, right = self._left, self._right
        same = one is other or one == other
        a = record(one, left.writer.count)
        b = a if same else record(other, right.writer.count)
        if has_data(one) and has_data(other):
            a.content, a.sha256, content, digest = self._contents(one, other)
            if a is b and a.content != content:
                b = msgspec.structs.replace(a)
                same = False
            b.content, b.sha256 = content, digest
        else:
            for side, header, found in ((left, one, a), (right, other, b)):
                if has_data(header):
                    found.content, found.sha256 = side.digests(header)
        pads = left.padding(), right.padding()
        if a is b and pads[0] != pads[1]:
            b = msgspec.structs.replace(a)
            same = False
        a.written += pads[0]
        if a is not b:
            b.written += pads[1]
        encoded = encode(a)
        left.write(a, encoded)
        right.write(b, encoded if same else encode(b))
        self._stride()
        left.next()
        right.next()

    def _stride(self) -> None:
        """Go on over the members that both sides have at hand whole, byte for byte the same."""
        left, right = self._left, self._right
        size = left.cursor.alike(right.cursor)
        if size > BLOCK:
            buffer, at, _ = left.cursor.at_hand()
            stride = _stride(buffer, at, size)
            left.take(stride)
            right.take(stride)

    def _contents(self, one: Header, other: Header) -> _Digests:
        """Read both contents; return BLAKE3 and sha256 of the left, then of the right."""
        left, right, size = self._left.cursor, self._right.cursor, one.size
        if one.real_size is not None or other.real_size is not None:
            return *self._left.digests(one), *self._right.digests(other)
        if size != other.size:
            drafts = self._to.draft(), self._to.draft()
            for side, draft, length in ((left, drafts[0], size), (right, drafts[1], other.size)):
                for piece in side.pieces(length):
                    draft.update(piece)
            return *drafts[0].finish(), *drafts[1].finish()
        if not size:
            return _EMPTY, None, _EMPTY, None
        data = left.agreed(right, size)
        if data is not None:
            digest = blake3(data).digest()
            return digest, None, digest, None
        hasher = blake3()
        held: list[memoryview] = []
        pieces = left.with_other(right, size)
        for a, b, same in pieces:
            if not same:
                rest = chain([(a, b)], ((x, y) for x, y, _ in pieces))
                whole = left.offset - self._left.offset <= _HELD
                return self._drafted(held, rest) if whole else _hashed(hasher, rest)
            hasher.update(a)
            held.append(a)
            if left.offset - self._left.offset > _HELD:
                held.clear()
        digest = hasher.digest()
        return digest, None, digest, None

    def _drafted(self, held: Sequence[memoryview], rest: _Pairs) -> _Digests:
        """Keep two contents that began with `held` and go on with the two sides of `rest`."""
        drafts = self._to.draft(held), self._to.draft(held)
        for a, b in rest:
            drafts[0].update(a)
            drafts[1].update(b)
        return *drafts[0].finish(), *drafts[1].finish()


def _hashed(hasher: blake3, rest: _Pairs) -> _Digests:
    """Return the digests of two contents that `hasher` has seen the same beginning of."""
    twin = hasher.copy()
    for a, b in rest:
        hasher.update(a)
        twin.update(b)
    return hasher.digest(), None, twin.digest(), None
