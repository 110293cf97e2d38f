"""JSON: a value for each path, and the order of the keys (RFC 8259)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from repaudit.formats.interface import NAMED, Budget, Format, Kind, Labels, Part
from repaudit.model.errors import UnreadableError

_SUFFIXES = (".json", ".webmanifest", ".map", ".ipynb")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_DEEPEST = 64
#: Each value is named by its whole path.
_LONGEST_PATH = 4096
#: In memory a document takes fifty times its length, at worst.
_LONGEST = 8 << 20


class _Number(str):
    """A number as it was written."""

    __slots__ = ()


class _Object(list[tuple[str, object]]):
    """An object with its keys in order, those that stand twice included."""


class _Json:
    name = "json"
    rank = NAMED
    positional = False

    def claims(self, head: bytes, name: str) -> bool:
        starts = head.lstrip()[:1] in (b"{", b"[")
        return starts and (name.endswith(_SUFFIXES) or head.lstrip()[:2] in (b'{"', b"{\n"))

    def parts(self, data: bytes, budget: Budget) -> Iterator[Part]:
        # Values stand between commas; each takes a hundred bytes and more.
        if len(data) > _LONGEST or data.count(b",") > budget.bounds.parts:
            raise UnreadableError("a JSON document is too long to hold in memory")
        try:
            document = json.loads(
                data,
                object_pairs_hook=_Object,
                parse_int=_Number,
                parse_float=_Number,
                parse_constant=_Number,
            )
        except (ValueError, RecursionError) as error:
            raise UnreadableError(f"it is no JSON: {error}") from error
        labels, order = Labels(), []
        for path, value in _leaves("$", document, 0):
            label = labels.label(path)
            order.append(label)
            yield Part(label, value)
        yield Part("order of keys", "\n".join(order).encode(), Kind.ORDER)


def _leaves(path: str, value: object, depth: int) -> Iterator[tuple[str, bytes]]:
    """Yield the path and the text of each value that holds no other ones."""
    if depth > _DEEPEST or len(path) > _LONGEST_PATH:
        raise UnreadableError("a JSON document is nested too deeply, or its keys are too long")
    if isinstance(value, list) and value:
        keyed = isinstance(value, _Object)
        for number, item in enumerate(value):
            step = _key(item[0]) if keyed else f"[{number}]"
            yield from _leaves(path + step, item[1] if keyed else item, depth + 1)
    elif isinstance(value, _Object):
        yield path, b"{}"
    elif isinstance(value, _Number):
        yield path, value.encode()
    else:
        yield path, json.dumps(value).encode()


def _key(key: str) -> str:
    return f".{key}" if _PLAIN.fullmatch(key) else f"[{json.dumps(key)}]"


FORMAT: Format = _Json()
