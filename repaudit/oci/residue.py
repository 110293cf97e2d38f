"""What the headers of a member hold that no field of its record does: how they are written.

A residue is parts: where, and what stands there. Of what is written as POSIX and Go's archive/tar
do, and says nothing besides, there is none. With the record's fields a residue determines every
byte before and behind a content, so that where both agree nothing was overlooked; and of a field
that the record has it holds the form alone, so that another value is no other residue.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from blake3 import blake3

#: Where in the header, or in which extended record; and what is there.
Part = tuple[int | bytes, bytes]
Parts = tuple[Part, ...]

#: A value that is longer is kept as its digest, of so many bytes.
DIGEST = 32
#: How many records of one extended header have a part of their own.
_MOST_RECORDS = 64
#: The longest key of such a record, in bytes.
_LONGEST = 100
_POSIX = b"ustar\x0000"
#: The fields of a header, where each starts. A part lies in its field, at a byte of our choice
#: where there are several to a field.
MODE, UID, GID, SIZE, MTIME, SUM, TYPE, LINK = 100, 108, 116, 124, 136, 148, 156, 157
MAGIC, UNAME, GNAME, MAJOR, MINOR, PREFIX = 257, 265, 297, 329, 337, 345
NAME, PADDING = 0, 512
#: Where a sparse member's header of GNU's own form has its map.
SPARSE = slice(386, 495)
_MODE = 0o7777
_NUMBERS = ((MODE, UID), (UID, GID), (GID, SIZE), (MTIME, SUM))
_DIGITS = b"01234567"
_ZERO = b"0000000\0"
_SPARSE = ord("S")
#: Fields of extended headers that are often the member's own.
_TIME = slice(136, 148)
_COPIED = (slice(108, 116), slice(116, 124), _TIME, slice(265, 297), slice(297, 329))
#: And what is known of their other numbers.
_ALSO = frozenset({SIZE, SUM, SUM + 1})
_XATTR = b"SCHILY.xattr."
encode = msgspec.msgpack.Encoder().encode


def part(where: int | bytes, value: bytes) -> Part:
    """Return a part, which is of bounded length whatever its value."""
    return where, value if len(value) < DIGEST else blake3(value).digest()


def number(where: int, value: int) -> Part:
    """Return the part that a number's field has a value of its own."""
    return where + 1, b"%d" % value


def form(field: bytes, end: bytes = b"\0") -> bytes | None:
    """Return how a number is written, None where it is as usual: digits throughout, then `end`."""
    if field.endswith(end) and field[: -len(end)].isdigit():
        return None
    if field[0] & 0x80:
        return b"\x80"  # the value tells the rest
    lead = len(field) - len(field.lstrip(b" \0"))
    behind = field[lead:].lstrip(_DIGITS)
    digits = len(field) - lead - len(behind)
    return (field[:lead] + b"0" * digits + behind).rstrip(b"\0")


def common(block: bytes, mode: int, prefix: bytes, *, named: bool) -> Parts:
    """Return the parts of a header that its neighbours share.

    `mode` is all that its field says, `prefix` is what stands before its name; it is `named` where
    fields of ustar are read.
    """
    kind, found = block[TYPE], list[Part]()
    for start, end in _NUMBERS:
        if (written := form(block[start:end])) is not None:
            found.append((start, written))
    if mode & ~_MODE:
        found.append(number(MODE, mode & ~_MODE))
    if kind not in b"0123456":
        found.append((TYPE, block[TYPE : TYPE + 1]))
    link = block[LINK:MAGIC]
    _add(found, LINK + 1, _behind(link) if kind in b"12" else link)
    if block[MAGIC:UNAME] != _POSIX:
        found.append((MAGIC, block[MAGIC:UNAME]))
    begin, rest, label = UNAME, UNAME, UNAME
    if named:
        begin, rest, label = PREFIX, PREFIX + len(prefix), PREFIX + 1
        _names(found, block, prefix)
    if kind == _SPARSE:  # whose map has a part of its own
        _add(found, label, block[begin : SPARSE.start])
        _add(found, SPARSE.stop, block[SPARSE.stop :])
    else:
        _add(found, label, block[rest:])
    return tuple(found)


def _names(found: list[Part], block: bytes, prefix: bytes) -> None:
    """Append the parts of what ustar has and older headers do not."""
    _add(found, UNAME + 1, _behind(block[UNAME:GNAME]))
    _add(found, GNAME + 1, _behind(block[GNAME:MAJOR]))
    for start, end in ((MAJOR, MINOR), (MINOR, PREFIX)):
        field = block[start:end]
        written = form(field) if block[TYPE] in b"34" else field.rstrip(b"\0")
        if written is not None and field != _ZERO:
            found.append((start, written))
    if prefix:
        found.append((PREFIX, b"%d" % len(prefix)))


