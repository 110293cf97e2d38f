"""tar: the fields, extended records and bytes of each member (POSIX pax(1), GNU tar manual).

The reader of layers in `oci/` merges headers, as runtimes do that unpack them. This one keeps apart
what differs apart; it reads a header's fields with `tarfile`, and walks over blocks on its own,
since `tarfile` takes a broken header for the end of an archive.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator

from repaudit.formats._bytes import take
from repaudit.formats.interface import MAGIC, STEP, Budget, Format, Kind, Labels, Part
from repaudit.model.errors import UnreadableError

_BLOCK = 512
_ZERO = bytes(_BLOCK)
_RECORD = re.compile(rb"([0-9]{1,8}) ([^=]+)=")
#: Records that stand for fields of the header, or only for where the next record starts.
_FIELDS = frozenset({"path", "linkpath", "size", "mtime", "uid", "gid", "uname", "gname"})
_LINKS = (tarfile.LNKTYPE, tarfile.SYMTYPE)
_DEVICES = (tarfile.CHRTYPE, tarfile.BLKTYPE)
_NO_DATA = (*_LINKS, *_DEVICES, tarfile.DIRTYPE, tarfile.FIFOTYPE)
_LONG_NAME, _LONG_LINK = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
_HEADERS = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, _LONG_NAME, _LONG_LINK)


class _Tar:
    name = "tar"
    rank = MAGIC
    positional = False

    def claims(self, head: bytes, name: str) -> bool:
        return head[257:262] == b"ustar"

    def parts(self, data: bytes, budget: Budget) -> Iterator[Part]:
        labels, order, at = Labels(), [], 0
        records: dict[str, bytes] = {}
        while at < len(data) and (block := take(data, at, _BLOCK)) != _ZERO:
            info = _header(block)
            at += _BLOCK
            if info.type in _HEADERS:
                body = take(data, at, info.size)
                at += info.size + -info.size % _BLOCK
                if info.type == tarfile.XGLTYPE:
                    yield from _global(labels, _records(body))
                else:
                    records |= _extended(info.type, body)
                continue
            if info.type == tarfile.GNUTYPE_SPARSE:
                at = _after_maps(data, block, at)
            size = 0 if info.type in _NO_DATA else _size(info, records)
            body = take(data, at, size)
            label = labels.label("member", _name(info, records))
            order.append(label)
            yield from _fields(label, info, records)
            if info.type not in _NO_DATA:
                yield Part(label, body, Kind.FILE)
            records = {}
            at += size + -size % _BLOCK
        yield Part("order", "\n".join(order).encode(), Kind.ORDER)
        rest = data[at:].lstrip(b"\0")
        if rest:
            yield Part("trailing", rest, Kind.FILE)


def _header(block: bytes) -> tarfile.TarInfo:
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError) as error:
        raise UnreadableError(f"a header of a tar archive is wrong: {error}") from error
    if info.size < 0:
        raise UnreadableError("a member of a tar archive has a negative size")
    return info


def _extended(kind: bytes, body: bytes) -> dict[str, bytes]:
    if kind == _LONG_NAME:
        return {"path": body.rstrip(b"\0")}
    return {"linkpath": body.rstrip(b"\0")} if kind == _LONG_LINK else _records(body)


def _records(body: bytes) -> dict[str, bytes]:
    """Return the records of an extended header: `length key=value`, a line each."""
    found: dict[str, bytes] = {}
    at = 0
    while at < len(body):
        match = _RECORD.match(body, at)
        end = at + int(match[1]) if match else 0
        if match is None or end <= match.end() or take(body, at, end - at)[-1:] != b"\n":
            raise UnreadableError("an extended header of a tar archive is no list of records")
        found[match[2].decode("utf-8", "surrogateescape")] = body[match.end() : end - 1]
        at = end
    return found


def _global(labels: Labels, records: dict[str, bytes]) -> Iterator[Part]:
    for key, value in records.items():
        yield Part(labels.label("global", key), value)


def _after_maps(data: bytes, block: bytes, at: int) -> int:
    """Return where the bytes of an old GNU sparse member start, behind the maps of its holes."""
    more = block[482]
    while more:
        more = take(data, at, _BLOCK)[504]
        at += _BLOCK
    return at


def _size(info: tarfile.TarInfo, records: dict[str, bytes]) -> int:
    value = records.get("size")
    if not value:
        return info.size
    if not value.isdigit() or len(value) > 18:
        raise UnreadableError("a record of a tar archive gives no size")
    return int(value)


def _name(info: tarfile.TarInfo, records: dict[str, bytes]) -> str:
    name = records.get("GNU.sparse.name") or records.get("path")
    text = name.decode("utf-8", "surrogateescape") if name else info.name
    return text.removesuffix("/")


def _fields(label: str, info: tarfile.TarInfo, records: dict[str, bytes]) -> Iterator[Part]:
    def told(key: str, field: object) -> bytes:
        return records.get(key) or str(field).encode("utf-8", "surrogateescape")

    yield Part(f"{label}{STEP}type", info.type if info.type != b"\0" else b"0")
    yield Part(f"{label}{STEP}mode", b"%04o" % info.mode)
    owner = b"%b:%b %b:%b" % (
        told("uid", info.uid),
        told("gid", info.gid),
        told("uname", info.uname),
        told("gname", info.gname),
    )
    yield Part(f"{label}{STEP}owner", owner)
    yield Part(f"{label}{STEP}mtime", told("mtime", int(info.mtime)))
    if info.type in _LINKS:
        yield Part(f"{label}{STEP}link", told("linkpath", info.linkname))
    if info.type in _DEVICES:
        yield Part(f"{label}{STEP}device", b"%d:%d" % (info.devmajor, info.devminor))
    labels = Labels()
    for key, value in records.items():
        if key not in _FIELDS:
            yield Part(labels.label("pax", key, within=label), value)


FORMAT: Format = _Tar()
