"""zip, jar, wheel: the directory's entry and the bytes of each member (APPNOTE 4.3, 4.4).

`zipfile` reads hostile archives forgivingly: it takes members that overlap, and offsets that point
anywhere. This reader takes a directory whose every member has its own place, and says which of its
fields differ that `zipfile` does not show: versions, extra fields of both headers, what was padded.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct

import msgspec
from isal import igzip_lib, isal_zlib

from repaudit.formats._bytes import inflate, take, unpack
from repaudit.formats.gzip import CORRUPT
from repaudit.formats.interface import MAGIC, STEP, Budget, Format, Kind, Labels, Part
from repaudit.model.errors import UnreadableError

_LOCAL_MAGIC, _ENTRY_MAGIC, _END_MAGIC = b"PK\3\4", b"PK\1\2", b"PK\5\6"
_END = Struct("<4x4H2IH")
_END_64, _WHERE_64 = Struct("<24x4Q"), Struct("<8xQ4x")
_ENTRY = Struct("<4x6H3I5H2I")
_LOCAL = Struct("<26x2H")
_EXTRA = Struct("<HH")
_STORED, _DEFLATED = 0, 8
_ENCRYPTED = 1
_LONGEST_COMMENT = 0xFFFF
_FULL = 0xFFFFFFFF
_ZIP64, _UNIX_TIME, _UNIX_OWNER = 0x0001, 0x5455, 0x7875


class _Entry(msgspec.Struct, frozen=True):
    """One entry of the central directory (4.3.12), as stored."""

    made_by: int
    needed: int
    flags: int
    method: int
    time: int
    date: int
    crc: int
    packed: int
    size: int
    internal: int
    external: int
    offset: int
    name: bytes
    extra: bytes
    comment: bytes


class _Zip:
    name = "zip"
    rank = MAGIC
    positional = False

    def claims(self, head: bytes, name: str) -> bool:
        return head.startswith((_LOCAL_MAGIC, _END_MAGIC))

    def parts(self, data: bytes, budget: Budget) -> Iterator[Part]:
        at, count, start, comment = _end(data)
        if comment:
            yield Part("comment", comment)
        entries, labels, order = [], Labels(), []
        for _ in range(count):
            entry, at = _entry(data, at)
            entries.append(entry)
        _keep_apart(data, entries, start)
        for entry in entries:
            label = labels.label("member", entry.name)
            order.append(label)
            yield from _member(label, entry, data, budget)
        yield Part("order", "\n".join(order).encode(), Kind.ORDER)


def _end(data: bytes) -> tuple[int, int, int, bytes]:
    """Return where the directory starts, its entries' number, its start again, the comment."""
    at = data.rfind(_END_MAGIC, max(0, len(data) - _LONGEST_COMMENT - _END.size))
    if at < 0:
        raise UnreadableError("a zip file has no directory: it is cut off")
    _, _, _, count, _, start, length = unpack(_END, data, at)
    comment = take(data, at + _END.size, length)
    if start == _FULL or count == 0xFFFF:
        (where,) = unpack(_WHERE_64, data, at - _WHERE_64.size)
        _, count, _, start = unpack(_END_64, data, where)
    if count * _ENTRY.size > len(data):
        raise UnreadableError("a zip file has more members than room for them")
    return start, count, start, comment


def _entry(data: bytes, at: int) -> tuple[_Entry, int]:
    """Return the entry at `at`, and where it ends."""
    if take(data, at, 4) != _ENTRY_MAGIC:
        raise UnreadableError("the directory of a zip file is damaged")
    *numbers, name, extra, comment, _, internal, external, offset = unpack(_ENTRY, data, at)
    texts, place = [], at + _ENTRY.size
    for length in (name, extra, comment):
        texts.append(take(data, place, length))
        place += length
    packed, size, offset = _long(texts[1], numbers[7], numbers[8], offset)
    entry = _Entry(*[*numbers[:7], packed, size, internal, external, offset, *texts])
    return entry, place


def _long(extra: bytes, packed: int, size: int, offset: int) -> tuple[int, int, int]:
    """Return the three numbers, from the zip64 field (4.5.3) where they do not fit."""
    long = dict(_extras(extra)).get(_ZIP64, b"")
    values, at = [], 0
    for value in (size, packed, offset):
        if value == _FULL and long:
            value, at = int.from_bytes(take(long, at, 8), "little"), at + 8
        values.append(value)
    return values[1], values[0], values[2]


