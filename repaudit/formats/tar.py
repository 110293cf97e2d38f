"""tar: the fields, extended records and bytes of each member (POSIX pax(1), GNU tar manual).

The reader of layers in `oci/` merges headers, as runtimes do that unpack them. This one keeps apart
what differs apart; it reads a header's fields with `tarfile`, and walks over blocks on its own,
since `tarfile` takes a broken header for the end of an archive. What a header holds beside its
fields, and how these are written, is its `header`.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterable, Iterator

from repaudit.formats._bytes import take
from repaudit.formats.interface import MAGIC, STEP, Budget, Format, Kind, Labels, Part
from repaudit.model.errors import UnreadableError

_BLOCK = 512
_ZERO = bytes(_BLOCK)
_RECORD = re.compile(rb"([1-9][0-9]{0,7}) ([^=]+)=")
#: Records that stand for fields of the header, or only for where the next record starts.
_FIELDS = frozenset({"path", "linkpath", "size", "mtime", "uid", "gid", "uname", "gname"})
_LINKS = (tarfile.LNKTYPE, tarfile.SYMTYPE)
_DEVICES = (tarfile.CHRTYPE, tarfile.BLKTYPE)
_NO_DATA = (*_LINKS, *_DEVICES, tarfile.DIRTYPE, tarfile.FIFOTYPE)
_LONG_NAME, _LONG_LINK = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
_HEADERS = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, _LONG_NAME, _LONG_LINK)
_ONE_DIGIT = bytes.maketrans(b"01234567", b"0" * 8)
#: The fields of a header, and where they start and end.
_PLACES = (
    *(("name", 0, 100), ("mode", 100, 108), ("uid", 108, 116), ("gid", 116, 124)),
    *(("size", 124, 136), ("mtime", 136, 148), ("chksum", 148, 156), ("type", 156, 157)),
    *(("linkname", 157, 257), ("magic", 257, 265), ("uname", 265, 297), ("gname", 297, 329)),
    *(("devmajor", 329, 337), ("devminor", 337, 345), ("prefix", 345, 500), ("rest", 500, 512)),
)


class _Tar:
    name = "tar"
    rank = MAGIC
    positional = False

    def claims(self, head: bytes, name: str) -> bool:
        return head[257:262] == b"ustar"

    def parts(self, data: bytes, budget: Budget) -> Iterator[Part]:
        return _Walk(data).parts()


class _Walk:
    """What is read of an archive so far; `records` and `before` are of the member that comes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._labels = Labels()
        self._order: list[str] = []
        self._records: list[tuple[str, bytes]] = []
        self._before: list[tuple[str, bytes]] = []

    def parts(self) -> Iterator[Part]:
        data, block = self._data, b""
        while self._at < len(data) and (block := take(data, self._at, _BLOCK)) != _ZERO:
            info = _header(block)
            self._at += _BLOCK
            read = self._extension if info.type in _HEADERS else self._member
            yield from read(block, info)
        yield Part("order", "\n".join(self._order).encode(), Kind.ORDER)
        for name, value in self._before:
            yield Part(self._labels.label("of no member", name), value)
        rest = data[self._at :].lstrip(b"\0")
        yield Part("zeros at the end", b"%d" % (len(data) - self._at - len(rest)), Kind.DERIVED)
        if rest:
            yield Part("trailing", rest, Kind.FILE)

    def _body(self, size: int) -> tuple[bytes, bytes]:
        """Return so many bytes, and what pads them."""
        body = take(self._data, self._at, size)
        self._at += size
        padding = self._data[self._at : self._at + -size % _BLOCK]
        self._at += len(padding)
        return body, padding.strip(b"\0")

    def _extension(self, block: bytes, info: tarfile.TarInfo) -> Iterator[Part]:
        body, padding = self._body(info.size)
        told = list(_beside(f"header {info.type.decode()}", block, info, padding))
        if info.type != tarfile.XGLTYPE:
            self._records += _extended(info.type, body)
            self._before += told
            return
        for key, value in _records(body):
            label = self._labels.label("global", key)
            yield Part(label, value)
            if self._order:
                yield Part(f"{label}{STEP}members before it", b"%d" % len(self._order))
        for name, value in told:
            yield Part(self._labels.label(name), value)

    def _member(self, block: bytes, info: tarfile.TarInfo) -> Iterator[Part]:
        if info.type == tarfile.GNUTYPE_SPARSE:
            end = _after_maps(self._data, block, self._at)
            self._before.append(("maps", self._data[self._at : end]))
            self._at = end
        records, known = self._records, {key: value for key, value in self._records if value}
        body, padding = self._body(0 if info.type in _NO_DATA else _size(info, known))
        label = self._labels.label("member", _name(info, known))
        self._order.append(label)
        yield from _fields(label, info, known)
        yield from _more(label, block, info, records)
        if info.type not in _NO_DATA:
            yield Part(label, body, Kind.FILE)
        within = Labels()
        if padding:
            self._before.append(("padding", padding))
        for name, value in self._before:
            yield Part(within.label(name, within=label), value)
        self._records, self._before = [], []


