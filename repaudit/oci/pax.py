"""Extended headers of tar: PAX records (pax(1), "pax Extended Header") into a header's fields."""

from __future__ import annotations

import re
from collections.abc import Mapping

from repaudit.model.errors import MalformedError
from repaudit.oci import residue
from repaudit.oci.header import Header
from repaudit.oci.residue import Parts

_LENGTH = re.compile(rb"([0-9]{1,8}) ")
_INTEGER = re.compile(rb"-?[0-9]{1,18}")
_TIME = re.compile(rb"(-?)([0-9]{1,18})(?:\.([0-9]*))?")
_XATTR = b"SCHILY.xattr."
#: Fields in which a NUL would cut a name short in one reader and not in another.
_NAMES = (b"path", b"linkpath", b"uname", b"gname", b"GNU.sparse.name")


def records(data: bytes) -> dict[bytes, bytes]:
    """Return the records of an extended header, the last one of a key; raise MalformedError.

    GNU.sparse.offset and .numbytes stand in pairs, many times over, so they are gathered under
    GNU.sparse.map as later versions of the format write them.
    """
    found: dict[bytes, bytes] = {}
    regions: list[bytes] = []
    at = 0
    while at < len(data):
        match = _LENGTH.match(data, at)
        end = at + int(match[1]) if match else 0
        if match is None or end > len(data) or end <= match.end() or data[end - 1] != 0x0A:
            raise MalformedError("layer: an extended header is no list of records")
        key, equals, value = data[match.end() : end - 1].partition(b"=")
        if not key or not equals:
            raise MalformedError("layer: a record of an extended header has no key")
        if key in _NAMES and b"\0" in value:
            raise MalformedError(f"layer: a NUL in a name: {value!r:.200}")
        if key in (b"GNU.sparse.offset", b"GNU.sparse.numbytes"):
            regions.append(value)
        found[key] = value
        at = end
    if regions:
        found.setdefault(b"GNU.sparse.map", b",".join(regions))
    return found


def integer(value: bytes) -> int:
    """Return a decimal number; raise MalformedError where it is none, or too long."""
    if _INTEGER.fullmatch(value) is None:
        raise MalformedError(f"layer: not a number in an extended header: {value!r:.60}")
    return int(value)


def nanoseconds(value: bytes) -> int:
    """Return a time such as `1700000000.25` in nanoseconds, exactly; digits beyond are cut."""
    match = _TIME.fullmatch(value)
    if match is None:
        raise MalformedError(f"layer: not a time in an extended header: {value!r:.60}")
    fraction = (match[3] or b"")[:9].ljust(9, b"0")
    time = int(match[2]) * 1_000_000_000 + int(fraction)
    return -time if match[1] else time


def merge(header: Header, found: Mapping[bytes, bytes]) -> None:
    """Put the records over the header's fields. An empty value leaves the field as it was."""
    header.name = found.get(b"path") or header.name
    header.link = found.get(b"linkpath") or header.link
    header.uname = found.get(b"uname") or header.uname
    header.gname = found.get(b"gname") or header.gname
    if value := found.get(b"uid"):
        header.uid = integer(value)
    if value := found.get(b"gid"):
        header.gid = integer(value)
    if value := found.get(b"mtime"):
        header.mtime = nanoseconds(value)
    header.xattrs = tuple(
        sorted(
            (key[len(_XATTR) :].decode(errors="surrogateescape"), value.hex())
            for key, value in found.items()
            if key.startswith(_XATTR)
        )
    )


def stored_size(found: Mapping[bytes, bytes]) -> int | None:
    """Return the length of the member's data if the records give it; raise if it is negative."""
    value = found.get(b"size")
    if not value:
        return None
    size = integer(value)
    if size < 0:
        raise MalformedError("layer: an extended header gives a negative size")
    return size


def written(header: Header, data: bytes, found: Mapping[bytes, bytes], size: int) -> Parts:
    """Return what an extended header's records say beside what the merged header tells.

    `size` is the length of the member's data.
    """
    if not data:
        return ()
    told = {
        b"path": header.name,
        b"linkpath": header.link,
        b"uname": header.uname,
        b"gname": header.gname,
        b"uid": b"%d" % header.uid,
        b"gid": b"%d" % header.gid,
        b"size": b"%d" % size,
        b"mtime": _time(header.mtime),
        b"GNU.sparse.name": header.name,
    }
    if header.real_size is not None:
        told[b"GNU.sparse.realsize"] = told[b"GNU.sparse.size"] = b"%d" % header.real_size
        if header.real_size != header.size:
            table = ",".join(f"{start},{length}" for start, length in header.regions)
            told[b"GNU.sparse.map"] = table.encode()
    return residue.records(data, found, told)


def _time(nanoseconds: int) -> bytes:
    """Return a time as it is written usually."""
    whole, rest = divmod(abs(nanoseconds), 1_000_000_000)
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{'-' if nanoseconds < 0 else ''}{whole}{fraction}".encode()
