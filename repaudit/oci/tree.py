"""A file system as the layers of an image make it (image-spec layer.md, "Applying Changesets").

Nothing is unpacked: a tree holds what its user wants to know of each path. Where readers disagree,
nothing is left out: a symbolic link stays beside what a layer has below it, since some readers
follow the link, and some put a directory in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar, cast

from repaudit.model.errors import MalformedError
from repaudit.model.image import Kind

#: An image of some hundred thousand files is a large one; each takes up to half a kilobyte here.
MOST_NAMES = 3_000_000
_DEEPEST = 512
_WHITEOUT = ".wh."
#: Under this name a folder, or a link that is used as one, holds its own item.
_OWN = ""
_FOLDERS = frozenset({Kind.DIRECTORY, Kind.SYMLINK})
_WHITEOUTS = frozenset({Kind.WHITEOUT, Kind.OPAQUE})
Item = TypeVar("Item")


class Tree(Generic[Item]):
    """Layers applied one after the other, from the base up: of each `hide` all, then `put` all.

    Raises MalformedError above MOST_NAMES, counted over all layers, and for a path of more than
    512 folders.
    """

    def __init__(self) -> None:
        # A node is an item, or a dict of nodes by name, which no checker can tell apart.
        self._root: dict[str, object] = {}
        self._count = 0

    def hide(self, entries: Sequence[tuple[str, Kind]]) -> None:
        """Take away what a layer hides of those below it, wherever its whiteouts stand in it.

        A link hides as a whiteout does: what lower layers have below its path is not in it.
        """
        for path, kind in entries:
            folder, _, name = path.rpartition("/")
            if kind is Kind.OPAQUE:
                self._empty(folder)
            elif kind is Kind.WHITEOUT:
                self._remove(folder, name.removeprefix(_WHITEOUT))
            elif kind is Kind.SYMLINK:
                self._remove(folder, name)

    def put(self, path: str, kind: Kind, item: Item) -> None:
        """Put an entry in its place; what it cannot stand beside is gone. Whiteouts have none."""
        if kind in _WHITEOUTS:
            return
        folder, _, name = path.rpartition("/")
        here = self._folder(folder)
        if path == ".":
            here[_OWN] = item
        elif kind in _FOLDERS:
            self._within(here, name)[_OWN] = item
        else:
            self._counted()
            here[name] = item

    def at(self, path: str) -> Item | None:
        """Return the item at a path, None where there is nothing."""
        found = self._node(path)
        return cast("Item | None", found.get(_OWN) if isinstance(found, dict) else found)

    def way(self, path: str, leads: Callable[[Item], str | None]) -> str | None:
        """Return a path whose folder is reached through no symbolic link, from one that may be.

        `leads` tells where an item leads, None for what is no link. None where a folder on the way
        is not there, or where links lead through more than 512 of them.
        """
        folder, _, name = path.rpartition("/")
        ahead, room = _parts(folder)[::-1], _DEEPEST
        behind: list[tuple[str, dict[str, object]]] = []
        while ahead:
            part = ahead.pop()
            if part == "..":
                del behind[-1:]
            elif part not in ("", "."):
                inner = (behind[-1][1] if behind else self._root).get(part)
                own = inner.get(_OWN) if isinstance(inner, dict) else inner
                target = None if own is None else leads(cast("Item", own))
                if target is not None:
                    steps = target.split("/")
                    room -= len(steps)
                    ahead += steps[::-1]
                    behind = [] if target.startswith("/") else behind
                elif isinstance(inner, dict):
                    behind.append((part, inner))
                else:
                    return None
            if room < 0:
                return None
        return "/".join((*(part for part, _ in behind), name))

    def items(self) -> Iterator[tuple[str, Item]]:
        """Yield each path and its item; the root's path is `.`."""
        waiting = [("", self._root)]
        while waiting:
            above, here = waiting.pop()
            for name, inner in here.items():
                path = f"{above}/{name}" if above and name else above or name
                if isinstance(inner, dict):
                    waiting.append((path, inner))
                else:
                    yield path or ".", cast("Item", inner)

    def _node(self, path: str) -> object:
        here: object = self._root
        for part in _parts(path):
            here = here.get(part) if isinstance(here, dict) else None
        return here

    def _folder(self, path: str) -> dict[str, object]:
        here = self._root
        for part in _parts(path):
            here = self._within(here, part)
        return here

    def _within(self, here: dict[str, object], name: str) -> dict[str, object]:
        """Return the folder of that name, made in the place of what is none."""
        inner = here.get(name)
        if not isinstance(inner, dict):
            self._counted()
            inner = here[name] = {}
        return inner

    def _empty(self, path: str) -> None:
        here = self._node(path)
        if isinstance(here, dict):
            own = {_OWN: here[_OWN]} if _OWN in here else {}
            here.clear()
            here.update(own)

    def _remove(self, folder: str, name: str) -> None:
        here = self._node(folder)
        if isinstance(here, dict):
            here.pop(name, None)

    def _counted(self) -> None:
        self._count += 1
        if self._count > MOST_NAMES:
            raise MalformedError(f"the image has more than {MOST_NAMES} files")


def _parts(path: str) -> list[str]:
    parts = path.split("/") if path not in ("", ".") else []
    if len(parts) > _DEEPEST:
        raise MalformedError(f"layer: a path of {len(parts)} folders: {path!r:.80}")
    return parts
