"""pip's requirements files (pip.pypa.io, "Requirements File Format")."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from msgspec import Struct

from repaudit.ecosystems._catalogue import finding
from repaudit.ecosystems._purl import digests
from repaudit.ecosystems._requirements import FILE_NAME, ask, audit_requirement
from repaudit.ecosystems.interface import UNREADABLE, Document, Ecosystem
from repaudit.model.errors import MalformedError
from repaudit.model.pins import Location, Pin, PinFinding

_BOM = b"\xef\xbb\xbf"
#: What ends a line for pip, which asks str.splitlines.
_BREAKS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
_COMMENT = re.compile(r"(^|\s)#.*$", re.DOTALL)
_OPTIONS = re.compile(r"\s--?(?=[a-zA-Z])")
_HASH = re.compile(r"--hash[= ]\s*(?P<hash>[\w-]+:[0-9a-fA-F]+)")
_INDEXES = frozenset({"--extra-index-url", "--trusted-host", "-f", "--find-links"})
_MAIN = frozenset({"-i", "--index-url"})
_EDITABLE = frozenset({"-e", "--editable"})
_ASIDE = frozenset(
    """-r --requirement -c --constraint --no-index --no-binary --only-binary --prefer-binary --pre
    --require-hashes --use-feature --process-dependency-links""".split()
)
_MOST_UNREAD = 10


class _Line(Struct, frozen=True):
    """A logical line: continuations joined, its comment gone; `start` and `end` are bytes."""

    text: str
    start: int
    end: int


class _Requirements:
    name = "requirements"
    summary = "requirements and constraints files of pip: versions, hashes, indexes"

    def claims(self, path: str, head: bytes) -> bool:
        return bool(FILE_NAME.search(path))

    def audit(self, document: Document) -> Iterator[Pin | PinFinding]:
        if b"\0" in document.data:
            raise MalformedError("it is no text: it holds NUL bytes")
        unread: list[PinFinding] = []
        compiled = document.path.endswith(".in") and _compiled(document)
        quiet = compiled or "constraint" in document.name.lower()
        for line in _lines(document.data):
            if not line.text:
                continue
            for item in _audit_line(document, line, quiet=quiet):
                if isinstance(item, PinFinding) and item.id == UNREADABLE:
                    unread.append(item)
                else:
                    yield item
            if len(unread) >= _MOST_UNREAD:
                first = unread[0].location.line
                message = f"{len(unread)} lines, this the first, are no requirements"
                raise MalformedError(message, line=first)
        yield from unread


def _compiled(document: Document) -> bool:
    """Whether a `.in` file is only what its lock, beside it, was made from."""
    lock = document.name.removesuffix(".in") + ".txt"
    return b"--hash" in (document.read(document.beside(lock)) or b"")


def _lines(data: bytes) -> Iterator[_Line]:
    start = at = len(_BOM) if data.startswith(_BOM) else 0
    pieces: list[str] = []
    for raw in data[at:].decode("utf-8", "surrogateescape").splitlines(keepends=True):
        here, at = at, at + _size(raw)
        text = raw.rstrip(_BREAKS)
        if not pieces:
            start = here
        comment = text.lstrip().startswith("#")
        if text.endswith("\\") and not comment:
            pieces.append(text[:-1])
            continue
        pieces.append("" if comment and pieces else text)
        yield _line(pieces, start, here + _size(text))
        pieces = []
    if pieces:
        yield _line(pieces, start, len(data))


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogateescape"))


def _line(pieces: list[str], start: int, end: int) -> _Line:
    return _Line(text=_COMMENT.sub("", "".join(pieces)).strip(), start=start, end=end)


def _audit_line(document: Document, line: _Line, *, quiet: bool) -> Iterator[Pin | PinFinding]:
    """Yield a line's pin and what it lacks.

    `quiet` files lack nothing: constraints only bound what something else asks for, and what a lock
    was made from is not what is installed.
    """
    whole = document.at(line.start, line.end)
    if line.text.startswith("-"):
        yield from _option(document, line, whole)
        return
    text = _OPTIONS.split(line.text, maxsplit=1)[0].strip()
    asked = ask(text)
    if asked is None and "${" in text:
        yield finding("PY001", whole, f"{text[:100]}: it hangs on a variable")
    elif asked is None:
        yield finding(UNREADABLE, whole, f"{text[:100]!r} is no requirement")
    else:
        where = _first_line(document, line, text) or whole
        for item in audit_requirement(asked, text[:200], _hashes(line.text), where):
            if not quiet or isinstance(item, Pin):
                yield item


def _hashes(text: str) -> tuple[str, ...]:
    return digests(*(match["hash"] for match in _HASH.finditer(text)))


def _first_line(document: Document, line: _Line, text: str) -> Location | None:
    """Return where the requirement itself stands, without its options, if it does as it is."""
    raw = text.encode("utf-8", "surrogateescape")
    at = document.data.find(raw, line.start, line.end)
    return None if at < 0 else document.at(at, at + len(raw))


def _option(document: Document, line: _Line, whole: Location) -> Iterator[Pin | PinFinding]:
    try:
        words = shlex.split(line.text)
    except ValueError as error:
        yield finding(UNREADABLE, whole, f"{line.text[:100]!r}: {error}")
        return
    name, _, value = words[0].partition("=")
    if not value and not name.startswith("--") and len(name) > 2:
        name, value = name[:2], name[2:]
    value = value or " ".join(words[1:])
    if name in _EDITABLE:
        asked = ask(value)
        if asked is not None:
            yield from audit_requirement(asked, f"-e {value[:200]}", (), whole)
    elif name in _INDEXES and ("://" in value or name == "--trusted-host"):
        yield finding("PY008", whole, f"{name} {value[:200]}")
    elif name in _MAIN and value.startswith("http:"):
        yield finding("PY008", whole, f"{name} {value[:200]}")
    elif name not in _ASIDE | _INDEXES | _MAIN:
        yield finding(UNREADABLE, whole, f"{line.text[:100]!r} is no option of a requirements file")


ECOSYSTEM: Ecosystem = _Requirements()
