"""What is forked from a loaded program says and does what one says and does that is started."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from repaudit.cli.app import _COMMANDS
from tests import forked

ENV = {"PATH": os.environ["PATH"], "PYTHONPATH": str(forked.ROOT), "COLUMNS": "90"}


def both(folder: Path, *words: str) -> list[subprocess.CompletedProcess[bytes]]:
    argv = [sys.executable, "-m", "repaudit", *words]
    started = subprocess.run(argv, env=ENV, cwd=folder, capture_output=True)
    return [started, forked.run(words, ENV, folder)]


@pytest.mark.parametrize("command", [*_COMMANDS, ""])
def test_each_command_is_the_same(command: str, tmp_path: Path) -> None:
    started, done = both(tmp_path, *command.split(), "--help")

    assert b"Usage: " in started.stdout
    assert (done.returncode, done.stdout, done.stderr) == (0, started.stdout, started.stderr)


@pytest.mark.parametrize("words", ["list factors", "rebuild none", "nope", "pins audit ."])
def test_answers_and_refusals_are_the_same(words: str, tmp_path: Path) -> None:
    (tmp_path / "Containerfile").write_text("FROM debian\n")
    started, done = both(tmp_path, *words.split())

    assert started.stdout or started.stderr
    assert (done.returncode, done.stdout, done.stderr) == (
        started.returncode,
        started.stdout,
        started.stderr,
    )


def test_each_has_its_own_folder_and_environment(tmp_path: Path) -> None:
    (tmp_path / "Containerfile").write_text("FROM debian\n")
    first = forked.run(("rebuild", "."), ENV | {"SOURCE_DATE_EPOCH": "never"}, tmp_path)
    second = forked.run(("rebuild", "nowhere"), ENV, tmp_path)
    third = forked.run(("pins", "audit", "."), ENV, tmp_path)
    fourth = forked.run(("pins", "audit", tmp_path), ENV, Path("/"))

    assert b"SOURCE_DATE_EPOCH" in first.stderr
    assert b"no such folder: nowhere" in second.stderr
    assert third.stdout
    assert [done.returncode for done in (first, second, third, fourth)] == [2, 2, 1, 1]


def test_what_takes_too_long_is_killed(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError):
        forked.run(("list", "factors"), ENV, tmp_path, timeout=0)
    assert forked.run(("--version",), ENV, tmp_path).returncode == 0
