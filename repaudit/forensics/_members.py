"""What the readers of `formats/` see of an archive, member by member."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from posixpath import normpath

from msgspec import Struct

from repaudit.forensics._case import inflate
from repaudit.formats import BOUNDS, FORMATS, HEAD, STEP, Budget, Part
from repaudit.model.errors import UnreadableError

MEMBER = "member "
_IN_PACKING = ("cpio", "tar")
_ARCHIVES = (*_IN_PACKING, "ar", "zip")
#: Kinds of members in tar archives (POSIX, pax(1)), and what they are by the modes of others.
REGULAR, HARD_LINK, SYMLINK = b"0", b"1", b"2"
_KINDS = {
    stat.S_IFLNK: SYMLINK,
    stat.S_IFCHR: b"3",
    stat.S_IFBLK: b"4",
    stat.S_IFDIR: b"5",
    stat.S_IFIFO: b"6",
}
#: A member's owner; what the header of a tar file holds where records say it too.
OWNERS = ("owner", "header owner")
#: Fields that hold more times of a member: of a tar archive's records, of a zip archive's extras.
TIMES = (
    *("pax atime", "pax ctime", "pax LIBARCHIVE.creationtime", "header mtime", "header x mtime"),
    *("extra mtime", "extra atime", "extra ctime", "own extra mtime"),
)

#: The same of all members of a tar archive.
GLOBAL_TIMES = ("global mtime", "global atime", "global ctime")


class Member(Struct, frozen=True, kw_only=True):
    """A file record of an archive. `time` is as stored: seconds since 1970, or a wall clock's.

    `more_times` are those beside it: fractions, last read, last changed. `kind` is as tar has it,
    and `link` where a link leads.
    """

    time: str = ""
    more_times: str = ""
    owner: str = ""
    mode: int = 0
    data: bytes = b""
    kind: bytes = REGULAR
    link: bytes = b""


Members = Mapping[str, Member]


def unpacked_as(name: str) -> str:
    """Return the path of a member where its archive is unpacked at the root of a system."""
    return normpath(f"/{name}").lstrip("/") or "."


def claims(format_: str, data: bytes, path: str = "") -> bool:
    """Whether `data` begins as a file of that format does, at `path`."""
    return FORMATS.load(format_).claims(data[:HEAD], path)


def both_are(format_: str, data: Sequence[bytes], path: str = "") -> bool:
    """Whether both sides begin as files of that format do, and of one some part can be read."""
    claimed = all(claims(format_, side, path) for side in data)
    return claimed and any(parts(format_, side) for side in data)


def in_packing(data: Sequence[bytes]) -> str | None:
    """Return the format of archives that are opened when they were compressed, as `data` was."""
    return next((name for name in _IN_PACKING if both_are(name, data)), None)


def parts(format_: str, data: bytes) -> Sequence[Part]:
    """Return what is in `data`; of a broken file, and of one that is cut off, what is before."""
    return _read(format_, data)[0]


def whole_parts(format_: str, data: bytes) -> dict[str, Part]:
    """Return what is in `data`, by name; nothing of a file that is broken anywhere."""
    found, sound = parts_until(format_, data)
    return found if sound else {}


def parts_until(format_: str, data: bytes) -> tuple[dict[str, Part], bool]:
    """Return what is in `data`, by name, and whether that is all: whether it could be read."""
    found, sound = _read(format_, data)
    return {part.name: part for part in found}, sound


def unpacked(data: bytes, path: str) -> int:
    """Return how many bytes are in an archive, or a compressed file, that is opened at `path`."""
    inner = inflate(data)
    size = len(inner) if inner is not data else 0
    claimed = [name for name in _ARCHIVES if claims(name, inner, path)]
    return size + sum(len(part.data) for name in claimed for part in parts(name, inner))


# Several forensics ask for the same in turn, of both sides.
@lru_cache(maxsize=2)
def _read(format_: str, data: bytes) -> tuple[Sequence[Part], bool]:
    budget, found = Budget(BOUNDS.of(len(data))), []
    try:
        for part in FORMATS.load(format_).parts(data, budget):
            budget.count(part)
            found.append(part)
    except UnreadableError:
        return found, False
    return found, True


def members(found: Iterable[Part]) -> dict[str, Member]:
    """Return the members by name; from the second of a name on, a number stands behind it."""
    fields: dict[str, dict[str, bytes]] = {}
    for part in found:
        label, _, field = part.name.partition(STEP)
        if label.startswith(MEMBER):
            fields.setdefault(label.removeprefix(MEMBER), {})[field] = part.data
    return {name: _member(known) for name, known in fields.items()}


def _member(known: Mapping[str, bytes]) -> Member:
    # Archives keep whole seconds, but for the records of some tar files.
    time, _, fraction = known.get("mtime", b"").decode("ascii", "replace").partition(".")
    more = {word: known[word].decode("ascii", "replace") for word in TIMES if word in known}
    more |= {"fraction of mtime": fraction} if fraction else {}
    mode, data = int(known.get("mode", b"0"), 8), known.get("", b"")
    kind = known.get("type") or _KINDS.get(stat.S_IFMT(mode), REGULAR)
    return Member(
        time=time,
        more_times=", ".join(f"{word} {value}" for word, value in more.items()),
        owner=b" ".join(known[w] for w in OWNERS if w in known).decode("utf-8", "replace"),
        mode=mode,
        data=data,
        kind=kind,
        link=known.get("link", data if kind == SYMLINK else b""),
    )
