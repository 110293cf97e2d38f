"""The files of an image as a container sees them: all layers, whiteouts applied (layer.md)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct

from repaudit.model.errors import MalformedError
from repaudit.model.image import Entry, Image, Kind, Layer
from repaudit.oci.blob import Blobs
from repaudit.oci.layer import contents, entries
from repaudit.oci.tree import Tree


class _Held(Struct, frozen=True):
    layer: Layer
    entry: Entry

    @property
    def sparse(self) -> bool:
        return self.entry.stored < self.entry.size


class Files:
    """The regular files of an image, hard links among them, by their paths.

    `digests` holds each one's sha256; `sparse` files, whose stored bytes are not their content,
    have none.
    """

    def __init__(self, blobs: Blobs, held: Mapping[str, _Held]) -> None:
        self._blobs = blobs
        self._held = held
        self.digests = {
            path: one.entry.digest or "" for path, one in held.items() if not one.sparse
        }
        self.sparse = frozenset(path for path, one in held.items() if one.sparse)

    def size(self, path: str) -> int:
        """Return a file's size in bytes."""
        return self._held[path].entry.size

    def contents(self, wanted: Mapping[str, int]) -> Iterator[tuple[str, bytes]]:
        """Yield wanted files, each cut off at its number of bytes; one pass over each layer."""
        layers: dict[int, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
        for path in wanted:
            one = self._held[path]
            layers[one.layer.index][one.entry.offset].append(path)
        for _, places in sorted(layers.items()):
            first = self._held[next(iter(places.values()))[0]]
            pairs = [
                (self._held[paths[0]].entry, max(wanted[path] for path in paths))
                for paths in places.values()
            ]
            for entry, data in contents(self._blobs, first.layer, pairs):
                for path in places[entry.offset]:
                    yield path, data[: wanted[path]]

    def whole(self, wanted: Callable[[str], bool], most: int) -> dict[str, bytes]:
        """Return the files whose paths are `wanted`, sorted by path.

        Raises MalformedError where one has more than `most` bytes, or is sparse.
        """
        paths = sorted(filter(wanted, self._held))
        for path in paths:
            if self._held[path].entry.stored > most:
                raise MalformedError(f"{path!r:.200} is larger than {most} bytes")
            if self._held[path].sparse:
                raise MalformedError(f"{path!r:.200} is a sparse file")
        return dict(sorted(self.contents(dict.fromkeys(paths, most))))


def merge(blobs: Blobs, image: Image) -> Files:
    """Return the files of an image, every layer read and verified.

    Symbolic links are not followed: layers name the paths that are.
    """
    tree: Tree[_Held | None] = Tree()
    for layer in image.layers:
        found = list(entries(blobs, layer))
        tree.hide([(entry.path, entry.kind) for entry in found])
        for entry in found:
            if entry.kind is Kind.HARDLINK:
                held = tree.at(entry.link or "")
            else:
                held = _Held(layer, entry) if entry.kind is Kind.FILE else None
            tree.put(entry.path, entry.kind, held)
    return Files(blobs, {path: held for path, held in tree.items() if held})
