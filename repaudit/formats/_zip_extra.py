"""Extra fields of a zip archive's headers: times, owners, long sizes (APPNOTE 4.5, Info-ZIP)."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct

from repaudit.formats._bytes import take, unpack
from repaudit.formats.interface import STEP, Kind, Labels, Part

_EXTRA = Struct("<HH")
_FULL = 0xFFFFFFFF
_ZIP64, _UNIX_TIME, _UNIX_OWNER = 0x0001, 0x5455, 0x7875
#: A version, then two numbers, each behind its length.
_OWNER = Struct("<BBIBI")
_TIMES = ("mtime", "atime", "ctime")


def zip64(extra: bytes, *values: int) -> tuple[tuple[int, ...], bytes]:
    """Return the numbers, from the zip64 field (4.5.3) where they do not fit, and what it has more.

    They are in its order: size, packed size, offset.
    """
    long = dict(_extras(extra)[0]).get(_ZIP64, b"")
    found, at = [], 0
    for value in values:
        if value == _FULL and long:
            value, at = int.from_bytes(take(long, at, 8), "little"), at + 8
        found.append(value)
    return tuple(found), long[at:]


def _extras(extra: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Return the fields by their kinds, and what is no field: Android pads with such bytes."""
    found, at = [], 0
    while at + _EXTRA.size <= len(extra):
        kind, size = unpack(_EXTRA, extra, at)
        if at + _EXTRA.size + size > len(extra):
            break
        found.append((kind, extra[at + _EXTRA.size :][:size]))
        at += _EXTRA.size + size
    return found, extra[at:]


def extra_fields(label: str, headers: tuple[bytes, bytes]) -> Iterator[Part]:
    """Yield the fields of a member: the directory's, and those of its own header that are others.

    The own header holds more of the times.
    """
    labels = Labels()
    read = [_extras(extra) for extra in headers]
    listed, own = (list(_told(fields)) for fields, _ in read)
    known, there = dict(listed), dict(own)
    for name, value in listed:
        yield Part(labels.label(name, within=label), value)
    for name, value in own:
        if known.get(name) != value:
            word = f"own {name}" if name in known else name
            yield Part(labels.label(word, within=label), value)
    lacking = [name for name in known if name not in there]
    if lacking:
        yield Part(f"{label}{STEP}not in its own header", ", ".join(lacking).encode())
    for word, (_, rest) in zip(("extra padding", "own extra padding"), read, strict=True):
        if rest:
            kind = Kind.VALUE if rest.strip(b"\0") else Kind.DERIVED
            yield Part(f"{label}{STEP}{word}", rest.hex().encode(), kind)


def _told(fields: list[tuple[int, bytes]]) -> Iterator[tuple[str, bytes]]:
    kinds = [kind for kind, _ in fields]
    for kind, value in fields:
        times = _times(value) if kind == _UNIX_TIME else []
        if times:
            yield from times
        elif kind == _UNIX_OWNER and (len(value), value[:2], value[6:7]) == (11, b"\1\4", b"\4"):
            yield "extra owner", b"%d:%d" % _OWNER.unpack(value)[2::2]
        elif kind != _ZIP64 or kinds.count(kind) > 1:
            yield f"extra {kind:04x}", value.hex().encode()


def _times(value: bytes) -> list[tuple[str, bytes]]:
    """Return the times of Info-ZIP's field `UT`; nothing of one that is of no known form.

    Its flags say which it has; the directory's copy has the first alone.
    """
    names = [name for bit, name in enumerate(_TIMES) if value[:1] and value[0] >> bit & 1]
    held, rest = divmod(len(value) - 1, 4)
    if not names or rest or held > len(names) or value[0] > 7:
        return []
    words = (value[at : at + 4] for at in range(1, len(value), 4))
    found = [
        (f"extra {name}", b"%d" % int.from_bytes(word, "little", signed=True))
        for name, word in zip(names, words, strict=False)
    ]
    return [("extra times", b"%02x" % value[0]), *found]
