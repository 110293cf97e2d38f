"""Edits of a Containerfile: a few bytes are put in or replaced, and all others stay.

Byte order mark, line ends, comments, continuations and heredocs are the author's; an inserted line
ends as the line that it stands before.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from itertools import groupby, pairwise

from msgspec import Struct

from repaudit.containerfile.parser import parse
from repaudit.containerfile.shell import Script
from repaudit.containerfile.stages import Containerfile
from repaudit.containerfile.statement import Statement
from repaudit.model.errors import MalformedError
from repaudit.model.text import raw

_EXPORT = "export "
_AND = " && "
_UNPLAIN = re.compile(rb'[\0-\x1f"\\\x7f]')


class Splice(Struct, frozen=True, kw_only=True, order=True):
    """The bytes from `start` to before `end`, replaced by `text`; an insertion where both agree."""

    start: int
    end: int
    text: str


def clash(splices: Iterable[Splice]) -> bool:
    """Whether two of them want to change the same bytes, or one puts text into what goes away."""
    return any(b.start < a.end for a, b in pairwise(sorted(set(splices))))


def splice(data: bytes, splices: Sequence[Splice]) -> bytes:
    """Return `data` with the splices made, each once.

    What is put in at one place stands in the order given, but commands before the step come first,
    its `export`s as one, and commands behind it last.
    """
    if clash(splices):
        raise ValueError("two splices want the same bytes")
    pieces, at = [], 0
    # Python's sort keeps the order given among equals; an insertion comes before a replacement.
    ordered = sorted(dict.fromkeys(splices), key=lambda s: (s.start, s.end))
    for (start, end), group in groupby(ordered, key=lambda s: (s.start, s.end)):
        pieces += [data[at:start], _together([one.text for one in group]).encode()]
        at = end
    return b"".join([*pieces, data[at:]])


def _together(texts: Sequence[str]) -> str:
    """Join what is put in at one place: what runs before the step, words, what runs behind it."""
    before = [text for text in texts if text.endswith(_AND) and not text.startswith("{")]
    exports = [text for text in before if text.startswith(_EXPORT)]
    behind = [text for text in texts if text.startswith(_AND)]
    words = [text for text in texts if text not in before and text not in behind]
    names = " ".join(text.removeprefix(_EXPORT).removesuffix(_AND) for text in exports)
    one = [f"{_EXPORT}{names}{_AND}"] if exports else []
    return "".join([*(text for text in before if text not in exports), *one, *words, *behind])


def begin(script: Script, command: str) -> Splice | None:
    """Put `command && ` before a script; None where not all of it would come behind."""
    if not script.begins:
        return None
    return Splice(start=script.start, end=script.start, text=command + _AND)


def append(script: Script, command: str) -> Splice | None:
    """Put ` && command` behind a script; None where it might not run."""
    if not script.ends:
        return None
    return Splice(start=script.end, end=script.end, text=_AND + command)


def insert_before(file: Containerfile, statement: Statement, line: str) -> Splice:
    """Put a line before a statement, above the comments that belong to it."""
    data = file.data
    start = data.rfind(b"\n", 0, statement.start) + 1
    done = max((s.end for s in file.statements if s.end <= statement.start), default=0)
    while start > done:
        above = data.rfind(b"\n", 0, start - 1) + 1
        if above < done or not data[above:start].lstrip().startswith(b"#"):
            break
        start = above
    ends = "\r\n" if data[:start].endswith(b"\r\n") else "\n"
    return Splice(start=start, end=start, text=line + ends)


def sound(before: Containerfile, after: bytes, inserted: int) -> bool:
    """Whether edited bytes still read as the same statements, with `inserted` new ones."""
    try:
        read = parse(after, name=before.name)
    except MalformedError:
        return False
    return len(read.statements) == len(before.statements) + inserted


def unified(before: bytes, after: bytes, name: str) -> bytes:
    """Return the unified diff that patch(1) and `git apply` take; empty where nothing differs."""
    lines = difflib.diff_bytes(
        difflib.unified_diff,
        _lines(before),
        _lines(after),
        _header(f"a/{name}"),
        _header(f"b/{name}"),
    )
    return b"".join(
        line if line.endswith(b"\n") else line + b"\n\\ No newline at end of file\n"
        for line in lines
    )


def _header(name: str) -> bytes:
    """Return a file's name as git writes it in a diff: in C's quotes where it is not plain."""
    data = raw(name)
    if not _UNPLAIN.search(data):
        return data
    return b'"%s"' % _UNPLAIN.sub(lambda match: b"\\%03o" % match[0][0], data)


def _lines(data: bytes) -> list[bytes]:
    """Split at line feeds alone, as patch(1) does."""
    *whole, last = data.split(b"\n")
    return [line + b"\n" for line in whole] + ([last] if last else [])
