"""Hostile images: each is refused in the words that golden/hostile/refusals.toml has for it."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests import hostile

TABLE = tomllib.loads(
    (Path(__file__).parent.parent / "golden" / "hostile" / "refusals.toml").read_text("utf-8")
)
#: Seconds, and bytes of address space, that no image may make an audit take.
MOST_TIME, MOST_MEMORY = 120, 1 << 30


def test_every_hostile_image_has_its_refusal():
    assert set(hostile.IMAGES) == set(TABLE)
    assert len(TABLE) >= 25


def _limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))


def diff(folder: Path, left: str, right: str) -> subprocess.CompletedProcess[str]:
    places = {"HOME": folder / "home", "XDG_CACHE_HOME": folder / "cache", "TMPDIR": folder / "tmp"}
    for place in places.values():
        place.mkdir()
    environment = os.environ | {name: str(place) for name, place in places.items()}
    return subprocess.run(
        [sys.executable, "-m", "repaudit", "diff", "--quiet", left, right],
        env=environment,
        capture_output=True,
        text=True,
        timeout=MOST_TIME,
        preexec_fn=_limited,
    )


@pytest.mark.parametrize("name", sorted(TABLE))
def test_it_is_refused_within_bounds_and_nothing_is_written(name: str, tmp_path: Path):

    images = tmp_path / "images"
    left = hostile.IMAGES[name](images / "left")
    right = hostile.sound(images / "right")
    before = sorted(images.rglob("*"))
    done = diff(tmp_path, left, right)

    assert done.returncode == 3, done.stdout + done.stderr
    assert re.search(TABLE[name]["says"], done.stderr), done.stderr
    assert "way out:" in done.stderr
    assert done.stdout == ""
    assert sorted(images.rglob("*")) == before
    assert list((tmp_path / "home").iterdir()) == []
    assert [path for path in (tmp_path / "tmp").rglob("*") if path.is_file()] == []
    assert list((tmp_path / "cache").rglob("sha256-*")) == [], "nothing of it is believed later"


def test_the_sound_neighbours_are_not_refused(tmp_path: Path):
    left = hostile.sound(tmp_path / "left", hostile.SOUND)
    done = diff(tmp_path, left, hostile.sound(tmp_path / "right"))

    assert done.returncode == 1, done.stderr
    assert "srv/a" in done.stdout
