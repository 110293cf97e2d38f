"""Debian's packages and versions as values, and the search for their instants: no effects."""

from __future__ import annotations

import subprocess
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from repaudit.ecosystems import Package, installed, listed, newer, release
from repaudit.model.errors import MalformedError
from repaudit.stages.snapshot import cover

VERSIONS = st.lists(st.integers(0, 4), min_size=6, max_size=6).map(sorted)


@given(st.lists(VERSIONS, min_size=1, max_size=4), st.data())
def test_no_smaller_set_of_instants_covers_the_packages(
    histories: list[list[int]], data: st.DataObject
):
    """Against every set of instants there is."""
    runs = [f"2025010{day}T000000Z" for day in range(1, 7)]
    worlds = {
        run: {(f"p{at}", "amd64"): str(history[day]) for at, history in enumerate(histories)}
        for day, run in enumerate(runs)
    }
    packages = [
        Package(
            name=f"p{at}", version=str(data.draw(st.sampled_from(history))), architecture="amd64"
        )
        for at, history in enumerate(histories)
    ]

    found = cover(packages, runs, worlds.__getitem__)

    def covers(chosen: tuple[str, ...]) -> bool:
        return all(any(worlds[run][one.key] == one.version for run in chosen) for one in packages)

    least = next(n for n in range(1, 7) if any(covers(c) for c in combinations(runs, n)))
    assert len(found.intervals) == least
    assert found.nowhere == ()
    for interval in found.intervals:
        inside = [run for run in runs if interval.first <= run <= interval.last]
        assert all(
            worlds[run][one.key] == one.version for run in inside for one in interval.packages
        )


@given(st.lists(VERSIONS, min_size=1, max_size=3))
def test_a_version_that_never_was_is_nowhere(histories: list[list[int]]):
    runs = [f"2025010{day}T000000Z" for day in range(1, 7)]
    worlds = {
        run: {(f"p{at}", "amd64"): str(history[day]) for at, history in enumerate(histories)}
        for day, run in enumerate(runs)
    }
    strange = [
        Package(name="p0", version=version, architecture="amd64")
        for version in ("0~", "0.5", "1.5", "9")
    ]

    assert cover(strange, runs, worlds.__getitem__).nowhere == tuple(sorted(strange))


CHARACTERS = st.text("0129azA+~.-", max_size=6)


@given(st.lists(st.tuples(CHARACTERS, CHARACTERS), min_size=1, max_size=1))
def test_versions_are_ordered_as_dpkg_orders_them(pairs: list[tuple[str, str]]):
    for left, right in pairs:
        one, other = f"1{left}0", f"1{right}0"
        ask = ["dpkg", "--compare-versions", one, "gt", other]
        assert newer(one, other) == (subprocess.run(ask).returncode == 0)


def test_an_epoch_comes_first():
    assert newer("1:0.1", "9")
    assert not newer("9", "1:0.1")
    assert newer("0:2", "1") and not newer("0:1", "1")


STATUS = b"""Package: one
Status: install ok installed
Version: 1.0
Architecture: amd64
Depends: two,
 three

Package: gone
Status: deinstall ok config-files
Version: 1
Architecture: amd64


Package: two
Status: hold ok installed
Version: 2:1.0-1+b1
Architecture: all
"""


def test_a_status_is_read_with_its_lines():
    found = list(installed("status", STATUS))

    assert [(one.package.name, one.package.version, one.line) for one in found] == [
        ("one", "1.0", 1),
        ("two", "2:1.0-1+b1", 14),
    ]
    assert found[0].told[b"depends"] == b"two,\nthree"
    assert list(installed("status", STATUS.replace(b"\n", b"\r\n"))) == found


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes):
    for read in (
        lambda: list(installed("status", data)),
        lambda: list(installed("status", b"Package: a\nVersion: " + data)),
        lambda: list(listed(data, {"a"})),
        lambda: release(b"Date: " + data, "Release"),
    ):
        try:
            read()
        except MalformedError as error:
            assert error.message


def test_an_entry_without_a_sha256_is_none():
    entry = b"Package: one\nVersion: 1\nArchitecture: amd64\nSHA1: " + b"a" * 40 + b"\n"

    assert list(listed(entry, {"one"})) == []
    assert len(list(listed(entry + b"SHA256: " + b"a" * 64, {"one"}))) == 1
    assert list(listed(entry + b"SHA256: " + b"a" * 64, {"two"})) == []
