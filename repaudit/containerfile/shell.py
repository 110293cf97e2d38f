"""The shell text of a RUN: its simple commands, with the bytes of the file that each word is.

What does not parse whole is no script to us: nobody may edit what nobody understood.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from msgspec import Struct
from tree_sitter import Node

from repaudit.containerfile import words
from repaudit.containerfile.shell_tree import LISTS, holds, walk, whole
from repaudit.containerfile.stages import Containerfile
from repaudit.containerfile.statement import Statement
from repaudit.model.errors import MalformedError

_SHELLS = frozenset({"ash", "bash", "dash", "ksh", "sh", "zsh"})
#: A step that is longer is left alone: it is data, not something that a person would edit.
_MOST_BYTES = 64 << 10
_NOWHERE = re.compile(rb"(?:1|&)?>>?\s*/dev/null")
_PLAIN = re.compile(rb"[^\s\\'\"$`*?\[\]{}()<>|&;#~!]+")


class Word(Struct, frozen=True, kw_only=True):
    """A word from byte `start` to before byte `end` of the file.

    `text` is what the program gets, None where only the shell knows (variables, globs, escapes).
    """

    text: str | None
    start: int
    end: int


class Command(Struct, frozen=True, kw_only=True):
    """A simple command: its words from the name on, and the variables `assigned` before it.

    `start` is where its first word or assignment begins. `group` is the text of the braces around
    it, empty without. `behind` is where a filter of its output
    can be put in, None where another stream is redirected in between. `quoted` says that it stands
    in backticks. `into` names the program that reads its output through a pipe, and `stands_in` the
    variables for which its output is the default. `unheard` says that its output gets nowhere: it
    is thrown away, or a test asks for it.
    """

    words: tuple[Word, ...]
    assigned: frozenset[str]
    start: int
    group: str
    behind: int | None
    quoted: bool
    into: str
    stands_in: frozenset[str]
    unheard: bool

    @property
    def name(self) -> str:
        """The program's name without its folder; empty where it is not known."""
        return (self.words[0].text or "").rpartition("/")[2]

    @property
    def arguments(self) -> tuple[Word, ...]:
        """The words behind the name."""
        return self.words[1:]

    @property
    def texts(self) -> tuple[str | None, ...]:
        """What is known of each argument."""
        return tuple(word.text for word in self.arguments)

    def has(self, *options: str) -> bool:
        """Whether one of these stands among the arguments, on its own or with `=` and a value."""
        given = {(text or "").partition("=")[0] for text in self.texts}
        return not given.isdisjoint(options)


class Script(Struct, frozen=True, kw_only=True):
    """The shell text of one RUN, from byte `start` to before byte `end` of the file.

    `text` is the logical line. `begins` and `ends` say whether a command may be put before all of
    it (`x && …`) and behind it (`… && x`) so that it always runs.
    """

    text: str
    commands: tuple[Command, ...]
    exports: frozenset[str]
    start: int
    end: int
    begins: bool
    ends: bool


def script(file: Containerfile, statement: Statement) -> Script | None:
    """Return the shell text of a RUN; None for any other statement and for what is not certain.

    That is the exec form, a heredoc, a shell that is no relative of sh, text that does not parse,
    and text that is no UTF-8.
    """
    if statement.keyword != "RUN" or statement.json is not None or statement.heredocs:
        return None
    if not statement.arguments or not _plain_shell(file, statement):
        return None
    text, places = _logical(file, statement)
    arguments = statement.arguments.encode()
    at = len(text) - len(arguments)
    if text[max(at, 0) :] != arguments or len(arguments) > _MOST_BYTES:
        return None
    root = whole(arguments)
    if root is None:
        return None
    reader = _Reader(arguments, places[at:])
    return Script(
        text=statement.arguments,
        commands=tuple(reader.commands(root)),
        exports=frozenset(reader.exports(root)),
        start=places[at],
        end=places[-1] + 1,
        begins=holds(arguments, b"true && " + arguments, first=True),
        ends=holds(arguments, arguments + b" && true", first=False),
    )


def runs_only(text: str, names: Collection[str]) -> bool:
    """Whether each command of a shell text is one of `names`, and none writes to a file."""
    try:
        root = whole(text.encode())
    except MalformedError:
        return False
    nodes = list(walk(root)) if root else []
    commands = [node for node in nodes if node.type == "command"]
    named = {name.text for node in commands if (name := node.child_by_field_name("name"))}
    return (
        bool(commands)
        and named <= {name.encode() for name in names}
        and not any(node.type.endswith(("_redirect", "_substitution")) for node in nodes)
    )


def _plain_shell(file: Containerfile, statement: Statement) -> bool:
    """Whether sh or a relative of it reads the statement; a SHELL anywhere above may say not."""
    above = (s for s in file.statements if s.keyword == "SHELL" and s.start < statement.start)
    return all(s.json and s.json[0].rpartition("/")[2] in _SHELLS for s in above)


