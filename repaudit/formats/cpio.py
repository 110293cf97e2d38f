"""cpio as initramfs images have it: the `newc` fields of each member (Linux, buffer-format.rst).

An image holds several archives, one after the other, and the later ones compressed: what stands
behind the first is the part `rest`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from repaudit.formats._bytes import digits, take
from repaudit.formats.interface import MAGIC, STEP, Budget, Format, Kind, Labels, Part
from repaudit.model.errors import UnreadableError

_SUMMED = b"070702"  # only here is `check` the sum of the member's bytes
_MAGICS = (b"070701", _SUMMED)
_HEADER = 110
_DIGITS = re.compile(rb"[0-9a-fA-F]{110}")
_FIELDS = (
    *("ino", "mode", "uid", "gid", "nlink", "mtime", "filesize"),
    *("devmajor", "devminor", "rdevmajor", "rdevminor", "namesize", "check"),
)
#: What a member's bytes or the archive decide, or what is said together.
_SAID_ELSEWHERE = {"filesize", "namesize", "mode", "uid", "gid", "mtime", "check"}
_END = b"TRAILER!!!"


class _Cpio:
    name = "cpio"
    rank = MAGIC
    positional = False

    def claims(self, head: bytes, name: str) -> bool:
        return head.startswith(_MAGICS)

    def parts(self, data: bytes, budget: Budget) -> Iterator[Part]:
        labels, order, at = Labels(), [], 0
        while True:
            member = _member(data, at)
            at = member.end
            if member.name == _END:
                break
            label = labels.label("member", member.name)
            order.append(label)
            yield from _fields(label, member)
            yield Part(label, member.body, Kind.FILE)
        yield from _fields("trailer", member)
        yield Part("order", "\n".join(order).encode(), Kind.ORDER)
        rest = data[at:].lstrip(b"\0")
        yield Part("zeros", b"%d" % (len(data) - at - len(rest)), Kind.DERIVED)
        if rest:
            yield Part("rest", rest, Kind.FILE)


class _Member(msgspec.Struct, frozen=True):
    """A member, how its header is written, and what stands beside its name and its bytes."""

    fields: dict[str, int]
    manner: bytes
    name: bytes
    body: bytes
    padding: bytes
    end: int


def _member(data: bytes, at: int) -> _Member:
    header = take(data, at, _HEADER)
    if not header.startswith(_MAGICS) or not _DIGITS.fullmatch(header):
        raise UnreadableError("a member of a cpio archive has no header")
    words = [header[6 + 8 * n : 14 + 8 * n] for n in range(len(_FIELDS))]
    fields = {name: digits(word, 16) for name, word in zip(_FIELDS, words, strict=True)}
    text = take(data, at + _HEADER, fields["namesize"])
    name, _, more = text.partition(b"\0")
    behind = at + _HEADER + len(text)
    start = behind + -behind % 4
    body = take(data, start, fields["filesize"])
    close = start + len(body)
    end = min(close + -close % 4, len(data))
    padding = b"%b|%b|%b" % (more, data[behind:start], data[close:end])
    padding = padding if padding.strip(b"\0|") else b"%d" % len(more)
    return _Member(fields, _manner(header), name, body, padding, end)


def _manner(header: bytes) -> bytes:
    """Return the magic, and how letters are written; where that is in two ways, all of it."""
    upper, lower = header.upper() == header, header.lower() == header
    case = b"" if upper and lower else b" upper" if upper else b" lower"
    return header[:6] + case if upper or lower else header


def _fields(label: str, member: _Member) -> Iterator[Part]:
    fields = member.fields
    yield Part(f"{label}{STEP}mtime", b"%d" % fields["mtime"])
    yield Part(f"{label}{STEP}owner", b"%d:%d" % (fields["uid"], fields["gid"]))
    yield Part(f"{label}{STEP}mode", b"%04o" % fields["mode"])
    for name, value in fields.items():
        if name not in _SAID_ELSEWHERE:
            yield Part(f"{label}{STEP}{name}", b"%d" % value)
    yield Part(f"{label}{STEP}header", member.manner)
    if member.padding != b"0":
        yield Part(f"{label}{STEP}padding", member.padding)
    summed = member.manner.startswith(_SUMMED)
    kind, of = (Kind.DERIVED, label) if summed else (Kind.VALUE, "")
    yield Part(f"{label}{STEP}check", b"%08x" % fields["check"], kind, of)


FORMAT: Format = _Cpio()
