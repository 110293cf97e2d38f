"""Python bytecode: the source's time in its header (PEP 552), a temporary folder in its code."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from repaudit.forensics._case import clue, contents, sides, without_canaries
from repaudit.forensics.interface import Case, Forensic
from repaudit.model.finding import Clue

_HEADER = struct.Struct("<HBBIII")  # magic, CR, LF, flags; then mtime and size, or a hash
_PIP = re.compile(rb"/tmp/pip-target-[a-z0-9_]{8}")
_TEMPORARY = re.compile(rb"/tmp/(?:tmp|[\w-]+[.-])[A-Za-z0-9_]{6,10}(?=/)")
# PEP 552: bit 0, the header holds a hash of the source; bit 1, it is checked.
_FLAGS = frozenset({0, 1, 3})


class _Pyc:
    name = "pyc"

    def examine(self, case: Case) -> Iterator[Clue]:
        """Yield the source's time, a temporary folder in the code, or that the code differs."""
        data = contents(case)
        if data is None or not all(map(_is_pyc, data)):
            return
        (_, _, _, flags, left, _), (_, _, _, other, right, _) = map(_HEADER.unpack_from, data)
        if flags != other:
            yield clue("unexplained", "one side's header holds a time, the other one's a hash")
        elif flags == 0 and left != right:
            yield clue("timestamps_in_pyc_headers", f"source time {sides(str(left), str(right))}")
        elif flags and data[0][8:16] != data[1][8:16]:
            yield clue("checksum_of_varying_file", "the source's hash in the header differs")
        yield from _code(case, data[0][16:], data[1][16:])


def _is_pyc(data: bytes) -> bool:
    if len(data) < _HEADER.size:
        return False
    _, carriage, feed, flags, _, _ = _HEADER.unpack_from(data)
    # marshal writes a code object first: type c, perhaps with the reference bit.
    return (carriage, feed) == (13, 10) and flags in _FLAGS and data[16:17] in (b"c", b"\xe3")


def _code(case: Case, left: bytes, right: bytes) -> Iterator[Clue]:
    left, right = without_canaries(case, left, right)
    for pattern, slug in ((_PIP, "temporary_path_in_pyc"), (_TEMPORARY, "captures_temporary_path")):
        a, b = pattern.search(left), pattern.search(right)
        if a and b and a[0] != b[0]:
            yield clue(slug, f"co_filename: {sides(a[0], b[0])}")
            left, right = pattern.sub(b"", left), pattern.sub(b"", right)
    # The lengths of the paths stand before them; both are the same where the names are random.
    if left != right:
        yield clue("unexplained", "the code itself differs")


FORENSIC: Forensic = _Pyc()
