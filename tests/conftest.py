from __future__ import annotations

import compileall
import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

from repaudit.indexes import maven, npm, pypi
from tests import base
from tests.live import Shell

# The same examples every time, on a machine of any speed.
settings.register_profile("repaudit", derandomize=True, deadline=None)
settings.load_profile("repaudit")


def pytest_configure(config: pytest.Config) -> None:
    """Compile the package once: many tests start it, and its interposer writes no bytecode.

    The tests are compiled once as well, whatever the environment says: for each worker and each
    time, it would take longer than all else that a worker does before it begins.
    """
    sys.dont_write_bytecode = False
    if not hasattr(config, "workerinput"):
        compileall.compile_dir(Path(__file__).parent.parent / "repaudit", quiet=1)


def _length(item: pytest.Item) -> int:
    """Return the class of a test by what it takes: the slow ones, what builds, all others."""
    if item.get_closest_marker("slow"):
        return 0
    return 1 if item.get_closest_marker("live") else 2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what takes longest first, so that all workers end together.

    Without root and a builder the live tests are skipped, unless REPAUDIT_REQUIRE=live.
    """
    import shutil

    items.sort(key=_length)

    able = os.geteuid() == 0 and all(map(shutil.which, ("buildah", "runc", "mmdebstrap")))
    if able or os.environ.get("REPAUDIT_REQUIRE") == "live":
        return
    for item in items:
        if item.get_closest_marker("live"):
            item.add_marker(pytest.mark.skip(reason="needs root, buildah, runc and mmdebstrap"))


@pytest.fixture(autouse=True)
def configured_anew() -> None:
    """Ask the clients' configuration again: a process is one user's, but not one test's."""
    for known in (maven._configured, npm._registry, pypi._configured):
        known.cache_clear()


@pytest.fixture(scope="session")
def golden_storage() -> dict[str, str]:
    """The environment in which the base image of the golden cases is in the host's storage."""
    return base.storage()


@pytest.fixture
def shell(tmp_path: Path, golden_storage: dict[str, str]) -> Shell:
    """A shell to type `repaudit …` into, where the golden cases' base image is the host's own."""
    return Shell(tmp_path, golden_storage)
