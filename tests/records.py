"""Entries of a layer as a listing holds them: the way back from `oci.record.entry`."""

from __future__ import annotations

from repaudit.model.image import Entry, Kind
from repaudit.oci.record import Record

_NUMBERS = {kind: number for number, kind in enumerate(Kind)}


def _bytes(name: str) -> bytes:
    return name.encode(errors="surrogateescape")


def from_entry(found: Entry) -> Record:
    """An entry as its record."""
    seconds, nanoseconds = divmod(found.mtime, 1_000_000_000)
    digest = found.digest and bytes.fromhex(found.digest.removeprefix("sha256:"))
    return Record(
        path=_bytes(found.path),
        kind=_NUMBERS[found.kind],
        mode=found.mode,
        uid=found.uid,
        gid=found.gid,
        uname=_bytes(found.uname),
        gname=_bytes(found.gname),
        seconds=seconds,
        nanoseconds=nanoseconds,
        size=found.size,
        stored=found.stored,
        link=None if found.link is None else _bytes(found.link),
        device=found.device,
        xattrs=tuple((_bytes(name), value) for name, value in found.xattrs),
        content=found.fingerprint,
        sha256=digest or None,
        slashes=0,
    )
