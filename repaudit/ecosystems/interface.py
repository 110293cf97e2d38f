"""The contract of an ecosystem: a file's bytes in, pins and findings out.

Laws, tested for every ecosystem: raises nothing but MalformedError, whatever the bytes, and that
becomes the finding of the rule `UNREADABLE`; yields only rules of the catalogue (rules.toml); every
location lies in the file; an edit, once made, silences its finding; the same document gives the
same answer. A plug-in reads only its document and, through it, other files of the audited folder.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import cached_property
from re import finditer
from typing import Protocol

from msgspec import Struct

from repaudit.model.pins import Location, Pin, PinFinding

#: The rule that a file breaks which its ecosystem cannot read: the verdict stays open.
UNREADABLE = "PAR002"
_BOMS = ((b"\xff\xfe\0\0", "utf-32"), (b"\0\0\xfe\xff", "utf-32"), (b"\xff\xfe", "utf-16"))
_MARKS = (*_BOMS, (b"\xfe\xff", "utf-16"))


def _no_file(path: str) -> None:
    return None


def _no_commit(path: str) -> None:
    return None


class Document(Struct, frozen=True, kw_only=True, dict=True):
    """A file to audit. `path` is relative to the audited folder; `read` returns another file of it.

    `commit` returns that of a submodule, by its path from this file's folder: None where the
    checkout has none, or there is no checkout.

    `data` is UTF-8 where the file says what it is encoded in; if that was another encoding,
    `recoded` is true and byte positions mean nothing. `now` is the time of the audit, in seconds
    since 1970: a snapshot from tomorrow is none.
    """

    path: str
    data: bytes
    read: Callable[[str], bytes | None] = _no_file
    commit: Callable[[str], str | None] = _no_commit
    now: float = float("inf")
    recoded: bool = False

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    def beside(self, name: str) -> str:
        """Return the path of the file that `name` means from this one's folder."""
        parts = self.path.split("/")[:-1]
        for part in name.split("/"):
            if part == ".." and parts and parts[-1] != "..":
                parts.pop()
            elif part not in ("", "."):
                parts.append(part)
        return "/".join(parts)

    @cached_property
    def _breaks(self) -> list[int]:
        return [match.end() for match in finditer(rb"\r\n|\n|\r", self.data)]

    def line(self, offset: int) -> int:
        """Return the number of the line that holds the byte at `offset`."""
        return bisect_right(self._breaks, max(0, min(offset, len(self.data)))) + 1

    def at(self, start: int, end: int | None = None) -> Location:
        """Return the location of the bytes `start` to before `end`."""
        stop = max(start, start if end is None else end)
        return Location(
            path=self.path,
            line=self.line(start),
            end_line=self.line(max(start, stop - 1)),
            start=None if self.recoded else start,
            end=None if self.recoded else stop,
        )

    def on(self, line: int, end_line: int | None = None) -> Location:
        """Return the location of whole lines, without bytes; numbers out of bounds are cut."""
        last = len(self._breaks) + 1
        first = min(max(1, line), last)
        return Location(
            path=self.path, line=first, end_line=min(max(first, end_line or first), last)
        )


def document(
    path: str,
    raw: bytes,
    read: Callable[[str], bytes | None] = _no_file,
    now: float = float("inf"),
    commit: Callable[[str], str | None] = _no_commit,
) -> Document:
    """Return the document that `raw` is, in UTF-8 if its byte order mark says otherwise."""
    encoding = next((name for mark, name in _MARKS if raw.startswith(mark)), None)
    data = raw if encoding is None else raw.decode(encoding, "replace").encode()
    recoded = encoding is not None
    return Document(path=path, data=data, read=read, commit=commit, now=now, recoded=recoded)


class Ecosystem(Protocol):
    """Reads one kind of file."""

    @property
    def name(self) -> str:
        """The file's name."""

    @property
    def summary(self) -> str:
        """One line for `repaudit list ecosystems`."""

    def claims(self, path: str, head: bytes) -> bool:
        """Say whether this ecosystem reads a file of that path which begins with `head`."""

    def audit(self, document: Document) -> Iterator[Pin | PinFinding]:
        """Yield what the file takes in, and what of it falls short; MalformedError ends it."""
