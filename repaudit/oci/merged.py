"""Layers as the one file system that they make: whiteouts applied, what lies on top wins.

As in the image-spec (layer.md, "Applying Changesets"): a whiteout hides what lower layers have at
its path and below, an opaque one what they have below its directory, and a file or link in the
place of a directory what was in it. Whiteouts of a layer do not hide what stands in the same layer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from repaudit.model.errors import MalformedError
from repaudit.model.image import Kind
from repaudit.oci.changes import MOST_CHANGES, Change
from repaudit.oci.listing import Listing
from repaudit.oci.record import kind_of, text

_WHITEOUT = b".wh."
#: Where the entry of a path is: the layer's number, the entry's, and whether it is a directory.
_Place = tuple[int, int, bool]


def merge(layers: Sequence[Listing]) -> dict[bytes, _Place]:
    """Return where each path of the merged file system is; `layers` come base first."""
    found: dict[bytes, _Place] = {}
    hidden: set[bytes] = set()
    emptied: set[bytes] = set()
    for number in range(len(layers) - 1, -1, -1):
        own, gone, opaque = _read(layers[number], number)
        # What a layer holds twice over, through a link of its own, say, is not for us to leave out.
        found |= {
            path: place
            for path, place in own.items()
            if path not in found and not _covered(path, found, hidden, emptied)
        }
        hidden |= gone
        emptied |= opaque
    return found


def _read(layer: Listing, number: int) -> tuple[dict[bytes, _Place], set[bytes], set[bytes]]:
    """Return a layer's entries by path, and what it hides of the layers below it."""
    own: dict[bytes, _Place] = {}
    gone: set[bytes] = set()
    opaque: set[bytes] = set()
    for at in range(len(layer)):
        record = layer.record(at)
        kind = kind_of(record)
        folder, _, name = record.path.rpartition(b"/")
        if kind is Kind.OPAQUE:
            opaque.add(folder)
        elif kind is Kind.WHITEOUT:
            plain = name.removeprefix(_WHITEOUT)
            gone.add(folder + b"/" + plain if folder else plain)
        else:
            own[record.path] = (number, at, kind is Kind.DIRECTORY)
    return own, gone, opaque


def _covered(
    path: bytes, found: dict[bytes, _Place], hidden: set[bytes], emptied: set[bytes]
) -> bool:
    """Whether an upper layer hides this path of a lower one."""
    if path in hidden:
        return True
    at = path.rfind(b"/")
    while at > 0:
        above = path[:at]
        if above in hidden or above in emptied or (above in found and not found[above][2]):
            return True
        at = path.rfind(b"/", 0, at)
    return b"" in emptied and path != b"."


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
    for path in sorted(one.keys() | other.keys(), key=text):
        a, b = one.get(path), other.get(path)
        if a and b and left[a[0]].raw(a[1], 1) == right[b[0]].raw(b[1], 1):
            continue
        yield Change(
            path=text(path),
            left=left[a[0]].entry(a[1]) if a else None,
            right=right[b[0]].entry(b[1]) if b else None,
            layers=(a[0] if a else 0, b[0] if b else 0),
        )