def _logical(file: Containerfile, statement: Statement) -> tuple[bytes, list[int]]:
    """Return the logical line as bytes, and where in the file each of them stands."""
    mark = re.escape(file.escape.encode())
    continued = re.compile(rb"(?<!" + mark + rb")" + mark + rb"[ \t]*\Z")
    text, places = bytearray(), list[int]()
    start = statement.start
    for number, piece in enumerate(file.data[statement.start : statement.end].split(b"\n")):
        line = piece.rstrip(b"\r")
        stripped = line.decode(errors="replace").lstrip(words.SPACE)
        if number == 0 or (stripped and not stripped.startswith("#")):
            kept = continued.sub(b"", line)
            text += kept
            places += range(start, start + len(kept))
        start += len(piece) + 1
    whole = bytes(text.rstrip())
    return whole, places[: len(whole)]


class _Reader:
    def __init__(self, text: bytes, places: list[int]) -> None:
        self._text = text
        self._places = places

    def commands(self, root: Node) -> Iterator[Command]:
        for node in walk(root):
            if node.type == "command" and node.child_by_field_name("name"):
                yield self._command(node)

    def exports(self, root: Node) -> Iterator[str]:
        """Yield the `NAME=value` words that the script exports."""
        for node in walk(root):
            if node.type == "declaration_command" and (node.text or b"").startswith(b"export"):
                yield from (
                    (child.text or b"").decode()
                    for child in node.named_children
                    if child.type == "variable_assignment"
                )

    def _command(self, node: Node) -> Command:
        name = node.children_by_field_name("name")
        given = node.children_by_field_name("argument")
        around = list(_ancestors(node))
        return Command(
            words=tuple(map(self._word, (*name, *given))),
            assigned=frozenset(
                (child.text or b"").decode().partition("=")[0]
                for child in node.children
                if child.type == "variable_assignment"
            ),
            start=self._places[node.start_byte],
            group=next(
                ((n.text or b"").decode() for n in around if n.type == "compound_statement"), ""
            ),
            behind=self._behind(node),
            quoted=any(
                n.type == "command_substitution" and b"`" in (n.children[0].text or b"")
                for n in around
            ),
            into=_reader_of(node),
            stands_in=frozenset(
                (child.text or b"").decode()
                for n in around
                if n.type == "expansion"
                for child in n.named_children[:1]
            ),
            unheard=_thrown_away(node) or any(map(_is_test, around)),
        )

    def _behind(self, node: Node) -> int | None:
        """Return where a filter of the output goes: behind `2>…`, before `>…`."""
        if _redirects(node):
            return None
        whole = node
        while (parent := whole.parent) and parent.type == "list" and parent.children[-1] == whole:
            whole = parent
        redirects = _redirects(parent) if parent else []
        numbered = [child for child in redirects if child.children[0].type == "file_descriptor"]
        if not numbered:
            return self._after(node)
        return self._after(parent) if parent and numbered == redirects else None

    def _after(self, node: Node) -> int:
        return self._places[node.end_byte - 1] + 1

    def _word(self, node: Node) -> Word:
        literal = _literal(node)
        return Word(
            text=None if literal is None else literal.decode(),
            start=self._places[node.start_byte],
            end=self._after(node),
        )


def _reader_of(node: Node) -> str:
    """Return the first word of what follows in the pipeline, empty where nothing does."""
    while (parent := node.parent) and parent.type in LISTS and parent.type != "program":
        if parent.type == "list" and parent.children[-1] != node:
            break
        node = parent
    behind = node.next_named_sibling
    if node.parent is None or node.parent.type != "pipeline" or behind is None:
        return ""
    names = (n.text or b"" for n in walk(behind) if n.type == "command_name")
    return next(names, b"").decode()


def _redirects(node: Node) -> list[Node]:
    return [child for child in node.children if child.type.endswith("redirect")]


def _thrown_away(node: Node) -> bool:
    around = _redirects(node.parent) if node.parent else []
    return any(_NOWHERE.fullmatch(one.text or b"") for one in (*_redirects(node), *around))


def _is_test(node: Node) -> bool:
    name = node.child_by_field_name("name") if node.type == "command" else None
    return node.type == "test_command" or bool(name and name.text in {b"test", b"["})


def _ancestors(node: Node) -> Iterator[Node]:
    parent = node.parent
    while parent is not None:
        yield parent
        parent = parent.parent


def _literal(node: Node) -> bytes | None:
    """Return what a word means where no shell is needed to say so."""
    text = node.text or b""
    if _PLAIN.fullmatch(text):
        return text
    if node.type == "raw_string":
        return text[1:-1]
    if node.type == "string":
        inside = text[1:-1]
        return None if set(inside) & set(b"$`\\") else inside
    if node.type in {"command_name", "concatenation"}:
        parts = [_literal(child) for child in node.children]
        whole = [part for part in parts if part is not None]
        return b"".join(whole) if parts and len(whole) == len(parts) else None
    return {b"{": text, b"}": text, b"[": text, b"!": text, b"\\;": b";"}.get(text)
