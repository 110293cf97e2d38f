"""The files of an image as a container sees them: all layers, whiteouts applied (layer.md)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from repaudit.model.errors import MalformedError
from repaudit.model.image import Entry, Image, Kind, Layer
from repaudit.oci.blob import Blobs
from repaudit.oci.layer import contents, entries

#: An image of some hundred thousand files is a large one; each takes half a kilobyte here.
MOST_FILES = 3_000_000
_DEEPEST = 512
_WHITEOUT = ".wh."


@dataclass(frozen=True, slots=True)
class _Held:
    layer: Layer
    entry: Entry


_Tree: TypeAlias = "dict[str, _Tree | _Held]"


class Files:
    """The regular files of an image, hard links among them, by their paths.

    `digests` holds each one's sha256; a sparse file, whose stored bytes are not its content, has
    none and is left out.
    """

    def __init__(self, blobs: Blobs, held: Mapping[str, _Held]) -> None:
        self._blobs = blobs
        self._held = held
        self.digests = {path: one.entry.digest or "" for path, one in held.items()}

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


def merge(blobs: Blobs, image: Image) -> Files:
    """Return the files of an image, every layer read and verified.

    What lies below a path that another layer made a file, or took away, is gone. Symbolic links are
    not followed: layers name the paths that are.
    """
    root: _Tree = {}
    count = 0
    for layer in image.layers:
        count = _apply(root, layer, list(entries(blobs, layer)), count)
    return Files(blobs, dict(_flat(root)))


def _apply(root: _Tree, layer: Layer, found: list[Entry], count: int) -> int:
    for entry in found:  # whiteouts hide what is below their layer, wherever they stand in it
        folder, _, name = entry.path.rpartition("/")
        if entry.kind is Kind.OPAQUE:
            _remove(root, folder)
        elif entry.kind is Kind.WHITEOUT:
            target = name.removeprefix(_WHITEOUT)
            _remove(root, f"{folder}/{target}" if folder else target)
    for entry in found:
        if entry.kind in (Kind.OPAQUE, Kind.WHITEOUT):
            continue
        if entry.kind is Kind.DIRECTORY:
            _folder(root, entry.path)
            continue
        count += 1
        if count > MOST_FILES:
            raise MalformedError(f"the image has more than {MOST_FILES} files")
        _put(root, entry.path, _resolved(root, layer, entry))
    return count


def _resolved(root: _Tree, layer: Layer, entry: Entry) -> _Held | None:
    """Return what a path holds: a file's content; nothing for what is no regular file."""
    if entry.kind is Kind.FILE and entry.stored >= entry.size:
        return _Held(layer, entry)
    if entry.kind is Kind.HARDLINK:
        target = _at(root, entry.link or "")
        return target if isinstance(target, _Held) else None
    return None


def _parts(path: str) -> list[str]:
    parts = path.split("/") if path not in ("", ".") else []
    if len(parts) > _DEEPEST:
        raise MalformedError(f"layer: a path of {len(parts)} folders: {path!r:.80}")
    return parts


def _at(root: _Tree, path: str) -> _Tree | _Held | None:
    here: _Tree | _Held = root
    for part in _parts(path):
        if not isinstance(here, dict) or part not in here:
            return None
        here = here[part]
    return here


def _folder(root: _Tree, path: str) -> _Tree:
    here = root
    for part in _parts(path):
        inner = here.get(part)
        if not isinstance(inner, dict):
            inner = here[part] = {}
        here = inner
    return here


def _put(root: _Tree, path: str, held: _Held | None) -> None:
    folder, _, name = path.rpartition("/")
    here = _folder(root, folder)
    here.pop(name, None)
    if held is not None:
        here[name] = held


def _remove(root: _Tree, path: str) -> None:
    folder, _, name = path.rpartition("/")
    here = _at(root, folder)
    if not name:
        root.clear()
    elif isinstance(here, dict):
        here.pop(name, None)


def _flat(root: _Tree) -> Iterator[tuple[str, _Held]]:
    waiting: list[tuple[str, _Tree]] = [("", root)]
    while waiting:
        prefix, here = waiting.pop()
        for name, inner in here.items():
            if isinstance(inner, dict):
                waiting.append((f"{prefix}{name}/", inner))
            else:
                yield prefix + name, inner
