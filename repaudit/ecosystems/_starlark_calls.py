"""Calls in Starlark files, with the constants among their arguments.

Starlark's grammar is close enough to Python's that `ast` reads it, with exact places. Top-level
constants, `%`, `+` and `.format` are followed; what hangs on anything else has no value.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator

from msgspec import Struct

from repaudit.ecosystems.interface import Document
from repaudit.model.errors import MalformedError
from repaudit.model.pins import Location

#: A file of more bytes is no build file; `ast` takes some hundred times its size.
_LARGEST = 4 << 20
_LONGEST = 4096
_DEEPEST = 60


class Call(Struct, frozen=True):
    """A call: the last part of the function's name, the whole of it, its arguments by name."""

    name: str
    function: str
    arguments: dict[str, ast.expr]
    location: Location


class Starlark:
    """The calls of a file, and what their arguments are worth."""

    def __init__(self, document: Document) -> None:
        self._document = document
        data = document.data.removeprefix(b"\xef\xbb\xbf")
        if len(data) > _LARGEST:
            raise MalformedError(f"a build file of more than {_LARGEST >> 20} MiB")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about strings, which are not ours to mend
                self._tree = ast.parse(data.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise MalformedError(
                "no Starlark: it is not UTF-8", line=document.line(error.start)
            ) from error
        except SyntaxError as error:
            raise MalformedError(f"no Starlark: {error.msg}", line=error.lineno) from error
        except (ValueError, RecursionError, MemoryError) as error:
            raise MalformedError(f"no Starlark: {error}"[:200]) from error
        self._constants: dict[str, object] = {}
        for statement in self._tree.body:
            if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
                target = statement.targets[0]
                if isinstance(target, ast.Name):
                    self._constants[target.id] = self.value(statement.value)

    def calls(self) -> Iterator[Call]:
        """Yield every call, in the order of the file."""
        found = [node for node in ast.walk(self._tree) if isinstance(node, ast.Call)]
        for node in sorted(found, key=lambda node: (node.lineno, node.col_offset)):
            function = _dotted(node.func)
            if function:
                arguments = {word.arg: word.value for word in node.keywords if word.arg}
                where = self._document.on(node.lineno, node.end_lineno)
                yield Call(function.rpartition(".")[2], function, arguments, where)

    def place(self, node: ast.expr) -> Location:
        """Return the lines of an expression."""
        return self._document.on(node.lineno, node.end_lineno)

    def text(self, call: Call, name: str) -> str | None:
        """Return a text argument; None where there is none, `` where its value is not known."""
        if name not in call.arguments:
            return None
        value = self.value(call.arguments[name])
        return value if isinstance(value, str) else ""

    def texts(self, call: Call, name: str) -> list[tuple[str, Location]]:
        """Return the texts of a list argument that are known, each with its place."""
        node = call.arguments.get(name)
        items = node.elts if isinstance(node, ast.List | ast.Tuple) else [node] if node else []
        found = ((self.value(item), self.place(item)) for item in items)
        pairs = [(value, where) for value, where in found if isinstance(value, str)]
        if not pairs and node is not None:
            whole = self.value(node)
            listed = whole if isinstance(whole, list) else []
            pairs = [(one, self.place(node)) for one in listed if isinstance(one, str)]
        return pairs

    def value(self, node: ast.expr, depth: int = 0) -> object:
        """Return the constant that an expression is, None where it hangs on something else."""
        if depth > _DEEPEST:
            return None
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                return self._constants.get(name)
            case ast.List(elts=items) | ast.Tuple(elts=items):
                return [self.value(item, depth + 1) for item in items]
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return _added(self.value(left, depth + 1), self.value(right, depth + 1))
            case ast.BinOp(left=left, op=ast.Mod(), right=right):
                return _formatted(self.value(left, depth + 1), self.value(right, depth + 1))
            case ast.Call(func=ast.Attribute(value=base, attr="format"), args=args, keywords=words):
                values = [self.value(item, depth + 1) for item in args]
                named = {w.arg: self.value(w.value, depth + 1) for w in words if w.arg}
                return _filled(self.value(base, depth + 1), values, named)
            case _:
                return None


def _dotted(node: ast.expr) -> str:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.insert(0, node.attr)
        node = node.value
    return ".".join([node.id, *parts]) if isinstance(node, ast.Name) else ""


def _added(left: object, right: object) -> object:
    if isinstance(left, str) and isinstance(right, str):
        return (left + right)[:_LONGEST]
    if isinstance(left, list) and isinstance(right, list):
        return (left + right)[:_LONGEST]
    return None


def _formatted(form: object, values: object) -> str | None:
    if not isinstance(form, str):
        return None
    parts = form.split("%s")
    given = values if isinstance(values, list) else [values]
    if len(parts) != len(given) + 1 or any(not isinstance(v, str | int) for v in given):
        return None
    text = parts[0] + "".join(str(v) + part for v, part in zip(given, parts[1:], strict=True))
    return text[:_LONGEST]


def _filled(form: object, values: list[object], named: dict[str, object]) -> str | None:
    """Fill `{}`, `{0}` and `{name}`; nothing else, as a stranger's width could be any number."""
    if not isinstance(form, str):
        return None
    known = {str(i): value for i, value in enumerate(values)} | named
    pieces, at = [], 0
    for number, piece in enumerate(form.split("{")):
        if number == 0:
            pieces.append(piece)
            continue
        name, closed, rest = piece.partition("}")
        if not name:
            name, at = str(at), at + 1
        value = known.get(name)
        if not closed or not isinstance(value, str | int):
            return None
        pieces += [str(value), rest]
    return "".join(pieces)[:_LONGEST]
