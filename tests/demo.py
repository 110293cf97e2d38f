"""`make demo`: a faulty Debian image, then its repaired neighbour; exits 0 if both are told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests import base

GOLDEN = Path(__file__).parent.parent / "golden"


def audit(case: str) -> int:
    argv = ["rebuild", "--twice", "--timestamp", "1700000000", str(GOLDEN / case)]
    print(f"\n$ repaudit {' '.join(argv[:-1])} golden/{case}", flush=True)
    environment = os.environ | base.storage()
    return subprocess.run([sys.executable, "-m", "repaudit", *argv], env=environment).returncode


def main() -> int:
    faulty, repaired = audit("combo-service"), audit("clean-service")
    print(f"\nexit codes: {faulty} (1: differences), then {repaired} (0: reproducible)")
    return 0 if (faulty, repaired) == (1, 0) else 1


if __name__ == "__main__":
    sys.exit(main())
