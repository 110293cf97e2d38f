"""Read a Containerfile into statements that know their bytes.

The rules are BuildKit's (frontend/dockerfile/parser): parser directives, line continuations with
comments and blank lines inside, heredocs, flags and the JSON form. The reader works on bytes, so
that an edit may replace exactly what it means to; text that is not UTF-8 is shown replaced.
"""

from __future__ import annotations

import re

from msgspec import Struct

from repaudit.containerfile import words
from repaudit.containerfile.stages import Containerfile
from repaudit.containerfile.statement import Heredoc, Statement
from repaudit.model.errors import MalformedError

KEYWORDS = frozenset(
    """ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL MAINTAINER ONBUILD RUN SHELL
    STOPSIGNAL USER VOLUME WORKDIR""".split()
)
_JSON = frozenset({"ADD", "CMD", "COPY", "ENTRYPOINT", "RUN", "SHELL", "VOLUME"})
_HEREDOC = frozenset({"ADD", "COPY", "RUN"})
_BOM = b"\xef\xbb\xbf"
_DIRECTIVE = re.compile(r"#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*", re.ASCII)
_DIRECTIVES = frozenset({"check", "escape", "syntax"})


class _Line(Struct, frozen=True):
    start: int
    end: int  # before the line break
    text: str

    @property
    def stripped(self) -> str:
        return self.text.lstrip(words.SPACE)


def parse(data: bytes, *, name: str = "Containerfile", fragment: bool = False) -> Containerfile:
    """Return the Containerfile that `data` holds; `name` is what errors call it.

    A `fragment` is what is put behind another's FROM; it has none, and is read as if behind
    `FROM scratch`.

    Raises:
        MalformedError: it breaks the grammar. The message begins with `name` and the line.

    """
    return _Reader(data, name, fragment=fragment).read()


def _lines(data: bytes) -> list[_Line]:
    found, start = [], len(_BOM) if data.startswith(_BOM) else 0
    for piece in data[start:].split(b"\n"):
        kept = piece.rstrip(b"\r")
        found.append(_Line(start, start + len(kept), kept.decode(errors="replace")))
        start += len(piece) + 1
    if found and found[-1].start >= len(data):
        found.pop()
    return found


#: What stands before a fragment; it has no byte of it.
_OPENING = Statement(
    keyword="FROM",
    line=1,
    end_line=1,
    start=0,
    end=0,
    text="FROM scratch",
    arguments="scratch",
    flags=(),
    json=None,
    heredocs=(),
    trigger=None,
)


