"""Walk over a file and the files in it, and name every region."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from pathlib import PurePosixPath

from repaudit.formats.interface import BOUNDS, HEAD, STEP, Bounds, Budget, Format, Kind, Part
from repaudit.host.registry import Registry
from repaudit.model.errors import UnreadableError

FORMATS: Registry[Format] = Registry("repaudit.formats", "FORMAT")
#: The region of a file that stands for what no other region of it shows: padding, a compressor's
#: level, white space. It counts where nothing else of that file differs.
ENCODING = "encoding"
#: The one region of a file that no reader opens.
CONTENT = "content"
_MOST_BYTES, _MOST_TEXT = 4 << 10, 64 << 10
_MOST_LINES = 5_000


def regions(data: bytes, name: str = "", bounds: Bounds | None = None) -> dict[str, bytes]:
    """Return the value of every region of a file called `name`, by its locator.

    Two files of different bytes never have the same regions. A long value is its digest.
    """
    found: dict[str, bytes] = {}
    _Walk(bounds or BOUNDS.of(len(data))).into(data, name, "", 0, found)
    return found


@cache
def _formats() -> tuple[Format, ...]:
    return tuple(sorted(FORMATS.all(), key=lambda one: (one.rank, one.name)))


def readers(data: bytes, name: str) -> Iterator[Format]:
    """Yield the formats that claim `data`, the likeliest first."""
    head = data[:HEAD]
    return (one for one in _formats() if one.claims(head, name))


def kept(value: bytes) -> bytes:
    """Return `value`, or its digest and length where it is too long to keep."""
    if len(value) <= _MOST_BYTES or (len(value) <= _MOST_TEXT and b"\0" not in value):
        return value
    return digest(value)


def digest(value: bytes) -> bytes:
    """Return what stands for bytes that are not shown."""
    return f"sha256:{sha256(value).hexdigest()} ({len(value)} bytes)".encode()


def inner_name(name: str, part: Part) -> str:
    """Return what a file inside of `name` is called: as a member is, or as its wrapper was."""
    word, _, member = part.name.rpartition(STEP)[2].partition(" ")
    if word == "member":
        return member
    return PurePosixPath(name).stem if word == "inflated" else part.name


class _Walk:
    def __init__(self, bounds: Bounds) -> None:
        self._budget = Budget(bounds)

    def into(
        self, data: bytes, name: str, prefix: str, depth: int, found: dict[str, bytes]
    ) -> None:
        """Add what is in `data` to `found`, below `prefix`."""
        if depth < self._budget.bounds.depth:
            for reader in readers(data, name):
                try:
                    within = self._read(reader, data, name, prefix, depth)
                except UnreadableError:
                    continue
                within[prefix + ENCODING] = digest(data)
                found.update(within)
                return
        found[prefix.removesuffix(STEP) or CONTENT] = kept(data)

    def _read(
        self, reader: Format, data: bytes, name: str, prefix: str, depth: int
    ) -> dict[str, bytes]:
        within: dict[str, bytes] = {}
        files: list[Part] = []
        for part in reader.parts(data, self._budget):
            self._budget.count(part)
            if part.kind is Kind.FILE:
                files.append(part)
            else:
                within[prefix + part.name] = kept(part.data)
            if reader.positional and len(within) == _MOST_LINES:
                return {prefix + "lines": digest(data)}
        # Afterwards, so that what the budget does not reach is the files, and not the fields.
        for part in files:
            inner = inner_name(name, part)
            self.into(part.data, inner, prefix + part.name + STEP, depth + 1, within)
        return within
