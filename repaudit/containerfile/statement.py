"""What a Containerfile is made of: statements, with the bytes they came from."""

from __future__ import annotations

from msgspec import Struct


class Heredoc(Struct, frozen=True, kw_only=True):
    """A body that stands below its statement. `expand` is false where the name was quoted.

    `body` is as written, from byte `start` on; a reader of `<<-` takes the leading tabs of its
    lines away.
    """

    name: str
    body: str
    expand: bool = True
    chomp: bool = False
    start: int = 0


class Statement(Struct, frozen=True, kw_only=True):
    """One instruction as written, from byte `start` to before byte `end`, lines counted from 1.

    `text` is the logical line: continuations joined, comments within them dropped; it ends where
    the heredoc bodies begin. `arguments` is what follows the keyword and its flags. A flag is a
    pair of name and value, with an empty value where it has none. `json` is the array of the exec
    form. `trigger` is the statement that ONBUILD holds back.
    """

    keyword: str
    line: int
    end_line: int
    start: int
    end: int
    text: str
    arguments: str
    flags: tuple[tuple[str, str], ...] = ()
    json: tuple[str, ...] | None = None
    heredocs: tuple[Heredoc, ...] = ()
    trigger: Statement | None = None

    def flag(self, name: str) -> str | None:
        """Return the value of the last flag `name`, or None."""
        return next((value for key, value in reversed(self.flags) if key == name), None)