def own(block: bytes, size: int, *, data: bool) -> Parts:
    """Return the parts of name and size; `size` is what is said, and `data` whether it counts."""
    found = list[Part]()
    _add(found, NAME, _behind(block[NAME:MODE]))
    if (written := form(block[SIZE:MTIME])) is not None:
        found.append((SIZE, written))
    if size and not data:
        found.append(number(SIZE, size))
    return tuple(found)


def checksum(field: bytes, *, signed: bool) -> Parts:
    """Return the parts of the sum, which is told by all other bytes, `signed` ones or not."""
    written = form(field, b"\0 ")
    parts: Parts = () if written is None else ((SUM, written),)
    return (*parts, (SUM + 1, b"signed")) if signed else parts


def name(path: bytes, written: bytes) -> tuple[int, Parts]:
    """Return how a path is written: 1 with a slash behind, 2 with `./` before it, 3 both; 0 bare.

    Else it is 4, and there is a part that says it.
    """
    if written == path:
        return 0, ()
    before, found, behind = written.partition(path)
    slashes = _SLASHES.get((before, behind)) if found else None
    return (4, (spelled(NAME + 1, path, written),)) if slashes is None else (slashes, ())


_SLASHES = {(b"", b"/"): 1, (b"./", b""): 2, (b"./", b"/"): 3}


def spelled(where: int, value: bytes, written: bytes) -> Part:
    """Return a part that says how a name is written, given what it comes to."""
    before, found, behind = written.partition(value)
    return part(where, before + b"\0" + behind if found else written)


def header(block: bytes, parts: Parts, member: bytes) -> Parts:
    """Return the parts of an extended header's block, of which `parts` are known.

    `member` is the block of its member. A time of its own is a part of its own.
    """
    fields, own = [block[NAME:UID]], list[Part]()
    for field in _COPIED:
        value = block[field]
        copied = value == member[field] and value.strip(b"0\0 ")
        if field == _TIME and not copied and form(value) is None and value.strip(b"0\0"):
            own.append((b"%c mtime" % block[TYPE], b"%d" % int(value[:-1], 8)))
            value = b""
        fields.append(b"=" if copied else value)
    fields += [block[TYPE:UNAME], block[MAJOR:]]
    rest = [known for known in parts if known[0] in _ALSO]
    return ((b"%c header" % block[TYPE], blake3(encode((fields, rest))).digest()), *own)


def of_all(data: bytes, found: Mapping[bytes, bytes]) -> Parts:
    """Return what the records of a global header say, each its own part where that is all."""
    usual = data == b"".join(_record(key, value) for key, value in found.items())
    few = len(found) <= _MOST_RECORDS and all(len(key) <= _LONGEST for key in found)
    if not (usual and few and list(found) == sorted(found)):
        return (part(b"g records", data),)
    return tuple(part(b"g record " + key, value) for key, value in found.items())


def records(data: bytes, found: Mapping[bytes, bytes], told: Mapping[bytes, bytes]) -> Parts:
    """Return what the records of an extended header say besides; `told` is what is known of them.

    A value that begins with what is told is written in some longer way. Attributes are told whole.
    """
    if data != b"".join(_record(key, value) for key, value in found.items()):
        return (part(b"x records", data),)
    parts, stated = list[Part](), list[bytes]()
    for key, value in found.items():
        attribute = key.startswith(_XATTR)
        known = value if attribute else told.get(key)
        if value != known:
            parts.append(part(b"record " + key, _longer(value, known)))
        elif not attribute and (key != b"mtime" or b"." not in value):  # what needs a record
            stated.append(key)
    if len(parts) > _MOST_RECORDS or any(len(str(where)) > _LONGEST for where, _ in parts):
        return (part(b"x records", data),)
    keys = list(found)
    if keys != sorted(keys):
        parts.append(part(b"x order", b"\0".join(keys)))
    elif stated:
        parts.append(part(b"x keys", b"\0".join(stated)))
    return tuple(parts)


def _longer(value: bytes, known: bytes | None) -> bytes:
    """Return a value, or only what it has more than what is known."""
    return b"\0" + value.removeprefix(known) if known and value.startswith(known) else value


def _record(key: bytes, value: bytes) -> bytes:
    """Return a record as it is written usually: its length counts its own digits."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return b"%d %b=%b\n" % (length, key, value)


def _behind(field: bytes) -> bytes:
    """Return what stands behind a text in its field."""
    return field[len(field.partition(b"\0")[0]) :]


def _add(found: list[Part], where: int, value: bytes) -> None:
    """Append a part that is not zeros alone."""
    if value := value.rstrip(b"\0"):
        found.append(part(where, value))
