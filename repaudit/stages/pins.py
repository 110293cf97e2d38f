"""Audit a tree's pins: each file by the ecosystems that claim it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from repaudit.ecosystems import ECOSYSTEMS, UNREADABLE, Ecosystem, document, finding, rules
from repaudit.host.tree import Tree
from repaudit.model.errors import MalformedError
from repaudit.model.pins import Location, Pin, PinFinding, PinsReport, by_place, judge
from repaudit.model.text import printable

#: A file of more bytes is not read; a Packages index has 60 million.
LARGEST = 256 << 20
#: A file that another one names is read up to here.
_MOST_BESIDE = 64 << 20


def audit_tree(tree: Tree, now: float) -> PinsReport:
    """Return what the files of a tree take in and what of it falls short.

    `now`, in seconds since 1970, is what a snapshot may not lie behind.
    """
    ecosystems = ECOSYSTEMS.all()
    pins: set[_Key] = set()
    found: list[Pin | PinFinding] = []
    read = []
    for path in tree.files:
        head = tree.head(path)
        claimed = [one for one in ecosystems if one.claims(path, head)]
        if not claimed:
            continue
        read.append(path)
        for item in _audit(tree, path, claimed, now):
            key = by_place(item)
            if key not in pins:  # two ecosystems may read one file
                pins.add(key)
                found.append(item)
    found.sort(key=by_place)
    findings = tuple(item for item in found if isinstance(item, PinFinding))
    undecided = frozenset(rule.id for rule in rules() if rule.open)
    return PinsReport(
        verdict=judge(findings, undecided),
        files=tuple(read),
        pins=tuple(item for item in found if isinstance(item, Pin)),
        findings=findings,
    )


_Key = tuple[str, int, int, int, str, str]


def _audit(
    tree: Tree, path: str, claimed: Iterable[Ecosystem], now: float
) -> Iterator[Pin | PinFinding]:
    whole = Location(path=path, line=1, end_line=1)
    if tree.size(path) > LARGEST:
        yield finding(UNREADABLE, whole, f"it is larger than {LARGEST >> 20} MiB")
        return
    raw = tree.read(path)
    if raw is None:
        yield finding(UNREADABLE, whole, "it cannot be opened, or leads out of the folder")
        return
    file = document(path, raw, lambda name: tree.read(name, _MOST_BESIDE), now)
    for ecosystem in claimed:
        try:
            yield from ecosystem.audit(file)
        except MalformedError as error:
            where = file.on(error.line or 1)
            message = f"as {ecosystem.name}: {printable(error.message)}"
            yield finding(UNREADABLE, where, message, fix=error.hint)
