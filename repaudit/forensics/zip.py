"""zip, jar and wheel: times, modes and order of the members (APPNOTE 4.3)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from repaudit.forensics._case import clue, contents, distinct, sides, whole
from repaudit.forensics._dates import why_later
from repaudit.forensics._inner import (
    changed,
    first_of,
    insides,
    modes,
    only_on_one_side,
    order_of_files,
)
from repaudit.forensics._members import Member, claims, members, whole_parts
from repaudit.forensics.interface import Case, Forensic
from repaudit.formats import STEP, apart
from repaudit.model.finding import Clue

_PACKED = f"{STEP}packed"
_SLUGS = {"jar": "timestamps_in_jar", "war": "timestamps_in_jar", "ear": "timestamps_in_jar"}


class _Zip:
    name = "zip"

    def examine(self, case: Case) -> Iterator[Clue]:
        """Yield what of the directory differs, and what is found in the members."""
        data = contents(case)
        # The directory stands at the end, so a file that was cut off has none.
        path = case.difference.path
        if data is None or not whole(case) or not all(claims("zip", side, path) for side in data):
            return
        read = [whole_parts("zip", side) for side in data]
        left, right = (members(side.values()) for side in read)
        if left and right:
            yield from distinct(_compare(case, left, right))
            yield from _compressed(apart(read))


def _compressed(differ: list[str]) -> Iterator[Clue]:
    names = [name.removesuffix(_PACKED) for name in differ if name.endswith(_PACKED)]
    if names:
        yield clue("compressor_differs", f"{len(names)} equal members, first {names[0][-60:]}")


def _compare(case: Case, left: dict[str, Member], right: dict[str, Member]) -> Iterator[Clue]:
    yield from _times(case, left, right)
    yield from modes(case, left, right)
    # unzip takes a backslash in the names of archives from Windows for a slash
    yield from order_of_files(case, "random_order_in_zip", left, right, backslash=True)
    yield from insides(case, left, right)
    yield from only_on_one_side(left, right)


def _times(case: Case, left: dict[str, Member], right: dict[str, Member]) -> Iterator[Clue]:
    suffix = case.difference.path.rpartition(".")[2].lower()
    slug = "python_wheel_package" if suffix == "whl" else _SLUGS.get(suffix, "timestamps_in_zip")
    for key, *_ in changed(left, right, "time"):
        times = left[key].time, right[key].time
        a, b = map(_wall_seconds, times)
        later = None if a is None or b is None else why_later(case, b - a, wrap=False)
        zone = later == "captures_timezone"
        detail = f"time of {key[-60:]}: {sides(*times)}"
        yield clue(slug, detail, factors=("timezone",) if zone else None)
    more = changed(left, right, "more_times")
    yield from first_of(slug, more, "more times")


def _wall_seconds(moment: str) -> int | None:
    # The times are the wall clock's: APPNOTE 4.4.6 knows no zone.
    try:
        return int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp())
    except ValueError:
        return None


FORENSIC: Forensic = _Zip()
