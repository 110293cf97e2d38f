"""Fields of a file at given places, and streams unpacked: nothing beyond the end, or the budget."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import BytesIO
from struct import Struct
from typing import Any, Protocol

from blake3 import blake3

from repaudit.formats.interface import Budget, Labels
from repaudit.model.errors import UnreadableError

#: What is compared at once while both sides are the same.
_BLOCK = 1 << 12


def take(data: bytes, at: int, size: int) -> bytes:
    """Return `size` bytes at `at`; raise UnreadableError where they are not all there."""
    if at < 0 or size < 0 or at + size > len(data):
        raise UnreadableError("it is cut off")
    return data[at : at + size]


def unpack(form: Struct, data: bytes, at: int) -> tuple[Any, ...]:
    """Return the fields of `form` at `at`; raise UnreadableError where they are not all there."""
    return form.unpack(take(data, at, form.size))


def parting(left: bytes, right: bytes, at: int = 0) -> int:
    """Return the first place from `at` on where both part: at last the shorter one's end."""
    most = min(len(left), len(right))
    while at < most and left[at : at + _BLOCK] == right[at : at + _BLOCK]:
        at += _BLOCK
    pairs = enumerate(zip(left[at : at + _BLOCK], right[at : at + _BLOCK], strict=False), at)
    return next((n for n, (a, b) in pairs if a != b), most)


def fingerprint(data: bytes) -> bytes:
    """Return what tells bytes apart that nobody reads: those of a compressed stream."""
    return blake3(data).hexdigest(16).encode()


def between(
    data: bytes, used: Iterable[tuple[int, int, str]], labels: Labels
) -> Iterator[tuple[str, bytes]]:
    """Yield what lies behind each of `used` (place, size, label) and in none, unless it is zeros.

    What lies behind all of them is told whatever it is.
    """
    end, last = 0, ""
    for at, size, label in sorted(one for one in used if one[1]):
        if at > end and data[end:at].strip(b"\0"):
            yield labels.label(f"after {last}" if last else "before all"), data[end:at]
        if at + size >= end:
            end, last = at + size, label
    if end < len(data):
        yield labels.label("after the end"), data[end:]


def digits(field: bytes, base: int = 10) -> int:
    """Return the number in a padded field, 0 for an empty one; raise UnreadableError for none."""
    text = field.strip(b" \0")
    allowed = b"0123456789abcdefABCDEF"[: base if base <= 10 else None]
    if text.strip(allowed):
        raise UnreadableError("a field holds no number")
    return int(text or b"0", base)


class Decoder(Protocol):
    """A decompressor of one stream, such as `lzma.LZMADecompressor`."""

    @property
    def eof(self) -> bool:
        """Whether the stream has ended."""

    @property
    def needs_input(self) -> bool:
        """Whether it can give nothing more of what it was fed."""

    @property
    def unused_data(self) -> bytes:
        """What it was fed beyond the end."""

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """Return up to `max_length` bytes of what `data` unpacks to."""


def inflate(
    decoder: Decoder,
    data: bytes,
    at: int,
    budget: Budget,
    corrupt: tuple[type[Exception], ...],
    piece: int = 1 << 20,
) -> tuple[bytes, int]:
    """Return what the stream at `at` unpacks to, and where it ends; feed `piece` bytes at most.

    Raises UnreadableError for a damaged stream, one that is cut off, and one above the budget.
    """
    most, size = budget.most(len(data) - at), 0
    out = BytesIO()  # it gives back what it holds without a copy
    feed = 1 << 10  # small streams by the thousand shall not each copy much
    try:
        while not decoder.eof and size <= most:
            packed = data[at : at + feed] if decoder.needs_input else b""
            if decoder.needs_input and not packed:
                break
            at, feed = at + len(packed), min(2 * feed, piece)
            more = decoder.decompress(packed, most + 1 - size)
            if not more and not packed:
                break
            size += out.write(more)
    except corrupt as error:
        raise UnreadableError(f"a compressed stream is damaged: {error}") from error
    finally:
        budget.spend(min(size, most))
    if size > most or not decoder.eof:
        raise UnreadableError("a compressed stream is cut off, or unpacks to too much")
    return out.getvalue(), at - len(decoder.unused_data)
