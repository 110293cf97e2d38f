"""PDF: the bytes of each object, the dates and the producer of its information, the file's ID.

Objects are found by their shape, not through the cross-reference table, which follows from where
they stand (ISO 32000-1, 7.3.10, 14.3.3, 14.4). Streams stay as they are stored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from repaudit.formats.interface import MAGIC, Budget, Format, Kind, Labels, Part
from repaudit.model.errors import UnreadableError

_OBJECT = re.compile(rb"(?<![0-9])([0-9]{1,10})[ \r\n]([0-9]{1,5})[ \r\n]obj\b")
_END = b"endobj"
#: A string in parentheses or in hexadecimal.
_STRING = rb"\s*(\((?:\\.|[^\\()])*\)|<[0-9A-Fa-f\s]*>)"
_FIELDS = re.compile(rb"/(CreationDate|ModDate|Producer|Creator|Author)" + _STRING, re.DOTALL)
_ID = re.compile(rb"/ID\s*\[([^\[\]]*)\]")


class _Pdf:
    name = "pdf"
    rank = MAGIC
    positional = False

    def claims(self, head: bytes, name: str) -> bool:
        return head.startswith(b"%PDF-")

    def parts(self, data: bytes, budget: Budget) -> Iterator[Part]:
        labels, order, at = Labels(), [], 0
        yield Part("version", data[:8])
        while match := _OBJECT.search(data, at):
            end = data.find(_END, match.end())
            if end < 0:
                raise UnreadableError("an object of a PDF file is cut off")
            label = labels.label("object", b" ".join(match.groups()))
            order.append(label)
            body = data[match.end() : end]
            stream = body.find(b"stream")
            head = body if stream < 0 else body[:stream]
            for field in _FIELDS.finditer(head):
                name = "/" + field[1].decode("ascii")
                yield Part(labels.label(name, within=label), field[2])
            yield Part(label, _FIELDS.sub(rb"/\1", head) + body[len(head) :], Kind.FILE)
            at = end + len(_END)
        for found in _ID.finditer(data, at):
            yield Part(labels.label("/ID"), found[1])
        if b"%%EOF" not in data[-1024:]:
            raise UnreadableError("a PDF file is cut off")
        yield Part("order", "\n".join(order).encode(), Kind.ORDER)


FORMAT: Format = _Pdf()
