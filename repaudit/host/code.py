"""Which code compares, as one name."""

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
#: The rooms whose code reads and compares, and what they stand on.
_ROOMS = ("model", "host", "oci", "sources", "stages")
_LIBRARIES = (blake3, isal, msgspec, zstandard)


@cache
def fingerprint() -> str:
    """Return a digest in hex of the source that compares, of the libraries' versions and Python's.

    Who changes how a difference is shown or explained does not make the comparison blind.
    """
    hasher = hashlib.sha256(sys.version.encode())
    for module in _LIBRARIES:
        hasher.update(f"{module.__name__} {module.__version__}\n".encode())
    for path in sorted(path for room in _ROOMS for path in _sources(str(_PACKAGE / room))):
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