def _keep_apart(data: bytes, entries: list[_Entry], end: int) -> None:
    """Raise UnreadableError where members overlap: so small a file may unpack to petabytes."""
    for entry in sorted(entries, key=lambda one: one.offset, reverse=True):
        head = _LOCAL.size + sum(unpack(_LOCAL, data, entry.offset))
        if entry.offset + head + entry.packed > end:
            raise UnreadableError("members of a zip file overlap")
        end = entry.offset


def _member(label: str, entry: _Entry, data: bytes, budget: Budget) -> Iterator[Part]:
    if take(data, entry.offset, 4) != _LOCAL_MAGIC:
        raise UnreadableError("a member of a zip file is not where its directory says")
    name, extra = unpack(_LOCAL, data, entry.offset)
    extra_at = entry.offset + _LOCAL.size + name
    start = extra_at + extra
    yield from _fields(label, entry)
    # The local header holds more of the time than the directory does.
    yield from _extra_fields(label, entry.extra + take(data, extra_at, extra))
    packed = take(data, start, entry.packed)
    try:
        yield Part(label, _content(entry, packed, budget), Kind.FILE)
    except UnreadableError:
        yield Part(label, packed)


def _content(entry: _Entry, packed: bytes, budget: Budget) -> bytes:
    """Return a member's bytes; raise UnreadableError where they cannot be had."""
    if entry.flags & _ENCRYPTED or entry.method not in (_STORED, _DEFLATED):
        raise UnreadableError("a member of a zip file is encrypted, or packed in a rare way")
    content = packed
    if entry.method == _DEFLATED:
        decoder = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_DEFLATE)
        content, _ = inflate(decoder, packed, 0, budget, CORRUPT)
    if len(content) != entry.size or isal_zlib.crc32(content) != entry.crc:
        raise UnreadableError("a member of a zip file has a wrong checksum")
    return content


def _fields(label: str, entry: _Entry) -> Iterator[Part]:
    day, time = entry.date, entry.time
    moment = (
        1980 + (day >> 9),
        day >> 5 & 15,
        day & 31,
        time >> 11,
        time >> 5 & 63,
        2 * (time & 31),
    )
    fields = {
        "mtime": b"%04d-%02d-%02d %02d:%02d:%02d" % moment,
        "mode": b"%04o" % (entry.external >> 16),
        "attributes": b"%04x" % (entry.external & 0xFFFF),
        "internal attributes": b"%04x" % entry.internal,
        "version made by": b"%d.%d" % divmod(entry.made_by & 0xFF, 10),
        "system": b"%d" % (entry.made_by >> 8),
        "version needed": b"%d" % entry.needed,
        "flags": b"%04x" % entry.flags,
        "method": b"%d" % entry.method,
    }
    for name, value in fields.items():
        yield Part(f"{label}{STEP}{name}", value)
    if entry.comment:
        yield Part(f"{label}{STEP}comment", entry.comment)
    yield Part(f"{label}{STEP}crc32", b"%08x" % entry.crc, Kind.DERIVED)


def _extras(extra: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    # Android pads with bytes that are no field; those are the encoding's.
    while at + _EXTRA.size <= len(extra):
        kind, size = unpack(_EXTRA, extra, at)
        if at + _EXTRA.size + size > len(extra):
            return
        yield kind, extra[at + _EXTRA.size :][:size]
        at += _EXTRA.size + size


def _extra_fields(label: str, extra: bytes) -> Iterator[Part]:
    found: dict[str, bytes] = {}
    for kind, value in _extras(extra):
        if kind == _UNIX_TIME:
            found |= _times(value)
        elif kind == _UNIX_OWNER:
            found["extra owner"] = _owner(value)
        elif kind != _ZIP64:
            found[f"extra {kind:04x}"] = value.hex().encode()
    for name, value in found.items():
        yield Part(f"{label}{STEP}{name}", value)


def _times(value: bytes) -> dict[str, bytes]:
    """Return the times of Info-ZIP's field `UT`: mtime, atime, ctime, as its flags say."""
    names = [
        name
        for bit, name in enumerate(("mtime", "atime", "ctime"))
        if value[:1] and value[0] >> bit & 1
    ]
    words = [value[1 + 4 * n : 5 + 4 * n] for n in range(len(names))]
    return {
        f"extra {name}": b"%d" % int.from_bytes(word, "little", signed=True)
        for name, word in zip(names, words, strict=True)
        if len(word) == 4  # the directory's copy has the first alone
    }


def _owner(value: bytes) -> bytes:
    """Return the owner in Info-ZIP's field `ux`: a version, then each number with its length."""
    numbers, at = [], 1
    while at < len(value):
        size = value[at]
        numbers.append(b"%d" % int.from_bytes(value[at + 1 :][:size], "little"))
        at += 1 + size
    return b":".join(numbers)


FORMAT: Format = _Zip()
