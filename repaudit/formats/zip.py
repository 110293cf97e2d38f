"""zip, jar, wheel: the directory's entry and the bytes of each member (APPNOTE 4.3, 4.4).

`zipfile` reads hostile archives forgivingly: it takes members that overlap, and offsets that point
anywhere. This reader takes a directory whose every member has its own place, and says which of its
fields differ that `zipfile` does not show: versions, extra fields of both headers, what is between
members. A member's own header is told as far as it says other things than the directory does.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct, error

import msgspec
from isal import igzip_lib, isal_zlib

from repaudit.formats._bytes import between, fingerprint, inflate, take, unpack
from repaudit.formats._zip_extra import extra_fields, zip64
from repaudit.formats.gzip import CORRUPT
from repaudit.formats.interface import MAGIC, STEP, Budget, Format, Kind, Labels, Part
from repaudit.model.errors import UnreadableError

_LOCAL_MAGIC, _ENTRY_MAGIC, _END_MAGIC = b"PK\3\4", b"PK\1\2", b"PK\5\6"
_DATA_MAGIC = b"PK\7\x08"
_END = Struct("<4x4H2IH")
_END_64, _WHERE_64 = Struct("<4xQ2H2I4Q"), Struct("<8xQ4x")
_ENTRY = Struct("<4x6H3I5H2I")
_LOCAL = Struct("<4x5H3I2H")
#: What may begin with a script that runs it; the directory stands at the end.
_EXECUTABLE = (".jar", ".war", ".pyz", ".pex", ".zip")
_STORED, _DEFLATED = 0, 8
_ENCRYPTED, _OPTION, _DESCRIBED = 1, 6, 8
_LONGEST_COMMENT = 0xFFFF
_FULL = 0xFFFFFFFF
#: Checksum and both sizes behind a member's bytes, with short or long sizes (4.3.9).
_DESCRIPTORS = (Struct("<3I"), Struct("<I2Q"))
_LOCAL_FIELDS = ("version", "flags", "method", "time", "date", "crc", "packed", "size")


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
    disk: int
    internal: int
    external: int
    offset: int
    name: bytes
    extra: bytes
    comment: bytes
    #: What of a zip64 field is of no use.
    spare: bytes


class _Zip:
    name = "zip"
    rank = MAGIC
    positional = False

    def claims(self, head: bytes, name: str) -> bool:
        script = head.startswith(b"#!") and name.endswith(_EXECUTABLE)
        return script or head.startswith((_LOCAL_MAGIC, _END_MAGIC))

    def parts(self, data: bytes, budget: Budget) -> Iterator[Part]:
        end = _end(data)
        yield from end.parts
        entries, labels, order, used = [], Labels(), [], list(end.used)
        at = end.start
        for _ in range(end.count):
            entry, at = _entry(data, at)
            entries.append(entry)
        used.append((end.start, at - end.start, "the directory"))
        if end.length != at - end.start:
            yield Part("length of the directory", b"%d" % end.length)
        _keep_apart(data, entries, end.start)
        for entry in entries:
            label = labels.label("member", entry.name)
            order.append((entry.offset, label))
            size, parts = _member(label, entry, data, budget)
            used.append((entry.offset, size, label))
            yield from parts
        names = [label for _, label in order]
        yield Part("order", "\n".join(names).encode(), Kind.ORDER)
        if order != sorted(order):
            names = [label for _, label in sorted(order)]
            yield Part("order of bytes", "\n".join(names).encode(), Kind.ORDER)
        for label, gap in between(data, used, Labels()):
            yield Part(label, gap, Kind.FILE)


class _End(msgspec.Struct, frozen=True):
    """The end of a directory: where that starts, its length and number of entries."""

    start: int
    length: int
    count: int
    parts: list[Part]
    used: list[tuple[int, int, str]]


def _end(data: bytes) -> _End:
    at = data.rfind(_END_MAGIC, max(0, len(data) - _LONGEST_COMMENT - _END.size))
    if at < 0:
        raise UnreadableError("a zip file has no directory: it is cut off")
    *disks, here, count, length, start, comment = unpack(_END, data, at)
    used = [(at, _END.size + comment, "the end of the directory")]
    parts = [Part("comment", take(data, at + _END.size, comment))] if comment else []
    if start == _FULL or count == 0xFFFF:
        place = at - _WHERE_64.size
        (where,) = unpack(_WHERE_64, data, place)
        stated = length, start
        more, *versions, disk, other, here, count, length, start = unpack(_END_64, data, where)
        used.append((where, _END_64.size, "the zip64 end"))
        told = take(data, at, 12) + take(data, place, 8) + take(data, place + 16, 4)
        told += take(data, where, 4) + b"%d %d %d" % (more, *versions)
        if stated != (length, start):
            told += b" %d %d" % stated
        parts.append(Part("zip64 end", told.hex().encode()))
        used.append((place, _WHERE_64.size, "the place of the zip64 end"))
        disks = [*disks, disk, other]
    if any(disks) or here != count:
        parts.append(Part("disks", " ".join(map(str, (*disks, here))).encode()))
    if count * _ENTRY.size > len(data):
        raise UnreadableError("a zip file has more members than room for them")
    return _End(start, length, count, parts, used)


def _entry(data: bytes, at: int) -> tuple[_Entry, int]:
    """Return the entry at `at`, and where it ends."""
    if take(data, at, 4) != _ENTRY_MAGIC:
        raise UnreadableError("the directory of a zip file is damaged")
    *numbers, name, extra, comment, disk, internal, external, offset = unpack(_ENTRY, data, at)
    texts, place = [], at + _ENTRY.size
    for length in (name, extra, comment):
        texts.append(take(data, place, length))
        place += length
    (size, packed, offset), spare = zip64(texts[1], numbers[8], numbers[7], offset)
    sizes = packed, size, disk, internal, external, offset
    return _Entry(*[*numbers[:7], *sizes, *texts, spare]), place


def _keep_apart(data: bytes, entries: list[_Entry], end: int) -> None:
    """Raise UnreadableError where members overlap: so small a file may unpack to petabytes."""
    for entry in sorted(entries, key=lambda one: one.offset, reverse=True):
        head = _LOCAL.size + sum(unpack(_LOCAL, data, entry.offset)[-2:])
        if entry.offset + head + entry.packed > end:
            raise UnreadableError("members of a zip file overlap")
        end = entry.offset


def _member(label: str, entry: _Entry, data: bytes, budget: Budget) -> tuple[int, Iterator[Part]]:
    """Return how many bytes a member takes with its header, and its parts."""
    if take(data, entry.offset, 4) != _LOCAL_MAGIC:
        raise UnreadableError("a member of a zip file is not where its directory says")
    *local, name, extra = unpack(_LOCAL, data, entry.offset)
    extra_at = entry.offset + _LOCAL.size + name
    start = extra_at + extra
    end = start + entry.packed
    behind, form = _descriptor(entry, data, end)
    texts = take(data, extra_at - name, name), take(data, extra_at, extra)
    packed = take(data, start, entry.packed)

    def parts() -> Iterator[Part]:
        yield from _fields(label, entry)
        yield from _own_header(label, entry, local, texts, form)
        yield from extra_fields(label, (entry.extra, texts[1]))
        yield from _content(label, entry, packed, budget)

    return end + behind - entry.offset, parts()


def _descriptor(entry: _Entry, data: bytes, at: int) -> tuple[int, str]:
    """Return the length and the form of what repeats a member's sizes behind it, if that is so."""
    if entry.flags & _DESCRIBED:
        for magic in (_DATA_MAGIC, b""):
            for form in _DESCRIPTORS:
                size = len(magic) + form.size
                try:
                    right = magic + form.pack(entry.crc, entry.packed, entry.size)
                except error:
                    continue
                if data[at : at + size] == right:
                    return size, f"sizes behind it in {size} bytes"
    return 0, ""


