"""xz: which check the stream has, and what is inside (the .xz file format, 2.1.1)."""

from __future__ import annotations

import lzma
from collections.abc import Iterator

from repaudit.formats._bytes import fingerprint, inflate, take
from repaudit.formats.interface import MAGIC, STEP, Budget, Format, Kind, Part

_MAGIC = b"\xfd7zXZ\0"
_MEMORY = 256 << 20


class _Xz:
    name = "xz"
    rank = MAGIC
    positional = False

    def claims(self, head: bytes, name: str) -> bool:
        return head.startswith(_MAGIC)

    def parts(self, data: bytes, budget: Budget) -> Iterator[Part]:
        pieces: list[bytes] = []
        at = 0
        while data.startswith(_MAGIC, at):
            prefix = f"stream {len(pieces) + 1}{STEP}" if pieces else ""
            yield Part(f"{prefix}check", b"%d" % take(data, at + 7, 1)[0])
            decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY)
            piece, at = inflate(decoder, data, at, budget, (lzma.LZMAError, EOFError))
            pieces.append(piece)
            while data.startswith(b"\0\0\0\0", at):  # stream padding, 2.2
                at += 4
        yield Part("inflated", b"".join(pieces), Kind.FILE)
        yield Part("packed", fingerprint(data[:at]), Kind.DERIVED)
        if at < len(data):
            yield Part("trailing", data[at:], Kind.FILE)


FORMAT: Format = _Xz()
