"""Python bytecode: the header's fields (PEP 552), the path that it was compiled from, the code.

The code is not unmarshalled, as `marshal` is not made for a stranger's bytes, but walked
(`_marshal.py`); of a version that is not known it has no path of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from struct import Struct

from repaudit.formats._bytes import unpack
from repaudit.formats._marshal import without_name
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
        with suppress(UnreadableError):
            code, name = without_name(code, magic)
            if name is not None:
                yield Part("source path", name)
        yield Part("code", code, Kind.FILE)


FORMAT: Format = _Pyc()
