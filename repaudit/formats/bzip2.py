"""bzip2: the size of its blocks, and what is inside."""

from __future__ import annotations

import bz2
from collections.abc import Iterator

from repaudit.formats._bytes import fingerprint, inflate, take
from repaudit.formats.interface import MAGIC, STEP, Budget, Format, Kind, Part

_MAGIC = b"BZh"


class _Bzip2:
    name = "bzip2"
    rank = MAGIC
    positional = False

    def claims(self, head: bytes, name: str) -> bool:
        # A block, or the end of a stream that has none.
        return head.startswith(_MAGIC) and head[4:10] in (
            b"1AY&SY",
            b"\x17rE8P\x90",
        )

    def parts(self, data: bytes, budget: Budget) -> Iterator[Part]:
        pieces: list[bytes] = []
        at = 0
        while data.startswith(_MAGIC, at):
            prefix = f"stream {len(pieces) + 1}{STEP}" if pieces else ""
            yield Part(f"{prefix}block size", take(data, at + 3, 1))
            decoder = bz2.BZ2Decompressor()
            piece, at = inflate(decoder, data, at, budget, (OSError, EOFError))
            pieces.append(piece)
        yield Part("inflated", b"".join(pieces), Kind.FILE)
        yield Part("packed", fingerprint(data[:at]), Kind.DERIVED)
        if at < len(data):
            yield Part("trailing", data[at:], Kind.FILE)


FORMAT: Format = _Bzip2()
