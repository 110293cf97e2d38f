"""Shell text as commands: who feeds whom, what each word is worth, and the bytes of all of it.

Any bytes are read, and what is no shell is marked as holes (`containerfile/shell_tree.py`). Values
are followed as far as constants go: a word that hangs on anything else is kept as written and not
`known`. Source of the meaning: bash(1).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from tree_sitter import Node

from repaudit.containerfile import shell_tree
from repaudit.ecosystems._command import Command, Script, Word
from repaudit.ecosystems._variables import Variables

_DEEPEST = 100
_ESCAPED = re.compile(r"\\(.)|\$(\w+)", re.DOTALL)
_IN_QUOTES = re.compile(r'\\([$`"\\])|\$(\w+)')
#: What may be a word or a part of one, and the variables in it that `_masked` hides.
_RUN = re.compile(rb"""[^\s"'`;|&<>()\\]+""")
_LATER = re.compile(rb"(?<=.)\$(?=\w+[^\w])", re.DOTALL)


def parse(text: bytes, values: Mapping[str, str], origin: int = 0) -> Script:
    """Return the commands of `text`, which stands `origin` bytes into its file.

    Raises:
        MalformedError: it is longer than any script, or made to be slow to read.

    """
    reader = _Reader(text, dict(values), origin)
    reader.walk(shell_tree.parse(_masked(text)), 0)
    return Script(commands=tuple(reader.commands), holes=tuple(reader.holes))


def _masked(text: bytes) -> bytes:
    """Return the text with all variables of a word but the first written as letters.

    The grammar (tree-sitter-bash 0.25) ends a word before the name of a later one, as in
    `a/$V/b-$V.tgz`. Lengths stay, and values are read from the text itself.
    """
    return _RUN.sub(_hide, text) if text.count(b"$") > 1 else text


def _hide(run: re.Match[bytes]) -> bytes:
    first = run[0].find(b"$") + 1
    return run[0][:first] + _LATER.sub(b"_", run[0][first:]) if first else run[0]


