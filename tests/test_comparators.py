"""The laws of every comparator, and what the one of our own shows."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repaudit.comparators import COMPARATORS
from repaudit.comparators.interface import MOST_CHARACTERS, MOST_LINES
from tests.test_formats import PAIRS, tarred

NATIVE = COMPARATORS.load("native")


def compare(folder: Path, left: bytes, right: bytes, name: str = "x") -> str | None:
    for side, data in (("left", left), ("right", right)):
        (folder / side).write_bytes(data)
    return NATIVE.compare(name, folder / "left", folder / "right")


def test_text_is_asked_first_and_what_shows_mere_bytes_last():
    ranks = sorted(COMPARATORS.all(), key=lambda one: one.rank)

    assert [one.name for one in ranks] == ["text", "native", "diffoscope", "bytes"]


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_what_is_planted_is_shown(pair, tmp_path: Path):
    shown = compare(tmp_path, pair.left, pair.right, pair.name)

    if pair.locators == ("content",):
        assert shown is None
    else:
        assert shown is not None
        assert shown.startswith(pair.locators[0])
        assert shown == compare(tmp_path, pair.left, pair.right, pair.name)


def test_values_stand_side_by_side(tmp_path: Path):
    manifest = b"Manifest-Version: 1.0\r\nBuilt-By: %b\r\n"
    both = (tarred({"META-INF/MANIFEST.MF": manifest % who}) for who in (b"root", b"audit"))

    assert compare(tmp_path, *both) == "member META-INF/MANIFEST.MF > Built-By: 'root' → 'audit'"


def test_members_that_differ_alike_are_one_line(tmp_path: Path):
    both = (tarred({f"f{n}": b"%d" % side for n in range(300)}) for side in (1, 2))

    assert compare(tmp_path, *both) == "member f0 > line 1 (and 299 more): '1' → '2'"


def test_a_lone_member_and_a_long_value(tmp_path: Path):
    assert compare(tmp_path, tarred({"a": b"1"}), tarred({"a": b"1", "b": b"2"})) == (
        "member b: nothing → '2'"
    )
    long = [b"x" * 500 + end for end in (b"1", b"2")]
    shown = compare(tmp_path, tarred({"a": long[0]}), tarred({"a": long[1]}))
    assert shown == f"member a > line 1: '…{'x' * 20}1' → '…{'x' * 20}2'"


def test_what_no_reader_opens_is_left_to_others(tmp_path: Path):
    assert compare(tmp_path, b"\0\1", b"\0\2") is None
    assert compare(tmp_path, b"a", b"a") is None


# What nobody can open.


def rows(folder: Path, left: bytes, right: bytes) -> list[str] | None:
    for side, data in (("left", left), ("right", right)):
        (folder / side).write_bytes(data)
    shown = COMPARATORS.load("bytes").compare("x", folder / "left", folder / "right")
    return None if shown is None else shown.split("\n")


def test_one_bit_of_many_megabytes_has_its_place(tmp_path: Path):
    left = bytes(20_000_000)
    right = bytearray(left)
    right[12_345_678] = ord("E")

    assert rows(tmp_path, left, bytes(right)) == [
        "from byte 12345678 on, of 20000000, in 1 of 4883 blocks of 4096",
        "-00bc6140: 0000 0000 0000 0000 0000 0000 0000 0000  ................",
        "+00bc6140: 0000 0000 0000 0000 0000 0000 0000 4500  ..............E.",
    ]
    assert rows(tmp_path, left, left) is None


def test_a_byte_more_at_the_end_is_shown(tmp_path: Path):
    assert rows(tmp_path, b"GOOD", b"GOOD\n") == [
        "from byte 4 on, of 4 and 5",
        "-00000000: 474f 4f44                                GOOD",
        "+00000000: 474f 4f44 0a                             GOOD.",
    ]


@given(st.binary(max_size=9000), st.binary(max_size=40), st.binary(max_size=40))
@settings(deadline=None)
def test_of_any_bytes_the_first_that_differs_is_told(tmp_path_factory, same, one, other):
    shown = rows(tmp_path_factory.mktemp("any"), same + one, same + other)
    if one == other:
        assert shown is None
        return
    first = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
    first = min(len(one), len(other)) if first is None else first
    assert shown is not None
    assert shown[0].startswith(f"from byte {len(same) + first} on")
    assert 2 <= len(shown) <= 17


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=9), st.binary(max_size=20), max_size=60), st.binary())
def test_what_comes_back_is_bounded_and_printable(tmp_path_factory, files, text):
    folder = tmp_path_factory.mktemp("any")
    names = {name.replace("\0", "").strip("/") or "x": body for name, body in files.items()}
    left, right = (
        tarred({**names, "z": b"1"}),
        tarred({n: b + text for n, b in names.items()} | {"z": b"2"}),
    )
    shown = compare(folder, left, right) or ""

    assert len(shown) <= MOST_CHARACTERS and len(shown.split("\n")) <= MOST_LINES + 1
    assert all(line.isprintable() for line in shown.split("\n"))


def test_no_path_of_ours_is_shown(tmp_path: Path):
    pair = next(pair for pair in PAIRS if pair.name.endswith(".git/index"))
    for side, data in (("left", pair.left), ("right", pair.right)):
        (tmp_path / side).write_bytes(data)
    shown = COMPARATORS.load("diffoscope").compare("index", tmp_path / "left", tmp_path / "right")
    if shown is None:
        pytest.skip("diffoscope, or its sandbox, is not here")
    assert shown.splitlines()[0].strip() == "index"
    assert "/tmp" not in shown
