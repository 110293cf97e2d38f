"""Layers as the one file system that they make, from their listings: where two of them differ.

A hard link stands for the file that lay at its target when it was made, whatever became of that
name, and of several names of one file, each but the first by name has that one as its `link`. What
a link's header says of mode, owner, times and attributes, runtimes give to the file: it holds for
all its names, until another link says something else.

What a later layer hides, whoever pulls the image has all the same. So of layers that only one side
has it is compared as well. So is the turn of entries of which some runtimes make another thing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain

from blake3 import blake3
from msgspec.structs import replace

from repaudit.model.errors import MalformedError
from repaudit.model.image import Entry, Kind
from repaudit.oci.changes import MOST_CHANGES, Change, Changes, kept_rights
from repaudit.oci.listing import Listing
from repaudit.oci.otherwise import Otherwise
from repaudit.oci.record import Record, bare, encode, kind_of, text
from repaudit.oci.tree import Tree
from repaudit.oci.turns import turns

#: Where the entry of a path is: the layer's number, and the entry's. Of a hard link, then the same
#: of the file that it is a name of.
_Place = tuple[int, ...]
#: How many hard links to one file may bring other extended attributes; tools write the same ones.
_MOST_SAID = 64
#: Numbers of layers, on the left and on the right.
Numbers = tuple[Collection[int], Collection[int]]
#: What holds nothing of its own: the file of a hard link is told where it lies.
_BARE = frozenset({Kind.DIRECTORY, Kind.HARDLINK, Kind.WHITEOUT, Kind.OPAQUE})


def find_merged_changes(
    left: Sequence[Listing], right: Sequence[Listing], own: Numbers = ((), ())
) -> Changes:
    """Return where two merged file systems differ, sorted by path; most orders decide nothing.

    After it come the turns that decide, and what is hidden in the layers that each side has for its
    `own`, by number. Of how entries are written it is told what some reader takes for more. Raises
    MalformedError above MOST_CHANGES, and as `System` does.
    """
    changes: list[Change] = []
    one, other, otherwise = System(left), System(right), Otherwise(meant=True)
    turned = _named_changes(one, other, one.turns, other.turns)
    hidden = _named_changes(one, other, one.hidden(own[0]), other.hidden(own[1]))
    for change in chain(_changes(one, other, otherwise), turned, hidden):
        changes.append(change)
        if len(changes) > MOST_CHANGES:
            raise MalformedError(
                f"two images differ in more than {MOST_CHANGES} entries",
                hint="these are not two builds of one image: name those that shall be compared",
            )
    apart = {change.path for change in changes}
    both = (path for path in one.places.keys() & other.places.keys() if path not in apart)
    return Changes(
        changed=tuple(changes),
        order=None,
        written=otherwise.lines(),
        means=otherwise.means,
        kept=kept_rights(changes, (one.says(one.places[path]) for path in both)),
    )


class _Said:
    """Which entries tell of a file with hard links, beside that which made it."""

    def __init__(self, file: _Place) -> None:
        self.last = file
        #: Those with extended attributes, which add up, where they are not the ones before.
        self.attributes: list[_Place] = []
        self._before = b""

    def add(self, link: _Place, attributes: bytes) -> None:
        self.last = link
        if attributes not in (b"", self._before):
            self._before = attributes
            self.attributes.append(link)
            if len(self.attributes) > _MOST_SAID:
                raise MalformedError(
                    f"layer {link[0]}: more than {_MOST_SAID} hard links to one file, each with "
                    "other extended attributes"
                )


class System:
    """The merged file system of layers, base first: where each path is.

    Raises MalformedError for a hard link to nothing: no runtime makes it.
    """

    def __init__(self, layers: Sequence[Listing]) -> None:
        self._layers = layers
        self._tree: Tree[_Place] = Tree()
        self._said: dict[_Place, _Said] = {}
        #: Entries whose turn in their layer decides, by what they are called with it.
        self.turns: dict[str, _Place] = {}
        self._times: Counter[str] = Counter()
        self._leads = lru_cache(1024)(self._read_link)
        for number, layer in enumerate(layers):
            self._apply(number, layer)
        self.places = dict(self._tree.items())
        self._first = self._names()

    def _apply(self, number: int, layer: Listing) -> None:
        named: list[tuple[str, Kind]] = []
        links: dict[int, str] = {}
        attributes: dict[int, bytes] = {}
        for at, record in enumerate(layer.records(0, len(layer))):
            named.append((text(record.path), kind_of(record)))
            if record.link is not None and named[-1][1] is Kind.HARDLINK:
                links[at] = text(record.link)
                attributes[at] = blake3(encode(record.xattrs)).digest() if record.xattrs else b""
        for at, turn in turns(named, links):
            self.turns[_numbered(self._times, named[at][0], turn)] = number, at
            if len(self.turns) > MOST_CHANGES:
                raise MalformedError(f"the order of more than {MOST_CHANGES} entries decides")
        # Some runtimes make a link before they take away what it is to.
        below = {link: self._find(link)[1] for link in links.values()}
        self._tree.hide(named)
        for at, (path, kind) in enumerate(named):
            place: _Place = (number, at)
            if at in links:
                way, file = self._find(links[at])
                if way == path:
                    raise _refuse(number, path, "itself")
                file = file or below[links[at]]
                if file is None:
                    raise _refuse(number, path, f"{links[at]!r:.200}, which is not there")
                file = file[-2:]
                self._said.setdefault(file, _Said(file)).add(place, attributes[at])
                place += file
            self._tree.put(path, kind, place)

    def _find(self, target: str) -> tuple[str, _Place | None]:
        """Return where a link's target is, and the file: links to its folder are followed."""
        found = self._tree.at(target)
        if found is None and (way := self._tree.way(target, self._leads)):
            return way, self._tree.at(way)
        return target, found

    def _read_link(self, place: _Place) -> str | None:
        found = self._layers[place[-2]].record(place[-1])
        return text(found.link or b"") if kind_of(found) is Kind.SYMLINK else None

    def linked(self, place: _Place) -> bool:
        """Whether there is, or was, another name for what is there."""
        return place[-2:] in self._said

    def raw(self, place: _Place) -> bytes:
        """Return what the entry at a place says, and how."""
        return self._layers[place[0]].raw(place[1], 1)

    def record(self, place: _Place) -> Record:
        """Return what the entry at a place says, and how."""
        return self._layers[place[0]].record(place[1])

    def says(self, place: _Place) -> Record:
        """Return what the entry at a place says, however it is written."""
        return bare(self.record(place))

    def entry(self, path: str) -> Entry | None:
        """Return what lies at a path, under its own name."""
        place = self.places.get(path)
        if place is None:
            return None
        at = place[-2:]
        file = self.own(at)
        if at not in self._said:
            return file
        if file.kind is Kind.DIRECTORY:
            raise _refuse(place[0], path, f"{file.path!r:.200}, which is a folder")
        said, first = self._said[at], self._first[at]
        last = self.own(said.last)
        xattrs = dict(file.xattrs)
        for link in said.attributes:
            xattrs |= self.own(link).xattrs
        return replace(
            file,
            path=path,
            mode=last.mode,
            uid=last.uid,
            gid=last.gid,
            uname=last.uname,
            gname=last.gname,
            mtime=last.mtime,
            xattrs=tuple(sorted(xattrs.items())),
            link=file.link or (None if path == first else first),
        )

    def hidden(self, numbers: Collection[int]) -> dict[str, _Place]:
        """Return what these layers hold and no path shows, by what it is called."""
        places = self.places.values() if numbers else ()
        shown = {end for place in places for end in (place[:2], place[-2:])}
        times: Counter[str] = Counter()
        found: dict[str, _Place] = {}
        for number in sorted(numbers):
            layer = self._layers[number]
            for at, record in enumerate(layer.records(0, len(layer))):
                if (number, at) in shown or kind_of(record) in _BARE:
                    continue
                name = _numbered(times, text(record.path), "hidden by a later entry")
                found[name] = (number, at)
                if len(found) > MOST_CHANGES:
                    raise MalformedError(f"layers hide more than {MOST_CHANGES} files of others")
        return found

    def own(self, place: _Place) -> Entry:
        """Return the entry at a place, whatever others say of its file."""
        return self._layers[place[0]].entry(place[1])

    def _names(self) -> dict[_Place, str]:
        """Return the first name of each file that a hard link was made to."""
        first: dict[_Place, str] = {}
        for path, place in self.places.items() if self._said else ():
            if self.linked(place):
                first[place[-2:]] = min(first.get(place[-2:], path), path)
        return first


