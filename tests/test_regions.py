"""Regions of made-up runs: what each clock told, how it was written, and what is left beside."""

from __future__ import annotations

import io
import tarfile
from datetime import UTC, datetime, timedelta, timezone

import pytest

from repaudit.stages.names import Names
from repaudit.stages.regions import Clocks, cut

REAL = 1_795_000_000
LATER = REAL + 400 * 86_400
#: Control, replicate, and two runs whose steps read a clock that is 400 days ahead.
CLOCKS = Clocks(steps=(REAL, REAL, LATER, LATER), real=REAL)
SAME = (0, 0, 0, 0)
TOKYO = timezone(timedelta(hours=14))


def text(line: str, *, zone: tuple[int, ...] = (), seconds: tuple[int, ...] = (0, 3, 1, 9)):
    """The file of each run: `line` with its steps' time for `{}`."""
    for number, (clock, later) in enumerate(zip(CLOCKS.steps, seconds, strict=True)):
        here = TOKYO if number in zone else UTC
        stamp = datetime.fromtimestamp((clock or 0) + later, here)
        yield line.format(stamp.strftime("%a %b %d %H:%M:%S %z %Y")).encode()


def seen(sides, path="srv/a", clocks=CLOCKS):
    found = cut(list(sides), path, clocks)
    return [(r.label, r.pattern, "told" * r.told + "stamped" * r.stamped) for r in found]


def test_a_stamp_alone_is_told_by_the_clock() -> None:
    assert seen(text("built {}\n")) == [("", SAME, "told")]


def test_a_zone_is_told_apart_from_the_time() -> None:
    regions = seen(text("built {}\n", zone=(1, 3)))
    assert ("", SAME, "told") in regions
    assert ("", (0, 1, 0, 1), "") in regions
    assert len(regions) == 2


@pytest.mark.parametrize(
    ("form", "there"),
    [
        ("%a %b %d %H:%M:%S GMT{} %Y", "+14:00"),  # Java's Date.toString()
        ("%b %e %Y%H:%M:%S{}", ""),  # C's __DATE__ __TIME__
    ],
)
def test_a_zone_is_told_apart_however_it_is_written(form: str, there: str) -> None:
    sides = []
    for number, clock in enumerate(CLOCKS.steps):
        zoned = number in (1, 3)
        stamp = datetime.fromtimestamp((clock or 0) + number, TOKYO if zoned else UTC)
        sides.append(stamp.strftime(form.format(there if zoned else "")).encode())

    assert set(seen(sides)) == {("", SAME, "told"), ("", (0, 1, 0, 1), "")}


READ = [(clock or 0) + later for clock, later in zip(CLOCKS.steps, (0, 3, 1, 9), strict=True)]


def only(run: int) -> list[bool]:
    """Which runs have a name that one run alone has."""
    return [number == run for number in range(len(READ))]


def test_a_name_that_tells_the_time_is_one_file() -> None:
    stamps = [datetime.fromtimestamp(second, UTC) for second in READ]
    names = {f"{stamp:%Y-%m-%dT%H_%M_%S}.log": only(run) for run, stamp in enumerate(stamps)}

    for name in names:
        (region,) = Names(names, CLOCKS).regions(name)
        assert (region.told, region.steady) == (True, True)


def test_a_name_that_each_run_draws_anew_is_one_file() -> None:
    names = {f"tmp/{second}-{'abcd'[run]}": only(run) for run, second in enumerate(READ)}
    for name in names:
        (region,) = Names(names, CLOCKS).regions(name)
        assert (region.told, region.pattern) == (False, (0, 1, 2, 3))


def test_a_name_that_not_each_run_has_another_for_stands_for_itself() -> None:
    names = {f"{second}-{'abc'[run]}": only(run) for run, second in enumerate(READ[:3])}
    names |= {"1": [False, True, True, True], "2026": only(0), "a/x": only(3)}

    assert [Names(names, CLOCKS).regions(name) for name in names] == [()] * len(names)


def test_what_stands_beside_a_stamp_is_a_region_of_its_own() -> None:
    sides = [
        side + host + b" " + home
        for side, host, home in zip(
            text("{} "), (b"h", b"h", b"x", b"h"), (b"/a", b"/b", b"/b", b"/b"), strict=True
        )
    ]
    assert {(p, t) for _, p, t in seen(sides)} == {
        (SAME, "told"),
        ((0, 0, 2, 0), ""),
        ((0, 1, 1, 1), ""),
    }


def test_lines_in_another_order_show_beside_a_stamp() -> None:
    orders = (b"a\nB\n", b"a\nB\n", b"B\na\n", b"a\nB\n")
    sides = [order + side for order, side in zip(orders, text("{}\n"), strict=True)]
    assert seen(sides) == [("", SAME, "told"), ("order of lines", (0, 0, 2, 0), "")]


def test_the_time_of_a_file_in_an_archive_is_the_real_clocks() -> None:
    def tar(mtime: int) -> bytes:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            member = tarfile.TarInfo("a")
            member.mtime = mtime
            archive.addfile(member)
        return buffer.getvalue()

    sides = [tar(REAL + later) for later in (0, 2, 4, 4)]
    assert seen(sides, "a.tar") == [("member a > mtime", SAME, "stamped")]


@pytest.mark.parametrize("day", ["2020-02-02", "2033-03-03"])
def test_a_date_that_is_no_clocks_hides_nothing(day: str) -> None:
    sides = [f"{day} {word}".encode() for word in "aabb"]
    assert seen(sides) == [("line 1", (0, 0, 2, 2), "")]


def test_a_constant_of_today_is_not_taken_for_the_clock() -> None:
    today = datetime.fromtimestamp(REAL, UTC).date().isoformat()
    sides = [f"{today} {word}".encode() for word in "aabb"]
    assert seen(sides) == [("line 1", (0, 0, 2, 2), "")]


def test_without_a_moved_clock_a_stamp_is_the_real_ones() -> None:
    still = Clocks(steps=(None,) * 4, real=REAL)
    sides = [f"{REAL + later}\n".encode() for later in (0, 2, 4, 6)]
    assert seen(sides, clocks=still) == [("", SAME, "toldstamped")]
