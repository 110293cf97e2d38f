"""Audit a tree's pins: each file by the ecosystems that claim it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from repaudit.ecosystems import ECOSYSTEMS, UNREADABLE, Ecosystem, document, finding, verdict
from repaudit.host.tree import HEAD, Tree
from repaudit.model.errors import MalformedError
from repaudit.model.lock import LOCK_NAME
from repaudit.model.pins import (
    Location,
    Pin,
    PinFinding,
    PinsReport,
    Severity,
    Strength,
    by_place,
)
from repaudit.model.text import printable

#: A file of more bytes is not read; a Packages index has 60 million.
LARGEST = 256 << 20
#: A file that another one names is read up to here.
_MOST_BESIDE = 64 << 20
#: What a lock beside can stand for: bytes under an address that does not move by design.
_IN_LOCKS = frozenset({"NET002"})
_UNCLAIMED = "no reader knows what kind of file this is, so nothing of it was judged"
_KINDS = "name what a build reads; `repaudit list ecosystems` lists the kinds that are known"
#: What says already that a part of a file was not read.
_OPEN = frozenset({"PAR001", UNREADABLE})


def audit_tree(tree: Tree, now: float) -> PinsReport:
    """Return what the files of a tree take in and what of it falls short.

    `now`, in seconds since 1970, is what a snapshot may not lie behind.
    """
    ecosystems = ECOSYSTEMS.all()
    pins: set[_Key] = set()
    found: list[Pin | PinFinding] = []
    read = []
    for path in tree.files:
        head = document(path, tree.head(path)).data
        claimed = [one for one in ecosystems if one.claims(path, head)]
        if not claimed:
            if path in tree.named:
                found.append(finding("PAR001", _whole(path), _UNCLAIMED, fix=_KINDS))
            continue
        read.append(path)
        for item in _audit(tree, path, claimed, now):
            key = by_place(item)
            if key not in pins:  # two ecosystems may read one file
                pins.add(key)
                found.append(item)
    found.sort(key=by_place)
    told = tuple(item for item in found if isinstance(item, Pin))
    findings = tuple(_locked([one for one in found if isinstance(one, PinFinding)], told))
    return PinsReport(
        verdict=verdict(findings),
        files=tuple(read),
        pins=told,
        findings=findings,
    )


def unless_empty(report: PinsReport) -> PinsReport:
    """Return the report; where no file was read, one that is open: nothing was seen of a build."""
    if report.files or report.findings:
        return report
    none = finding("PAR001", _whole("."), "there is no file here that repaudit reads", fix=_KINDS)
    return replace(report, findings=(none,), verdict=verdict((none,)))


def _whole(path: str) -> Location:
    return Location(path=path, line=1, end_line=1)


def _locked(findings: Iterable[PinFinding], pins: Iterable[Pin]) -> Iterator[PinFinding]:
    """Yield the findings; of a download whose bytes a repaudit.lock names, as a note that says so.

    The build does not compare them, but `pins verify` does.
    """
    locks: dict[str, Pin] = {}
    takes: dict[Location, Pin] = {}
    for pin in pins:
        if pin.location.path.rpartition("/")[2] == LOCK_NAME:
            locks[pin.purl] = pin
        else:
            takes[pin.location] = pin
    for one in findings:
        taken = takes.get(one.location) if one.id in _IN_LOCKS else None
        lock = locks.get(taken.purl) if taken is not None else None
        if lock is None or lock.strength is not Strength.HASHED:
            yield one
            continue
        message = f"{one.message}; {lock.location.path} names its bytes, for `pins verify` alone"
        yield replace(one, severity=Severity.NOTE, message=message)


_Key = tuple[str, int, int, int, str, str]


def _audit(
    tree: Tree, path: str, claimed: Iterable[Ecosystem], now: float
) -> Iterator[Pin | PinFinding]:
    whole = _whole(path)
    if tree.size(path) > LARGEST:
        yield finding(UNREADABLE, whole, f"it is larger than {LARGEST >> 20} MiB")
        return
    raw = tree.read(path)
    if raw is None:
        yield finding(UNREADABLE, whole, tree.refusal(path))
        return
    yield from _read(tree, path, raw, claimed, now)


def audit_bytes(tree: Tree, path: str, raw: bytes, now: float) -> Iterator[Pin | PinFinding]:
    """Yield what a file of the tree would take in, and lack, if it had these bytes."""
    head = document(path, raw[:HEAD]).data
    claimed = [one for one in ECOSYSTEMS.all() if one.claims(path, head)]
    yield from _read(tree, path, raw, claimed, now)


def _read(
    tree: Tree, path: str, raw: bytes, claimed: Iterable[Ecosystem], now: float
) -> Iterator[Pin | PinFinding]:
    folder = path.rpartition("/")[0]
    file = document(
        path,
        raw,
        lambda name: tree.read(name, _MOST_BESIDE),
        now,
        lambda name: tree.commit(folder, name),
    )
    open_ = False
    for ecosystem in claimed:
        try:
            for item in ecosystem.audit(file):
                open_ = open_ or (isinstance(item, PinFinding) and item.id in _OPEN)
                yield item
        except MalformedError as error:
            open_ = True
            where = file.on(error.line or 1)
            message = f"as {ecosystem.name}: {printable(error.message)}"
            yield finding(UNREADABLE, where, message, fix=error.hint)
    nul = -1 if open_ else file.data.find(b"\0")
    if nul >= 0:
        yield finding("PAR001", file.at(nul), "a NUL byte: no text goes on like that")
