"""`repaudit …` as a program of its own, for tests that need no more than what it says."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests import forked


def repaudit(*words: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run it here, with these variables beside those that there are."""
    return _run(words, os.environ | env)


def alone(folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run it in a folder that is home and scratch as well, and nothing else to go by."""
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(forked.ROOT)}
    return _run(words, env | {"HOME": str(folder), "TMPDIR": str(folder)}, folder)


def _run(
    words: tuple[str | Path, ...], env: dict[str, str], cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    done = forked.run(words, env, cwd)
    said = done.stdout.decode(), done.stderr.decode()
    return subprocess.CompletedProcess(words, done.returncode, *said)