def _own_header(
    label: str, entry: _Entry, local: list[int], texts: tuple[bytes, bytes], form: str
) -> Iterator[Part]:
    """Yield what a member's own header says that the directory says otherwise."""
    (size, packed, _), spare = zip64(texts[1], local[7], local[6], 0)
    mine = (*local[:6], packed, size)
    listed = (
        *(entry.needed, entry.flags, entry.method, entry.time, entry.date),
        *(entry.crc, entry.packed, entry.size),
    )
    fields = zip(_LOCAL_FIELDS, mine, listed, strict=True)
    said = [f"{name} {value}" for name, value, other in fields if value != other]
    said += [form] if form else []
    said += [f"zip64 {spare.hex()}"] if spare else []
    if said:
        yield Part(f"{label}{STEP}own header", ", ".join(said).encode())
    if texts[0] != entry.name:
        yield Part(f"{label}{STEP}own name", texts[0])


def _content(label: str, entry: _Entry, packed: bytes, budget: Budget) -> Iterator[Part]:
    """Yield a member's bytes, as they are packed where they cannot be had."""
    try:
        content, end = _unpacked(entry, packed, budget)
    except UnreadableError:
        yield Part(label, packed)
        yield Part(f"{label}{STEP}size", b"%d" % entry.size, Kind.DERIVED, label)
        return
    yield Part(label, content, Kind.FILE)
    told = fingerprint(packed[:end]) if entry.method else b"stored"
    yield Part(f"{label}{STEP}packed", told, Kind.DERIVED, label)
    if end < len(packed):
        yield Part(f"{label}{STEP}after the stream", packed[end:])


def _unpacked(entry: _Entry, packed: bytes, budget: Budget) -> tuple[bytes, int]:
    """Return a member's bytes, and where their stream ends; raise UnreadableError for none."""
    if entry.flags & _ENCRYPTED or entry.method not in (_STORED, _DEFLATED):
        raise UnreadableError("a member of a zip file is encrypted, or packed in a rare way")
    content, end = packed, len(packed)
    if entry.method == _DEFLATED:
        decoder = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_DEFLATE)
        content, end = inflate(decoder, packed, 0, budget, CORRUPT)
    if len(content) != entry.size or isal_zlib.crc32(content) != entry.crc:
        raise UnreadableError("a member of a zip file has a wrong checksum")
    return content, end


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
        "flags": b"%04x" % (entry.flags & ~_OPTION),
        "compression option": b"%d" % ((entry.flags & _OPTION) >> 1),
        "method": b"%d" % entry.method,
    }
    for name, value in fields.items():
        yield Part(f"{label}{STEP}{name}", value)
    if entry.comment:
        yield Part(f"{label}{STEP}comment", entry.comment)
    if entry.disk:
        yield Part(f"{label}{STEP}disk", b"%d" % entry.disk)
    if entry.spare:
        yield Part(f"{label}{STEP}zip64", entry.spare.hex().encode())
    yield Part(f"{label}{STEP}crc32", b"%08x" % entry.crc, Kind.DERIVED, label)


FORMAT: Format = _Zip()
