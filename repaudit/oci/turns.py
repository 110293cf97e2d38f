"""Entries of one layer of which runtimes make another thing where they stand in another turn.

Some take away with a whiteout what the layer itself has put there before, and some follow a link
that was there before. `order` compares such turns where layers correspond; where they do not, each
side's own are told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from repaudit.model.image import Kind

_WHITEOUT = ".wh."
_WHITEOUTS = frozenset({Kind.WHITEOUT, Kind.OPAQUE})
#: The first and the last number of some entries.
_Span = tuple[int, int]
_NEVER: _Span = (1 << 62, -1)


def turns(named: Sequence[tuple[str, Kind]], links: Mapping[int, str]) -> Iterator[tuple[int, str]]:
    """Yield the number of each such entry, and in words what its turn is.

    `links` are the targets of hard links, by number.
    """
    layer = _Layer(named)
    for at, (path, kind) in enumerate(named):
        if kind in _WHITEOUTS:
            continue
        if layer.hiding(path)[1] > at:
            yield at, "before a whiteout of it"
        if at in links and layer.hiding(links[at])[0] < at:
            yield at, "a link behind a whiteout of its target"
        first, last = layer.above(path)[1]
        if first < at:
            yield at, "behind what is no folder above it"
        if last > at:
            yield at, "before what is no folder above it"


class _Layer:
    """Where a layer has whiteouts, and what is no folder."""

    def __init__(self, named: Sequence[tuple[str, Kind]]) -> None:
        self._gone: dict[str, _Span] = {}
        self._emptied: dict[str, _Span] = {}
        self._blocks: dict[str, _Span] = {}
        for at, (path, kind) in enumerate(named):
            folder, slash, name = path.rpartition("/")
            if kind is Kind.OPAQUE:
                _add(self._emptied, folder, at)
            elif kind is Kind.WHITEOUT:
                _add(self._gone, folder + slash + name.removeprefix(_WHITEOUT), at)
            elif kind is not Kind.DIRECTORY:
                _add(self._blocks, path, at)
        self._above = {"": (self._emptied.get("", _NEVER), _NEVER)}

    def hiding(self, path: str) -> _Span:
        """Return where the whiteouts are that hide a path."""
        return _both(self.above(path)[0], self._gone.get(path, _NEVER))

    def above(self, path: str) -> tuple[_Span, _Span]:
        """Return where the whiteouts of the folders of a path are, and what of them is none."""
        folder, below = path.rpartition("/")[0], list[str]()
        while folder not in self._above:
            below.append(folder)
            folder = folder.rpartition("/")[0]
        gone, blocks = self._above[folder]
        for folder in reversed(below):
            for hidden in (self._gone, self._emptied):
                gone = _both(gone, hidden.get(folder, _NEVER))
            blocks = _both(blocks, self._blocks.get(folder, _NEVER))
            self._above[folder] = gone, blocks
        return gone, blocks


def _both(one: _Span, other: _Span) -> _Span:
    return min(one[0], other[0]), max(one[1], other[1])


def _add(spans: dict[str, _Span], path: str, at: int) -> None:
    spans[path] = _both(spans.get(path, _NEVER), (at, at))
