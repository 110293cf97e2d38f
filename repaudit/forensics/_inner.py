"""What is inside an archive or a compressed file, examined as a file of its own."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Sequence

from msgspec.structs import replace

from repaudit.forensics import (
    FORENSICS,
    canary,
    compressor,
    elf,
    manifest,
    png,
    pyc,
    sqlite,
    text,
    uncovered,
)
from repaudit.forensics._case import (
    NESTED,
    at,
    clue,
    held,
    nested,
    of_one_build,
    sides,
    umask_explains,
)
from repaudit.forensics._files import MemberFiles
from repaudit.forensics._members import Member, Members, claims, unpacked, unpacked_as
from repaudit.forensics._order import decide
from repaudit.forensics._unpacked import decides
from repaudit.forensics.interface import Case, Room
from repaudit.model.deciding import of_system
from repaudit.model.finding import Clue

_INNER = (
    *(canary.FORENSIC, compressor.FORENSIC, elf.FORENSIC, manifest.FORENSIC, png.FORENSIC),
    *(pyc.FORENSIC, sqlite.FORENSIC, text.FORENSIC, uncovered.FORENSIC),
)
_ARCHIVES = ("ar", "cpio", "gzip", "tar", "zip")
# What those open, in a file of its own or packed.
_OPENED = (*_ARCHIVES, "bzip2", "xz", "zstd")
_MANIFEST = "META-INF/MANIFEST.MF"
_IDS = re.compile(r"(\d+):(\d+)")
# So many members with other contents are opened; the rest of an archive shows the same.
_MOST_OPENED = 1_000
# Archives of an archive are opened as long as they are not larger than this together, in bytes of
# both sides, and so deep: each may unpack to hundreds of megabytes. The jar of an application may
# hold a hundred, and is itself not longer than half of this.
_MOST_OF_ARCHIVES, _DEEPEST = 256 << 20, 2
# What they all unpack to, however deep: so many times the length of the file, between these bounds.
_MOST_TIMES, _LEAST_ROOM, _MOST_ROOM = 16, 128 << 20, 1 << 30


def changed(left: Members, right: Members, field: str) -> list[tuple[str, Hashable, Hashable]]:
    """Return (name, left, right) for each member of both sides that differs in `field`."""
    return [
        (name, getattr(member, field), getattr(right[name], field))
        for name, member in left.items()
        if name in right and getattr(member, field) != getattr(right[name], field)
    ]


def first_of(
    slug: str, pairs: Sequence[tuple[str, Hashable, Hashable]], word: str
) -> Iterator[Clue]:
    """Yield one clue for all members that differ in one field; `word` names the field."""
    if pairs:
        name, a, b = pairs[0]
        more = f" (and {len(pairs) - 1} more)" if len(pairs) > 1 else ""
        yield clue(slug, f"{word} of {name[-60:]}: {sides(str(a), str(b), 40)}{more}")


def owners(case: Case, slug: str, left: Members, right: Members) -> Iterator[Clue]:
    """Yield `slug` where members have other owners; of two images, if it is who packed them all.

    As whom a program runs, and who alone may read a file, is somebody's decision.
    """
    found = changed(left, right, "owner")
    both = ((one.owner, right[name].owner) for name, one in left.items() if name in right)
    kept = {one for one, other in both if one == other}
    torn = len({(a, b) for _, a, b in found}) > 1 or any(
        kept.intersection(pair) for _, *pair in found
    )
    decide = {
        name
        for name, *_ in found
        if torn or any(_decides(name, side[name].mode) for side in (left, right))
    }
    decide = set() if of_one_build(case) else decide
    yield from first_of(slug, [one for one in found if one[0] not in decide], "owner")
    yield from first_of("unexplained", [one for one in found if one[0] in decide], "owner")


def _decides(name: str, mode: int) -> bool:
    """Whether the owner of a member decides who it is that runs, that reads it, or what for."""
    return bool(mode & 0o6000 or not mode & 0o004) or _of_system(name)


def _of_system(name: str) -> bool:
    """Whether a member is of the system where its archive is unpacked, or a folder of it is."""
    path = unpacked_as(name)
    return of_system(path) or "/etc/" in path


def _opened_to_others(name: str, *both: Member) -> bool:
    """Whether a group that is not its owner's alone may write a file of the system on one side."""
    ids = filter(None, (_IDS.match(one.owner) for one in both))
    groups = any(hit[2] not in ("0", hit[1]) for hit in ids)
    return groups and len({one.mode & 0o020 for one in both}) > 1 and _of_system(name)


def modes(case: Case, left: Members, right: Members) -> Iterator[Clue]:
    """Yield the umask where it explains every mode that differs.

    Of two existing archives it took no right to read that other files kept.
    """
    both = [(name, one.mode, right[name].mode) for name, one in left.items() if name in right]
    found = [(name, a, b) for name, a, b in both if a != b]
    # Files of which others could read under a umask that forbids it.
    kept = {a & 0o044 for _, a, b in both if a == b and not a & 0o111}
    torn = not of_one_build(case) and (
        any((a ^ b) & mode for _, a, b in found for mode in kept)
        or any(_opened_to_others(name, left[name], right[name]) for name, *_ in found)
    )
    runs = any(a & 0o100 for _, a, _ in found)
    case = replace(case, alike=len(found) if runs else 1)
    explained = not torn and all(umask_explains(at(case, name), a, b) for name, a, b in found)
    shown = [(name, f"{a:04o}", f"{b:04o}") for name, a, b in found]
    yield from first_of("different_due_to_umask" if explained else "unexplained", shown, "mode")