def _numbered(times: Counter[str], path: str, what: str) -> str:
    """Return what an entry of a path is called, of which there may be several."""
    name = f"{path} ({what}"
    times[name] += 1
    return f"{name}, the {times[name]}. time)" if times[name] > 1 else f"{name})"


def _changes(one: System, other: System, otherwise: Otherwise) -> Iterator[Change]:
    for path in sorted(one.places.keys() | other.places.keys()):
        a, b = one.places.get(path), other.places.get(path)
        linked = a and b and (one.linked(a) or other.linked(b))
        if a and b and one.raw(a) != other.raw(b):
            otherwise.add(path, one.record(a), other.record(b))
        if a and b and not linked and _same(one, a, other, b):
            continue
        left, right = one.entry(path), other.entry(path)
        if linked and left and right and _lasting(left) == _lasting(right):
            continue
        # The bytes of a link are where its file is.
        at = -2 if a and b else 0
        layers = (a[at] if a else 0, b[at] if b else 0)
        yield Change(path=path, left=left, right=right, layers=layers)


def _same(one: System, a: _Place, other: System, b: _Place) -> bool:
    return one.raw(a) == other.raw(b) or one.says(a) == other.says(b)


def _named_changes(
    one: System, other: System, left: Mapping[str, _Place], right: Mapping[str, _Place]
) -> Iterator[Change]:
    """Yield how entries differ that are known by such names, whatever lies at their paths."""
    for name in sorted(left.keys() | right.keys()):
        a, b = left.get(name), right.get(name)
        before, after = one.own(a) if a else None, other.own(b) if b else None
        if before and after and _lasting(before) == _lasting(after):
            continue
        layers = (a[0] if a else 0, b[0] if b else 0)
        yield Change(path=name, left=before, right=after, layers=layers)


def _lasting(entry: Entry) -> Entry:
    """Return what an entry says wherever it stands."""
    return replace(entry, position=0, offset=0, digest=None)


def _refuse(layer: int, path: str, target: str) -> MalformedError:
    return MalformedError(f"layer {layer}: {path!r:.200} is a hard link to {target}")
