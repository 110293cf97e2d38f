"""Listings that are kept, so that no layer is read twice: in an audit, or from day to day.

A listing is found by the digest of its blob and the diff_id that it was verified against, and taken
only if it is, byte for byte, what was written.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from msgspec.structs import replace

from repaudit.host.store import Store
from repaudit.model.errors import MalformedError
from repaudit.model.image import Layer
from repaudit.oci.ahead import Ahead
from repaudit.oci.blob import Blobs, LayerStream, open_layer
from repaudit.oci.compression import BOUNDS, Bounds
from repaudit.oci.cursor import CHUNK
from repaudit.oci.listing import Listing, Writer, load
from repaudit.oci.spool import Spool
from repaudit.oci.twin import read_alone, read_twins

_Side = tuple[Blobs, Layer]
#: What the layers that one audit reads may hold together, in bytes: some minutes of work.
MOST_WORK = 256 << 30


class Shelf:
    """Listings in a folder of ours, one file a blob, and in a store where there is one."""

    def __init__(self, folder: Path, store: Store | None = None, work: int = MOST_WORK) -> None:
        self._folder = folder
        self._store = store
        self._room = work
        folder.mkdir(parents=True, exist_ok=True)

    def find(self, layer: Layer) -> Listing | None:
        """Return the listing of a layer, if there is one and it is sound."""
        found = self._load(self._path(layer), layer)
        return self._stored(layer) if found is None else found

    def _stored(self, layer: Layer) -> Listing | None:
        if self._store is None:
            return None
        name = self._path(layer).name
        found = self._load(self._store.path(name), layer)
        if found is None:
            self._store.drop(name)
        return found

    def _load(self, path: Path, layer: Layer) -> Listing | None:
        found = load(path)
        if found is not None and (found.foot.digest, found.foot.diff_id) != _names(layer):
            found.close()
            return None
        return found

    def read_each(self, sides: Sequence[_Side]) -> tuple[Listing, ...]:
        """Return the listings of layers, two of which are read at a time."""
        first = {side[1].descriptor.digest: side for side in sides}

        def read(side: _Side) -> None:
            self._known(self.find(side[1]), side).close()

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(read, first.values()))
        return tuple(self._found(layer) for _, layer in sides)

    def _found(self, layer: Layer) -> Listing:
        found = self.find(layer)
        if found is None:
            raise MalformedError(f"layer {layer.index}: its listing was changed while it was used")
        return found

    def read(self, left: _Side, right: _Side, to: Spool) -> tuple[Listing, Listing]:
        """Return the listings of two layers; those that are not here are read, and then are.

        Contents that are found to differ on the way are kept in `to`. Raises MalformedError where
        a layer is malformed, or not what its digests say.
        """
        known = self.find(left[1]), self.find(right[1])
        if known[0] is None and known[1] is None:
            return self._both(left, right, to)
        return self._known(known[0], left), self._known(known[1], right)

    def _known(self, listing: Listing | None, side: _Side) -> Listing:
        return self._one(side) if listing is None else listing

    def _both(self, left: _Side, right: _Side, to: Spool) -> tuple[Listing, Listing]:
        with (
            open_layer(*left, self._bounds()) as one,
            open_layer(*right, self._bounds()) as other,
            Ahead(one) as a,
            Ahead(other) as b,
            Writer(self._draft(left[1])) as first,
            Writer(self._draft(right[1])) as second,
        ):
            read_twins(a, b, (first, second), to)
            self._drain(a)
            self._drain(b)
            return self._kept(first, left[1], one), self._kept(second, right[1], other)

    def _one(self, side: _Side) -> Listing:
        with (
            open_layer(*side, self._bounds()) as stream,
            Ahead(stream) as ahead,
            Writer(self._draft(side[1])) as writer,
        ):
            read_alone(ahead, writer)
            self._drain(ahead)
            return self._kept(writer, side[1], stream)

    def _kept(self, writer: Writer, layer: Layer, stream: LayerStream) -> Listing:
        listing = writer.finish(*_names(layer), stream.wrapper)
        path = self._draft(layer).replace(self._path(layer))
        if self._store is not None:
            self._store.put(path, path.name)
        return listing

    def _bounds(self) -> Bounds:
        if self._room <= 0:
            raise MalformedError(
                "the layers hold more than an audit reads",
                hint=f"all that is read may hold {MOST_WORK >> 30} GiB, so that it comes to an end",
            )
        return replace(BOUNDS, total=min(BOUNDS.total, self._room))

    def _drain(self, stream: Ahead) -> None:
        while stream.read(CHUNK):
            pass
        self._room -= stream.given

    def _path(self, layer: Layer) -> Path:
        return self._folder / layer.descriptor.digest.replace(":", "-")

    def _draft(self, layer: Layer) -> Path:
        return self._path(layer).with_suffix(".draft")


def _names(layer: Layer) -> tuple[str, str]:
    return layer.descriptor.digest, layer.diff_id
