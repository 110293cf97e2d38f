"""PNG: each chunk, with its time or its text where it has one (PNG specification, 5 and 11)."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from zlib import crc32

from repaudit.formats._bytes import take, unpack
from repaudit.formats.interface import MAGIC, STEP, Budget, Format, Kind, Labels, Part
from repaudit.model.errors import UnreadableError

_MAGIC = b"\x89PNG\r\n\x1a\n"
_CHUNK, _CHECK = Struct(">I4s"), Struct(">I")
_TIME = Struct(">HBBBBB")


class _Png:
    name = "png"
    rank = MAGIC
    positional = False

    def claims(self, head: bytes, name: str) -> bool:
        return head.startswith(_MAGIC)

    def parts(self, data: bytes, budget: Budget) -> Iterator[Part]:
        labels, order, at, kind = Labels(), [], len(_MAGIC), b""
        while kind != b"IEND":
            size, kind = unpack(_CHUNK, data, at)
            body = take(data, at + _CHUNK.size, size)
            (check,) = unpack(_CHECK, data, at + _CHUNK.size + size)
            if check != crc32(body, crc32(kind)):
                raise UnreadableError("a chunk of a PNG file has a wrong checksum")
            at += _CHUNK.size + size + _CHECK.size
            word, value = _value(kind, body)
            label = labels.label(word)
            order.append(label)
            yield Part(label, value)
            yield Part(f"{label}{STEP}crc32", b"%08x" % check, Kind.DERIVED)
        yield Part("order", "\n".join(order).encode(), Kind.ORDER)
        if at < len(data):
            yield Part("trailing", data[at:], Kind.FILE)


def _value(kind: bytes, body: bytes) -> tuple[str, bytes]:
    """Return what a chunk is called, and what it says."""
    name = kind.decode("latin-1")
    if kind == b"tIME" and len(body) == _TIME.size:
        return name, b"%04d-%02d-%02d %02d:%02d:%02d" % _TIME.unpack(body)
    if kind in (b"tEXt", b"zTXt", b"iTXt"):
        keyword, _, text = body.partition(b"\0")
        return f"{name} {keyword.decode('latin-1')}", text
    return name, body


FORMAT: Format = _Png()
