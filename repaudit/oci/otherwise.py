"""How two layers are written, beside what their entries say: each respect counted, with a place."""

from __future__ import annotations

import re
from bisect import bisect
from collections import defaultdict
from collections.abc import Iterator, Mapping

from msgspec import Struct

from repaudit.model.text import printable
from repaudit.oci.listing import Foot
from repaudit.oci.record import Record, text
from repaudit.oci.residue import (
    DIGEST,
    GID,
    GNAME,
    LINK,
    MAGIC,
    MAJOR,
    MINOR,
    MODE,
    MTIME,
    NAME,
    PADDING,
    PREFIX,
    SIZE,
    SUM,
    TYPE,
    UID,
    UNAME,
    Parts,
)

#: How many respects are told of a layer, and how many are kept apart: keys of records have no end.
_MOST_TOLD, _MOST = 12, 256
#: What tar programs fill their last block up to.
_RECORD = 10240
_FIELDS = (
    *((0, "name"), (100, "mode"), (108, "uid"), (116, "gid"), (124, "size"), (136, "mtime")),
    *((148, "checksum"), (156, "type"), (157, "link name"), (257, "magic"), (265, "uname")),
    *((297, "gname"), (329, "devmajor"), (337, "devminor"), (345, "prefix"), (495, "spare bytes")),
)
_STARTS = [start for start, _ in _FIELDS]
_SLASHES = ("no slash around it", "/ behind it", "./ before it", "./ before it and / behind it")
#: What a header of its own is needed for says already, where one side has it and one has not.
_NEEDED = frozenset({b"x header", b"x mtime", b"x padding"})
_OTHER = b"other records"
_ORDER = b"order of extended headers"
#: Respects that mean the same to every reader: slashes around a name, how a number or a magic is
#: written, what an extended header has for a name, and records that say nothing of a file. All else
#: some reader may take for an attribute, a name or data.
_SPELLING = frozenset(
    (
        *(NAME + 1, NAME + 2, MODE, MODE + 1, UID, UID + 1, GID, GID + 1, SIZE, MTIME, MTIME + 1),
        *(SUM, SUM + 1, TYPE, LINK, LINK + 2, MAGIC, UNAME + 2, GNAME + 2, MAJOR, MINOR, PREFIX),
        *(
            PADDING,
            b"x header",
            b"x mtime",
            b"g mtime",
            b"x padding",
            b"x order",
            b"x keys",
            b"g header",
            _ORDER,
        ),
        *(
            b"%c %b" % (kind, what)
            for kind in b"LK"
            for what in (b"header", b"mtime", b"end", b"padding")
        ),
        *(b"record " + key for key in (b"atime", b"ctime", b"mtime", b"comment")),
        *(b"record SCHILY." + key for key in (b"dev", b"ino", b"nlink")),
        b"record LIBARCHIVE.creationtime",
    )
)
#: Times of a file beside its own, and those of its headers; and how they are written (pax(1)).
_TIMES: frozenset[int | bytes] = frozenset(
    (
        *(MTIME + 1, b"x mtime", b"g mtime"),
        *(b"record " + key for key in (b"atime", b"ctime", b"LIBARCHIVE.creationtime")),
        *(b"g record " + key for key in (b"atime", b"ctime", b"mtime")),
    )
)
_TIME = re.compile(rb"-?[0-9]{1,12}(?:\.[0-9]{1,9})?")
_Groups = dict[int | bytes, tuple[bytes, ...]]


class _Seen(Struct):
    """How many members differ in a respect; the first by name, and what both have there."""

    count: int
    path: str
    left: tuple[bytes, ...]
    right: tuple[bytes, ...]


class Times(Struct, frozen=True, kw_only=True):
    """Times that two layers have of files beside those of their contents, in words and the first.

    They are seconds since 1970.
    """

    left: str
    right: str
    lines: tuple[str, ...]


class Otherwise:
    """What was found so far; only what a reader may take for more, if that alone is `meant`.

    Memory does not grow with the layers.
    """

    def __init__(self, *, meant: bool = False) -> None:
        self._meant = meant
        self._seen: dict[int | bytes, _Seen] = {}
        self._times: dict[int | bytes, _Seen] = {}
        self._members = 0
        self._first = ""
        self._ends: list[str] = []
        #: Whether a reader may take some of it for more than another way to write the same.
        self.means = False

    def add(self, path: str, left: Record, right: Record) -> None:
        """Take in two records of one path."""
        needed = _needed(left), _needed(right)
        but = _NEEDED if needed[0] != needed[1] else frozenset()
        one, other = _grouped(left, but), _grouped(right, but)
        differ = [at for at in one.keys() | other.keys() if one.get(at) != other.get(at)]
        if not differ and list(one) != list(other):
            differ = [_ORDER]
        for key in _TIMES.intersection(differ):
            if _are_times(one.get(key), other.get(key)):
                differ.remove(key)
                _count(self._times, key, path, one[key], other[key])
        means = [at for at in differ if not _is_spelling(at, one.get(at), other.get(at))]
        if self._meant:
            differ = means
        if differ:
            self._members += 1
            self._first = min(self._first, path) if self._first else path
        self.means = self.means or bool(means)
        for where in differ:
            if where not in self._seen and len(self._seen) >= _MOST and isinstance(where, bytes):
                where = _OTHER
            _count(self._seen, where, path, one.get(where, ()), other.get(where, ()))

    def end(self, left: Foot, right: Foot) -> None:
        """Take in how both layers end."""
        if left.last != right.last:
            self._ends.append("headers behind the last member")
            self.means = True
        if left.zeros != right.zeros and not (_filled(left) and _filled(right)):
            self._ends.append(f"zeros at the end: {left.zeros:,} → {right.zeros:,} bytes")

    def lines(self) -> tuple[str, ...]:
        """Return all of it in words, the most frequent first; nothing where nothing is."""
        return (*self._headers(), *self._ends)

    def times(self) -> Times | None:
        """Return the times that differ, the most frequent kind first; None where there are none."""
        if not self._times:
            return None
        first = _ordered(self._times)[0][1]
        left, right = (side[0].decode("ascii") for side in (first.left, first.right))
        return Times(left=left, right=right, lines=tuple(_lines(self._times)))

    def _headers(self) -> Iterator[str]:
        if not self._members:
            return
        members = "1 entry is" if self._members == 1 else f"{self._members:,} entries are"
        yield f"{members} written otherwise, first {_short(self._first)}"
        yield from _lines(self._seen)