def order(case: Case, slug: str, left: Members, right: Members) -> Iterator[Clue]:
    """Yield `slug` where the same members stand in another order."""
    one, other = _common(left, right)
    if one == other:
        return
    modules = [[name for name in side if name.endswith((".jar", ".war"))] for side in (one, other)]
    if modules[0] != modules[1] and not of_one_build(case):
        yield clue("unexplained", f"{len(one)} members in another order, modules among them")
        return
    # Java reads the manifest of a jar that comes as a stream only there.
    if len({_MANIFEST in side[:2] for side in (one, other)}) > 1 and not of_one_build(case):
        yield clue("unexplained", f"{len(one)} members in another order, the manifest not at first")
        return
    why = decide(case, one, other).why
    chosen = "random_order_in_output" if held(case, "file_order") else slug
    yield clue(chosen, f"{len(one)} members in another order: {why}")


def order_of_files(
    case: Case, slug: str, left: Members, right: Members, *, backslash: bool = False
) -> Iterator[Clue]:
    """Yield the same of an archive that is unpacked; of two images, unless the order decides."""
    one, other = _common(left, right)
    why = (
        None
        if of_one_build(case) or one == other
        else decides(left, one, other, backslash=backslash)
    )
    if why is None:
        yield from order(case, slug, left, right)
    else:
        yield clue("unexplained", f"{len(one)} members in another order: {why}")


def _common(left: Members, right: Members) -> tuple[list[str], list[str]]:
    """Return the names of the members that both have, in the order of each."""
    return [name for name in left if name in right], [name for name in right if name in left]


def _among(case: Case, left: Members, right: Members) -> Case:
    """Return a case for members of these two archives: they may hold digests of each other."""
    pairs = {
        name: (left[name].data, right[name].data)
        for name in left
        if name in right and left[name].data != right[name].data
    }
    return replace(case, files=MemberFiles(pairs, case.files)) if len(pairs) > 1 else case


def insides(case: Case, left: Members, right: Members) -> Iterator[Clue]:
    """Yield what is found in members whose contents differ."""
    differ = [name for name in left if name in right and left[name].data != right[name].data]
    room, opened = _MOST_OF_ARCHIVES, differ[:_MOST_OPENED]
    case = replace(_among(_roomy(case), left, right), share=case.share * max(1, len(opened)))
    for name in opened:
        both = left[name].data, right[name].data
        room -= sum(map(len, both)) if _archive(name, both[0]) else 0
        yield from inside(case, name, *both, archives=room >= 0)
    if len(differ) > _MOST_OPENED:
        yield clue("unexplained", f"{len(differ) - _MOST_OPENED} more members were not opened")


def inside(
    case: Case, name: str, left: bytes, right: bytes, *, archives: bool = True
) -> Iterator[Clue]:
    """Yield what is found in one member; `unexplained` where nothing is.

    `archives` says whether one that is an archive itself is opened.
    """
    member = nested(_roomy(case), name, left, right)
    forensics, found = list(_INNER), list[Clue]()
    opened = archives and member.difference.path.count(NESTED) <= _DEEPEST
    if opened:
        forensics += map(FORENSICS.load, _ARCHIVES)
    if any(_archive(name, side) for side in (left, right)) and not (opened and _fits(member)):
        forensics = []
        found.append(clue("unexplained", "this archive in an archive was not opened"))
    found += [one for forensic in forensics for one in forensic.examine(member)]
    for one in found:
        yield clue(one.slug, f"in {name[-60:]}: {one.detail}", factors=one.factors, kind=one.kind)
    if not found:
        yield clue("unexplained", f"the contents of {name[-80:]} differ")


def _roomy(case: Case) -> Case:
    """Return a case with the room that its file gives to all archives in it."""
    if case.room is not None or case.left is None or case.right is None:
        return case
    size = _MOST_TIMES * max(len(case.left.data), len(case.right.data))
    return replace(case, room=Room(max(_LEAST_ROOM, min(size, _MOST_ROOM))))


def _fits(member: Case) -> bool:
    """Whether there is room for what both sides of an archive unpack to; it is taken."""
    room, both = member.room, (member.left, member.right)
    for side in both:
        if room is not None and side is not None and room.left >= 0:
            room.left -= unpacked(side.data, member.difference.path)
    return room is not None and room.left >= 0


def _archive(name: str, data: bytes) -> bool:
    return any(claims(format_, data, name) for format_ in _OPENED)


def only_on_one_side(left: Members, right: Members) -> Iterator[Clue]:
    """Yield `unexplained` where a member has no counterpart."""
    lone = sorted(left.keys() ^ right.keys())
    if lone:
        yield clue("unexplained", f"{len(lone)} members on one side only, first {lone[0][-80:]}")
