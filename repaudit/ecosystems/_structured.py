"""JSON, TOML and XML read into plain values, with the lines at which names stand.

Each reader raises MalformedError, with the line where it is known, and nothing else.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any
from xml.parsers import expat

from msgspec import Struct, field

from repaudit.ecosystems.interface import Document
from repaudit.model.errors import MalformedError
from repaudit.model.pins import Location

_BOM = b"\xef\xbb\xbf"
_DEEPEST = 200
_MOST_ELEMENTS = 4_000_000
_AT_LINE = re.compile(r"\(at line (\d+)")


def read_json(document: Document) -> dict[str, Any]:
    """Return the object that a JSON document is."""
    try:
        value = json.loads(document.data.removeprefix(_BOM))
    except json.JSONDecodeError as error:
        raise MalformedError(f"no JSON: {error.msg}", line=error.lineno) from error
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"no JSON: {error}") from error
    return _table(value)


def read_toml(document: Document) -> dict[str, Any]:
    """Return the table that a TOML document is."""
    try:
        return tomllib.loads(document.data.removeprefix(_BOM).decode("utf-8"))
    except UnicodeDecodeError as error:
        line = document.line(error.start)
        raise MalformedError("no TOML: it is not UTF-8", line=line) from error
    except (ValueError, RecursionError) as error:
        at = _AT_LINE.search(str(error))
        raise MalformedError(f"no TOML: {error}", line=int(at[1]) if at else None) from error


def _table(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise MalformedError(f"it holds no table, but {type(value).__name__}")
    return value


def table(value: object) -> dict[str, Any]:
    """Return `value` if it is a table, else an empty one."""
    return value if isinstance(value, dict) else {}


def tables(value: object) -> list[dict[str, Any]]:
    """Return the tables of an array, nothing where it is none."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def text(value: object) -> str:
    """Return `value` if it is text, else none."""
    return value if isinstance(value, str) else ""


class Places:
    """Where things stand: asked in the order of the file, so that the whole is read once."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._at = 0

    def of(self, sought: str) -> Location:
        """Return the next place of `sought` as it is written, or the line of the last one."""
        raw = sought.encode("utf-8", "surrogatepass")
        at = self._document.data.find(raw, self._at)
        if at < 0:
            return self._document.on(self._document.line(self._at))
        self._at = at + len(raw)
        return self._document.at(at, self._at)

    def key(self, name: str) -> Location:
        """Return the next place of a JSON text."""
        return self.of(json.dumps(name, ensure_ascii=False))


class Element(Struct):
    """An XML element: its name without a namespace, and the text right inside it."""

    name: str
    attributes: dict[str, str]
    line: int
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def child(self, name: str) -> Element | None:
        """Return the first child of that name."""
        return next((child for child in self.children if child.name == name), None)

    def all(self, *names: str) -> Iterator[Element]:
        """Yield the descendants that a path of names leads to."""
        if not names:
            yield self
            return
        for child in self.children:
            if child.name == names[0]:
                yield from child.all(*names[1:])

    def value(self, name: str) -> str | None:
        """Return the text of the first child of that name, None where there is none."""
        child = self.child(name)
        return None if child is None else child.text.strip()


class _Builder:
    def __init__(self) -> None:
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = self._doctype
        self._open: list[Element] = []
        self._count = 0
        self.root: Element | None = None

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        line = self.parser.CurrentLineNumber
        if len(self._open) >= _DEEPEST or self._count > _MOST_ELEMENTS:
            raise MalformedError("too many elements, or too deep", line=line)
        element = Element(name.rpartition(":")[2], attributes, line)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def _end(self, name: str) -> None:
        self._open.pop()

    def _text(self, data: str) -> None:
        self._open[-1].text += data

    def _doctype(self, *declared: object) -> None:
        # Its entities could stand for gigabytes, or for files of this machine.
        line = self.parser.CurrentLineNumber
        raise MalformedError("it declares a document type", hint="leave it out", line=line)


def read_xml(document: Document) -> Element:
    """Return the root of an XML document; one that declares a document type is refused."""
    builder = _Builder()
    data = document.data
    if document.recoded:
        data = re.sub(rb"\A(?:\xef\xbb\xbf)?\s*<\?xml[^>]*\?>", b"", data)
    try:
        builder.parser.Parse(data, True)
    except expat.ExpatError as error:
        message = expat.errors.messages.get(error.code, "unknown")
        raise MalformedError(f"no XML: {message}", line=error.lineno) from error
    except (ValueError, LookupError) as error:  # an encoding that nobody knows
        raise MalformedError(f"no XML: {error}") from error
    if builder.root is None:
        raise MalformedError("no XML: there is no element")
    return builder.root
