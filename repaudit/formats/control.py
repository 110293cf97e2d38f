"""Debian control files: a value for each field of each package (deb-control(5), dpkg's status)."""

from __future__ import annotations

from collections.abc import Iterator

from repaudit.formats.interface import NAMED, Budget, Format, Kind, Labels, Part
from repaudit.formats.text import is_text
from repaudit.model.errors import UnreadableError

_FIRST = b"Package: "


class _Control:
    name = "control"
    rank = NAMED
    positional = False

    def claims(self, head: bytes, name: str) -> bool:
        return head.startswith(_FIRST)

    def parts(self, data: bytes, budget: Budget) -> Iterator[Part]:
        if not is_text(data):
            raise UnreadableError("it is no text")
        labels, order = Labels(), []
        for stanza in data.split(b"\n\n"):
            fields = list(_fields(stanza))
            if not fields:
                continue
            known = dict(fields)
            names = (known.get(b"Package", b""), known.get(b"Architecture", b""))
            package = labels.label("package", b":".join(name for name in names if name))
            order.append(package)
            for name, value in fields:
                yield Part(labels.label(name.decode("latin-1"), within=package), value)
        yield Part("order", "\n".join(order).encode(), Kind.ORDER)


def _fields(stanza: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the fields, each with the lines that continue it."""
    name, text = b"", bytearray()  # a list of millions would cost more to join than to hold
    for line in stanza.strip(b"\n").split(b"\n"):
        if line[:1] in (b" ", b"\t") and name:
            text += b"\n" + line
            continue
        if name:
            yield name, bytes(text)
        name, colon, value = line.partition(b":")
        if not colon and line:
            raise UnreadableError("a line of a control file is no field")
        text = bytearray(value.strip(b" "))
    if name:
        yield name, bytes(text)


FORMAT: Format = _Control()
