"""`repaudit diff` of honest pairs, from the archive to the report: each has the cause that it has.

Beside each stands a neighbour that looks like it and has not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from repaudit.cli.app import app
from tests.images import Store, member, tar, write_files

_NIGHT = "2023-11-14T22:13:20", 1_700_000_000
_LATER = "2024-03-09T16:00:00", 1_710_000_000


def image(folder: Path, *layers: bytes, **more: Any) -> str:
    store = Store()
    return str(write_files(folder, store.layout(store.image(*layers, **more))))


def diff(left: str, right: str, *more: str) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["diff", left, right, "--quiet", "--format", "json", *more])
    return json.loads(done.stdout)


def shown(left: str, right: str, *more: str) -> str:
    return CliRunner().invoke(app, ["diff", left, right, "--quiet", *more]).stdout


def causes(report: Mapping[str, Any]) -> dict[str, set[str]]:
    """The places of each cause that a report names."""
    found: dict[str, set[str]] = {}
    for one in report["findings"]:
        places = {difference["path"] for difference in one["differences"]}
        found.setdefault(one["cause"]["slug"], set()).update(places)
    return found


def files(*paths: str, at: int = 0, **fields: Any) -> list[bytes]:
    return [member(path.encode(), b"x", mtime=b"%011o\0" % at, **fields) for path in paths]


# --- clamped times -----------------------------------------------------------------------------


def dated(folder: Path, created: str, *members: bytes, step: str = "") -> str:
    history = [{"created": step or created, "created_by": "RUN make"}]
    return image(folder, tar(*members), created=created, history=history)


def test_two_fixed_times_are_told_as_such(tmp_path: Path):
    sides = [
        dated(tmp_path / day, f"{day}Z", *files("a", "b", at=at)) for day, at in (_NIGHT, _LATER)
    ]
    found = causes(diff(*sides))
    assert found == {
        "times_clamped_differently": {"/config/created", "/history/0/created", "a", "b"}
    }


def test_what_is_older_than_a_clamp_keeps_its_time(tmp_path: Path):
    (day, early), (other, late) = _NIGHT, _LATER
    between = files("between", at=early + 9)
    one = dated(tmp_path / "l", f"{day}Z", *files("a", "between", at=early))
    two = dated(tmp_path / "r", f"{other}Z", *files("a", at=late), *between)
    assert causes(diff(one, two)).keys() == {"times_clamped_differently"}
    assert causes(diff(two, one)).keys() == {"times_clamped_differently"}
    newer = dated(tmp_path / "n", f"{other}Z", *files("a", at=late), *files("between", at=late + 1))
    assert causes(diff(one, newer)).keys() == {
        "creation_times_not_clamped",
        "layer_mtimes_not_clamped",
    }


@pytest.mark.parametrize("fraction", ["", ".5"])
def test_the_times_of_a_clock_are_no_clamp(tmp_path: Path, fraction: str):
    """A clock goes on between the file and the image, and has fractions."""
    late = 0 if fraction else 3
    sides = [
        dated(tmp_path / day, f"{day}{fraction}Z", *files("a", "b", at=at - late))
        for day, at in (_NIGHT, _LATER)
    ]
    assert causes(diff(*sides)).keys() == {"creation_times_not_clamped", "layer_mtimes_not_clamped"}


def test_of_a_clamped_image_a_step_of_another_time_is_none_of_the_clamp(tmp_path: Path):
    (day, early), (other, late) = _NIGHT, _LATER
    one = dated(tmp_path / "l", f"{day}Z", *files("a", at=early), step="2025-01-01T00:00:00Z")
    two = dated(tmp_path / "r", f"{other}Z", *files("a", at=late), step="2025-01-01T00:00:09Z")
    found = causes(diff(one, two))
    assert found["creation_times_not_clamped"] == {"/history/0/created"}
    assert found["times_clamped_differently"] == {"/config/created", "a"}
