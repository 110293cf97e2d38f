"""What was seen of each run: how it differs from the control, and the bytes of that."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct

from repaudit.model.difference import Difference, Place
from repaudit.model.experiment import PlannedRun
from repaudit.oci.spool import Source
from repaudit.stages.contents import Contents, Kept

#: More bytes than this, in all versions of a file together, are not cut into regions.
_MOST_BYTES = 512 << 20


class Observed(Struct, frozen=True):
    """One run, what it moved, how it differs from the control, and the bytes of that."""

    run: PlannedRun
    moved: frozenset[str]
    told: Sequence[Difference]
    differences: Mapping[Place, Difference]
    contents: Contents
    derived: Collection[Place] = ()


def values_at(seen: Sequence[Observed], place: Place) -> tuple[str | None, ...]:
    """Return what each run has at a place."""
    first = next(o.differences[place] for o in seen if place in o.differences)
    return tuple(o.differences[place].right if place in o.differences else first.left for o in seen)


def files_at(seen: Sequence[Observed], place: Place) -> list[Source] | None:
    """Return where a place's bytes are in each run, None unless all are kept whole."""
    own: Source | None = None
    sides: list[Source | None] = []
    sizes: dict[str | None, int] = {}
    for observed in seen:
        difference = observed.differences.get(place)
        kept = _kept(observed, difference) if difference else None
        if difference and kept is None:
            return None
        if kept and difference:
            own = own or kept.left
            sizes |= {difference.left: kept.left_size, difference.right: kept.right_size}
        sides.append(kept.right if kept else None)
    if own is None or sum(sizes.values()) > _MOST_BYTES:
        return None
    return [side or own for side in sides]


def _kept(observed: Observed, difference: Difference) -> Kept | None:
    kept = observed.contents.get((difference.left, difference.right))
    return kept if kept and kept.whole else None
