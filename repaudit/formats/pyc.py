"""Python bytecode: the header's fields (PEP 552), the path that it was compiled from, the code.

The code is not unmarshalled: `marshal` is not made for a stranger's bytes, and its format is
another one in each version. The path is found by its shape: a string that ends in `.py`, behind its
length, behind the type of a short or a long string.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from struct import Struct

from repaudit.formats._bytes import unpack
from repaudit.formats.interface import MAGIC, Budget, Format, Kind, Part
from repaudit.model.errors import UnreadableError

_HEADER = Struct("<HHI8s")  # magic, CR LF, flags; then mtime and size, or a hash
_FIELDS = Struct("<II")
#: Where the code starts.
HEADER_SIZE = _HEADER.size
#: Bit 0: the header holds a hash of the source. Bit 1: it is checked.
_FLAGS = frozenset({0, 1, 3})
#: marshal writes a code object first: type `c`, perhaps with the bit for references.
_CODE = (b"c", b"\xe3")
_REFERENCE = 0x80
_SHORT, _LONG = frozenset(b"zZ"), frozenset(b"aAut")
_LONGEST, _MOST_HITS = 1024, 256
_ENDS = re.compile(rb"\.pyw?")


class _Pyc:
    name = "pyc"
    rank = MAGIC
    positional = False

    def claims(self, head: bytes, name: str) -> bool:
        flags = int.from_bytes(head[4:8], "little")
        return head[2:4] == b"\r\n" and flags in _FLAGS and head[16:17] in _CODE

    def parts(self, data: bytes, budget: Budget) -> Iterator[Part]:
        magic, _, flags, rest = unpack(_HEADER, data, 0)
        code = data[HEADER_SIZE:]
        if not code.startswith(_CODE):
            raise UnreadableError("a pyc file holds no code")
        yield Part("magic", b"%d" % magic)
        yield Part("flags", b"%d" % flags)
        if flags:
            yield Part("source hash", rest.hex().encode(), Kind.DERIVED, "code")
        else:
            mtime, size = _FIELDS.unpack(rest)
            yield Part("mtime", b"%d" % mtime)
            yield Part("source size", b"%d" % size, Kind.DERIVED, "code")
        path = _path(code)
        if path:
            start, end, text = path
            yield Part("source path", text)
            code = code[:start] + code[end:]
        yield Part("code", code, Kind.FILE)


def _path(code: bytes) -> tuple[int, int, bytes] | None:
    """Return where the path of the source stands, with its length before it, and the path.

    It is the first that is absolute, or else the first.
    """
    hits = islice(_ENDS.finditer(code), _MOST_HITS)
    found = [path for hit in hits if (path := _ending_at(code, hit.end()))]
    return next((path for path in found if path[2].startswith(b"/")), found[0] if found else None)


def _ending_at(code: bytes, end: int) -> tuple[int, int, bytes] | None:
    for start in range(end - 3, max(4, end - _LONGEST), -1):
        size = end - start
        if size < 256 and code[start - 1] == size and _type(code[start - 2]) in _SHORT:
            return start - 1, end, code[start:end]
        long = int.from_bytes(code[start - 4 : start], "little")
        if long == size and _type(code[start - 5]) in _LONG:
            return start - 4, end, code[start:end]
        if code[start] < 0x20:
            break
    return None


def _type(byte: int) -> int:
    return byte & ~_REFERENCE


FORMAT: Format = _Pyc()
