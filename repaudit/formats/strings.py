"""A section of an ELF file that holds strings, each ended by a NUL (gABI, "String Table").

The constants of a program (.rodata) hold other things too; what stands between two NULs is named
all the same, so that a path or a date that differs is one string that differs.
"""

from __future__ import annotations

from collections.abc import Iterator

from repaudit.formats.interface import NAMED, Budget, Format, Part

_SECTIONS = (".rodata", ".comment", ".debug_str", ".debug_line_str", ".dynstr", ".strtab")


class _Strings:
    name = "strings"
    rank = NAMED
    positional = True

    def claims(self, head: bytes, name: str) -> bool:
        return b"\0" in head and name.startswith(_SECTIONS)

    def parts(self, data: bytes, budget: Budget) -> Iterator[Part]:
        for number, one in enumerate(data.split(b"\0"), 1):
            yield Part(f"string {number}", one)


FORMAT: Format = _Strings()
