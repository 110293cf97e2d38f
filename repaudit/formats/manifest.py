"""The manifest of a jar: a value for each attribute (JAR File Specification, "JAR Manifest")."""

from __future__ import annotations

from collections.abc import Iterator

from repaudit.formats.interface import NAMED, Budget, Format, Kind, Labels, Part
from repaudit.model.errors import UnreadableError

_ENTRY = b"Name"


class _Manifest:
    name = "manifest"
    rank = NAMED
    positional = False

    def claims(self, head: bytes, name: str) -> bool:
        suffix = name.startswith("META-INF/") and name.endswith((".MF", ".SF"))
        return suffix or head.startswith((b"Manifest-Version:", b"Signature-Version:"))

    def parts(self, data: bytes, budget: Budget) -> Iterator[Part]:
        labels, order, entry = Labels(), [], ""
        for line in _lines(data):
            name, colon, value = line.partition(b": ")
            if not line:
                entry = ""
            elif not colon:
                raise UnreadableError("a line of a manifest is no attribute")
            elif name == _ENTRY:
                entry = labels.label("entry", value)
                order.append(entry)
            else:
                label = labels.label(name.decode("latin-1"), within=entry)
                order.append(label)
                # Digests follow from the members that they are of.
                kind = Kind.DERIVED if b"-Digest" in name else Kind.VALUE
                yield Part(label, value, kind)
        yield Part("order", "\n".join(order).encode(), Kind.ORDER)


def _lines(data: bytes) -> Iterator[bytes]:
    """Yield the lines, those that begin with a blank joined to the ones before."""
    joined: bytearray | None = None  # a list of millions would cost more to join than to hold
    for line in data.splitlines():
        if line.startswith(b" ") and joined is not None:
            joined += line[1:]
            continue
        if joined is not None:
            yield bytes(joined)
        joined = bytearray(line)
    if joined is not None:
        yield bytes(joined)


FORMAT: Format = _Manifest()
