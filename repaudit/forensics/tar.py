"""tar archives, plain or compressed: times, owners, modes and order of the members."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping

from repaudit.forensics._case import contents, distinct, inflate
from repaudit.forensics._inner import (
    changed,
    first_of,
    insides,
    modes,
    only_on_one_side,
    order_of_files,
    owners,
)
from repaudit.forensics._members import GLOBAL_TIMES, claims, members, parts
from repaudit.forensics.interface import Case, Forensic
from repaudit.formats import Part
from repaudit.model.finding import Clue


class _Tar:
    name = "tar"

    def examine(self, case: Case) -> Iterator[Clue]:
        """Yield what of the headers differs, and what is found in the members."""
        data = contents(case)
        if data is None:
            return
        left, right = inflate(data[0]), inflate(data[1])
        if left != right and claims("tar", left) and claims("tar", right):
            yield from distinct(_compare(case, left, right))


def _compare(case: Case, left: bytes, right: bytes) -> Iterator[Clue]:
    read = [{part.name: part for part in parts("tar", side)} for side in (left, right)]
    a, b = (members(side.values()) for side in read)
    yield from first_of("timestamps_in_tarball", changed(a, b, "time"), "mtime")
    yield from first_of("timestamps_in_tarball", changed(a, b, "more_times"), "extended header")
    yield from first_of("timestamps_in_tarball", _of_all(*read), "value")
    yield from owners(case, "users_and_groups_in_tarball", a, b)
    yield from modes(case, a, b)
    yield from order_of_files(case, "random_order_in_tarball", a, b)
    yield from insides(case, a, b)
    yield from only_on_one_side(a, b)


def _of_all(
    left: Mapping[str, Part], right: Mapping[str, Part]
) -> list[tuple[str, Hashable, Hashable]]:
    """Return the times that both sides give all members, and that differ."""
    both = [name for name in GLOBAL_TIMES if name in left and name in right]
    pairs = ((name, left[name].data, right[name].data) for name in both)
    return [
        (name, ascii(one)[2:-1], ascii(other)[2:-1]) for name, one, other in pairs if one != other
    ]


FORENSIC: Forensic = _Tar()
