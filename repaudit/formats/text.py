"""Text, line by line: UTF-8, or the Latin-1 of old."""

from __future__ import annotations

import re
from collections.abc import Iterator

from repaudit.formats.interface import PLAIN, Budget, Format, Part
from repaudit.model.errors import UnreadableError

# Controls that no text holds; NUL among them.
_BINARY = re.compile(rb"[\x00-\x07\x0e-\x1a\x1c-\x1f\x7f]")
_NO_LATIN = re.compile(rb"[\x80-\x9f]")


class _Text:
    name = "text"
    rank = PLAIN
    positional = True

    def claims(self, head: bytes, name: str) -> bool:
        return bool(head) and not _BINARY.search(head)

    def parts(self, data: bytes, budget: Budget) -> Iterator[Part]:
        if not is_text(data):
            raise UnreadableError("it is no text")
        for number, line in enumerate(data.split(b"\n"), 1):
            yield Part(f"line {number}", line)


def is_text(data: bytes) -> bool:
    """Whether `data` is text as a whole."""
    if _BINARY.search(data):
        return False
    try:
        data.decode()
    except UnicodeDecodeError:
        return not _NO_LATIN.search(data)
    return True


FORMAT: Format = _Text()
