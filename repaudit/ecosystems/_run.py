"""The shell text of a RUN statement, byte for byte where it stands in the Containerfile.

What is Docker's and not the shell's (the keyword, flags, comments between continued lines, another
escape mark) is overwritten with blanks, so that offsets into the text are offsets into the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from repaudit.containerfile import Statement
from repaudit.ecosystems._command import Command, Word
from repaudit.ecosystems._invocation import SHELLS, Invocation, base_name

_COMMENT = re.compile(rb"^[ \t]*(?:#[^\n]*)?\r?\n", re.MULTILINE)
_HEAD = re.compile(
    rb"\s*(?:ONBUILD[\s\\]+)?RUN[\s\\]+(?:--[\w-]+(?:=(?:\"[^\"]*\"|'[^']*'|[^\s\"'])*)?[\s\\]+)*",
    re.IGNORECASE,
)
_ALONE = re.compile(r"\s*\d*<<-?\S+(?:\s+(?P<program>[^\s<>|&;]+)(?:\s+-\w+)*)?\s*")
_SHEBANG = re.compile(r"#!\s*(\S+)(?:[ \t]+(\S+))?")


class Text(Struct, frozen=True):
    """Shell text, and where it begins."""

    data: bytes
    origin: int


def shell_texts(data: bytes, statement: Statement, escape: str) -> Iterator[Text]:
    """Yield what the shell is given by a RUN in shell form; nothing for another interpreter's."""
    start = statement.start
    bodies = statement.heredocs
    end = bodies[0].start if bodies else statement.end
    alone = _ALONE.fullmatch(statement.arguments) if bodies else None
    if alone and (alone["program"] is None or base_name(alone["program"]) in SHELLS):
        for heredoc in bodies:
            if alone["program"] or _is_shell(heredoc.body):
                yield Text(heredoc.body.encode(), heredoc.start)
        return
    head = bytearray(data[start:end])
    _blank_comments(head)
    _unify_escapes(head, escape.encode())
    keyword = _HEAD.match(head)
    if keyword:
        head[: keyword.end()] = b" " * keyword.end()
    yield Text(bytes(head) + data[end : statement.end], start)


def _is_shell(body: str) -> bool:
    shebang = _SHEBANG.match(body)
    if shebang is None:
        return True
    program = base_name(shebang[1])
    return (base_name(shebang[2]) if program == "env" and shebang[2] else program) in SHELLS


def _blank_comments(text: bytearray) -> None:
    """Lines of a comment, or of nothing, do not end a statement; they leave no trace in it."""
    first = text.find(b"\n") + 1
    if first:
        for match in list(_COMMENT.finditer(text, first)):
            text[match.start() : match.end()] = b" " * (match.end() - match.start())
        last = text.rfind(b"\n") + 1
        if text[last:].lstrip().startswith(b"#"):
            text[last:] = b" " * (len(text) - last)


def _unify_escapes(text: bytearray, escape: bytes) -> None:
    """Put each continuation as the shell wants it: the mark right before the line break."""
    for match in re.finditer(re.escape(escape) + rb"[ \t]*\r?\n", bytes(text)):
        width = match.end() - match.start()
        text[match.start() : match.end()] = b" " * (width - 2) + b"\\\n"
    last = re.search(rb"(?<!%b)%b[ \t]*\Z" % (re.escape(escape), re.escape(escape)), text)
    if last:  # it continues with nothing: the file ends here
        text[last.start() :] = b" " * (len(text) - last.start())


def exec_form(statement: Statement) -> Invocation | None:
    """Return what a RUN in exec form runs; offsets into it mean nothing."""
    words = tuple(
        Word(text=text, known=True, start=statement.start, end=statement.end)
        for text in statement.json or ()
    )
    if not words:
        return None
    command = Command(words=words, start=statement.start, end=statement.end)
    return Invocation(name=base_name(words[0].text), arguments=words[1:], command=command)
