"""What git knows of a build context."""

from __future__ import annotations

import os
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


def test_asking_writes_nothing_into_the_repository(work_tree: Path):
    """A stale time in the index is what `git status` on its own would write anew."""
    (work_tree / "a").write_text("a\n")
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    for words in (("add", "--all"), (*who, "commit", "--quiet", "--message=m")):
        subprocess.run(["git", "-C", work_tree, *words], check=True)
    os.utime(work_tree / "a", (1_000_000_000, 1_000_000_000))
    index = work_tree / ".git" / "index"
    before = (index.read_bytes(), index.stat().st_mtime_ns)

    found = git.source(work_tree)
    assert found is not None and not found.dirty
    assert (index.read_bytes(), index.stat().st_mtime_ns) == before
    subprocess.run(["git", "-C", work_tree, "status"], check=True, stdout=subprocess.DEVNULL)
    assert index.read_bytes() != before[0]  # the test would notice
