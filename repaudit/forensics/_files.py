"""The members of an archive that differ, as files that others may hold digests of."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache

from repaudit.forensics.interface import Files
from repaudit.formats import algorithm


class MemberFiles:
    """Members by their digests, whatever the algorithm; what is `beyond` are other files."""

    def __init__(self, pairs: Mapping[str, tuple[bytes, bytes]], beyond: Files | None) -> None:
        self._pairs = pairs
        self._beyond = beyond
        self._by_length = cache(self._hashed)

    def named(self, left: bytes, right: bytes) -> str | None:
        """Return the member, or the file beyond, that has these digests on the two sides."""
        name = self._by_length(len(left)).get((left, right))
        if name is None and self._beyond is not None:
            return self._beyond.named(left, right)
        return name

    def _hashed(self, length: int) -> dict[tuple[bytes, bytes], str]:
        name = algorithm(length)
        if name is None:
            return {}

        def digest(data: bytes) -> bytes:
            return hashlib.new(name, data, usedforsecurity=False).digest()

        return {(digest(a), digest(b)): member for member, (a, b) in self._pairs.items()}