def wrapped(left: Foot, right: Foot) -> Iterator[str]:
    """Yield what differs in the compressed headers of two layers."""
    one, other = dict(left.wrapper), dict(right.wrapper)
    fields = {"form"} if one.get("form") != other.get("form") else one.keys() | other.keys()
    for field in sorted(fields):
        if one.get(field) != other.get(field):
            values = [_short(side.get(field, "none")) for side in (one, other)]
            yield f"{field} in the compressed header: {values[0]} → {values[1]}"


def _count(
    seen: dict[int | bytes, _Seen],
    where: int | bytes,
    path: str,
    left: tuple[bytes, ...],
    right: tuple[bytes, ...],
) -> None:
    one = seen.setdefault(where, _Seen(0, path, left, right))
    one.count += 1
    if path < one.path:
        one.path, one.left, one.right = path, left, right


def _ordered(seen: Mapping[int | bytes, _Seen]) -> list[tuple[int | bytes, _Seen]]:
    return sorted(seen.items(), key=lambda one: (-one[1].count, str(one[0])))


def _lines(seen: Mapping[int | bytes, _Seen]) -> Iterator[str]:
    order = _ordered(seen)
    for where, one in order[:_MOST_TOLD]:
        values = f"{_values(where, one.left)} → {_values(where, one.right)}"
        yield f"{one.count:,} in {_place(where)}, first {_short(one.path)}: {values}"
    if len(order) > _MOST_TOLD:
        yield f"and in {len(order) - _MOST_TOLD} other respects"


def _is_spelling(at: int | bytes, *sides: tuple[bytes, ...] | None) -> bool:
    """Whether a respect means the same to every reader as both sides have it.

    A file of the old type, NUL, is one to all; contiguous ones (`7`) some runtimes refuse.
    """
    return at in _SPELLING and (at != TYPE or all(side in {None, (b"\0",)} for side in sides))


def _are_times(*sides: tuple[bytes, ...] | None) -> bool:
    """Whether both sides have one value, and that is a time."""
    return all(side and len(side) == 1 and _TIME.fullmatch(side[0]) for side in sides)


def _needed(found: Record) -> bool:
    """Whether an entry cannot do without an extended header."""
    return bool(found.nanoseconds or found.xattrs)


def _grouped(found: Record, but: frozenset[bytes]) -> _Groups:
    """Return the parts of a record, `but` some, those of one place together; its slashes too."""
    parts: Parts = found.written
    if found.slashes < len(_SLASHES):
        parts = ((NAME + 1, _SLASHES[found.slashes].encode()), *parts)
    groups: defaultdict[int | bytes, tuple[bytes, ...]] = defaultdict(tuple)
    for where, value in parts:
        if where in but:
            continue
        groups[where] += (value,)
    return dict(groups)


def _filled(foot: Foot) -> bool:
    """Whether a layer ends as tar programs fill it up: how many zeros follows from the rest."""
    return foot.size % _RECORD == 0 and 1024 <= foot.zeros < 1024 + _RECORD


def _place(where: int | bytes) -> str:
    if isinstance(where, bytes):
        return _short(text(where))
    if where == PADDING:
        return "padding behind the content"
    if where == UNAME:
        return "all behind the magic (bytes 265 to 511)"
    at = bisect(_STARTS, where) - 1
    end = (*_STARTS, 512)[at + 1] if where < _STARTS[-2] else 512
    return f"{_FIELDS[at][1]} (bytes {_STARTS[at]} to {end - 1})"


def _values(where: int | bytes, values: tuple[bytes, ...]) -> str:
    if where == _OTHER:
        return "…"
    words = ", ".join(map(_value, values))
    return _short(words) or ("none" if isinstance(where, bytes) else "as usual")


def _value(value: bytes) -> str:
    return f"bytes of BLAKE3 {value.hex()[:12]}" if len(value) == DIGEST else repr(value)[2:-1]


def _short(name: str) -> str:
    return printable(name)[:200]
