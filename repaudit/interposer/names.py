"""The paths that a step wrote to, as a tree: a directory is renamed at the price of a file."""

from __future__ import annotations

_MOST = 200_000
#: Of all paths together, in characters: a name in deep folders is long.
_MOST_TEXT = 32 << 20
#: What is in no image.
NO_FILES = ("/dev/", "/proc/", "/sys/")


class Node:
    """A name: the program that wrote it, the one that gave it this name, and what lies below.

    `opener` is the program that opened it for another, as a shell does for `date > file`.
    """

    __slots__ = ("below", "named", "opener", "writer")

    def __init__(self) -> None:
        self.writer: int | None = None
        self.opener: int | None = None
        self.named: int | None = None
        self.below: dict[str, Node] | None = None


class Names:
    """Who wrote which path. `full` once there was no room for another."""

    def __init__(self) -> None:
        self.full = False
        self._top = Node()
        self._count = 0
        #: The folder that was asked for last: most names lie beside the one before.
        self._folder: tuple[str, Node] = ("", self._top)

    def wrote(self, path: str, program: int) -> None:
        """Note that a program has opened or made a path."""
        node = self._node(path)
        if node is not None:
            node.writer, node.named, node.opener = program, None, None

    def known(self, path: str) -> bool:
        """Tell whether a path was written."""
        node = self._node(path, make=False)
        return node is not None and node.writer is not None

    def inherited(self, path: str, program: int, parent: int | None) -> None:
        """Note that a program starts with a file that its parent has opened for output.

        The first writes it, as far as anybody sees; where there are several, their parent does.
        """
        node = self._node(path, make=False)
        if node is None or parent is None:
            return
        if node.opener == parent:
            node.writer = parent
        elif node.writer == parent:
            node.writer, node.opener = program, parent

    def moved(self, old: str, new: str, program: int) -> None:
        """Note rename(2): what lies below goes along."""
        source, target = self._node(old), self._node(new)
        if source is None or target is None or source is target:
            return
        target.writer, target.below, target.named = source.writer, source.below, program
        source.writer, source.named, source.below = None, None, None
        self._folder = ("", self._top)

    def linked(self, old: str, new: str, program: int) -> None:
        """Note link(2)."""
        source, target = self._node(old), self._node(new)
        if source is None or target is None or source is target:
            return
        # What had no name yet (O_TMPFILE) comes by its descriptor, from the one that wrote it.
        target.writer = program if old.startswith("/proc/") else source.writer
        target.named = program

    def swapped(self, one: str, other: str, program: int) -> None:
        """Note renameat2(2) with RENAME_EXCHANGE."""
        a, b = self._node(one), self._node(other)
        if a is None or b is None or a is b:
            return
        a.writer, b.writer = b.writer, a.writer
        a.below, b.below = b.below, a.below
        a.named = b.named = program
        self._folder = ("", self._top)

    def _node(self, path: str, *, make: bool = True) -> Node | None:
        """Return a path's node, made if need be; None where there is none, or no room for it."""
        head, _, name = path.rpartition("/")
        folder, node = self._folder
        if folder != head:
            found = self._below(self._top, head.split("/"), make=make)
            if found is None:
                return None
            self._folder = head, found
            node = found
        return self._below(node, [name], make=make)

    def _below(self, node: Node, parts: list[str], *, make: bool) -> Node | None:
        for part in parts:
            if part in {"", "."}:
                continue
            found = node.below.get(part) if node.below is not None else None
            if found is None:
                if not make:
                    return None
                node.below = {} if node.below is None else node.below
                if self._count >= _MOST:
                    self.full = True
                    return None
                self._count += 1
                found = node.below[part] = Node()
            node = found
        return node

    def writers(self) -> dict[str, list[int | None]]:
        """Return, by path without its first slash, who wrote it and who named it."""
        found: dict[str, list[int | None]] = {}
        todo, room = [("", self._top)], _MOST_TEXT
        while todo:
            path, node = todo.pop()
            room -= len(path)
            if room < 0:
                self.full = True
                break
            if (node.writer, node.named) != (None, None) and not path.startswith(NO_FILES):
                found[path.lstrip("/")] = [node.writer, node.named]
            todo.extend((f"{path}/{name}", child) for name, child in (node.below or {}).items())
        return dict(sorted(found.items()))
