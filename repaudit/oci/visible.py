"""The files of an image as a container sees them: layers applied in order (image-spec layer.md)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from repaudit.model.errors import MalformedError
from repaudit.model.image import Entry, Image, Kind, Layer
from repaudit.oci.blob import Blobs
from repaudit.oci.layer import contents, entries

_WHITEOUT = ".wh."


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A file that is there in the end, and the layer that brought it."""

    layer: Layer
    entry: Entry


def read_files(
    blobs: Blobs, image: Image, wanted: Callable[[str], bool], most: int
) -> dict[str, bytes]:
    """Return the regular files of the merged image whose paths are `wanted`, sorted by path.

    Paths have no leading `/`; no symbolic link is followed. Raises MalformedError where a file is
    larger than `most` bytes, and for what the layers' readers refuse.
    """
    found = find_files(blobs, image, wanted)
    files: dict[str, bytes] = {}
    for layer in image.layers:
        here: dict[int, list[str]] = {}
        ours = []
        for path, one in found.items():
            if one.layer is layer:
                here.setdefault(one.entry.position, []).append(path)
                ours.append((one.entry, most))
        for entry, data in contents(blobs, layer, _once(ours)) if ours else ():
            for path in here[entry.position]:
                _check_whole(path, entry, most)
                files[path] = data
    return dict(sorted(files.items()))


def _once(pairs: list[tuple[Entry, int]]) -> Iterator[tuple[Entry, int]]:
    return iter({entry.position: (entry, most) for entry, most in pairs}.values())


def _check_whole(path: str, entry: Entry, most: int) -> None:
    if entry.stored > most:
        raise MalformedError(f"{path!r:.200} is larger than {most} bytes")
    if entry.stored < entry.size:
        raise MalformedError(f"{path!r:.200} is a sparse file")


def find_files(blobs: Blobs, image: Image, wanted: Callable[[str], bool]) -> dict[str, Found]:
    """Return the regular files of the merged image whose paths are `wanted`; every layer is read.

    A hard link is the file that it leads to.
    """
    merged: dict[str, Found] = {}
    for layer in image.layers:
        changes = _Changes(layer)
        for entry in entries(blobs, layer):
            changes.add(entry, wanted)
        kept = {path: one for path, one in merged.items() if not changes.hides(path)}
        merged = kept | changes.found
    return merged


class _Changes:
    """What one layer does to the wanted files of those below it."""

    def __init__(self, layer: Layer) -> None:
        self._layer = layer
        self._files: dict[str, Found] = {}
        self._gone: set[str] = set()
        self._opaque: set[str] = set()
        self.found: dict[str, Found] = {}

    def add(self, entry: Entry, wanted: Callable[[str], bool]) -> None:
        """Take in the next entry of the layer; the last one of a path counts."""
        path = entry.path
        folder, _, name = path.rpartition("/")
        if entry.kind is Kind.OPAQUE:
            self._opaque.add(folder)
        elif entry.kind is Kind.WHITEOUT:
            self._gone.add(f"{folder}/{name.removeprefix(_WHITEOUT)}".lstrip("/"))
        elif entry.kind is not Kind.DIRECTORY:
            self._gone.add(path)
        one = Found(layer=self._layer, entry=entry) if entry.kind is Kind.FILE else None
        if entry.kind is Kind.HARDLINK:
            one = self._files.get(entry.link or "")
        if one is not None:
            self._files[path] = one
        self.found.pop(path, None)
        if one is not None and wanted(path):
            self.found[path] = one

    def hides(self, path: str) -> bool:
        """Whether a file of a lower layer is no longer to be seen at `path`."""
        above = [path[:at] for at in range(len(path)) if path[at] == "/"]
        gone = path in self._gone or any(folder in self._gone for folder in above)
        return gone or any(folder in self._opaque for folder in ("", *above))