def _header(block: bytes) -> tarfile.TarInfo:
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError) as error:
        raise UnreadableError(f"a header of a tar archive is wrong: {error}") from error
    if info.size < 0:
        raise UnreadableError("a member of a tar archive has a negative size")
    return info


def _extended(kind: bytes, body: bytes) -> list[tuple[str, bytes]]:
    if kind == _LONG_NAME:
        return [("path", body.rstrip(b"\0"))]
    return [("linkpath", body.rstrip(b"\0"))] if kind == _LONG_LINK else _records(body)


def _records(body: bytes) -> list[tuple[str, bytes]]:
    """Return the records of an extended header: `length key=value`, a line each."""
    found: list[tuple[str, bytes]] = []
    at = 0
    while at < len(body):
        match = _RECORD.match(body, at)
        end = at + int(match[1]) if match else 0
        if match is None or end <= match.end() or take(body, at, end - at)[-1:] != b"\n":
            raise UnreadableError("an extended header of a tar archive is no list of records")
        found.append((match[2].decode("utf-8", "surrogateescape"), body[match.end() : end - 1]))
        at = end
    return found


def _beside(
    word: str, block: bytes, info: tarfile.TarInfo, padding: bytes
) -> Iterator[tuple[str, bytes]]:
    """Yield what an extended header holds beside its records."""
    size = () if info.type in (_LONG_NAME, _LONG_LINK) else ("size",)
    yield f"{word} mtime", b"%d" % info.mtime
    yield word, _without(block, numbers=("mtime", *size))
    if padding:
        yield f"{word} padding", padding


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
    if not re.fullmatch(rb"0|[1-9][0-9]{0,17}", value):
        raise UnreadableError("a record of a tar archive gives no size")
    return int(value)


def _name(info: tarfile.TarInfo, records: dict[str, bytes]) -> str:
    name = records.get("GNU.sparse.name") or records.get("path")
    text = name.decode("utf-8", "surrogateescape") if name else info.name
    return text.removesuffix("/")


def _more(
    label: str, block: bytes, info: tarfile.TarInfo, records: list[tuple[str, bytes]]
) -> Iterator[Part]:
    """Yield what a header says of fields that its records say too, and all that is no field."""
    known = {key: value for key, value in records if value}
    if "mtime" in known:
        yield Part(f"{label}{STEP}header mtime", b"%d" % info.mtime)
    if known.keys() & {"uid", "gid", "uname", "gname"}:
        owner = f"{info.uid}:{info.gid} {info.uname}:{info.gname}"
        yield Part(f"{label}{STEP}header owner", owner.encode("utf-8", "surrogateescape"))
    numbers, texts = ["mode", "uid", "gid", "mtime"], ["uname", "gname"]
    if info.type not in _NO_DATA and "size" not in known:
        numbers.append("size")
    if info.type in _DEVICES:
        numbers += ["devmajor", "devminor"]
    if info.type in _LINKS and "linkpath" not in known:
        texts.append("linkname")
    named = known.keys() & {"path", "GNU.sparse.name"}
    if not named:
        texts.append("name")
        texts += ["prefix"] if info.type not in tarfile.GNU_TYPES else []
    rest = _without(block, numbers, texts)
    rest += b" path/" if any(known[key].endswith(b"/") for key in named) else b""
    yield Part(f"{label}{STEP}header", rest)
    labels = Labels()
    said = {"path": not named - {"path"}, "linkpath": info.type in _LINKS}
    last = {key: number for number, (key, _) in enumerate(records)}
    for number, (key, value) in enumerate(records):
        told = key in _FIELDS and said.get(key, True) and value and last[key] == number
        if not told:
            yield Part(labels.label("pax", key, within=label), value)


def _without(block: bytes, numbers: Iterable[str], texts: Iterable[str] = ()) -> bytes:
    """Return a header without the digits of some fields and the text of others.

    What is left shows how they are written. The checksum is right, or the header was not read.
    """
    fields = {name: block[start:end] for name, start, end in _PLACES}
    for name in (*numbers, "chksum"):
        field = fields[name]
        fields[name] = field[:1] if field[0] & 0x80 else field.translate(_ONE_DIGIT)
    for name in texts:
        text, end, more = fields[name].partition(b"\0")
        slashes = len(text) - len(text.rstrip(b"/"))
        size = b"%d" % len(text) if name == "prefix" else b""
        fields[name] = size + b"/" * slashes + end + more
    return b"|".join(field.rstrip(b"\0") for field in fields.values())


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


FORMAT: Format = _Tar()
