"""ELF programs: only the build ID, or dates, paths and levels among the strings of a section.

The section header table is read as the System V ABI (gABI, chapter 4) lays it out.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from repaudit.forensics._case import Blame, clue, clues, contents, quote, whole
from repaudit.forensics._tokens import compare_lines
from repaudit.forensics.interface import Case, Forensic
from repaudit.model.finding import Clue

# They follow whatever else differs: the build ID is a hash, the link holds a checksum.
_DERIVED = frozenset({".note.gnu.build-id", ".gnu_debuglink"})
_STRING = re.compile(rb"[\t\x20-\x7e]{6,}")
_NO_BITS = 8
_MOST_STRINGS = 20_000
_MACRO = re.compile(r"(?:[A-Z][a-z]{2} [ \d]\d \d{4})?(?: ?\d\d:\d\d:\d\d)?")


class _Elf:
    name = "elf"

    def examine(self, case: Case) -> Iterator[Clue]:
        """Yield what the differing sections show, and which of them stay unexplained."""
        data = contents(case)
        if data is None or not whole(case):
            return
        left, right = _sections(data[0]), _sections(data[1])
        if not left or not right:
            return
        names = [n for n in sorted(left.keys() | right.keys()) if left.get(n) != right.get(n)]
        primary = [name for name in names if name not in _DERIVED]
        if names and not primary:
            yield clue("build_id_differences_only", f"only {', '.join(names)} differs")
        blames, open_ends = [], []
        for name in primary:
            found = list(_strings(case, left.get(name, b""), right.get(name, b"")))
            blames += [_renamed(blame) for blame in found if blame.slug != "unexplained"]
            if not found or any(blame.slug == "unexplained" for blame in found):
                open_ends.append(name)
        yield from clues(blames)
        if open_ends:
            yield clue("unexplained", f"the sections {quote(', '.join(open_ends), 120)} differ")


def _renamed(blame: Blame) -> Blame:
    macro = blame.slug == "captures_build_date" and _MACRO.fullmatch(blame.left)
    return blame._replace(slug="timestamps_from_cpp_macros") if macro else blame


def _strings(case: Case, left: bytes, right: bytes) -> Iterator[Blame]:
    """Yield what the strings show; `unexplained` where more than strings differs."""
    if _STRING.sub(b"", left) != _STRING.sub(b"", right):
        yield Blame("unexplained", "", "")
    a, b = _STRING.findall(left), _STRING.findall(right)
    if len(a) != len(b):
        yield Blame("unexplained", "", "")
        return
    pairs = [(x, y) for x, y in zip(a, b, strict=True) if x != y]
    for x, y in pairs[:_MOST_STRINGS]:
        yield from compare_lines(case, x.decode("ascii"), y.decode("ascii"))


def _sections(data: bytes) -> dict[str, bytes]:
    """Return the sections that have bytes, by name; nothing where `data` is no sound ELF file."""
    if not data.startswith(b"\x7fELF") or len(data) < 64:
        return {}
    order = "<" if data[5] == 1 else ">"
    wide = data[4] == 2
    try:
        table = struct.unpack_from(order + ("Q" if wide else "I"), data, 40 if wide else 32)[0]
        size, count, names = struct.unpack_from(order + "HHH", data, 58 if wide else 46)
        headers = [_header(data, table + i * size, order, wide=wide) for i in range(count)]
    except (struct.error, OverflowError):  # a table beyond the end, or beyond any address
        return {}
    if names >= len(headers) or size != (64 if wide else 40):
        return {}
    start = headers[names][2]
    found: dict[str, bytes] = {}
    for name, kind, offset, length in headers:
        if kind not in (0, _NO_BITS):
            end = data.find(b"\0", start + name)
            label = data[start + name : end].decode("ascii", "replace")
            found[f"{label}#{len(found)}" if label in found else label] = data[offset:][:length]
    return found


def _header(data: bytes, at: int, order: str, *, wide: bool) -> tuple[int, int, int, int]:
    """Return a section's name (an offset), type, offset and size."""
    name, kind = struct.unpack_from(order + "II", data, at)
    offset, size = struct.unpack_from(
        order + ("QQ" if wide else "II"), data, at + (24 if wide else 16)
    )
    return name, kind, offset, size


FORENSIC: Forensic = _Elf()
