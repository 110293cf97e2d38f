"""Words and commands of a script, and who feeds whom."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct, field
from tree_sitter import Node

_LONGEST_PIPE = 50


class Word(Struct, frozen=True, kw_only=True):
    """One word: quotes off, variables replaced. `nested` are the commands that it is made of.

    `plain` says that the text stands in the file as it is, so that offsets into it hold.
    """

    text: str
    known: bool
    start: int
    end: int
    plain: bool = False
    nested: tuple[Command, ...] = ()


class Command(Struct, kw_only=True):
    """One simple command. `fed` is text on its standard input; `into` are files that it writes.

    `upstream` is what it reads through a pipe, `downstream` what reads it. `node` is its place in
    the tree of its script, and `outer` the command that was given that script as text.
    """

    words: tuple[Word, ...]
    start: int
    end: int
    fed: list[Word] = field(default_factory=list)
    into: list[str] = field(default_factory=list)
    upstream: Command | None = None
    downstream: Command | None = None
    node: Node | None = None
    outer: Command | None = None

    def feeders(self) -> Iterator[Command]:
        """Yield what stands before it in the pipe, nearest first."""
        before = self.upstream
        for _ in range(_LONGEST_PIPE):
            if before is None:
                return
            yield before
            before = before.upstream

    def readers(self) -> Iterator[Command]:
        """Yield what stands behind it in the pipe, nearest first."""
        after = self.downstream
        for _ in range(_LONGEST_PIPE):
            if after is None:
                return
            yield after
            after = after.downstream


class Script(Struct, frozen=True, kw_only=True):
    """All commands in the order in which they stand, and the bytes that are no shell."""

    commands: tuple[Command, ...]
    holes: tuple[tuple[int, int], ...]
