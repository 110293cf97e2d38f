"""Static libraries and Debian packages: the header and the bytes of each member (ar(5), deb(5)).

Names of the GNU kind (`name/`, `/offset`) and of BSD (`#1/length`) are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from repaudit.formats._bytes import digits, take
from repaudit.formats.interface import MAGIC, STEP, Budget, Format, Kind, Labels, Part
from repaudit.model.errors import UnreadableError

_MAGIC = b"!<arch>\n"
_HEADER = 60
#: A table of names could else be given out again for each member.
_LONGEST = 64 << 10
#: The symbol tables and the table of long names follow from the members.
_TABLES = frozenset({b"/", b"//", b"/SYM64/", b"__.SYMDEF", b"__.SYMDEF SORTED"})
_USUAL_NAME = re.compile(rb"(?:/[0-9]*|//|/SYM64/|[^/ ][^/]*/) *")


class _Ar:
    name = "ar"
    rank = MAGIC
    positional = False

    def claims(self, head: bytes, name: str) -> bool:
        return head.startswith(_MAGIC)

    def parts(self, data: bytes, budget: Budget) -> Iterator[Part]:
        labels, order = Labels(), []
        long_names, at = b"", len(_MAGIC)
        while at < len(data):
            header = take(data, at, _HEADER)
            if header[58:] != b"`\n":
                raise UnreadableError("a member of an ar archive has no header")
            size = digits(header[48:58])
            body = take(data, at + _HEADER, size)
            name, body = _name(header[:16], long_names, body)
            if name == b"//":
                long_names = body
            label = labels.label("member", name)
            order.append(label)
            yield from _fields(label, header)
            at += _HEADER + size
            padding = data[at : at + size % 2]
            at += len(padding)
            if padding not in (b"", b"\n"):
                yield Part(f"{label}{STEP}padding", padding)
            if name in _TABLES:
                of = "order" if name == b"//" else Kind.FILE
                yield Part(label, body, Kind.DERIVED, of)
            else:
                yield Part(label, body, Kind.FILE)
        yield Part("order", "\n".join(order).encode(), Kind.ORDER)


def _fields(label: str, header: bytes) -> Iterator[Part]:
    yield Part(f"{label}{STEP}mtime", b"%d" % digits(header[16:28]))
    owner = b"%d:%d" % (digits(header[28:34]), digits(header[34:40]))
    yield Part(f"{label}{STEP}owner", owner)
    yield Part(f"{label}{STEP}mode", b"%04o" % digits(header[40:48], 8))
    written = _manner(header)
    if written:
        yield Part(f"{label}{STEP}header", written)


def _manner(header: bytes) -> bytes:
    """Return how the fields are written, where that is otherwise than GNU ar does.

    It pads with blanks, and leaves fields of its tables empty.
    """
    numbers = (header[at:end] for at, end in ((16, 28), (28, 34), (34, 40), (40, 48), (48, 58)))
    usual = all(re.fullmatch(rb"(?:0|[1-9][0-9]*)? *", field) for field in numbers)
    name = b"" if re.fullmatch(_USUAL_NAME, header[:16]) else header[:16]
    return name if usual else name + re.sub(rb"[1-9][0-9]*", b"1", header[16:58])


def _name(field: bytes, long_names: bytes, body: bytes) -> tuple[bytes, bytes]:
    """Return a member's name and its bytes, among which BSD keeps a long name."""
    text = field.rstrip(b" ")
    if text in _TABLES:
        return text, body
    if text.startswith(b"#1/"):
        size = digits(text[3:])
        return take(body, 0, size).rstrip(b"\0"), body[size:]
    if text.startswith(b"/"):
        at = digits(text[1:])
        end = long_names.find(b"\n", at, at + _LONGEST)
        if end < 0:
            raise UnreadableError("a long name of an ar archive is not in its table")
        text = long_names[at:end]
    return text.removesuffix(b"/"), body


FORMAT: Format = _Ar()
