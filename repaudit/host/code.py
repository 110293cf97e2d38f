"""Which code is running, as one name."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

_PACKAGE = Path(__file__).parent.parent
#: What the package stands on when it reads and compares.
_LIBRARIES = ("blake3", "isal", "msgspec", "zstandard")


def fingerprint() -> str:
    """Return a digest in hex of this package's source, of the libraries' versions and Python's."""
    from importlib import metadata  # it costs more than a comparison of two small images

    hasher = hashlib.sha256(sys.version.encode())
    for name in _LIBRARIES:
        hasher.update(f"{name} {metadata.version(name)}\n".encode())
    for path in sorted(_PACKAGE.rglob("*.py")):
        data = path.read_bytes()
        hasher.update(f"{path.relative_to(_PACKAGE)} {len(data)}\n".encode())
        hasher.update(data)
    return hasher.hexdigest()