class _Reader:
    def __init__(self, data: bytes, name: str, *, fragment: bool) -> None:
        self._fragment = fragment
        self._data = data
        self._name = name
        self._lines = _lines(data)
        self._at = 0

    def read(self) -> Containerfile:
        directives = self._directives()
        escape = dict(directives).get("escape", "\\")
        if escape not in ("\\", "`"):
            raise self._error(1, f"the escape directive is {escape!r}", "use ` or \\")
        mark = re.escape(escape)
        continued = re.compile(rf"(?<!{mark}){mark}[ \t]*\Z")
        statements = [_OPENING] if self._fragment else []
        while self._at < len(self._lines):
            stripped = self._lines[self._at].stripped
            if not stripped or stripped.startswith("#"):
                self._at += 1
                continue
            statement = self._statement(continued)
            self._check(statement, statements)
            statements.append(statement)
        if not any(statement.keyword == "FROM" for statement in statements):
            raise self._error(max(1, len(self._lines)), "there is no FROM", "begin with FROM IMAGE")
        return Containerfile(
            name=self._name,
            data=self._data,
            escape=escape,
            directives=directives,
            statements=tuple(statements),
        )

    def _directives(self) -> tuple[tuple[str, str], ...]:
        """Return the parser directives: they stand first, and any other line ends them."""
        found: dict[str, str] = {}
        for number, line in enumerate(self._lines, start=1):
            match = _DIRECTIVE.fullmatch(line.stripped)
            key = match[1].lower() if match else ""
            if match is None or key not in _DIRECTIVES:
                break
            if key in found:
                raise self._error(number, f"a second {key} directive", "leave one of them")
            found[key] = match[2]
        return tuple(found.items())

    def _statement(self, continued: re.Pattern[str]) -> Statement:
        first = self._at
        text = self._logical(continued)
        keyword, rest = words.keyword(text)
        start = self._lines[first]
        indent = len(start.text) - len(start.stripped)
        return self._build(
            keyword,
            rest,
            line=first + 1,
            start=start.start + len(start.text[:indent].encode()),
            text=text.strip(words.SPACE),
        )

    def _logical(self, continued: re.Pattern[str]) -> str:
        """Join the lines of one statement and step behind them."""
        line = self._lines[self._at].stripped
        self._at += 1
        text = continued.sub("", line)
        open_ = text != line
        while open_ and self._at < len(self._lines):
            line = self._lines[self._at].text
            stripped = line.lstrip(words.SPACE)
            self._at += 1
            if stripped and not stripped.startswith("#"):
                piece = continued.sub("", line)
                open_ = piece != line
                text += piece
        return text

    def _build(self, keyword: str, rest: str, *, line: int, start: int, text: str) -> Statement:
        if keyword not in KEYWORDS:
            hint = "the instructions are " + ", ".join(sorted(KEYWORDS))
            raise self._error(line, f"unknown instruction {keyword[:40]!r}", hint)
        flags, arguments = words.flags(rest)
        array = None
        if keyword in _JSON:
            try:
                array = words.array(arguments)
            except ValueError as error:
                hint = f'write {keyword} ["first", "second"]'
                raise self._error(line, "the JSON array holds more than strings", hint) from error
        trigger = None
        if keyword == "ONBUILD":
            inner, behind = words.keyword(arguments)
            trigger = self._build(inner, behind, line=line, start=start, text=arguments)
        holds = keyword in _HEREDOC and array is None
        heredocs = self._heredocs(arguments, line) if holds else ()
        return Statement(
            keyword=keyword,
            line=line,
            end_line=self._at,
            start=start,
            end=max(start, self._lines[self._at - 1].end),
            text=text,
            arguments=arguments,
            flags=flags,
            json=array,
            heredocs=heredocs,
            trigger=trigger,
        )

    def _heredocs(self, arguments: str, line: int) -> tuple[Heredoc, ...]:
        found = []
        for name, expand, chomp in words.heredocs(arguments):
            begin = end = self._at
            while end < len(self._lines):
                text = self._lines[end].text
                if (text.lstrip("\t") if chomp else text) == name:
                    break
                end += 1
            else:
                hint = f"end it with a line that reads {name}"
                raise self._error(line, f"the heredoc {name[:40]!r} does not end", hint)
            self._at = end + 1
            body = self._data[self._lines[begin].start : self._lines[end].start]
            text = body.decode(errors="replace")
            start = self._lines[begin].start
            found.append(Heredoc(name=name, body=text, expand=expand, chomp=chomp, start=start))
        return tuple(found)

    def _check(self, statement: Statement, before: list[Statement]) -> None:
        line, keyword = statement.line, statement.keyword
        if keyword == "FROM":
            parts = statement.arguments.split()
            if len(parts) != 1 and (len(parts) != 3 or parts[1].upper() != "AS"):
                hint = "write FROM IMAGE or FROM IMAGE AS NAME"
                raise self._error(line, "FROM does not name one image", hint)
        elif keyword != "ARG" and all(s.keyword == "ARG" for s in before):
            raise self._error(line, f"{keyword} before the first FROM", "only ARG may stand there")

    def _error(self, line: int, message: str, hint: str) -> MalformedError:
        return MalformedError(f"{self._name}:{line}: {message}", hint=hint, line=line)
