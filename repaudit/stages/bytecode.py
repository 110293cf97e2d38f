"""Python bytecode that one of two images runs and the other passes over.

Python takes a pyc for its source's if the header has the source's time and size (PEP 552). So where
one image has it so and the other has not, a time decides which code runs, and that the file was
made at another time is no answer. A header with a hash knows no time.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from struct import Struct

from repaudit.formats.pyc import HEADER_SIZE
from repaudit.model.difference import Aspect, Difference, Place
from repaudit.model.image import Entry, Kind, Layer
from repaudit.oci import layer as oci_layer
from repaudit.oci.record import text
from repaudit.stages.alone import SIDES
from repaudit.stages.contents import Contents
from repaudit.stages.packages import Sides

#: A pyc by its source's folder and name (importlib.util.source_from_cache).
_CACHED = re.compile(r"((?:.*/)?)__pycache__/([^/.]+)\.[^/]+\.pyc")
_HEADER = Struct("<4xIII")  # flags, the source's time and size
_WORD, _SECOND = 0xFFFF_FFFF, 1_000_000_000
#: Where a path lies in an image.
_Found = tuple[Layer, Entry]


def awakened(
    differences: Iterable[Difference], contents: Contents, sides: Sides
) -> dict[Place, str]:
    """Return the places that decide whether bytecode runs, and in words what is known of it."""
    asked: defaultdict[str | None, dict[str, list[Difference]]] = defaultdict(dict)
    for one in differences:
        source = _asks(one)
        if source is not None:
            asked[one.platform].setdefault(source, []).append(one)
    return {
        one.place: words
        for platform, sources in asked.items()
        for path, words in _Image(platform, sources, contents, sides).told()
        for one in sources[_source(path) or path]
        if one.path in (path, _source(path))
    }


def _asks(one: Difference) -> str | None:
    """Return the source whose bytecode may run by what differs, None where there is none."""
    if one.left is None or one.right is None:
        return None
    if one.aspect is Aspect.CONTENT and one.path.endswith(".pyc"):
        return _source(one.path)
    dated = one.aspect in (Aspect.MTIME, Aspect.CONTENT)
    return one.path if dated and one.path.endswith(".py") else None


def _source(path: str) -> str | None:
    hit = _CACHED.fullmatch(path)
    return f"{hit[1]}{hit[2]}.py" if hit else None


class _Image:
    """What both images of a platform have of some sources and their bytecode."""

    def __init__(
        self,
        platform: str | None,
        sources: Mapping[str, Sequence[Difference]],
        contents: Contents,
        sides: Sides,
    ) -> None:
        self._sources = sources
        self._sides = sides
        self._all_read = True
        self._found = [self._entries(side, platform, sources) for side in (0, 1)]
        self._headers: dict[tuple[int, str], bytes] = {}
        for one in (one for some in sources.values() for one in some):
            kept = contents.get((one.left, one.right))
            if kept and one.path.endswith(".pyc"):
                for side, content in enumerate(kept.load()):
                    self._headers[side, one.path] = content.data[:HEADER_SIZE]

    def told(self) -> Iterator[tuple[str, str]]:
        """Yield the path of each pyc that runs on one side alone, or may, and what is to say."""
        both = self._found[0].keys() & self._found[1].keys()
        cached = sorted(path for path in both if _source(path))
        self._read(cached)
        for path in cached:
            headers = [self._headers.get((side, path), b"") for side in (0, 1)]
            live = [self._live(side, path, header) for side, header in enumerate(headers)]
            dated = any(one.path != path for one in self._sources[_source(path) or ""])
            if None in live and (dated or headers[0] != headers[1]):
                yield path, f"whether Python runs {path} was not told: not all that decides is read"
            elif live[0] != live[1] and None not in live:
                side = SIDES[live.index(True)]
                yield path, f"Python runs {path} on the {side} alone, by its time and the source's"

    def _entries(
        self, side: int, platform: str | None, sources: Mapping[str, object]
    ) -> dict[str, _Found]:
        named = self._sides.opened[side].images.named
        found: dict[str, _Found] = {}
        for layer in named[platform or next(iter(named))].layers:
            listing = self._sides.reading.shelf.find(layer)
            if listing is None:
                self._all_read = False
                continue
            with closing(listing):
                for number, record in enumerate(listing.records(0, len(listing))):
                    path = text(record.path) if record.path.endswith((b".py", b".pyc")) else ""
                    if path in sources or _source(path) in sources:
                        found[path] = layer, listing.entry(number)
        return {path: found.get(each[1].link or "", each) for path, each in found.items()}

    def _read(self, cached: Iterable[str]) -> None:
        """Read the headers of what is the same on both sides."""
        wanted: defaultdict[int, list[tuple[Entry, int]]] = defaultdict(list)
        layers: dict[int, Layer] = {}
        for path in cached:
            (layer, entry), (_, other) = (found[path] for found in self._found)
            same = entry.content is not None and entry.content == other.content
            if same and (0, path) not in self._headers:
                layers[layer.index] = layer
                wanted[layer.index].append((entry, HEADER_SIZE))
        read = dict[str, bytes]()
        for number, some in wanted.items():
            blobs = self._sides.opened[0].blobs
            for entry, data in oci_layer.contents(blobs, layers[number], some):
                read[entry.path] = data
        for path in cached:
            if data := read.get(self._found[0][path][1].path, b""):
                self._headers[0, path] = self._headers[1, path] = data

    def _live(self, side: int, path: str, header: bytes) -> bool | None:
        """Whether Python runs a pyc for its time and size; None where that is not known."""
        if len(header) < HEADER_SIZE:
            return None
        flags, time, size = _HEADER.unpack(header)
        if flags:
            return False
        found = self._found[side].get(_source(path) or "")
        if found is None:
            return False if self._all_read else None
        source = found[1]
        if source.kind is not Kind.FILE:
            return None
        return (time, size) == (source.mtime // _SECOND & _WORD, source.size & _WORD)
