"""A layer's tar archive as entries (image-spec layer.md), strictly, in constant memory.

Nothing is ever unpacked, and no name reaches a file system.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from io import BufferedIOBase, RawIOBase
from typing import BinaryIO, cast

from repaudit.model.errors import MalformedError
from repaudit.model.image import Entry, Kind, Layer
from repaudit.oci.blob import Blobs, open_layer
from repaudit.oci.cursor import Cursor, Readable, SeekingCursor
from repaudit.oci.header import Header
from repaudit.oci.members import MAX_NAME, members

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
_LINKS = frozenset((Kind.HARDLINK, Kind.SYMLINK))
_DEVICES = frozenset((Kind.CHARACTER, Kind.BLOCK))
_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"


def read_layer(stream: Readable) -> Iterator[Entry]:
    """Yield the entries of an uncompressed layer as they are stored, duplicates included.

    What is stored as a regular file (whiteouts too) has the sha256 `digest` of its content. Of a
    sparse file that is the digest of its map, a line `OFFSET LENGTH` each, and the stored bytes;
    it is one where `stored` is less than `size`. `xattrs` are sorted and their values in hex.
    Raises MalformedError for anything that tar readers could disagree on. The stream is read to
    its end when the last entry was taken.
    """
    cursor = Cursor(stream)
    for position, header in enumerate(members(cursor)):
        offset = cursor.offset
        digest = _digest(header, cursor) if _KINDS.get(header.type) is Kind.FILE else None
        yield _entry(header, position, offset, digest)


def read_index(file: BinaryIO) -> Iterator[Entry]:
    """Yield the entries of an archive that is a file, without reading contents: no digests."""
    cursor = SeekingCursor(file)
    for position, header in enumerate(members(cursor)):
        yield _entry(header, position, cursor.offset, None)


def entries(blobs: Blobs, layer: Layer) -> Iterator[Entry]:
    """Yield the entries of a layer. Its digest and diff_id were verified when the last is taken."""
    with open_layer(blobs, layer) as stream:
        yield from read_layer(stream)
        stream.drain()


def contents(
    blobs: Blobs, layer: Layer, wanted: Iterable[tuple[Entry, int]]
) -> Iterator[tuple[Entry, bytes]]:
    """Yield the content of each wanted entry of a layer, cut off at its limit in bytes.

    In stored order, in one pass. Each was verified against its entry's digest.
    """
    if layer.descriptor.digest == layer.diff_id:
        with blobs.open(layer.descriptor) as file:
            yield from extract(file, wanted)
    else:
        with open_layer(blobs, layer) as stream:
            yield from extract(stream, wanted)


def extract(stream: Readable, wanted: Iterable[tuple[Entry, int]]) -> Iterator[tuple[Entry, bytes]]:
    """Like `contents`, from an uncompressed layer; on a seekable file what is between is jumped.

    Entries without a content are left out. Raises MalformedError where a content does not match.
    """
    cursor = _cursor(stream)
    for entry, limit in sorted(wanted, key=lambda pair: pair[0].offset):
        if entry.digest is None:
            continue
        cursor.skip(entry.offset - cursor.offset)
        kept = cursor.take(min(limit, entry.stored))
        sparse = entry.stored < entry.size
        # The map of a sparse file stands before its bytes, so only the whole layer verifies it.
        digest = cursor.hash(entry.stored - len(kept), sha256(kept))
        if digest != entry.digest and not sparse:
            raise MalformedError(f"layer: {entry.path!r:.200} is not what it was: {digest}")
        yield entry, kept


def _cursor(stream: Readable) -> Cursor:
    if isinstance(stream, BufferedIOBase | RawIOBase) and stream.seekable():
        return SeekingCursor(cast("BinaryIO", stream))
    return Cursor(stream)


def _digest(header: Header, cursor: Cursor) -> str:
    if header.real_size is None or header.real_size == header.size:
        return cursor.hash(header.size)
    lines = "".join(f"{start} {length}\n" for start, length in header.regions)
    return cursor.hash(header.size, sha256(lines.encode()))


def _entry(header: Header, position: int, offset: int, digest: str | None) -> Entry:
    kind = _KINDS.get(header.type)
    if kind is None:
        raise MalformedError(
            f"layer: {header.name!r:.200} is of the unknown type {chr(header.type)!r}"
        )
    path = _path(header.name)
    if path == "." and kind is not Kind.DIRECTORY:
        raise MalformedError(f"layer: member {position} has no name")
    link = None
    if kind in _LINKS:
        link = _path(header.link.lstrip(b"/")) if kind is Kind.HARDLINK else _text(header.link)
    device = header.device if kind in _DEVICES else None
    if _WHITEOUT in path:
        kind = _whiteout(path, kind)
    return Entry(
        path=path,
        kind=kind,
        mode=header.mode,
        uid=header.uid,
        gid=header.gid,
        uname=_text(header.uname),
        gname=_text(header.gname),
        mtime=header.mtime,
        size=header.size if header.real_size is None else header.real_size,
        digest=digest,
        link=link,
        device=device,
        xattrs=header.xattrs,
        position=position,
        offset=offset,
        stored=header.size,
    )


def _text(name: bytes) -> str:
    if len(name) > MAX_NAME:
        raise MalformedError(f"layer: a name of {len(name)} bytes: {name!r:.80}")
    return name.decode(errors="surrogateescape")


def _path(name: bytes) -> str:
    """Return a name as runtimes clean it; raise MalformedError if it could lead out of the root."""
    path = _text(name)
    parts = path.split("/")
    if ".." in parts:
        raise MalformedError(f"layer: a name with `..` in it: {path!r:.200}")
    if path.startswith("/"):
        raise MalformedError(f"layer: an absolute name: {path!r:.200}")
    return "/".join([part for part in parts if part and part != "."]) or "."


def _whiteout(path: str, kind: Kind) -> Kind:
    name = path.rpartition("/")[2]
    if name == _OPAQUE:
        return Kind.OPAQUE
    return Kind.WHITEOUT if name.startswith(_WHITEOUT) else kind
