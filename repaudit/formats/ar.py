"""Static libraries and Debian packages: the header and the bytes of each member (ar(5), deb(5)).

Names of the GNU kind (`name/`, `/offset`) and of BSD (`#1/length`) are read.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from repaudit.formats._bytes import digits, take
from repaudit.formats.interface import MAGIC, STEP, Budget, Format, Kind, Labels, Part
from repaudit.model.errors import UnreadableError

_MAGIC = b"!<arch>\n"
_HEADER = 60
#: A table of names could else be given out again for each member.
_LONGEST = 64 << 10
#: The symbol tables and the table of long names follow from the members.
_TABLES = frozenset({b"/", b"//", b"/SYM64/", b"__.SYMDEF", b"__.SYMDEF SORTED"})
#: More are compared as they stand.
_MOST_SYMBOLS = 300_000
#: GNU's symbol tables, and how many bytes their numbers have.
_INDEXES = {b"/": 4, b"/SYM64/": 8}
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
        indexes, places = list[tuple[str, bytes, int]](), dict[int, str]()
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
            places[at] = label
            yield from _fields(label, header)
            at += _HEADER + size
            padding = data[at : at + size % 2]
            at += len(padding)
            if padding not in (b"", b"\n"):
                yield Part(f"{label}{STEP}padding", padding)
            if name in _INDEXES:
                indexes.append((label, body, _INDEXES[name]))
            elif name in _TABLES:
                kind, of = (Kind.DERIVED, "order") if name == b"//" else (Kind.PLACE, Kind.FILE)
                yield Part(label, body, kind, of)
            else:
                yield Part(label, body, Kind.FILE)
        for label, body, width in indexes:
            symbols = _index(body, width, places)
            told = body if symbols is None else _led_to(symbols)
            yield Part(label, told, Kind.PLACE, Kind.FILE)
            if several := _taken_from(symbols or {}):
                yield Part(f"{label}{STEP}taken from", several, Kind.PLACE, "order")
        yield Part("order", "\n".join(order).encode(), Kind.ORDER)


def _fields(label: str, header: bytes) -> Iterator[Part]:
    yield Part(f"{label}{STEP}mtime", b"%d" % digits(header[16:28]))
    owner = b"%d:%d" % (digits(header[28:34]), digits(header[34:40]))
    yield Part(f"{label}{STEP}owner", owner)
    yield Part(f"{label}{STEP}mode", b"%04o" % digits(header[40:48], 8))
    written = _manner(header)
    if written:
        yield Part(f"{label}{STEP}header", written)


def _index(body: bytes, width: int, places: Mapping[int, str]) -> dict[str, list[bytes]] | None:
    """Return the members that an index leads to, in their order, each with its symbols.

    It counts them, says where the header of each one's member starts, and then their names. None
    stands for what is not in the order of the members, or not as GNU ar writes it.
    """
    count = int.from_bytes(body[:width], "big")
    starts = range(width, width * (count + 1), width)
    if count > _MOST_SYMBOLS:
        return None
    *symbols, _ = body[starts.stop :].split(b"\0", count)
    used = starts.stop + sum(len(symbol) + 1 for symbol in symbols)
    if len(symbols) != count or body[used:] != bytes(used % 2):
        return None
    found = [int.from_bytes(body[at : at + width], "big") for at in starts]
    if found != sorted(found) or not places.keys() >= {*found}:
        return None
    of = defaultdict[str, list[bytes]](list)
    for at, symbol in zip(found, symbols, strict=True):
        of[places[at]].append(symbol)
    return of


def _led_to(of: Mapping[str, Sequence[bytes]]) -> bytes:
    """Return which symbols are in which member, whatever the members' order."""
    members = (b"\0".join((name.encode(), b"%d" % len(of[name]), *of[name])) for name in sorted(of))
    return b"\0".join(members)


def _taken_from(of: Mapping[str, Sequence[bytes]]) -> bytes:
    """Return the members, by number, of each symbol that several have: linkers take the first."""
    numbers = {name: b"%d" % number for number, name in enumerate(sorted(of))}
    members = defaultdict[bytes, list[bytes]](list)
    for name, symbols in of.items():
        for symbol in dict.fromkeys(symbols):
            members[symbol].append(numbers[name])
    several = sorted((symbol, some) for symbol, some in members.items() if len(some) > 1)
    return b"\0".join(b"%b %b" % (symbol, b" ".join(some)) for symbol, some in several)


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
