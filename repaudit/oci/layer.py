"""A layer's tar archive as entries (image-spec layer.md), strictly, in constant memory.

Nothing is ever unpacked, and no name reaches a file system.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from io import BufferedIOBase, RawIOBase
from typing import BinaryIO, cast

from blake3 import blake3
from msgspec.structs import replace

from repaudit.model.errors import MalformedError
from repaudit.model.image import Entry, Layer
from repaudit.oci.blob import Blobs, open_layer
from repaudit.oci.cursor import Cursor, Readable, SeekingCursor
from repaudit.oci.header import Header
from repaudit.oci.members import members
from repaudit.oci.record import entry as as_entry
from repaudit.oci.record import has_data, record, sparse_map


def read_layer(stream: Readable) -> Iterator[Entry]:
    """Yield the entries of an uncompressed layer as they are stored, duplicates included.

    What is stored as a regular file (whiteouts too) has the sha256 `digest` of its content. Of a
    sparse file that is the digest of its map (record.sparse_map) and the stored bytes; it is one
    where `stored` is less than `size`. `xattrs` are sorted and their values in hex.
    Raises MalformedError for anything that tar readers could disagree on. The stream is read to
    its end when the last entry was taken.
    """
    cursor = Cursor(stream)
    for position, header in enumerate(members(cursor)):
        offset = cursor.offset
        found = record(header, position)
        if has_data(header):
            found.sha256 = _digest(header, cursor)
        yield as_entry(found, position, offset)


def read_index(file: BinaryIO) -> Iterator[Entry]:
    """Yield the entries of an archive that is a file, without reading contents: no digests."""
    cursor = SeekingCursor(file)
    for position, header in enumerate(members(cursor)):
        yield as_entry(record(header, position), position, cursor.offset)


def entries(blobs: Blobs, layer: Layer) -> Iterator[Entry]:
    """Yield the entries of a layer. Its digest and diff_id were verified when the last is taken."""
    with open_layer(blobs, layer) as stream:
        yield from read_layer(stream)
        stream.drain()


def contents(
    blobs: Blobs, layer: Layer, wanted: Iterable[tuple[Entry, int]]
) -> Iterator[tuple[Entry, bytes]]:
    """Yield the content of each wanted entry of a layer, cut off at its limit in bytes.

    In stored order, in one pass. Each was verified against its entry's digests, and the entry that
    comes back has its sha256.
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
        if entry.content is None:
            continue
        cursor.skip(entry.offset - cursor.offset)
        kept = cursor.take(min(limit, entry.stored))
        hashes = sha256(kept), blake3(kept)
        for piece in cursor.pieces(entry.stored - len(kept)):
            for hasher in hashes:
                hasher.update(piece)
        # The map of a sparse file stands before its bytes, so only the whole layer verifies it.
        if entry.stored < entry.size:
            yield entry, kept
            continue
        digest = f"sha256:{hashes[0].hexdigest()}"
        if entry.digest not in {None, digest} or entry.fingerprint not in {
            None,
            hashes[1].digest(),
        }:
            raise MalformedError(f"layer: {entry.path!r:.200} is not what it was: {digest}")
        yield replace(entry, digest=digest), kept


def _cursor(stream: Readable) -> Cursor:
    if isinstance(stream, BufferedIOBase | RawIOBase) and stream.seekable():
        return SeekingCursor(cast("BinaryIO", stream))
    return Cursor(stream)


def _digest(header: Header, cursor: Cursor) -> bytes:
    hasher = sha256(sparse_map(header))
    for piece in cursor.pieces(header.size):
        hasher.update(piece)
    return hasher.digest()
