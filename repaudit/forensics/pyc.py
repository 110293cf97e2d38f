"""Python bytecode: the source's time in its header (PEP 552), the folder that its code names."""

from __future__ import annotations

import re
from collections.abc import Iterator

from repaudit.forensics._case import clue, contents, of_one_build, sides, without_canaries
from repaudit.forensics._members import claims, whole_parts
from repaudit.forensics._paths import blamed, folders_of, unknown
from repaudit.forensics.interface import Case, Forensic
from repaudit.model.finding import Clue

#: Where Python names code anew when it imports it: the folder beside the source (PEP 3147).
_CACHED = re.compile(r"(?:^|/)__pycache__/[^/]+\.[a-z]+-?\d+(?:\.opt-\w+)?\.pyc")
_PIP = re.compile(rb"/tmp/pip-target-[a-z0-9_]{8}")
_TEMPORARY = re.compile(rb"/tmp/(?:tmp|[\w-]+[.-])[A-Za-z0-9_]{6,10}(?=/)")


class _Pyc:
    name = "pyc"

    def examine(self, case: Case) -> Iterator[Clue]:
        """Yield the source's time, the source's folder, or that the code differs."""
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
        names = left.get("source path"), right.get("source path")
        if names[0] and names[1]:
            yield from _name(case, names[0].data, names[1].data)
        elif names[0] or names[1]:
            yield clue("unexplained", "the code of one side alone names its source")
        drawn = of_one_build(case) or not (names[0] or names[1])
        yield from _code(case, left["code"].data, right["code"].data, drawn=drawn)


def _name(case: Case, left: bytes, right: bytes) -> Iterator[Clue]:
    """Yield what the name of the source shows; in a cache no program is found by it.

    Elsewhere code may be there without its source, and look for what it loads beside that.
    """
    if not (of_one_build(case) or _CACHED.search(case.difference.path)):
        pair = folders_of(left, right)
        yield from (unknown(pair),) if pair else _renamed(left, right)
        return
    for found, one, other in _drawn(left, right):
        yield found
        left, right = one, other
    pair = folders_of(left, right)
    if pair:
        yield from blamed(case, pair, "co_filename")
    else:
        yield from _renamed(left, right)


def _renamed(left: bytes, right: bytes) -> Iterator[Clue]:
    if left != right:
        yield clue("unexplained", f"co_filename: {sides(left, right)}")


def _code(case: Case, left: bytes, right: bytes, *, drawn: bool) -> Iterator[Clue]:
    """Yield that the code differs; `drawn` lets temporary folders in it speak for themselves."""
    left, right = without_canaries(case, left, right)
    for found, one, other in _drawn(left, right) if drawn else ():
        yield found
        left, right = one, other
    # The lengths of the paths stand before them; both are the same where the names are random.
    if left != right:
        yield clue("unexplained", "the code itself differs")


def _drawn(left: bytes, right: bytes) -> Iterator[tuple[Clue, bytes, bytes]]:
    """Yield each kind of temporary folder that differs, with both sides without it."""
    for pattern, slug in ((_PIP, "temporary_path_in_pyc"), (_TEMPORARY, "captures_temporary_path")):
        a, b = pattern.search(left), pattern.search(right)
        if a and b and a[0] != b[0]:
            left, right = left.replace(a[0], b""), right.replace(b[0], b"")
            yield clue(slug, f"co_filename: {sides(a[0], b[0])}"), left, right


FORENSIC: Forensic = _Pyc()
