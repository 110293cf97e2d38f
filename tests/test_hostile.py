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

from tests import heavy, hostile, images

TABLE = tomllib.loads(
    (Path(__file__).parent.parent / "golden" / "hostile" / "refusals.toml").read_text("utf-8")
)
#: Seconds, and bytes of address space, that no image may make an audit take.
MOST_TIME, MOST_MEMORY = 120, 1 << 30
#: Seconds of processor time that all files of heavy.py may take; each one would take more.
MOST_OF_HEAVY = 40


def test_every_hostile_image_has_its_refusal():
    assert set(hostile.IMAGES) == set(TABLE)
    assert len(TABLE) >= 25


def _limited() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_OF_HEAVY, MOST_OF_HEAVY))
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))


def diff(
    folder: Path, left: str, right: str, *options: str, seconds: int = MOST_TIME
) -> subprocess.CompletedProcess[str]:
    places = {"HOME": folder / "home", "XDG_CACHE_HOME": folder / "cache", "TMPDIR": folder / "tmp"}
    for place in places.values():
        place.mkdir()
    environment = os.environ | {name: str(place) for name, place in places.items()}
    return subprocess.run(
        [sys.executable, "-m", "repaudit", "diff", "--quiet", *options, left, right],
        env=environment,
        capture_output=True,
        text=True,
        timeout=seconds,
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
    assert (str(left) in done.stderr, str(right) in done.stderr) == (True, False), done.stderr
    assert done.stdout == ""
    assert sorted(images.rglob("*")) == before
    assert list((tmp_path / "home").iterdir()) == []
    assert [path for path in (tmp_path / "tmp").rglob("*") if path.is_file()] == []
    assert list((tmp_path / "cache").rglob("sha256-*")) == [], "nothing of it is believed later"


def test_files_that_are_made_to_take_hours_are_looked_into_within_bounds(tmp_path: Path):
    """An image of a few megabytes, whose files are all compared and examined."""
    sides = [
        images.tar(*(images.member(name.encode(), both[n]) for name, both in heavy.FILES.items()))
        for n in (0, 1)
    ]
    left = hostile.sound(tmp_path / "left", sides[0])
    right = hostile.sound(tmp_path / "right", sides[1])
    # Processor time is what is bounded; others may have most of it.
    done = diff(tmp_path, left, right, "--no-diffoscope", seconds=5 * MOST_TIME)

    assert done.returncode == 1, done.stderr
    assert all(name in done.stdout for name in heavy.FILES)
    assert list((tmp_path / "home").iterdir()) == []
    assert [path for path in (tmp_path / "tmp").rglob("*") if path.is_file()] == []


def test_the_sound_neighbours_are_not_refused(tmp_path: Path):
    left = hostile.sound(tmp_path / "left", hostile.SOUND)
    done = diff(tmp_path, left, hostile.sound(tmp_path / "right"))

    assert done.returncode == 1, done.stderr
    assert "srv/a" in done.stdout
