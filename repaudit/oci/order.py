"""What the order of a layer's entries decides: nothing in most layers, but for times of folders.

Whoever unpacks a layer takes entry after entry, and most entries could come in any order. These
could not:

* a hard link, and what else is written to its target: it stands for what lies there at that time,
  and the last of several says what mode, owner and times the file has;
* a whiteout, and what it hides: some runtimes take away what this layer has put there before;
* whatever there is, where something lies below a file or a symbolic link: that leads elsewhere, or
  is in the way, if it was there before.

So it is with an archive in an image, of whose entries several may have one path besides. The layer
itself is judged by what it holds; what layers below hold is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence

from blake3 import blake3

from repaudit.model.image import Kind
from repaudit.model.text import printable
from repaudit.oci.listing import Listing
from repaudit.oci.record import Record, encode, kind_of, text

#: What the names of folders and of hard links may take in memory, in bytes.
MOST_NAMES = 256 << 20
#: About what each takes besides its own bytes.
_EACH = 100
_WHITEOUT = b".wh."
_WHITEOUTS = frozenset({Kind.WHITEOUT, Kind.OPAQUE})
#: Where a stretch that two layers have in common begins in each, and how long it is.
Stretch = tuple[int, int, int]


class _TooManyError(Exception):
    """There is no room to tell."""


def decided(
    left: Listing, stretches: Sequence[Stretch], told: Container[int], most: int = MOST_NAMES
) -> str | None:
    """Return in words what the order of common entries decides, None where that is nothing.

    `told` are numbers of entries that differ in what they are: no order can make these agree.
    """
    in_order = sorted(stretches)

    def common() -> Iterator[tuple[int, Record]]:
        for i, j, count in in_order:
            for at, found in enumerate(left.records(i, count)):
                if i + at not in told:
                    yield j + at, found

    return _judged(_Layer(common, most, repeats=left.foot.repeats))


def decided_in_archive(entries: Sequence[tuple[int, Record]], most: int = MOST_NAMES) -> str | None:
    """Return the same of an archive's entries, in the order of one side with places on the other.

    A path that several have is that of the last one.
    """
    again = _Order()
    for place, found in entries:
        again.add(found.path, place, writes=True)
    if again.moved:
        return f"the order decides what {_show(min(again.moved))} is: it stands there again"
    return _judged(_Layer(lambda: iter(entries), most, repeats=False))


def _judged(layer: _Layer) -> str | None:
    try:
        return layer.judge()
    except _TooManyError:
        return "whether the order decides anything cannot be told of so many names"


class _Order:
    """Groups of entries that must keep their order to one that writes; which did not is `moved`.

    Entries come in the order of the left, with their places on the right.
    """

    def __init__(self) -> None:
        self._seen: dict[bytes, tuple[int, int]] = {}
        self.moved: set[bytes] = set()

    def add(self, group: bytes, place: int, *, writes: bool) -> None:
        last, written = self._seen.get(group, (-1, -1))
        if place < (last if writes else written):
            self.moved.add(group)
        self._seen[group] = max(last, place), max(written, place) if writes else written


class _Links:
    """The hard links of a layer: names that lead to each other are one group."""

    def __init__(self) -> None:
        self._up: dict[bytes, bytes] = {}
        #: What the first link to a target says of the file, which the last one decides.
        self._said: dict[bytes, bytes] = {}
        self._mixed: set[bytes] = set()

    def __contains__(self, name: bytes) -> bool:
        return name in self._up

    def __len__(self) -> int:
        return len(self._up)

    def add(self, link: Record) -> None:
        target = link.link or b""
        times = link.seconds, link.nanoseconds
        said = blake3(encode((link.mode, link.uid, link.gid, times, link.xattrs))).digest()
        if self._said.setdefault(target, said) != said:
            self._mixed.add(target)
        for name in (link.path, target):
            self._up.setdefault(name, name)
        self._up[self.group(link.path)] = self.group(target)

    def close(self) -> None:
        """Say that all were added."""
        first: dict[bytes, bytes] = {}
        self._mixed = {self.group(name) for name in self._mixed}
        for target, said in self._said.items():
            group = self.group(target)
            if first.setdefault(group, said) != said:
                self._mixed.add(group)

    def group(self, name: bytes) -> bytes:
        while (up := self._up[name]) != name:
            self._up[name] = name = self._up[up]
        return name

    def writes(self, link: Record) -> bool:
        """Whether it matters to others of its group where a link stands."""
        return link.path in self._said or self.group(link.path) in self._mixed

    def first(self, groups: Container[bytes]) -> bytes:
        """Return the first target in some groups, by name."""
        return min(target for target in self._said if self.group(target) in groups)


class _Layer:
    """The entries that two layers have in common, as the left one holds them.

    `common` yields them with their places on the right; `repeats` says that a path may stand there
    more than once.
    """

    def __init__(
        self, common: Callable[[], Iterator[tuple[int, Record]]], room: int, *, repeats: bool
    ) -> None:
        self._common = common
        self._room = room
        self._repeats = repeats
        self._folders = {b""}
        self._links = _Links()
        #: What whiteouts hide; of each folder, the uppermost of them at or above it.
        self._hidden: set[bytes] = set()
        self._tops: dict[bytes, bytes | None] = {}

    def judge(self) -> str | None:
        bare = self._look()
        if not (bare or self._links or self._hidden or self._repeats):
            return None
        blocked = self._blocked()
        if blocked is not None:
            return f"the order decides what {_show(blocked)} is: something lies below it"
        links, hidden = self._links_moved(), self._hidden_moved()
        if links:
            return f"the order decides what hard links to {_show(self._links.first(links))} hold"
        if hidden:
            return f"the order decides what a whiteout leaves of {_show(min(hidden))}"
        return None

    def _blocked(self) -> bytes | None:
        """Return the first path by name that is no folder, though something lies below it."""
        found = (one for _, one in self._common() if kind_of(one) is not Kind.DIRECTORY)
        return min((one.path for one in found if one.path in self._folders), default=None)

    def _links_moved(self) -> set[bytes]:
        order = _Order()
        for place, found in self._common() if self._links else ():
            kind = kind_of(found)
            name = _written(found, kind)
            if name in self._links:
                writes = kind is not Kind.HARDLINK or self._links.writes(found)
                order.add(self._links.group(name), place, writes=writes)
        return order.moved

    def _hidden_moved(self) -> set[bytes]:
        order = _Order()
        for place, found in self._common() if self._hidden else ():
            kind = kind_of(found)
            name = _written(found, kind)
            for one in {name, found.link or b""} if kind is Kind.HARDLINK else (name,):
                top = self._top(one)
                if top is not None:
                    order.add(top, place, writes=kind in _WHITEOUTS)
        return order.moved

    def _look(self) -> bool:
        """Take in what all names tell; return whether a folder has no entry of its own."""
        own = {b"", b"."}
        for _, found in self._common():
            kind = kind_of(found)
            self._enter(found.path)
            if kind is Kind.DIRECTORY:
                own.add(found.path)
            elif kind is Kind.HARDLINK:
                self._take(len(found.path))
                self._take(len(found.link or b""))
                self._enter(found.link or b"")
                self._links.add(found)
            elif kind in _WHITEOUTS:
                self._take(len(found.path))
                self._hidden.add(_written(found, kind))
        self._links.close()
        self._tops[b""] = b"" if b"" in self._hidden else None
        return not self._folders <= own

    def _enter(self, path: bytes) -> None:
        folder = path.rpartition(b"/")[0]
        while folder not in self._folders:
            self._take(len(folder))
            self._folders.add(folder)
            folder = folder.rpartition(b"/")[0]

    def _take(self, size: int) -> None:
        self._room -= size + _EACH
        if self._room < 0:
            raise _TooManyError

    def _top(self, name: bytes) -> bytes | None:
        """Return the uppermost of what is hidden, at or above a name."""
        here, below = name.rpartition(b"/")[0], []
        while here not in self._tops:
            below.append(here)
            here = here.rpartition(b"/")[0]
        top = self._tops[here]
        for folder in reversed(below):
            self._take(len(folder))
            top = folder if top is None and folder in self._hidden else top
            self._tops[folder] = top
        return name if top is None and name in self._hidden else top


def _written(found: Record, kind: Kind) -> bytes:
    """Return the path that an entry writes: its own, or what it hides."""
    folder, slash, name = found.path.rpartition(b"/")
    if kind is Kind.OPAQUE:
        return folder
    if kind is Kind.WHITEOUT:
        return folder + slash + name.removeprefix(_WHITEOUT)
    return b"" if found.path == b"." else found.path


def _show(path: bytes) -> str:
    return printable(text(path))[:200] or "/"
