"""Which code is running, as one name."""

from __future__ import annotations

import hashlib
import os
import sys
from functools import cache
from pathlib import Path

import blake3
import isal
import msgspec
import zstandard

_PACKAGE = Path(__file__).parent.parent
#: What the package stands on when it reads and compares.
_LIBRARIES = (blake3, isal, msgspec, zstandard)


@cache
def fingerprint() -> str:
    """Return a digest in hex of this package's source, of the libraries' versions and Python's."""
    hasher = hashlib.sha256(sys.version.encode())
    for module in _LIBRARIES:
        hasher.update(f"{module.__name__} {module.__version__}\n".encode())
    for path in sorted(_sources(str(_PACKAGE))):
        with open(path, "rb") as file:  # noqa: PTH123 - each comparison waits for hundreds of them
            data = file.read()
        hasher.update(f"{path[len(str(_PACKAGE)) :]} {len(data)}\n".encode())
        hasher.update(data)
    return hasher.hexdigest()


def _sources(folder: str) -> list[str]:
    """Return the paths of all Python files below a folder."""
    return [
        os.path.join(inner, name)  # noqa: PTH118 - as above
        for inner, _, names in os.walk(folder)
        for name in names
        if name.endswith(".py")
    ]
