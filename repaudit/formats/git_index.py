"""git's index: what it saw of each file in the work tree (gitformat-index(5), versions 2 and 3)."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct

from repaudit.formats._bytes import take, unpack
from repaudit.formats.interface import MAGIC, Budget, Format, Kind, Labels, Part
from repaudit.model.errors import UnreadableError

_HEAD = Struct(">4sII")
_ENTRY = Struct(">10I20sH")
_CHECKSUM = 20
_EXTENDED = 0x4000


class _GitIndex:
    name = "git_index"
    rank = MAGIC
    positional = False

    def claims(self, head: bytes, name: str) -> bool:
        return head.startswith(b"DIRC")

    def parts(self, data: bytes, budget: Budget) -> Iterator[Part]:
        _, version, count = unpack(_HEAD, data, 0)
        if version not in {2, 3}:
            raise UnreadableError(f"git's index is of version {version}")
        at, labels = _HEAD.size, Labels()
        for _ in range(count):
            start = at
            *facts, digest, flags = unpack(_ENTRY, data, at)
            at += _ENTRY.size + (2 if flags & _EXTENDED else 0)
            end = data.find(b"\0", at)
            if end < 0:
                raise UnreadableError("a path in git's index has no end")
            label = labels.label("file", data[at:end])
            for field, value in _fields(facts):
                yield Part(labels.label(field, within=label), value)
            yield Part(labels.label("digest", within=label), digest.hex().encode())
            yield Part(labels.label("flags", within=label), b"%04x" % flags)
            at = start + (end - start) // 8 * 8 + 8
        yield Part("extensions", take(data, at, len(data) - at - _CHECKSUM))
        yield Part("checksum", data[-_CHECKSUM:].hex().encode(), Kind.DERIVED)


def _fields(facts: list[int]) -> Iterator[tuple[str, bytes]]:
    changed, changed_ns, modified, modified_ns, device, inode, mode, uid, gid, size = facts
    yield "ctime", b"%d.%09d" % (changed, changed_ns)
    yield "mtime", b"%d.%09d" % (modified, modified_ns)
    yield "device", b"%d" % device
    yield "inode", b"%d" % inode
    yield "mode", b"%o" % mode
    yield "owner", b"%d:%d" % (uid, gid)
    yield "size", b"%d" % size


FORMAT: Format = _GitIndex()
