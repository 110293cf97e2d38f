"""ELF programs: only the build ID, or dates, paths and levels among the strings of a section."""

from __future__ import annotations

import re
from collections.abc import Iterator

from repaudit.forensics._case import Blame, clue, clues, contents, quote, whole
from repaudit.forensics._members import claims, whole_parts
from repaudit.forensics._tokens import compare_lines, sample, unseen
from repaudit.forensics.interface import Case, Forensic
from repaudit.formats import Kind
from repaudit.model.finding import Clue

# They follow whatever else differs: the build ID is a hash, the link holds a checksum.
FOLLOWING = frozenset({".note.gnu.build-id", ".gnu_debuglink"})
_STRING = re.compile(rb"[\t\x20-\x7e]{6,}")
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
        primary = [name for name in names if name not in FOLLOWING]
        if names and not primary and _without(data[0], left) == _without(data[1], right):
            yield clue("build_id_differences_only", f"only {', '.join(names)} differs")
        blames, open_ends = [], []
        for name in primary:
            found = list(_strings(case, left.get(name, b""), right.get(name, b""), len(primary)))
            blames += [_renamed(blame) for blame in found if blame.slug != "unexplained"]
            if not found or any(blame.slug == "unexplained" for blame in found):
                open_ends.append(name)
        yield from clues(blames)
        if open_ends:
            yield clue("unexplained", f"the sections {quote(', '.join(open_ends), 120)} differ")


def _without(data: bytes, sections: dict[str, bytes]) -> bytes:
    """Return a file without its build ID and debug link."""
    for name in FOLLOWING & sections.keys():
        data = data.replace(bytes.fromhex(sections[name].decode("ascii")), b"", 1)
    return data


def _renamed(blame: Blame) -> Blame:
    macro = blame.slug == "captures_build_date" and _MACRO.fullmatch(blame.left)
    return blame._replace(slug="timestamps_from_cpp_macros") if macro else blame


def _strings(case: Case, left: bytes, right: bytes, sections: int) -> Iterator[Blame]:
    """Yield what the strings show; `unexplained` where more than strings differs."""
    if _STRING.sub(b"", left) != _STRING.sub(b"", right):
        yield Blame("unexplained", "", "")
    a, b = _STRING.findall(left), _STRING.findall(right)
    if len(a) != len(b):
        yield Blame("unexplained", "", "")
        return
    differ = ((x, y) for x, y in zip(a, b, strict=True) if x != y)
    pairs = [(x.decode("ascii"), y.decode("ascii")) for x, y in differ]
    some = sample(pairs[:_MOST_STRINGS], case.share * sections)
    for x, y in some:
        yield from compare_lines(case, x, y)
    if unseen(pairs, some):
        yield Blame("unexplained", "", "")


def _sections(data: bytes) -> dict[str, bytes]:
    """Return the sections that have bytes, by name; nothing where `data` is no sound ELF file."""
    found = whole_parts("elf", data) if claims("elf", data) else {}
    return {
        name: part.data
        for name, part in found.items()
        if part.kind is Kind.FILE or name in FOLLOWING
    }


FORENSIC: Forensic = _Elf()
