"""Java properties: a value for each key, and the comments, the first of which is often the time.

The rules for a line are those of java.util.Properties.load; escapes are left as written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from repaudit.formats.interface import NAMED, Budget, Format, Kind, Labels, Part
from repaudit.formats.text import is_text
from repaudit.model.errors import UnreadableError

#: The key ends at the first `=`, `:` or blank that no backslash stands before.
_KEY = re.compile(rb"((?:\\.|[^\\=: \t\f])*)[ \t\f]*[=:]?[ \t\f]*", re.DOTALL)
_CONTINUED = re.compile(rb"(?<!\\)(?:\\\\)*\\$")


class _Properties:
    name = "properties"
    rank = NAMED
    positional = False

    def claims(self, head: bytes, name: str) -> bool:
        return name.endswith(".properties")

    def parts(self, data: bytes, budget: Budget) -> Iterator[Part]:
        if not is_text(data):
            raise UnreadableError("it is no text")
        labels, order = Labels(), []
        for line in _lines(data):
            if line[:1] in (b"#", b"!"):
                yield Part(labels.label("comment"), line[1:].strip())
                continue
            match = _KEY.match(line)
            key = match[1] if match else line
            label = labels.label("key", key)
            order.append(label)
            yield Part(label, line[match.end() :] if match else b"")
        yield Part("order", "\n".join(order).encode(), Kind.ORDER)


def _lines(data: bytes) -> Iterator[bytes]:
    """Yield the lines that are not blank, each joined with those that continue it."""
    before, continued = bytearray(), False  # a list of millions would cost more to join than hold
    for line in data.splitlines():
        text = line.lstrip(b" \t\f")
        comment = not continued and text[:1] in (b"#", b"!")
        continued = not comment and _CONTINUED.search(text[-64:]) is not None
        if continued:
            before += text[:-1]
            continue
        whole = bytes(before) + text
        before.clear()
        if whole:
            yield whole
    if continued:
        yield bytes(before)


FORMAT: Format = _Properties()
