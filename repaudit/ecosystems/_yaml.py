"""YAML as a stream of its mappings, with the bytes of each scalar.

Documents are not built as trees: aliases could make them endless, and marks cost memory.
"""

from __future__ import annotations

from collections.abc import Iterator

import yaml
from msgspec import Struct, field

from repaudit.ecosystems.interface import Document
from repaudit.model.errors import MalformedError
from repaudit.model.pins import Location

_LOADER: type[yaml.CSafeLoader | yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DEEPEST = 200


class Scalar(Struct, frozen=True):
    """A scalar: its text, and the characters that it stands on; `plain`: as it is."""

    text: str
    start: int
    end: int
    plain: bool


class Mapping(Struct):
    """A mapping, when it ends: where it stands, its keys, and those values that are scalars.

    A scalar in a sequence comes as a mapping of one value without a name. `path` has the keys from
    the top, and `[]` for an element of a sequence; `number` counts the documents of the file.
    """

    path: tuple[str, ...]
    number: int
    scalars: dict[str, Scalar] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)


class Yaml:
    """The mappings of a document, and the places of their scalars."""

    def __init__(self, document: Document) -> None:
        self._document = document
        data = document.data
        self._shift = 3 if data.startswith(b"\xef\xbb\xbf") else 0
        try:
            self._text = data[self._shift :].decode("utf-8")
        except UnicodeDecodeError as error:
            line = document.line(error.start)
            raise MalformedError("no YAML: it is not UTF-8", line=line) from error
        self._ascii = self._text.isascii()
        self._known = (0, 0)

    def location(self, scalar: Scalar) -> Location:
        """Return where a scalar stands; asked in the order of the file, it reads the file once."""
        start, end = self._byte(scalar.start), self._byte(scalar.end)
        return self._document.at(start, end)

    def inside(self, scalar: Scalar, sought: str) -> Location:
        """Return where `sought` stands in a scalar, or the whole scalar if it does not."""
        at = self._text.find(sought, scalar.start, scalar.end)
        if at < 0:
            return self.location(scalar)
        return self.location(Scalar(sought, at, at + len(sought), plain=True))

    def _byte(self, index: int) -> int:
        if self._ascii:
            return index + self._shift
        at, byte = self._known if self._known[0] <= index else (0, 0)
        byte += len(self._text[at:index].encode())
        self._known = (index, byte)
        return byte + self._shift

    def mappings(self) -> Iterator[Mapping]:
        """Yield each mapping when it ends, inner ones first; MalformedError where it is no YAML."""
        try:
            yield from self._events()
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
            line = mark.line + 1 if mark else None
            raise MalformedError(f"no YAML: {problem}", line=line) from error
        except (ValueError, RecursionError) as error:
            raise MalformedError(f"no YAML: {error}"[:300]) from error

    def _events(self) -> Iterator[Mapping]:
        stack: list[_Open] = []
        anchors: dict[str, Scalar] = {}
        number = 0
        for event in yaml.parse(self._text, Loader=_LOADER):
            if len(stack) > _DEEPEST:
                raise MalformedError("no YAML: nested too deeply")
            match event:
                case yaml.DocumentStartEvent():
                    number += 1
                    anchors.clear()
                case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                    path = stack[-1].enter() if stack else ()
                    mapping = Mapping(path, number)
                    sequence = isinstance(event, yaml.SequenceStartEvent)
                    stack.append(_Open(mapping, sequence))
                case yaml.MappingEndEvent():
                    yield stack.pop().mapping
                case yaml.SequenceEndEvent():
                    stack.pop()
                case yaml.ScalarEvent() | yaml.AliasEvent():
                    scalar = self._scalar(event, anchors)
                    if stack and (single := stack[-1].take(scalar)) is not None:
                        yield single
                case _:
                    pass

    def _scalar(
        self, event: yaml.ScalarEvent | yaml.AliasEvent, anchors: dict[str, Scalar]
    ) -> Scalar:
        marks = event.start_mark, event.end_mark
        start, end = (mark.index if mark else 0 for mark in marks)
        if isinstance(event, yaml.AliasEvent):
            return anchors.get(event.anchor or "", Scalar("", start, end, plain=False))
        quoted = event.style in ("'", '"')
        start, end = (start + 1, end - 1) if quoted else (start, end)
        plain = self._text[start:end] == event.value
        found = Scalar(event.value, start, end, plain)
        if event.anchor:
            anchors[event.anchor] = found
        return found


class _Open(Struct):
    """A mapping or a sequence that has not ended; `key` waits for its value."""

    mapping: Mapping
    sequence: bool
    key: str | None = None

    def enter(self) -> tuple[str, ...]:
        """Return the path of a mapping or sequence that begins in here."""
        if self.sequence:
            return (*self.mapping.path, "[]")
        name, self.key = self.key if self.key is not None else "?", None
        self.mapping.keys.add(name)
        return (*self.mapping.path, name)

    def take(self, scalar: Scalar) -> Mapping | None:
        """Take a scalar as an element, a key or a value; return what is to be told at once."""
        if self.sequence:
            single = Mapping((*self.mapping.path, "[]"), self.mapping.number)
            single.scalars[""] = scalar
            return single
        if self.key is None:
            self.key = scalar.text
        else:
            self.mapping.scalars[self.key] = scalar
            self.mapping.keys.add(self.key)
            self.key = None
        return None
