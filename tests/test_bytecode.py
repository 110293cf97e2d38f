"""A time by which Python runs other code in one of two images, and times by which it does not."""

from __future__ import annotations

import importlib.util
import marshal
import struct
from pathlib import Path
from typing import Any

import pytest

from tests.images import header, member, octal, tar
from tests.test_diff_causes import causes, diff, image

_SOURCE = b"print('ok')\n"
_PY, _PYC = "app/m.py", "app/__pycache__/m.cpython-311.pyc"
_HELD = {"layer_mtimes_not_clamped", "timestamps_in_pyc_headers"}


def source(time: int, data: bytes = _SOURCE) -> bytes:
    return member(_PY.encode(), data, mtime=octal(time, 12))


def pyc(time: int, *, flags: int = 0, size: int = len(_SOURCE), path: str = _PYC) -> bytes:
    code = marshal.dumps(compile("print('pwned')", f"/{_PY}", "exec", dont_inherit=True))
    head = importlib.util.MAGIC_NUMBER + struct.pack("<III", flags, time, size)
    return member(path.encode(), head + code)


@pytest.mark.parametrize(
    ("left", "right", "wakes"),
    [
        ((111, 222), (111, 111), _PYC),
        ((222, 111), (111, 111), _PY),
        ((111, 222), (222, 222), _PY),
        ((111, 111), (222, 222), ""),  # it runs on both sides
        ((111, 333), (222, 333), ""),  # and here on none
        ((111, 333), (111, 444), ""),
    ],
)
def test_a_time_is_no_answer_where_other_code_runs_by_it(
    left: tuple[int, int], right: tuple[int, int], wakes: str, tmp_path: Path
):
    for number, (one, other) in enumerate(((left, right), (right, left))):
        sides = [
            image(tmp_path / f"{number}{side}", tar(source(of), pyc(time)))
            for side, (of, time) in zip("lr", (one, other), strict=True)
        ]
        found = causes(diff(*sides))
        assert found.keys() - _HELD == ({"unexplained"} if wakes else set())
        assert found.get("unexplained", set()) == ({wakes} if wakes else set())
        kept = diff(*sides, "--semantic")
        assert (_PY in causes(kept).get("unexplained", ())) is (wakes == _PY)


def told(tmp_path: Path, left: list[bytes], right: list[bytes]) -> dict[str, Any]:
    return causes(diff(image(tmp_path / "l", *left), image(tmp_path / "r", *right)))


def test_a_hash_or_another_size_in_the_header_knows_no_time(tmp_path: Path):
    for number, more in enumerate(({"flags": 1}, {"flags": 3}, {"size": 99})):
        code = pyc(111, **more)
        found = told(tmp_path / f"{number}", [tar(source(222), code)], [tar(source(111), code)])
        assert found.keys() == {"layer_mtimes_not_clamped"}


def test_a_source_in_another_layer_is_its_source_too(tmp_path: Path):
    for number, more in enumerate(([], [tar()])):  # layer by layer, and as file systems
        found = told(
            tmp_path / f"{number}",
            [tar(source(222)), tar(pyc(111))],
            [tar(source(111)), tar(pyc(111)), *more],
        )
        assert found["unexplained"] == {_PY}


def test_of_what_is_not_read_nobody_says_that_it_runs_not(tmp_path: Path):
    same, tail = tar(source(111)), [tar(pyc(111)), tar(pyc(222))]
    found = told(tmp_path, [same, tail[0]], [same, tail[1]])
    assert found["unexplained"] == {_PYC}


def test_what_is_another_name_of_bytecode_is_read_too(tmp_path: Path):
    more = "app/__pycache__/m.cpython-311.opt-1.pyc"
    link = header(more.encode(), kind=b"1", link=_PYC.encode())
    sides = [[tar(source(time), pyc(333), link)] for time in (111, 222)]
    assert told(tmp_path / "0", *sides).keys() == {"layer_mtimes_not_clamped"}
    sides = [[tar(source(time), pyc(111), link)] for time in (111, 222)]
    assert told(tmp_path / "1", *sides)["unexplained"] == {_PY}
