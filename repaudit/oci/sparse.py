"""Sparse members of tar (GNU tar manual, "Storing Sparse Files"). Holes are never filled here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from repaudit.model.errors import MalformedError
from repaudit.oci import residue
from repaudit.oci.cursor import Cursor, truncated
from repaudit.oci.header import BLOCK, Header, number
from repaudit.oci.pax import integer
from repaudit.oci.residue import Parts

#: A map is held in memory, so it is bounded: this many regions take some 20 MB.
MAX_REGIONS = 100_000
#: The largest file that ext4 can hold (ext4(5)). Nothing of a hole is ever read or written here.
MAX_SIZE = 16 << 40
#: Where GNU's own header and its continuation blocks hold their regions, and the flag for more.
_FIRST, _FIRST_MORE, _REAL_SIZE = range(386, 482, 24), 482, slice(483, 495)
_NEXT, _NEXT_MORE = range(0, 504, 24), 504


def old(header: Header, block: bytes, cursor: Cursor) -> None:
    """Read the map of a type `S` member: four regions in the header, more in blocks after it."""
    header.real_size = number(block[_REAL_SIZE])
    values = _old_regions(block, _FIRST)
    more = block[_FIRST_MORE]
    blocks = [block[residue.SPARSE]]
    while more:
        block = cursor.block()
        if not block:
            raise truncated()
        blocks.append(block)
        values += _old_regions(block, _NEXT)
        more = block[_NEXT_MORE]
        _bound(len(values))
    _set_regions(header, values)
    header.written += _map(header, b"".join(blocks), _old_map(values, header.real_size))


def _old_map(values: Sequence[int], size: int) -> bytes:
    """Return a map as GNU tar writes it, from its place in the header on."""
    fields = [b"%011o\0" % value for value in values]
    first, rest = b"".join(fields[:8]), fields[8:]
    blocks = [first.ljust(96, b"\0") + bytes([bool(rest)]) + b"%011o\0" % size]
    for at in range(0, len(rest), 42):
        more = bytes([at + 42 < len(rest)])
        blocks.append((b"".join(rest[at : at + 42]).ljust(504, b"\0") + more).ljust(BLOCK, b"\0"))
    return b"".join(blocks)


def _map(header: Header, data: bytes, usual: bytes) -> Parts:
    """Return the part that says how a map is written, or what it is where no digest tells it."""
    if data == usual and header.real_size != header.size:
        return ()
    return (residue.part(b"sparse map", data),)


def extended(header: Header, found: Mapping[bytes, bytes], cursor: Cursor) -> Parts:
    """Read the map that PAX records hold (0.0, 0.1) or announce (1.0); do nothing without one.

    Return how it is written, where it stands in the data.
    """
    version = found.get(b"GNU.sparse.major"), found.get(b"GNU.sparse.minor")
    in_data = version == (b"1", b"0")
    text = found.get(b"GNU.sparse.map", b"")
    if not in_data and not text and b"GNU.sparse.numblocks" not in found:
        return ()
    size = found.get(b"GNU.sparse.realsize") or found.get(b"GNU.sparse.size")
    if not size:
        raise MalformedError(f"layer: {header.name!r:.200} is sparse but has no real size")
    header.real_size = integer(size)
    header.name = found.get(b"GNU.sparse.name") or header.name
    if in_data:
        values, data = _map_in_data(header, cursor)
        usual = b"".join(b"%d\n" % value for value in (len(values) // 2, *values))
        _set_regions(header, values)
        return _map(header, data, usual.ljust(len(data), b"\0"))
    values = [integer(word) for word in text.split(b",")] if text else []
    _set_regions(header, values)
    return ()


def _old_regions(block: bytes, places: range) -> list[int]:
    values: list[int] = []
    for at in places:
        if block[at] == 0:
            break
        values += (number(block[at : at + 12]), number(block[at + 12 : at + 24]))
    return values


def _map_in_data(header: Header, cursor: Cursor) -> tuple[list[int], bytes]:
    """Read `COUNT, OFFSET, LENGTH, …`, a line each, from the front of the data, in whole blocks.

    Return the regions' numbers, and the blocks.
    """
    lines: list[bytes] = []
    blocks: list[bytes] = []
    rest, need = b"", 1
    while len(lines) < need:
        if header.size < BLOCK or len(rest) >= BLOCK:
            raise MalformedError(f"layer: {header.name!r:.200} has no whole sparse map")
        header.size -= BLOCK
        block = cursor.block()
        if not block:
            raise truncated()
        blocks.append(block)
        *new, rest = (rest + block).split(b"\n")
        lines += new
        if lines and need == 1:
            need += 2 * integer(lines[0])
            _bound(need)
    return [integer(line) for line in lines[1:need]], b"".join(blocks)


def _bound(values: int) -> None:
    if values > 2 * MAX_REGIONS:
        raise MalformedError(f"layer: a sparse map of more than {MAX_REGIONS} regions")


def _set_regions(header: Header, values: Sequence[int]) -> None:
    """Set the regions after checking that they ascend, fit, and add up to what is stored."""
    if (header.real_size or 0) > MAX_SIZE:
        raise MalformedError(
            f"layer: {header.name!r:.200} is a sparse file of {header.real_size} bytes"
        )
    regions = tuple(zip(values[::2], values[1::2], strict=False))
    end = 0
    for start, length in regions:
        if start < end or length < 0:
            break
        end = start + length
    else:
        stored = sum(length for _, length in regions)
        if len(values) % 2 == 0 and end <= (header.real_size or 0) and stored == header.size:
            header.regions = regions
            return
    raise MalformedError(f"layer: {header.name!r:.200} has a sparse map that does not fit its data")
