"""What no other forensic accounts for, so that no known cause speaks for more than it explains.

A forensic names the cause of what it knows: a time in a header, a name in a section. Of a file that
one of them opens, this one names the parts that differ and that none of them looks at.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping, Sequence

from repaudit.forensics._case import (
    clue,
    contents,
    inflate,
    of_one_build,
    quote,
    whole,
    without_canaries,
)
from repaudit.forensics._members import (
    GLOBAL_TIMES,
    MEMBER,
    OWNERS,
    TIMES,
    both_are,
    in_packing,
    parts_until,
)
from repaudit.forensics.elf import FOLLOWING
from repaudit.forensics.interface import Case, Forensic
from repaudit.forensics.png import TEXTS
from repaudit.forensics.text import decoded
from repaudit.formats import STEP, Kind, Part, apart
from repaudit.formats.elf import ADDRESS
from repaudit.model.finding import Clue

#: What others tell of a file, and of each member in it; the bytes are the member without a field.
_TOLD: dict[str, frozenset[str]] = {
    "ar": frozenset({"order"}),
    "bzip2": frozenset({"inflated", "packed"}),
    "cpio": frozenset({"order", "rest"}),
    "elf": FOLLOWING,
    "gzip": frozenset({"mtime", "name", "inflated", "packed"}),
    "png": TEXTS,
    "pyc": frozenset({"flags", "mtime", "source hash", "source path", "code"}),
    "tar": frozenset({"order", *GLOBAL_TIMES}),
    "xz": frozenset({"inflated", "packed"}),
    "zip": frozenset({"order"}),
    "zstd": frozenset({"inflated", "packed"}),
}
_TOLD_OF_MEMBERS: dict[str, frozenset[str]] = {
    "ar": frozenset({"", "mtime", "owner", "mode"}),
    "cpio": frozenset({"", "mtime", "owner", "mode", "ino", "devmajor", "devminor"}),
    "tar": frozenset({"", "mtime", *OWNERS, "mode", *TIMES}),
    "zip": frozenset({"", "mtime", "mode", "packed", *TIMES}),
}
#: Nobody opens these further, but for a tar archive in them.
_OPAQUE = frozenset({"bzip2", "xz", "zstd"})
#: Records may say anything in the place of a time.
_IN_TAR = frozenset({"mtime", *TIMES, *GLOBAL_TIMES})
_TIME = re.compile(rb"-?\d{1,12}(?:\.\d{1,9})?")
#: So many characters of names are shown, and so no more names.
_SHOWN = 120
#: Where the same bytes are packed otherwise, these are how.
_COMPRESSOR = {
    "bzip2": frozenset({"block size"}),
    "gzip": frozenset({"extra flags", "system"}),
    "xz": frozenset({"check"}),
    "zip": frozenset({"compression option"}),
    "zstd": frozenset({"descriptor"}),
}
#: One of several streams, of which nothing is told but how it is packed.
_STREAM = re.compile(r"(?:stream|frame) \d+")
#: What a loader asks for, so that in two images it is no matter of who packs. A flag says in which
#: letters a member's name is.
_METHOD = frozenset({"flags", "method", "version needed"})


class _Uncovered:
    name = "uncovered"

    def examine(self, case: Case) -> Iterator[Clue]:
        """Yield `unexplained` with the parts that no other forensic looks at."""
        data = contents(case)
        if data is None or not whole(case):
            return
        path = case.difference.path
        formats = [name for name in _TOLD if both_are(name, data, path)]
        inner = inflate(data[0]), inflate(data[1])
        for name in formats:
            yield from _parts(case, name, data, inner)
        archive = in_packing(inner) if inner != data else None
        if archive:
            yield from _parts(case, archive, inner, inner)
        elif not {*formats} - _OPAQUE:
            yield from _beside_canaries(case, *inner)


def _parts(
    case: Case, format_: str, data: Sequence[bytes], inner: Sequence[bytes]
) -> Iterator[Clue]:
    read = [parts_until(format_, side) for side in data]
    sides = [found for found, _ in read]
    if not all(sound for _, sound in read):
        yield clue("unexplained", f"not all of it can be read as {format_}")
        return
    if "inflated" in _TOLD[format_]:
        known = [len(side["inflated"].data) for side in sides]
        if known != [*map(len, inner)]:
            yield clue("unexplained", f"of its {max(known)} bytes not all are unpacked")
    strict = not of_one_build(case)
    differ = dict.fromkeys(apart(sides, strict=strict))
    rest = [name for name in differ if not _told(format_, name, sides)]
    rest = [name for name in rest if not (strict and format_ == "elf" and name.endswith(ADDRESS))]
    packing = _COMPRESSOR.get(format_, frozenset()) | (set() if strict else _METHOD)
    same = format_ in _OPAQUE and "inflated" not in differ
    rest = [name for name in rest if not _of_compressor(packing, name, differ, same=same)]
    if rest:
        some = quote(", ".join(rest[:_SHOWN]), _SHOWN)
        yield clue("unexplained", f"no known cause makes these parts differ: {some}")


def _told(format_: str, name: str, sides: Sequence[Mapping[str, Part]]) -> bool:
    kinds = {side[name].kind for side in sides if name in side}
    label, _, field = name.partition(STEP)
    if format_ == "tar" and (field or label) in _IN_TAR:
        known = (side[name].data for side in sides if name in side)
        return all(map(_TIME.fullmatch, known))
    if label.startswith(MEMBER):
        own = bool(field) or not kinds & {Kind.DERIVED, Kind.PLACE}
        return own and field in _TOLD_OF_MEMBERS.get(format_, ())
    if format_ == "png":
        name = name.partition(" ")[0]
    return name in _TOLD[format_] or (format_ == "elf" and kinds == {Kind.FILE})


def _of_compressor(
    fields: Container[str], name: str, differ: Container[str], *, same: bool
) -> bool:
    """Whether a part tells how bytes are packed that are the `same`, or the `packed` beside it."""
    before, step, field = name.rpartition(STEP)
    if same and _STREAM.fullmatch(before or field):
        return True
    return field in fields and (same or f"{before}{step}packed" in differ)


def _beside_canaries(case: Case, left: bytes, right: bytes) -> Iterator[Clue]:
    """Yield that other bytes than the canaries differ in what is no text, which text.py reads."""
    rest = without_canaries(case, left, right)
    if rest != (left, right) and rest[0] != rest[1] and not (decoded(left) and decoded(right)):
        yield clue("unexplained", "other bytes than the canaries of the runs differ")


FORENSIC: Forensic = _Uncovered()
