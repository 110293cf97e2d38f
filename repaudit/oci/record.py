"""What a layer says of one member, in the form that is kept, sorted out and compared as bytes.

A record of msgpack ends where its fields end. So where two rows of records hold the same bytes,
they hold the same records, and nothing need be decoded to know it.
"""

from __future__ import annotations

from sys import intern

import msgspec
from msgspec.structs import replace

from repaudit.model.errors import MalformedError
from repaudit.model.image import Entry, Kind
from repaudit.oci import residue
from repaudit.oci.header import Header
from repaudit.oci.members import MAX_NAME
from repaudit.oci.residue import Parts

_KINDS = {
    ord("\0"): Kind.FILE,
    ord("0"): Kind.FILE,
    ord("7"): Kind.FILE,  # contiguous, which no system knows any more
    ord("S"): Kind.FILE,
    ord("1"): Kind.HARDLINK,
    ord("2"): Kind.SYMLINK,
    ord("3"): Kind.CHARACTER,
    ord("4"): Kind.BLOCK,
    ord("5"): Kind.DIRECTORY,
    ord("6"): Kind.FIFO,
}
_WITH_DATA = frozenset(number for number, kind in _KINDS.items() if kind is Kind.FILE)
_DEVICES = frozenset(b"34")
_NUMBERS = {kind: number for number, kind in enumerate(Kind)}
_ALL_KINDS = tuple(Kind)
_FILE = _NUMBERS[Kind.FILE]
_WHITEOUT, _OPAQUE = b".wh.", b".wh..wh..opq"
_SECOND = 1_000_000_000
_ESCAPE = "surrogateescape"
_NAMES = "runtimes do not agree on such names: make the layer anew, with names below its root"


class Record(msgspec.Struct, array_like=True, gc=False):
    """The fields of an Entry that do not depend on where it lies. Names are bytes as stored.

    `content` tells contents apart (BLAKE3), `sha256` is there where it had to be known; both are
    digests in bytes, and of a sparse file they are those of its map and the stored bytes. `slashes`
    and `written` say how the member is written (`residue`), which is no part of the entry. First
    come the fields in which neighbours differ; `plain` relies on it.
    """

    path: bytes
    size: int
    stored: int
    content: bytes | None
    sha256: bytes | None
    slashes: int
    kind: int
    mode: int
    uid: int
    gid: int
    uname: bytes
    gname: bytes
    seconds: int
    nanoseconds: int
    link: bytes | None = None
    device: tuple[int, int] | None = None
    xattrs: tuple[tuple[bytes, str], ...] = ()
    written: Parts = ()


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Record).decode


def bare(found: Record) -> Record:
    """Return a record without how it is written."""
    return replace(found, slashes=0, written=())


def kind_of(found: Record) -> Kind:
    """Return the file type of a record."""
    return _ALL_KINDS[found.kind]


def has_data(header: Header) -> bool:
    """Tell whether the member is stored as a regular file, whiteouts included."""
    return header.type in _WITH_DATA


def sparse_map(header: Header) -> bytes:
    """Return what stands for a sparse file's holes in its digests.

    That is a line `OFFSET LENGTH` for each region of data, and one with the size of the whole.
    """
    if header.real_size is None or header.real_size == header.size:
        return b""
    return b"".join(b"%d %d\n" % region for region in header.regions) + b"%d\n" % header.real_size


def record(header: Header, position: int) -> Record:
    """Return what a header says; raise MalformedError where readers could disagree on it."""
    kind = _KINDS.get(header.type)
    if kind is None:
        raise MalformedError(
            f"layer: {header.name!r:.200} is of the unknown type {chr(header.type)!r}"
        )
    path = _path(header.name)
    if path == b"." and kind is not Kind.DIRECTORY:
        raise MalformedError(f"layer: member {position} has no name")
    if len(header.uname) + len(header.gname) > MAX_NAME:
        raise MalformedError(f"layer: {text(path)!r:.200} has an owner with a name too long")
    link = None
    slashes, more = residue.name(path, header.name)
    if kind is Kind.HARDLINK:
        link = _path(header.link.lstrip(b"/"))
        if link != header.link:
            more = (*more, residue.spelled(residue.LINK, link, header.link))
    elif kind is Kind.SYMLINK:
        link = _bounded(header.link)
    seconds, nanoseconds = divmod(header.mtime, _SECOND)
    return Record(
        path,
        header.size if header.real_size is None else header.real_size,
        header.size,
        None,
        None,
        slashes,
        _NUMBERS[_whiteout(path, kind) if _WHITEOUT in path else kind],
        header.mode,
        header.uid,
        header.gid,
        header.uname,
        header.gname,
        seconds,
        nanoseconds,
        link,
        header.device if header.type in _DEVICES else None,
        tuple([(_bytes(name), value) for name, value in header.xattrs]) if header.xattrs else (),
        header.written + more,
    )


def entry(found: Record, position: int, offset: int) -> Entry:
    """Return a record as the entry that lies at this place of its layer."""
    return Entry(
        path=text(found.path),
        kind=_ALL_KINDS[found.kind],
        mode=found.mode,
        uid=found.uid,
        gid=found.gid,
        uname=intern(text(found.uname)),
        gname=intern(text(found.gname)),
        mtime=found.seconds * _SECOND + found.nanoseconds,
        size=found.size,
        digest=None if found.sha256 is None else f"sha256:{found.sha256.hex()}",
        link=None if found.link is None else text(found.link),
        device=found.device,
        xattrs=tuple((text(name), value) for name, value in found.xattrs),
        position=position,
        offset=offset,
        stored=found.stored,
        fingerprint=found.content,
    )


def text(name: bytes) -> str:
    """Return a name as text; what is no UTF-8 is surrogate-escaped."""
    return name.decode(errors=_ESCAPE)


def _bytes(name: str) -> bytes:
    return name.encode(errors=_ESCAPE)


def _bounded(name: bytes) -> bytes:
    if len(name) > MAX_NAME:
        raise MalformedError(f"layer: a name of {len(name)} bytes: {name!r:.80}")
    return name


def plain_path(name: bytes) -> bytes:
    """Return a name as runtimes clean it if that is soon told; else nothing, as of whiteouts."""
    path = name.removeprefix(b"./")
    rooted = b"/" + path
    return b"" if b"/." in rooted or b"//" in rooted else path.removesuffix(b"/")


def _path(name: bytes) -> bytes:
    """Return a name as runtimes clean it; raise MalformedError if it could lead out of the root."""
    path = plain_path(_bounded(name))
    if path:
        return path
    parts = name.split(b"/")
    if b".." in parts:
        raise MalformedError(f"layer: a name with `..` in it: {text(name)!r:.200}", hint=_NAMES)
    if name.startswith(b"/"):
        raise MalformedError(f"layer: an absolute name: {text(name)!r:.200}", hint=_NAMES)
    return b"/".join([part for part in parts if part and part != b"."]) or b"."


def _whiteout(path: bytes, kind: Kind) -> Kind:
    name = path.rpartition(b"/")[2]
    if name == _OPAQUE:
        return Kind.OPAQUE
    if not name.startswith(_WHITEOUT):
        return kind
    if name.removeprefix(_WHITEOUT) in (b"", b".", b".."):
        raise MalformedError(f"layer: a whiteout of no name: {text(path)!r:.200}")
    return Kind.WHITEOUT
