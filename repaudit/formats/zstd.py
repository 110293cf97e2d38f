"""zstd: what the frame's header says, and what is inside (RFC 8878, 3.1.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import zstandard

from repaudit.formats._bytes import fingerprint, inflate, take
from repaudit.formats.interface import MAGIC, STEP, Budget, Format, Kind, Part

MAGIC_NUMBER = b"\x28\xb5\x2f\xfd"
_WINDOW = 128 << 20
#: Four bytes make a block of 128 KiB, which the decoder gives back in one piece.
PIECE = 1 << 10


class _Zstd:
    name = "zstd"
    rank = MAGIC
    positional = False

    def claims(self, head: bytes, name: str) -> bool:
        return head.startswith(MAGIC_NUMBER)

    def parts(self, data: bytes, budget: Budget) -> Iterator[Part]:
        pieces: list[bytes] = []
        frame, at = frames(), 0
        while data.startswith(MAGIC_NUMBER, at):
            prefix = f"frame {len(pieces) + 1}{STEP}" if pieces else ""
            yield Part(f"{prefix}descriptor", b"%02x" % take(data, at + 4, 1)[0])
            piece, at = inflate(frame(), data, at, budget, (zstandard.ZstdError,), PIECE)
            pieces.append(piece)
        yield Part("inflated", b"".join(pieces), Kind.FILE)
        yield Part("packed", fingerprint(data[:at]), Kind.DERIVED)
        if at < len(data):
            yield Part("trailing", data[at:], Kind.FILE)


def frames() -> Callable[[], _Frame]:
    """Return what makes a decoder for each frame of a file."""
    # One for all frames: it keeps its window, which each may want to be a large one.
    factory = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
    return lambda: _Frame(factory)


class _Frame:
    """One frame. Its decoder knows no bound, so it is fed small pieces."""

    needs_input = True

    def __init__(self, factory: zstandard.ZstdDecompressor) -> None:
        self._decoder = factory.decompressobj()

    @property
    def eof(self) -> bool:
        return self._decoder.eof

    @property
    def unused_data(self) -> bytes:
        return self._decoder.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        return self._decoder.decompress(data)


FORMAT: Format = _Zstd()
