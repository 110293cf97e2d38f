"""What git knows of a build context."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from repaudit.host import git


@pytest.fixture
def work_tree(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    return tmp_path


@pytest.mark.parametrize("name", ["images/shop", "with space", "\u00e9", "a\nb"])
def test_a_context_has_a_place_in_its_work_tree(work_tree: Path, name: str):
    (work_tree / name).mkdir(parents=True)

    assert git.folder(work_tree / name) == name


def test_the_root_is_not_nowhere(work_tree: Path):
    assert git.folder(work_tree) == ""


def test_outside_of_a_work_tree_there_is_no_place(tmp_path: Path):
    assert git.folder(tmp_path) is None
    assert git.relative(tmp_path / "Containerfile") is None
