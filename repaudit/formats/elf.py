"""ELF: the header's fields and the bytes of each section (System V ABI, gABI chapter 4).

No library: the section table is all that is needed, and pyelftools reads it at a tenth of the
speed. What of DWARF tells a build (comp_dir, producer, names) are strings of .debug_str and
.debug_line_str.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct

import msgspec
from isal import igzip_lib

from repaudit.formats._bytes import inflate, take, unpack
from repaudit.formats.gzip import CORRUPT
from repaudit.formats.interface import MAGIC, Budget, Format, Kind, Labels, Part
from repaudit.model.errors import UnreadableError

_MAGIC = b"\x7fELF"
_NO_BITS, _COMPRESSED = 8, 0x800
#: So much of a section's name is read: a table of names could else be given out again for each.
_LONGEST = 4096
_ZLIB = 1
_BUILD_ID = ".note.gnu.build-id"
#: It names the file with debug information, and holds its checksum.
_DEBUG_LINK = ".gnu_debuglink"
_FIELDS = ("type", "machine", "version", "entry", "segments at", "sections at", "flags")
#: Addresses and places move when anything before them grows.
_MOVING = {"entry", "segments at", "sections at"}


class _Elf:
    name = "elf"
    rank = MAGIC
    positional = False

    def claims(self, head: bytes, name: str) -> bool:
        return head.startswith(_MAGIC)

    def parts(self, data: bytes, budget: Budget) -> Iterator[Part]:
        wide, order = take(data, 4, 1) == b"\2", "<" if take(data, 5, 1) == b"\1" else ">"
        fields = unpack(Struct(order + ("HHIQQQIHHHHHH" if wide else "HHIIIIIHHHHHH")), data, 16)
        labels, names = Labels(), []
        yield Part(labels.label("ident"), take(data, 4, 12).hex().encode())
        for name, value in zip(_FIELDS, fields, strict=False):
            kind = Kind.DERIVED if name in _MOVING else Kind.VALUE
            yield Part(labels.label(name), b"%d" % value, kind)
        segments = take(data, fields[4], fields[8] * fields[9])
        yield Part(labels.label("segments"), segments, Kind.DERIVED)
        table = Struct(order + ("IIQQQQ24x" if wide else "IIIIII16x"))
        packed = Struct(order + ("I20x" if wide else "I8x"))
        for section in _sections(data, fields, table):
            label = labels.label(section.name)
            names.append(label)
            yield _part(label, section, budget, packed)
        yield Part("order of sections", "\n".join(names).encode(), Kind.ORDER)


class _Section(msgspec.Struct, frozen=True):
    name: str
    flags: int
    size: int
    body: bytes | None


def _sections(data: bytes, fields: tuple[int, ...], table: Struct) -> Iterator[_Section]:
    """Yield the sections, those without bytes too; raise UnreadableError for a lying table."""
    start, size, count, names = fields[5], *fields[10:13]
    if not count:
        return
    if size != table.size or names >= count:
        raise UnreadableError("the section table of an ELF file is of no known kind")
    headers = [unpack(table, data, start + n * size) for n in range(count)]
    texts = take(data, *headers[names][4:6])
    if sum(header[5] for header in headers if header[1] != _NO_BITS) > 2 * len(data):
        raise UnreadableError("the sections of an ELF file overlap")
    for at, kind, flags, _, offset, length in headers:
        if kind:
            name = texts[at : at + _LONGEST].partition(b"\0")[0].decode("utf-8", "replace")
            body = None if kind == _NO_BITS else take(data, offset, length)
            yield _Section(name, flags, length, body)


def _part(label: str, section: _Section, budget: Budget, packed: Struct) -> Part:
    body = section.body
    if body is None:
        return Part(label, b"%d bytes" % section.size)
    if label == _BUILD_ID:
        # A hash of the rest, or random: whoever compares sees by what else differs.
        return Part(label, body[16:].hex().encode())
    if label == _DEBUG_LINK:
        return Part(label, body.hex().encode(), Kind.DERIVED)
    if section.flags & _COMPRESSED:
        # Behind a header of its own (gABI, Elf64_Chdr); zstd has a reader.
        (method,) = unpack(packed, body, 0)
        if method == _ZLIB:
            decoder = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_ZLIB)
            body, _ = inflate(decoder, body, packed.size, budget, CORRUPT)
        else:
            body = body[packed.size :]
    return Part(label, body, Kind.FILE)


FORMAT: Format = _Elf()
