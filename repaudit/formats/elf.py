"""ELF: the header's fields, segments, sections, and what is none of these (gABI, chapters 4 and 5).

No library: the tables are all that is needed, and pyelftools reads them at a tenth of the speed.
What of DWARF tells a build (comp_dir, producer, names) are strings of .debug_str and
.debug_line_str. Places and addresses move when a section grows: they follow from the `layout`.
Where in the file a segment is, and what a section refers to, is told by the names of sections: it
is the same while only what is not loaded grows.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from struct import Struct

import msgspec
from isal import igzip_lib

from repaudit.formats._bytes import between, fingerprint, inflate, take, unpack
from repaudit.formats.gzip import CORRUPT
from repaudit.formats.interface import MAGIC, STEP, Budget, Format, Kind, Labels, Part
from repaudit.model.errors import UnreadableError

_MAGIC = b"\x7fELF"
_NO_BITS, _COMPRESSED = 8, 0x800
#: So much of a section's name is read: a table of names could else be given out again for each.
_LONGEST = 4096
_ZLIB, _LOAD, _ALLOCATED = 1, 1, 2
#: Tells at which address a section is, and that it is in memory when the program runs.
ADDRESS, LOADED = f"{STEP}address", ", loaded"
#: Sections that refer to another one by `info`: relocations, and what says so.
_REFERRING, _INFO_LINK = frozenset({4, 9}), 0x40
BUILD_ID, GO_BUILD_ID = ".note.gnu.build-id", ".note.go.buildid"
#: It names the file with debug information, and holds its checksum.
DEBUG_LINK = ".gnu_debuglink"
_FIELDS = (
    *("type", "machine", "version", "entry", "segments at", "sections at", "flags"),
    *("header size", "segment size", "segment count"),
    *("section size", "section count", "names of sections"),
)
#: Sizes and addresses of sections, from which others follow.
_LAYOUT = "layout"
_MOVING = {"entry", "segments at", "sections at", "section count", "names of sections"}


class _Elf:
    name = "elf"
    rank = MAGIC
    positional = False

    def claims(self, head: bytes, name: str) -> bool:
        return head.startswith(_MAGIC)

    def parts(self, data: bytes, budget: Budget) -> Iterator[Part]:
        wide, order = take(data, 4, 1) == b"\2", "<" if take(data, 5, 1) == b"\1" else ">"
        head = Struct(order + ("HHIQQQIHHHHHH" if wide else "HHIIIIIHHHHHH"))
        fields = unpack(head, data, 16)
        labels, names = Labels(), []
        layout, entered, ordered = map(labels.label, (_LAYOUT, "entry in", "order of sections"))
        yield Part(labels.label("ident"), take(data, 4, 12).hex().encode())
        for name, value in zip(_FIELDS, fields, strict=True):
            yield _moving(labels.label(name), b"%d" % value, name in _MOVING)
        segments = list(_segments(data, fields, wide, order))
        table = Struct(order + ("IIQQQQIIQQ" if wide else "10I"))
        packed = Struct(order + ("I12xQ" if wide else "I4xI"))
        sections = list(_sections(data, fields, table))
        used = [(0, 16 + head.size, "the header")]
        used += [
            (fields[4], fields[8] * fields[9], "the segments"),
            (fields[5], fields[11] * fields[10], "the sections"),
        ]
        memory = _Memory(segments)
        for section in sections:
            label = labels.label(section.name or "section")
            names.append(label)
            if section.body is not None:
                used.append((section.offset, section.size, label))
            loaded = bool(section.flags & _ALLOCATED) or memory.holds(section)
            # What is in memory is there as it stands, whatever its flags say.
            yield from _section(label, section, budget, None if loaded else packed)
            if section.address or loaded:
                told = f"{section.address:#x}{LOADED if loaded else ''}"
                yield _place(f"{label}{ADDRESS}", told)
        for label, section in zip(names, sections, strict=True):
            if section.link or section.info:
                yield _place(f"{label}{STEP}refers to", _references(section, names))
        sizes = zip(names, sections, strict=True)
        told = "\n".join(f"{name} {section.size}" for name, section in sizes)
        yield Part(layout, told.encode(), Kind.DERIVED)
        where = _Where(used)
        yield from _entered(entered, fields[3], segments, where)
        for number, segment in enumerate(segments):
            yield from _segment(labels.label(f"segment {number}"), segment, where)
        for label, gap in between(data, used, labels):
            yield Part(label, gap, Kind.FILE)
        yield Part(ordered, "\n".join(names).encode(), Kind.ORDER)


def _moving(label: str, value: bytes, moves: bool = True) -> Part:
    return Part(label, value, Kind.DERIVED, _LAYOUT) if moves else Part(label, value)


def _place(label: str, told: str) -> Part:
    return Part(label, told.encode(), Kind.PLACE, _LAYOUT)


class _Where:
    """Says where in a file something is, by the names of what the tables tell."""

    def __init__(self, used: Sequence[tuple[int, int, str]]) -> None:
        self._used = sorted(one for one in used if one[1])
        self._starts = [start for start, _, _ in self._used]

    def found(self, at: int) -> tuple[str, str]:
        """Return what a byte is in, or behind, and its place."""
        start, size, label = self._used[bisect_right(self._starts, at) - 1]
        return label, f"{label} at {at - start:#x}" if at < start + size else self.end(at)

    def end(self, at: int) -> str:
        """Return the place behind a byte."""
        start, size, label = self._used[bisect_right(self._starts, at - 1) - 1]
        more = at - start - size
        return f"{label} at {at - start:#x}" if more < 0 else f"{more:#x} behind {label}"


class _Memory:
    """Says what of a file a loader looks at, whatever the flags of its section say."""

    def __init__(self, segments: Sequence[_Segment]) -> None:
        held = sorted((one.offset, one.offset + one.more[1]) for one in segments if one.more[1])
        self._starts = [start for start, _ in held]
        self._ends = list(accumulate((end for _, end in held), max))

    def holds(self, section: _Section) -> bool:
        """Whether a section has bytes there."""
        if not section.body:
            return False
        before = bisect_left(self._starts, section.offset + section.size)
        return before > 0 and self._ends[before - 1] > section.offset


class _Segment(msgspec.Struct, frozen=True):
    kind: int
    flags: int
    align: int
    offset: int
    address: int
    #: The physical address, and the sizes in the file and in memory.
    more: tuple[int, int, int]


def _segments(data: bytes, fields: tuple[int, ...], wide: bool, order: str) -> Iterator[_Segment]:
    start, size, count = fields[4], fields[8], fields[9]
    form = Struct(order + ("IIQQQQQQ" if wide else "8I"))
    if count and size != form.size:
        raise UnreadableError("the segment table of an ELF file is of no known kind")
    for number in range(count):
        one = unpack(form, data, start + number * size)
        kind, flags, offset, address, physical, held, wanted, align = (
            one if wide else (one[0], one[6], *one[1:6], one[7])
        )
        yield _Segment(kind, flags, align, offset, address, (physical, held, wanted))


def _segment(label: str, segment: _Segment, where: _Where) -> Iterator[Part]:
    rights = "".join(
        c if segment.flags >> bit & 1 else "-" for bit, c in ((2, "r"), (1, "w"), (0, "x"))
    )
    more = f" and {segment.flags:#x}" if segment.flags > 7 else ""
    yield Part(f"{label}{STEP}type", b"%#x" % segment.kind)
    yield Part(f"{label}{STEP}flags", f"{rights}{more}".encode())
    yield Part(f"{label}{STEP}alignment", b"%d" % segment.align)
    physical, held, wanted = segment.more
    file = f"{segment.offset:#x}"
    if held:
        file = f"{where.found(segment.offset)[1]} to {where.end(segment.offset + held)}"
    told = f"{file}, at {segment.address:#x} and {physical:#x}, {wanted - held:+#x} in memory"
    yield _place(f"{label}{STEP}place", told)


def _entered(label: str, entry: int, segments: Sequence[_Segment], where: _Where) -> Iterator[Part]:
    """Yield where in which section a program begins, as it is loaded."""
    loads = (one for one in segments if one.kind == _LOAD)
    load = next((one for one in loads if 0 <= entry - one.address < one.more[1]), None)
    if load:
        section, told = where.found(load.offset + entry - load.address)
        yield Part(label, told.encode(), Kind.PLACE, section)


class _Section(msgspec.Struct, frozen=True):
    name: str
    flags: int
    offset: int
    size: int
    body: bytes | None
    #: Type, flags, alignment, size of entries.
    manner: tuple[int, ...]
    #: Where its name is, and its bytes.
    place: tuple[int, ...]
    address: int
    #: The numbers of the sections that it refers to; the second may be another number.
    link: int
    info: int


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
    for at, kind, flags, address, offset, length, link, info, align, entry in headers:
        name = texts[at : at + _LONGEST].partition(b"\0")[0].decode("utf-8", "replace")
        body = take(data, offset, length) if kind not in (0, _NO_BITS) else None
        manner, place = (kind, flags, align, entry), (at, offset)
        name = name if kind else ""
        yield _Section(name, flags, offset, length, body, manner, place, address, link, info)


def _references(section: _Section, names: Sequence[str]) -> str:
    numbers = [section.link]
    if section.manner[0] in _REFERRING or section.flags & _INFO_LINK:
        numbers.append(section.info)
    told = [names[n] if n < len(names) else f"{n}" for n in numbers]
    return ", ".join([*told, f"{section.info}"] if len(numbers) == 1 else told)


def _section(
    label: str, section: _Section, budget: Budget, packed: Struct | None
) -> Iterator[Part]:
    """Yield what a section is; without the form of its header none is compressed."""
    body = section.body
    kind, flags, align, entry = section.manner
    if body is not None and packed and flags & _COMPRESSED:
        # As it is without: linkers leave those as they are that would not be shorter.
        flags, align = flags & ~_COMPRESSED, unpack(packed, body, 0)[1]
    yield Part(
        f"{label}{STEP}header",
        b"type %#x, flags %#x, alignment %d, entries of %d" % (kind, flags, align, entry),
    )
    yield _moving(f"{label}{STEP}place", " ".join(f"{n:#x}" for n in section.place).encode())
    if body is None:
        yield Part(label, b"%d bytes" % section.size)
    elif label in (BUILD_ID, GO_BUILD_ID):
        # A hash of the rest, or random: whoever compares sees by what else differs.
        yield Part(f"{label}{STEP}note", body[:16].hex().encode())
        yield Part(label, body[16:].hex().encode() if label == BUILD_ID else body[16:])
    elif label == DEBUG_LINK:
        yield Part(label, body.hex().encode(), Kind.DERIVED)
    elif packed and section.flags & _COMPRESSED:
        yield from _unpacked(label, section, body, budget, packed)
    else:
        yield Part(label, body, Kind.FILE)


def _unpacked(
    label: str, section: _Section, body: bytes, budget: Budget, packed: Struct
) -> Iterator[Part]:
    # Behind a header of its own (gABI, Elf64_Chdr); zstd has a reader.
    method, _ = unpack(packed, body, 0)
    content, end = body[packed.size :], len(body)
    if method == _ZLIB:
        decoder = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_ZLIB)
        content, end = inflate(decoder, body, packed.size, budget, CORRUPT)
    yield Part(label, content, Kind.FILE)
    how = b"%s, alignment %d" % (fingerprint(body[:end]), section.manner[2])
    yield Part(f"{label}{STEP}packed", how, Kind.DERIVED, label)
    if end < len(body):
        yield Part(f"{label}{STEP}after the stream", body[end:])


FORMAT: Format = _Elf()
