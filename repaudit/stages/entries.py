"""How the entries of two layers differ, one difference an aspect."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from sys import intern

from msgspec.structs import replace

from repaudit.model.deciding import of_system
from repaudit.model.difference import Aspect, Difference
from repaudit.model.image import Entry, Kind
from repaudit.oci.changes import Change

#: What is said of two contents that are not told apart by their own bytes.
_UNSURE = "a sparse file is compared as it is stored: whether its content differs was not told"
#: What is said of a link before its target.
SYMLINK, HARDLINK = (f"it is a {kind.value} to " for kind in (Kind.SYMLINK, Kind.HARDLINK))
_LINKS = {Kind.SYMLINK: SYMLINK, Kind.HARDLINK: HARDLINK}
_USUAL = {Kind.DIRECTORY, Kind.WHITEOUT, Kind.OPAQUE}
_Readable = Callable[[Entry], str | None]


def presence(layer: int | None, path: str, left: object, right: object) -> Difference:
    """Return the difference that one side has nothing where the other has something."""

    def word(side: object) -> str | None:
        return None if side is None else "present"

    return Difference(
        layer=layer, path=path, aspect=Aspect.PRESENCE, left=word(left), right=word(right)
    )


def compare_change(layer: int, change: Change, kept: int = 0) -> Iterator[Difference]:
    """Yield each aspect in which the two entries of a change differ, if any.

    `kept` are the rights that other files beside it have on both sides.
    """
    one, other = change.left, change.right
    if one is None or other is None:
        found = presence(layer, change.path, one, other)
        yield replace(found, detail=_unusual(one or other))
        return
    path = intern(change.path)  # many runs may differ there from the same control
    for aspect, a, b, readable in _aspects(one, other):
        if a != b:
            sides = [value and intern(value) for value in (readable(one), readable(other))]
            yield Difference(
                layer=layer,
                path=path,
                aspect=aspect,
                left=sides[0],
                right=sides[1],
                detail=_told(aspect, one, other, kept),
            )


def _told(aspect: Aspect, left: Entry, right: Entry, kept: int) -> str | None:
    """Return what more decides what a difference means, where something does."""
    both = left, right
    if aspect is Aspect.CONTENT:
        return _UNSURE if _perhaps_one(left, right) else None
    if aspect is Aspect.OWNER:
        modes = [entry.mode for entry in both if entry.mode & 0o6000 or not entry.mode & 0o004]
        return f"its mode is {max(modes):04o}" if modes else None
    if aspect is not Aspect.MODE:
        return None
    differ = left.mode ^ right.mode
    groups = [entry for entry in both if entry.gid not in (0, entry.uid)]
    if differ & 0o020 and groups and of_system(left.path):
        return f"its owner is {_owner(groups[-1])}"
    if differ & kept & 0o044:
        return f"other files beside it have the right {differ & kept & 0o044:04o} on both sides"
    return None


def _unusual(entry: Entry | None) -> str | None:
    """Return what an entry is where it is more than bytes, a folder, or the end of those."""
    if entry is None or entry.kind in _USUAL:
        return None
    if entry.kind is Kind.FILE:
        rights = entry.mode & 0o6111
        return f"it can be executed: its mode is {entry.mode:04o}" if rights else None
    if entry.kind in _LINKS and entry.link:
        return f"{_LINKS[entry.kind]}{entry.link}"
    return f"it is a {entry.kind.value}"


def _perhaps_one(left: Entry, right: Entry) -> bool:
    """Whether both may be one file, of which a side left out zeros (sparse files), or wrote them.

    Two sides that leave out as much may leave out other zeros.
    """
    sparse = left.stored != left.size or right.stored != right.size
    return left.size == right.size and sparse


def _aspects(left: Entry, right: Entry) -> Iterable[tuple[Aspect, object, object, _Readable]]:
    """Yield each aspect with both sides' exact values, and how one is shown."""
    if left.kind is not right.kind:
        yield Aspect.KIND, left.kind, right.kind, lambda e: e.kind.value
    elif left.kind is Kind.FILE:
        yield Aspect.CONTENT, left.content, right.content, lambda e: e.digest
    else:
        yield Aspect.KIND, left.device, right.device, _device
    yield Aspect.MODE, left.mode, right.mode, lambda e: f"{e.mode:04o}"
    yield Aspect.OWNER, _owners(left), _owners(right), _owner
    yield Aspect.MTIME, left.mtime, right.mtime, _mtime
    yield Aspect.LINK, left.link, right.link, lambda e: e.link
    yield Aspect.XATTR, left.xattrs, right.xattrs, _xattrs


def _device(entry: Entry) -> str:
    major, minor = entry.device or (0, 0)
    return f"{entry.kind.value} {major}:{minor}"


def _owners(entry: Entry) -> tuple[int, int, str, str]:
    return (entry.uid, entry.gid, entry.uname, entry.gname)


def _owner(entry: Entry) -> str:
    names = f" {entry.uname}:{entry.gname}" if entry.uname or entry.gname else ""
    return f"{entry.uid}:{entry.gid}{names}"


def _mtime(entry: Entry) -> str:
    """Return the seconds since 1970, with a fraction where there is one."""
    whole, rest = divmod(abs(entry.mtime), 1_000_000_000)
    sign = "-" if entry.mtime < 0 else ""
    return f"{sign}{whole}.{rest:09d}" if rest else f"{sign}{whole}"


def _xattrs(entry: Entry) -> str | None:
    return " ".join(f"{name}={value}" for name, value in entry.xattrs) or None
