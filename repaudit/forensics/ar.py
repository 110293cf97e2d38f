"""Static libraries and Debian packages: dates, owners, modes and order in `ar` headers (ar(5))."""

from __future__ import annotations

from collections.abc import Iterator

from repaudit.forensics._case import contents, distinct
from repaudit.forensics._inner import (
    changed,
    first_of,
    insides,
    modes,
    only_on_one_side,
    order,
)
from repaudit.forensics._members import Members, claims, members, parts
from repaudit.forensics.interface import Case, Forensic
from repaudit.model.finding import Clue

# The symbol table and the table of long names follow from the members.
_TABLES = frozenset({"/", "//", "/SYM64/"})


class _Ar:
    name = "ar"

    def examine(self, case: Case) -> Iterator[Clue]:
        """Yield what of the headers differs, and what is found in the members."""
        data = contents(case)
        if data is not None and all(claims("ar", side) for side in data):
            yield from distinct(_compare(case, *(members(parts("ar", side)) for side in data)))


def _compare(case: Case, left: Members, right: Members) -> Iterator[Clue]:
    package = "debian-binary" in left
    slug = "varying_mtimes_in_data_tar_gz_or_control_tar_gz" if package else None
    times = changed(left, right, "time")
    yield from first_of(slug or "timestamps_in_static_libraries", times, "date")
    owners = changed(left, right, "owner")
    yield from first_of("users_and_groups_in_static_libraries", owners, "owner")
    yield from modes(case, left, right)
    yield from order(case, "random_order_in_static_libraries", left, right)
    plain = [{k: v for k, v in side.items() if k not in _TABLES} for side in (left, right)]
    yield from insides(case, *plain)
    yield from only_on_one_side(left, right)


FORENSIC: Forensic = _Ar()
