"""Compressed streams as plain ones: gzip (RFC 1952), zstd (RFC 8878), told by their first bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import cast

import zstandard
from isal import igzip_lib
from msgspec import Struct

from repaudit.model.errors import MalformedError
from repaudit.oci.cursor import CHUNK, Readable
from repaudit.oci.header import BLOCK, checksum_fits

_GZIP = b"\x1f\x8b"
#: A zstd frame; those from 0x50 to 0x5F are skippable, and zstd:chunked layers have some.
_ZSTD, _ZSTD_SKIPPABLE = b"\x28\xb5\x2f\xfd", b"\x2a\x4d\x18"
_GZIP_FIXED = 10  # of gzip's header, the bytes that are always there
_ZSTD_WINDOW = 128 << 20  # what zstd itself allows unless it is told otherwise
#: How much compressed data a decoder gets at once. One byte of gzip makes up to 1032, and four of
#: zstd a whole block of 128 KiB, which its interface gives back in one piece.
_GZIP_PIECE, _ZSTD_PIECE = 1 << 20, 1 << 10
_CORRUPT = (
    cast("type[Exception]", igzip_lib.IsalError),  # its stub calls it an instance
    zstandard.ZstdError,
    EOFError,
)


class Bounds(Struct, frozen=True, kw_only=True):
    """When an expansion is a bomb: above `ratio` to one once `free` bytes are out, or at `total`.

    The densest honest layers (sparse database files, zero-filled disks) stay below 200 to one in
    whole, and up to 1 GiB of output does no harm, whatever the ratio. No layer of 64 GiB can be
    audited in useful time.
    """

    free: int = 1 << 30
    ratio: int = 200
    total: int = 64 << 30


BOUNDS = Bounds()
#: The fields of a compressed header, each with its value in words.
Wrapper = tuple[tuple[str, str], ...]


def sniff(head: bytes) -> str | None:
    """Return `gzip`, `zstd` or `tar` for a file that begins with `head`, its first 512 bytes."""
    if head.startswith(_GZIP):
        return "gzip"
    if head.startswith(_ZSTD) or (head[1:4] == _ZSTD_SKIPPABLE and head[0] >> 4 == 5):
        return "zstd"
    if len(head) == BLOCK and (not any(head) or checksum_fits(head)):
        return "tar"
    return None


def wrapper(head: bytes) -> Wrapper:
    """Return the fields of the first compressed header in a file's first 512 bytes, in order.

    None of them depends on what is compressed, nor tells how hard the compressor tried.
    """
    form = sniff(head)
    if form == "gzip" and len(head) >= _GZIP_FIXED:
        flags = head[3]
        fields = [("flags", f"{flags:#04x}"), ("mtime", str(int.from_bytes(head[4:8], "little")))]
        fields += [("extra flags", str(head[8])), ("system", str(head[9]))]
        at = _GZIP_FIXED
        if flags & 4:
            end = at + 2 + int.from_bytes(head[at : at + 2], "little")
            fields.append(("extra field", head[at + 2 : end].hex()))
            at = end
        for bit, field in ((8, "name"), (16, "comment")):
            if flags & bit:
                text = head[at:].partition(b"\0")[0]
                fields.append((field, text.decode("latin-1")))
                at += len(text) + 1
        return ("form", form), *fields
    if form == "zstd" and head.startswith(_ZSTD) and len(head) > len(_ZSTD) + 1:
        described, window = head[4], head[5]
        checked = "yes" if described & 4 else "no"
        size = "one segment" if described & 32 else str(window)
        return ("form", form), ("checksum", checked), ("window", size)
    return (("form", form or ""),)


class Plain:
    """The plain bytes of a stream that is gzip, zstd or tar, as `form` says.

    `name` is what messages call it. Raises MalformedError where it is none of the three.
    """

    def __init__(self, stream: Readable, name: str, bounds: Bounds = BOUNDS) -> None:
        self._stream = stream
        self._name = name
        self._bounds = bounds
        self._taken = 0
        self._given = 0
        self._head = b""
        while len(self._head) < BLOCK and (data := stream.read(BLOCK - len(self._head))):
            self._head += data
        self.form = sniff(self._head)
        self.wrapper = wrapper(self._head)
        if self.form is None:
            raise MalformedError(f"{name} is none of gzip, zstd, tar")
        decode = _DECODERS.get(self.form)
        self._chunks = decode(self._more) if decode else None
        self._chunk = b""
        self._at = 0

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes; raise MalformedError at corrupt data and at a bomb."""
        if self._at == len(self._chunk):
            self._chunk, self._at = self._next(size), 0
            self._given += len(self._chunk)
            self._check()
        if self._at == 0 and len(self._chunk) <= size:
            self._at = len(self._chunk)
            return self._chunk
        data = self._chunk[self._at : self._at + size]
        self._at += len(data)
        return data

    def _more(self, size: int) -> bytes:
        data, self._head = self._head, b""
        data = data or self._stream.read(size)
        self._taken += len(data)
        return data

    def _next(self, size: int) -> bytes:
        if self._chunks is None:
            return self._more(size)
        try:
            return next(self._chunks, b"")
        except _CORRUPT as error:
            raise MalformedError(f"{self._name} holds corrupt compressed data: {error}") from error

    def _check(self) -> None:
        bounds = self._bounds
        dense = self._given > bounds.free and self._given > bounds.ratio * self._taken
        if dense or self._given > bounds.total:
            raise MalformedError(
                f"{self._name} is a decompression bomb: "
                f"{self._taken} bytes made {self._given} and there is more",
                hint=f"a layer may hold {bounds.free >> 20} MiB whatever its size, else up to "
                f"{bounds.ratio} times that, and {bounds.total >> 30} GiB at most",
            )


def _gunzip(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """Yield chunks that are all of one size but the last: then blocks lie whole in one of them."""
    decoder, started = _gzip_decoder(), False
    data = b""
    parts: list[bytes] = []
    room = CHUNK
    while True:
        if decoder.eof:
            data = decoder.unused_data
            decoder, started = _gzip_decoder(), False
        elif decoder.needs_input and not data:
            data = read(_GZIP_PIECE)
            if not data and not started:
                break
            if not data:
                raise EOFError("it ends too early")
        started = started or bool(data)
        part = decoder.decompress(data, room)
        data = b""
        if part:
            parts.append(part)
            room -= len(part)
        if not room:
            yield b"".join(parts)
            parts, room = [], CHUNK
    if parts:
        yield b"".join(parts)


def _gzip_decoder() -> igzip_lib.IgzipDecompressor:
    return igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)


def _unzstd(read: Callable[[int], bytes]) -> Iterator[bytes]:
    factory = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    decoder, started = factory.decompressobj(), False
    out = bytearray()
    while data := read(CHUNK):
        for at in range(0, len(data), _ZSTD_PIECE):
            piece = data[at : at + _ZSTD_PIECE]
            while piece:
                out += decoder.decompress(piece)
                started, piece = True, b""
                if decoder.eof:
                    piece = decoder.unused_data
                    decoder, started = factory.decompressobj(), False
            while len(out) >= CHUNK:
                yield bytes(out[:CHUNK])
                del out[:CHUNK]
    if started:
        raise EOFError("it ends too early")
    if out:
        yield bytes(out)


_DECODERS = {"gzip": _gunzip, "zstd": _unzstd}
