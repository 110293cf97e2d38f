"""Layers as the one file system that they make, from their listings: where two of them differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from repaudit.model.errors import MalformedError
from repaudit.oci.changes import MOST_CHANGES, Change
from repaudit.oci.listing import Listing
from repaudit.oci.record import kind_of, text
from repaudit.oci.tree import Tree

#: Where the entry of a path is: the layer's number, and the entry's.
_Place = tuple[int, int]


def merge(layers: Sequence[Listing]) -> dict[str, _Place]:
    """Return where each path of the merged file system is; `layers` come base first."""
    tree: Tree[_Place] = Tree()
    for number, layer in enumerate(layers):
        records = map(layer.record, range(len(layer)))
        named = [(text(record.path), kind_of(record)) for record in records]
        tree.hide(named)
        for at, (path, kind) in enumerate(named):
            tree.put(path, kind, (number, at))
    return dict(tree.items())


def find_merged_changes(left: Sequence[Listing], right: Sequence[Listing]) -> tuple[Change, ...]:
    """Return where two merged file systems differ, sorted by path; orders are not compared.

    Raises MalformedError above MOST_CHANGES.
    """
    changes = []
    for change in _changes(left, right):
        changes.append(change)
        if len(changes) > MOST_CHANGES:
            raise MalformedError(
                f"two images differ in more than {MOST_CHANGES} entries",
                hint="these are not two builds of one image: name those that shall be compared",
            )
    return tuple(changes)


def _changes(left: Sequence[Listing], right: Sequence[Listing]) -> Iterator[Change]:
    one, other = merge(left), merge(right)
    for path in sorted(one.keys() | other.keys()):
        a, b = one.get(path), other.get(path)
        if a and b and left[a[0]].raw(a[1], 1) == right[b[0]].raw(b[1], 1):
            continue
        yield Change(
            path=path,
            left=left[a[0]].entry(a[1]) if a else None,
            right=right[b[0]].entry(b[1]) if b else None,
            layers=(a[0] if a else 0, b[0] if b else 0),
        )
