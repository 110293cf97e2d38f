"""npm's cache index: a line an entry, a digest of JSON and that JSON (cacache, entry-index)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from repaudit.formats.interface import MAGIC, STEP, Budget, Format, Kind, Labels, Part
from repaudit.model.errors import UnreadableError

_ENTRY = re.compile(rb"([0-9a-f]{40})\t(\{.*\})")
_START = re.compile(rb"\n[0-9a-f]{40}\t\{")


class _Cacache:
    name = "cacache"
    rank = MAGIC
    positional = False

    def claims(self, head: bytes, name: str) -> bool:
        return _START.match(head) is not None

    def parts(self, data: bytes, budget: Budget) -> Iterator[Part]:
        labels = Labels()
        for line in data.removeprefix(b"\n").split(b"\n"):
            entry = _ENTRY.fullmatch(line)
            if entry is None:
                raise UnreadableError("a line of npm's cache index is no entry")
            label = labels.label("entry")
            yield Part(f"{label}{STEP}digest", entry[1], Kind.DERIVED)
            yield Part(label, entry[2], Kind.FILE)


FORMAT: Format = _Cacache()