class _Reader:
    def __init__(self, text: bytes, values: dict[str, str], origin: int) -> None:
        self._text = text
        self._variables = Variables(values)
        self._origin = origin
        self.commands: list[Command] = []
        self.holes: list[tuple[int, int]] = []

    def walk(self, node: Node, depth: int) -> Command | None:
        """Read `node` and what is in it; return the last simple command, None if there is none."""
        if depth > _DEEPEST or node.type == "ERROR":
            self._hole(node)
        if depth > _DEEPEST:
            return None
        match node.type:
            case "command":
                return self._command(node, depth)
            case "pipeline":
                return self._pipeline(node, depth, None)
            case "redirected_statement":
                return self._redirected(node, depth)
            case "variable_assignment":
                self._assignment(node, depth)
                return None
            case "for_statement":
                self._loop(node, depth)
            case "heredoc_body" | "comment":
                return None
            case _:
                pass
        last = None
        for child in node.named_children:
            last = self.walk(child, depth + 1) or last
        return last

    def _hole(self, node: Node) -> None:
        self.holes.append((self._origin + node.start_byte, self._origin + node.end_byte))

    def _command(self, node: Node, depth: int) -> Command:
        words: list[Word] = []
        command = Command(
            words=(),
            start=self._origin + node.start_byte,
            end=self._origin + node.end_byte,
            node=node,
        )
        redirects = []
        for index, child in enumerate(node.named_children):
            place = node.field_name_for_named_child(index)
            if child.type == "variable_assignment":
                self.walk(child, depth + 1)  # it holds for this command alone
            elif place == "redirect":
                redirects.append(child)
            elif place == "name" and child.named_children:
                words += self._words(child.named_children[0], depth + 1)
            else:
                words += self._words(child, depth + 1)
        command.words = tuple(words)
        self.commands.append(command)
        for redirect in redirects:
            self._redirect(redirect, command, depth)
        return command

    def _pipeline(self, node: Node, depth: int, upstream: Command | None) -> Command | None:
        last = upstream
        for child in node.named_children:
            count = len(self.commands)
            ended = self.walk(child, depth + 1)
            begun = self._first(count)
            if begun is not None and last is not None:
                begun.upstream, last.downstream = last, begun
            last = ended or last
        return last

    def _first(self, count: int) -> Command | None:
        """Return the command that stands first among those read since there were `count`."""
        return min(self.commands[count:], key=lambda command: command.start, default=None)

    def _redirected(self, node: Node, depth: int) -> Command | None:
        last = None
        for index, child in enumerate(node.named_children):
            if node.field_name_for_named_child(index) == "redirect":
                last = self._redirect(child, last, depth) or last
            else:
                last = self.walk(child, depth + 1) or last
        return last

    def _redirect(self, node: Node, command: Command | None, depth: int) -> Command | None:
        if node.type == "herestring_redirect":
            words = [word for child in node.named_children for word in self._words(child, depth)]
            if command is not None:
                command.fed += words
        elif node.type == "file_redirect":
            self._file(node, command, depth)
        elif node.type == "heredoc_redirect":
            return self._heredoc(node, command, depth)
        return None

    def _file(self, node: Node, command: Command | None, depth: int) -> None:
        target = node.child_by_field_name("destination")
        writes = any(child.type.startswith((">", "&>")) for child in node.children)
        words = self._words(target, depth + 1) if target else []
        if command is None or not words:
            return
        if writes:
            command.into.append(words[0].text)
        else:
            command.words += tuple(word for word in words if word.nested)

    def _heredoc(self, node: Node, command: Command | None, depth: int) -> Command | None:
        last = command
        for child in node.named_children:
            if child.type == "heredoc_body" and command is not None:
                command.fed.append(self._body(child))
            elif child.type == "pipeline":
                last = self._pipeline(child, depth + 1, command)
            elif child.type == "file_redirect":
                self._file(child, command, depth)
            elif child.type not in ("heredoc_start", "heredoc_end", "heredoc_body"):
                last = self.walk(child, depth + 1) or last
        return last

    def _body(self, node: Node) -> Word:
        raw = self._raw(node)
        return Word(
            text=self._variables.replace(raw),
            known=True,
            start=self._origin + node.start_byte,
            end=self._origin + node.end_byte,
            plain="$" not in raw and raw.isascii(),
        )

    def _assignment(self, node: Node, depth: int) -> None:
        name = node.child_by_field_name("name")
        value = node.child_by_field_name("value")
        if name is None:
            return
        words = self._words(value, depth + 1) if value is not None else []
        self._put(name, words, known=not self._text.startswith(b"+=", name.end_byte))

    def _loop(self, node: Node, depth: int) -> None:
        name = node.child_by_field_name("variable")
        words = [
            w for child in node.children_by_field_name("value") for w in self._words(child, depth)
        ]
        if name is not None:
            self._put(name, words, known=True)

    def _put(self, name: Node, words: list[Word], *, known: bool) -> None:
        text = " ".join(word.text for word in words)
        sure = known and all(word.known for word in words)
        self._variables.put(self._raw(name), text if sure else None)

    def _raw(self, node: Node) -> str:
        return self._text[node.start_byte : node.end_byte].decode(errors="replace")

    def _words(self, node: Node, depth: int) -> list[Word]:
        """Return the words that `node` becomes: an unquoted variable may hold several."""
        count = len(self.commands)
        text, known = self._value(node, depth)
        nested = tuple(self.commands[count:])
        raw = self._raw(node)
        start, end = self._origin + node.start_byte, self._origin + node.end_byte
        if node.type in ("string", "raw_string") and raw[1:-1] == text and raw.isascii():
            start, end = start + 1, end - 1
        plain = end - start == len(text) and raw.isascii() and text in raw
        parts = text.split() if node.type in ("simple_expansion", "expansion") else [text]
        return [
            Word(text=part, known=known, start=start, end=end, plain=plain, nested=nested)
            for part in parts
        ]

    def _value(self, node: Node, depth: int) -> tuple[str, bool]:
        raw = self._raw(node)
        if depth > _DEEPEST:
            self._hole(node)
            return raw, False
        match node.type:
            case "word" | "number" | "test_operator" | "extglob_pattern" | "regex":
                return self._letters(raw, _ESCAPED)
            case "raw_string":
                return raw[1:-1], True
            case "string_content":
                return self._letters(raw, _IN_QUOTES)
            case "string":
                return self._joined(node, depth, 1)
            case "concatenation":
                return self._joined(node, depth, 0)
            case "simple_expansion" | "expansion":
                return self._variable(node, depth)
            case "ansi_c_string":
                return raw[2:-1], "\\" not in raw
            case _:
                pass
        for child in node.named_children:
            self.walk(child, depth + 1)
        return raw, False

    def _letters(self, raw: str, form: re.Pattern[str]) -> tuple[str, bool]:
        """Return what letters mean: those behind a mark as they are, masked variables' values."""
        known = True

        def value(match: re.Match[str]) -> str:
            nonlocal known
            if match[1] is not None:
                return match[1]
            found = self._variables.expand(match[0])
            known = known and found is not None
            return match[0] if found is None else found

        return form.sub(value, raw), known

    def _joined(self, node: Node, depth: int, quote: int) -> tuple[str, bool]:
        """Put the parts together; bytes between them are kept, as the grammar drops some blanks."""
        text, known = "", True
        at, end = node.start_byte + quote, node.end_byte - quote
        for child in node.named_children:
            text += self._text[at : child.start_byte].decode(errors="replace")
            part, sure = self._value(child, depth + 1)
            text, known = text + part, known and sure
            at = child.end_byte
        return text + self._text[at:end].decode(errors="replace"), known

    def _variable(self, node: Node, depth: int) -> tuple[str, bool]:
        raw = self._raw(node)
        value = self._variables.expand(raw)
        if value is not None:
            return value, True
        for child in node.named_children:
            self.walk(child, depth + 1)
        return raw, False
