"""`repaudit …` as a program of its own, for tests that need no more than what it says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def repaudit(*words: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run it here, with these variables beside those that there are."""
    return _run(words, os.environ | env)


def alone(folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run it in a folder that is home and scratch as well, and nothing else to go by."""
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    return _run(words, env | {"HOME": str(folder), "TMPDIR": str(folder)}, folder)


def _run(
    words: tuple[str | Path, ...], env: dict[str, str], cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "repaudit", *map(str, words)]
    return subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True)
