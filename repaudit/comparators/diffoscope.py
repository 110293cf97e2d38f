"""diffoscope, for what nothing here can read: as a subprocess, in a sandbox, within a budget.

The files are a stranger's, and diffoscope calls many parsers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from repaudit.comparators import _sandbox
from repaudit.comparators.interface import Comparator, bounded
from repaudit.host import process
from repaudit.model.text import printable
from repaudit.model.withheld import WITHHELD, covered, withheld

#: Of what it cannot open either it makes hex dumps, a second for each megabyte.
_MOST_BYTES = 8 << 20
_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]+-----")
#: A line of a block, and one that is as long as few others are.
_BODY = re.compile(r"(\s*[-+ ])\s*[A-Za-z0-9+/=]{4,}\s*")
_LONG = re.compile(r"\s*[-+ ]\s*[A-Za-z0-9+/=]{60,76}\s*")


class _Diffoscope:
    name = "diffoscope"
    rank = 2

    def compare(self, name: str, left: Path, right: Path) -> str | None:
        if not (process.find_tool("diffoscope") and _sandbox.available()):
            return None
        if max(left.stat().st_size, right.stat().st_size) > _MOST_BYTES:
            return None
        if any(covered(data) != data for data in (left.read_bytes(), right.read_bytes())):
            return None  # it would show a key as hexadecimal digits
        # Names decide how diffoscope reads a file; odd characters decide nothing.
        plain = re.sub(r"[^A-Za-z0-9._+-]", "_", name)[-80:].lstrip(".-") or "file"
        inside = [f"/tmp/{side}/{plain}" for side in ("left", "right")]  # noqa: S108
        ask = ["diffoscope", "--no-progress", "--json", "-", *inside]
        result = _sandbox.run(ask, dict(zip(inside, (left, right), strict=True)))
        if result.status != 1:
            return None
        try:
            answer = json.loads(result.stdout)
        except (ValueError, RecursionError):
            return None
        # A tool that diffoscope calls may name its input, which lies at a path of ours.
        ours = re.compile("|".join(map(re.escape, inside)))
        return bounded([ours.sub(plain, line) for line in _safe(_lines(answer, 0))])


def _safe(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines of differences without those of keys, and those of which nobody can tell.

    What is in a container is shown in pieces, so that a key may begin before what is shown.
    """
    inside, last = "", ""
    for line in lines:
        if begin := _BEGIN.search(line):
            inside = "a private key" if "PRIVATE" in begin[0] else "a public one"
        elif "-----END " in line or line.lstrip().startswith("@@"):
            inside = ""
        elif inside != "a public one" and (_BODY if inside else _LONG).fullmatch(line):
            inside = inside or "perhaps a private key"
            line = _BODY.sub(rf"\1{WITHHELD}: lines of {inside})", line)
            if line == last:
                continue
        last = line
        indent = len(line) - len(line.lstrip())
        yield line[:indent] + withheld(line[indent:])


def _lines(node: object, depth: int) -> Iterator[str]:
    """Yield diffoscope's tree as indented lines; the two outer names are our own paths."""
    if not isinstance(node, dict) or depth > 8:
        return
    indent = "  " * depth
    if depth:
        yield f"{indent}{printable(str(node.get('source1')))}"
    # Its comments tell which tools this host has; they are no part of the difference.
    for line in str(node.get("unified_diff") or "").splitlines():
        yield f"{indent}{printable(line)}"
    for child in node.get("details") or ():
        yield from _lines(child, depth + 1)


COMPARATOR: Comparator = _Diffoscope()
