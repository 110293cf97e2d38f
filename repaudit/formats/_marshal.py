"""Python's marshal format (Python/marshal.c), walked and never loaded: where code names its source.

The name is the field co_filename of each code object. A constant that looks like it stays where it
is, and so does a name that a constant refers to: the program may use those.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from struct import Struct
from typing import NamedTuple

from repaudit.formats._bytes import take
from repaudit.model.errors import UnreadableError

_SIZE = Struct("<i")
_FLAG = 0x80
#: So many are looked at: some seconds.
_MOST_OBJECTS = 3_000_000
_TOO_MANY = "bytecode holds more objects than are looked at"
_FIXED = dict(zip(b"0NFTS.iIgy", (0, 0, 0, 0, 0, 0, 4, 8, 8, 16), strict=True))
_SHORT, _LONG = frozenset(b"zZf"), frozenset(b"stuaA")
_CONTAINERS = frozenset(b"([<>")
_CODE, _SMALL_TUPLE, _DICT, _SLICE, _REF, _INTEGER, _COMPLEX, _NULL = b"c){:rlx0"
#: The types of text, each with the one that stands for it, whatever its length and its letters.
_TEXTS = dict(zip(b"zauZAt", b"aaaAAA", strict=True))
#: What may stand next: any object, the name of the source, a number, the items of a dict.
_OBJECT, _NAME, _NUMBER, _ITEMS = range(4)
_OLD = (*[_OBJECT] * 6, _NAME, _OBJECT, _NUMBER, _OBJECT)
#: From a magic on, how many numbers a code object begins with, and what stands behind them.
_LAYOUTS = (
    (3495, 5, (*[_OBJECT] * 5, _NAME, _OBJECT, _OBJECT, _NUMBER, _OBJECT, _OBJECT)),  # 3.11
    (3410, 6, _OLD),  # 3.8
    (3390, 5, _OLD),  # 3.7
)


class _Text(NamedTuple):
    start: int
    end: int
    text: bytes
    #: What is left in its place.
    byte: int


@lru_cache(maxsize=4)
def without_name(code: bytes, magic: int) -> tuple[bytes, bytes | None]:
    """Return `code`, of a pyc file of that magic, without the name of its source, and that name.

    What is behind the code stays. Raises UnreadableError for what is no code of a known version.
    """
    walk = _Walk(code, magic)
    names = [one for one in walk.names if one.start not in walk.used]
    name = names[0].text if names else None
    pieces, end = [], 0
    for one in names:
        if one.text == name:
            pieces += [code[end : one.start], bytes([one.byte])]
            end = one.end
    return b"".join([*pieces, code[end:]]), name


class _Walk:
    """The texts that are names of the source, and where those objects start that more refers to."""

    def __init__(self, code: bytes, magic: int) -> None:
        layouts = ((count, fields) for first, count, fields in _LAYOUTS if magic >= first)
        self._numbers, self._fields = next(layouts, (0, ()))
        if not self._fields:
            raise UnreadableError("a pyc file is of no known version")
        self._code, self._at, self._todo, self._room = code, 0, [_OBJECT], _MOST_OBJECTS
        self._flagged: list[int] = []
        self.names: list[_Text] = []
        self.used: set[int] = set()
        while self._todo:
            self._step(self._todo.pop())
            self._room -= 1
            if self._room < 0:
                raise UnreadableError(_TOO_MANY)

    def _step(self, role: int) -> None:
        if role == _NUMBER:
            self._at += 4
            return
        start = self._at
        byte = take(self._code, start, 1)[0]
        kind = byte & ~_FLAG
        if role == _ITEMS:
            # Keys and values, until there is no key.
            self._todo += [_ITEMS, _OBJECT, _OBJECT] if kind != _NULL else []
            self._at += kind == _NULL
            return
        self._at += 1
        if kind == _REF:
            number = self._size()
            if role != _NAME:
                self.used.update(self._flagged[number : number + 1])
            return
        if byte & _FLAG:
            self._flagged.append(start)
        if kind in _SHORT or kind in _LONG:
            text = self._take(self._byte() if kind in _SHORT else self._size())
            if role == _NAME and _canonical(kind, text):
                self.names.append(_Text(start, self._at, text, _TEXTS[kind] | byte & _FLAG))
        else:
            self._into(kind)

    def _into(self, kind: int) -> None:
        """Go beyond what is no text, or to its first member."""
        if kind in _FIXED:
            self._at += _FIXED[kind]
        elif kind == _INTEGER:
            self._take(2 * abs(_SIZE.unpack(self._take(4))[0]))
        elif kind == _COMPLEX:
            self._take(self._byte())
            self._take(self._byte())
        elif kind == _CODE:
            self._at += 4 * self._numbers
            self._expect(self._fields)
        elif kind == _DICT:
            self._expect((_ITEMS,))
        elif kind == _SLICE:
            self._expect((_OBJECT,) * 3)
        elif kind == _SMALL_TUPLE or kind in _CONTAINERS:
            self._members(self._byte() if kind == _SMALL_TUPLE else self._size())
        else:
            raise UnreadableError("bytecode holds an object of no known kind")

    def _members(self, count: int) -> None:
        if not 0 <= count <= self._room - len(self._todo):
            raise UnreadableError(_TOO_MANY)
        self._todo += [_OBJECT] * count

    def _expect(self, roles: Sequence[int]) -> None:
        self._todo += reversed(roles)

    def _take(self, size: int) -> bytes:
        data = take(self._code, self._at, size)
        self._at += size
        return data

    def _byte(self) -> int:
        return self._take(1)[0]

    def _size(self) -> int:
        (size,) = _SIZE.unpack(self._take(4))
        return int(size)


def _canonical(kind: int, text: bytes) -> bool:
    """Whether Python writes this text in this way alone, so that its type tells nothing more."""
    if kind not in _TEXTS:
        return False
    plain = text.isascii()
    return plain == (kind not in b"ut") and (kind in _SHORT or not plain or len(text) > 255)
