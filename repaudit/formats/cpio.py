"""cpio as initramfs images have it: the `newc` fields of each member (Linux, buffer-format.rst).

An image holds several archives, one after the other, and the later ones compressed: what stands
behind the first is the part `rest`.
"""

from __future__ import annotations

from collections.abc import Iterator

from repaudit.formats._bytes import digits, take
from repaudit.formats.interface import MAGIC, STEP, Budget, Format, Kind, Labels, Part
from repaudit.model.errors import UnreadableError

_MAGICS = (b"070701", b"070702")
_HEADER = 110
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
            fields, name, body, at = _member(data, at)
            if name == _END:
                break
            label = labels.label("member", name)
            order.append(label)
            yield from _fields(label, fields)
            yield Part(label, body, Kind.FILE)
        yield Part("order", "\n".join(order).encode(), Kind.ORDER)
        rest = data[at:].lstrip(b"\0")
        if rest:
            yield Part("rest", rest, Kind.FILE)


def _member(data: bytes, at: int) -> tuple[dict[str, int], bytes, bytes, int]:
    """Return the fields, the name and the bytes of the member at `at`, and where it ends."""
    header = take(data, at, _HEADER)
    if not header.startswith(_MAGICS):
        raise UnreadableError("a member of a cpio archive has no header")
    words = [header[6 + 8 * n : 14 + 8 * n] for n in range(len(_FIELDS))]
    fields = {name: digits(word, 16) for name, word in zip(_FIELDS, words, strict=True)}
    name = take(data, at + _HEADER, fields["namesize"]).rstrip(b"\0")
    start = at + _HEADER + fields["namesize"]
    start += -start % 4
    body = take(data, start, fields["filesize"])
    end = start + fields["filesize"]
    return fields, name, body, min(end + -end % 4, len(data))


def _fields(label: str, fields: dict[str, int]) -> Iterator[Part]:
    yield Part(f"{label}{STEP}mtime", b"%d" % fields["mtime"])
    yield Part(f"{label}{STEP}owner", b"%d:%d" % (fields["uid"], fields["gid"]))
    yield Part(f"{label}{STEP}mode", b"%04o" % fields["mode"])
    for name, value in fields.items():
        if name not in _SAID_ELSEWHERE:
            yield Part(f"{label}{STEP}{name}", b"%d" % value)
    yield Part(f"{label}{STEP}check", b"%08x" % fields["check"], Kind.DERIVED)


FORMAT: Format = _Cpio()
