"""Python bytecode: the source's time in its header (PEP 552), a temporary folder in its code."""

from __future__ import annotations

import re
from collections.abc import Iterator

from repaudit.forensics._case import clue, contents, sides, without_canaries
from repaudit.forensics._members import claims, whole_parts
from repaudit.forensics.interface import Case, Forensic
from repaudit.formats.pyc import HEADER_SIZE
from repaudit.model.finding import Clue

_PIP = re.compile(rb"/tmp/pip-target-[a-z0-9_]{8}")
_TEMPORARY = re.compile(rb"/tmp/(?:tmp|[\w-]+[.-])[A-Za-z0-9_]{6,10}(?=/)")


class _Pyc:
    name = "pyc"

    def examine(self, case: Case) -> Iterator[Clue]:
        """Yield the source's time, a temporary folder in the code, or that the code differs."""
        data = contents(case)
        if data is None or not all(claims("pyc", side) for side in data):
            return
        left, right = (whole_parts("pyc", side) for side in data)
        if left["flags"] != right["flags"]:
            yield clue("unexplained", "one side's header holds a time, the other one's a hash")
        elif "mtime" in left and left["mtime"] != right["mtime"]:
            seen = sides(left["mtime"].data.decode(), right["mtime"].data.decode())
            yield clue("timestamps_in_pyc_headers", f"source time {seen}")
        elif left.get("source hash") != right.get("source hash"):
            yield clue("unexplained", "the source's hash in the header differs")
        yield from _code(case, *(side[HEADER_SIZE:] for side in data))


def _code(case: Case, left: bytes, right: bytes) -> Iterator[Clue]:
    left, right = without_canaries(case, left, right)
    for pattern, slug in ((_PIP, "temporary_path_in_pyc"), (_TEMPORARY, "captures_temporary_path")):
        a, b = pattern.search(left), pattern.search(right)
        if a and b and a[0] != b[0]:
            yield clue(slug, f"co_filename: {sides(a[0], b[0])}")
            left, right = left.replace(a[0], b""), right.replace(b[0], b"")
    # The lengths of the paths stand before them; both are the same where the names are random.
    if left != right:
        yield clue("unexplained", "the code itself differs")


FORENSIC: Forensic = _Pyc()
