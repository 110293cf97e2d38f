"""Write pins: the edits that findings carry, and those that a look-up gives; nothing else.

A place is edited only where the bytes that stand there are, to the last one, what was looked up.
What an edit brings to light, and needs no look-up, is mended with it, so that a second run has
nothing to do.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from msgspec import Struct

from repaudit.ecosystems import UNREADABLE
from repaudit.host.tree import Tree
from repaudit.model.canonical import lock_from_json, to_json
from repaudit.model.lock import LOCK_NAME, Lock, Locked
from repaudit.model.pins import Edit, PinFinding, PinsReport, Severity
from repaudit.model.text import printable
from repaudit.stages.pin_addresses import commits, downloads, images
from repaudit.stages.pin_apt import snapshots
from repaudit.stages.pin_debs import debs
from repaudit.stages.pin_maven import maven
from repaudit.stages.pin_python import requirements
from repaudit.stages.pins import audit_bytes
from repaudit.stages.writing import Added, Left, Place, Wish, Writer

_LARGEST = 256 << 20
#: What is written wherever it stands in full: of each that is not, the reason is told.
_SOUGHT = frozenset({"IMG001", "IMG002", "IMG007", "NET002", "GIT001", "PY007"})
_UNSURE = "left as it is: what is meant does not stand here in full; pin it by hand where it does"
_ROUNDS = 3


def carried(place: Place, wish: Wish) -> Iterator[Edit]:
    """Yield the edits that findings have with them."""
    yield from (one.edit for one in place.findings if one.edit is not None)


WRITERS: tuple[Writer, ...] = (
    *(carried, images, downloads, commits),
    *(snapshots, debs, requirements, maven),
)


class Change(Struct, frozen=True, kw_only=True):
    """A file before and after its edits; None before it is there. `path` is as in the tree."""

    path: str
    before: bytes | None
    after: bytes


class Written(Struct, frozen=True, kw_only=True):
    """What is to be written; `unknown` is what was not: unread, not looked up, or no edit is sure.

    Each with its place and the reason.
    """

    changes: tuple[Change, ...]
    unknown: tuple[str, ...]


def write_pins(audited: PinsReport, wish: Wish, now: float) -> Written:
    """Return the files with their edits made. Of two edits that overlap the first is made.

    A file with several names is edited once.
    """
    changes: dict[str, Change] = {}
    entries: list[Locked] = []
    unknown = list(_unread(audited))
    for place in _places(audited, wish):
        path, before = place.path, place.data
        real = wish.tree.real(path)
        if real in changes:
            continue
        edits: list[Edit] = []
        made = [one for writer in WRITERS for one in writer(place, wish)]
        for one in (*made, *_unsure(place, made)):
            match one:
                case Edit():
                    edits.append(one)
                case Locked():
                    entries.append(one)
                case Added():
                    changes[one.path] = _added(wish.tree, one)
                case Left():
                    unknown.append(_told(one))
        after = _settled(wish.tree, path, _edited(before, edits), now) if edits else before
        if after != before:
            changes[real] = Change(path=real, before=before, after=after)
    changes |= _locked(wish.tree, entries)
    return Written(
        changes=tuple(one for _, one in sorted(changes.items()) if one.after != one.before),
        unknown=tuple(unknown),
    )


def _unread(audited: PinsReport) -> Iterator[str]:
    """Yield the files that nobody could read, or knows: they may hold what is to be pinned."""
    for one in audited.findings:
        if one.id == UNREADABLE or one.location.path not in audited.files:
            yield printable(f"{one.location.path}:{one.location.line}: {one.message}")


def _unsure(place: Place, made: Sequence[Edit | Added | Locked | Left]) -> Iterator[Left]:
    """Yield what a writer looks up elsewhere, and has said nothing of here."""
    for one in place.findings:
        sought = one.id in _SOUGHT and one.severity is not Severity.NOTE
        if sought and not any(_answers(place, one, item) for item in made):
            yield Left(location=one.location, sought=one.message, reason=_UNSURE)


def _answers(place: Place, one: PinFinding, item: Edit | Added | Locked | Left) -> bool:
    match item:
        case Edit():
            start, end = one.location.start, one.location.end
            return start is not None and end is not None and start <= item.start <= end
        case Locked():
            return item.origin == place.text(one)
        case Left():
            return item.location == one.location
        case _:
            return False


def _places(audited: PinsReport, wish: Wish) -> Iterator[Place]:
    """Yield each file in which something falls short, or may be said more firmly."""
    found: dict[str, list[PinFinding]] = defaultdict(list)
    for finding in audited.findings:
        found[finding.location.path].append(finding)
    for pin in wish.pins if wish.versions else ():
        found.setdefault(pin.location.path, [])
    seen: set[str] = set()
    for path, findings in sorted(found.items()):
        data = wish.tree.read(path, _LARGEST)
        if data is not None and wish.tree.real(path) not in seen:
            seen.add(wish.tree.real(path))
            yield Place(path=path, data=data, findings=tuple(findings))


def _told(one: Left) -> str:
    return printable(f"{one.location.path}:{one.location.line}: {one.sought}: {one.reason}")


def _added(tree: Tree, one: Added) -> Change:
    return Change(path=one.path, before=tree.read(one.path, _LARGEST), after=one.data)


def _locked(tree: Tree, entries: Sequence[Locked]) -> dict[str, Change]:
    if not entries:
        return {}
    before = tree.read(LOCK_NAME, _LARGEST)
    lock = Lock() if before is None else lock_from_json(before)
    after = to_json(lock.extended(entries))
    return {LOCK_NAME: Change(path=LOCK_NAME, before=before, after=after)}


def _settled(tree: Tree, path: str, data: bytes, now: float) -> bytes:
    """Return edited bytes with the edits that their own findings carry."""
    for _ in range(_ROUNDS):
        found = audit_bytes(tree, path, data, now)
        edits = [one.edit for one in found if isinstance(one, PinFinding) and one.edit]
        if not edits:
            break
        data = _edited(data, edits)
    return data


def _edited(before: bytes, edits: Sequence[Edit]) -> bytes:
    pieces, at = [], 0
    for edit in sorted(edits, key=lambda one: (one.start, one.end)):
        if at <= edit.start <= edit.end <= len(before):
            pieces += [before[at : edit.start], edit.text.encode()]
            at = edit.end
    return b"".join([*pieces, before[at:]])
