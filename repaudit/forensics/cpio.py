"""cpio archives, as initramfs images are: times, owners, inodes and order of the members."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from repaudit.forensics._case import clue, contents, distinct, inflate
from repaudit.forensics._inner import (
    changed,
    first_of,
    inside,
    insides,
    modes,
    only_on_one_side,
    order_of_files,
    owners,
)
from repaudit.forensics._members import HARD_LINK, MEMBER, Members, claims, members, parts
from repaudit.forensics.interface import Case, Forensic
from repaudit.formats import STEP, Part
from repaudit.model.finding import Clue

#: What the file system gives a file as it likes.
_GIVEN = ("ino", "devmajor", "devminor")
_REST = "rest"
_Parts = Mapping[str, Part]


class _Cpio:
    name = "cpio"

    def examine(self, case: Case) -> Iterator[Clue]:
        """Yield what of the headers differs, and what is found in the members and behind them."""
        data = contents(case)
        if data is None:
            return
        inner = inflate(data[0]), inflate(data[1])
        if inner[0] != inner[1] and all(claims("cpio", side) for side in inner):
            read = [{part.name: part for part in parts("cpio", side)} for side in inner]
            yield from distinct(_compare(case, read[0], read[1]))


def _compare(case: Case, left: _Parts, right: _Parts) -> Iterator[Clue]:
    a, b = members(left.values()), members(right.values())
    yield from first_of("timestamps_in_cpio_archive", changed(a, b, "time"), "mtime")
    yield from owners(case, "users_and_groups_in_cpio_archive", a, b)
    yield from _inodes([(_files(left, name), _files(right, name)) for name in a if name in b])
    yield from modes(case, a, b)
    linked = _linked(left, a), _linked(right, b)
    yield from order_of_files(case, "random_order_in_cpio_archive", *linked)
    yield from insides(case, a, b)
    yield from only_on_one_side(a, b)
    if _REST in left and _REST in right and left[_REST] != right[_REST]:
        yield from inside(case, f"({_REST})", left[_REST].data, right[_REST].data)


def _files(found: _Parts, name: str) -> tuple[bytes, ...]:
    """Return which file a member is a name of: several are hard links."""
    some = (found.get(f"{MEMBER}{name}{STEP}{field}") for field in _GIVEN)
    return tuple(part.data if part else b"" for part in some)


def _linked(found: _Parts, some: Members) -> Members:
    """Return members that are names of one file as links to that."""
    files = {
        name: _files(found, name)
        for name in some
        if (links := found.get(f"{MEMBER}{name}{STEP}nlink")) and int(links.data) > 1
    }
    return {
        name: replace(one, kind=HARD_LINK, link=b" ".join(files[name])) if name in files else one
        for name, one in some.items()
    }


def _inodes(pairs: Sequence[tuple[tuple[bytes, ...], tuple[bytes, ...]]]) -> Iterator[Clue]:
    """Yield that files have other numbers, where the same members are links to each other."""
    count = sum(one != other for one, other in pairs)
    if not count:
        return
    files = {one for one, _ in pairs}, {other for _, other in pairs}
    if len({*pairs}) == len(files[0]) == len(files[1]):
        yield clue("captures_inode_number", f"inode or device numbers of {count} members")
    else:
        yield clue("unexplained", "other members are hard links to each other")


FORENSIC: Forensic = _Cpio()
