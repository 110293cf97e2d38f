"""ldconfig's auxiliary cache: what it saw of each library (glibc, elf/cache.c).

The last field of an entry is memory that was never written, in versions that do not use it.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct

from repaudit.formats._bytes import take, unpack
from repaudit.formats.interface import MAGIC, Budget, Format, Kind, Labels, Part
from repaudit.model.errors import UnreadableError

_MAGIC = b"glibc-ld.so.auxcache-"
_HEAD = 24  # the magic, with a version
_COUNTS = Struct("<II")
_ENTRY = Struct("<4QiIII")
#: The longest path that Linux takes; libraries may all name one text.
_LONGEST = 4096
_FIELDS = ("inode", "ctime", "size", "device", "flags", "", "os version", "last word")


class _AuxCache:
    name = "aux_cache"
    rank = MAGIC
    positional = False

    def claims(self, head: bytes, name: str) -> bool:
        return head.startswith(_MAGIC)

    def parts(self, data: bytes, budget: Budget) -> Iterator[Part]:
        yield Part("version", data[len(_MAGIC) : _HEAD])
        count, length = unpack(_COUNTS, data, _HEAD)
        start = _HEAD + _COUNTS.size
        texts = take(data, start + count * _ENTRY.size, length)
        labels, order = Labels(), []
        for number in range(count):
            entry = unpack(_ENTRY, data, start + number * _ENTRY.size)
            at = entry[5]
            end = texts.find(b"\0", at, at + _LONGEST)
            if end < 0:
                raise UnreadableError("a library's name is not in the cache")
            label = labels.label("library", texts[at:end])
            order.append(label)
            for field, value in zip(_FIELDS, entry, strict=True):
                if field:
                    yield Part(labels.label(field, within=label), b"%d" % value)
        yield Part("order", "\n".join(order).encode(), Kind.ORDER)


FORMAT: Format = _AuxCache()
