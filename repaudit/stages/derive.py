"""Files that differ only because they hold the digest of another file that differs.

A wheel's RECORD, a package's md5sums and a lock file follow what they list: they have no cause of
their own, and stand under the file that has one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from repaudit.model.difference import Aspect, Difference, Place
from repaudit.stages.contents import Contents

#: Lists of digests are short; what is longer is taken for something else.
MOST_BYTES = 4 << 20
_ALGORITHMS = {16: "md5", 20: "sha1", 28: "sha224", 32: "sha256", 48: "sha384", 64: "sha512"}
_HEX = re.compile(rb"(?<![0-9A-Za-z])(?:[0-9a-f]{2}){16,64}(?![0-9A-Za-z])", re.IGNORECASE)
#: In either alphabet, with its padding or without (RECORD, Subresource Integrity, Content-MD5).
_BASE64 = re.compile(
    rb"(?:(?<=sha256[-=])|(?<=sha384[-=])|(?<=sha512[-=])|(?<![0-9A-Za-z+/_=-]))"
    rb"[0-9A-Za-z+/_-]{22,86}={0,2}(?![0-9A-Za-z+/_=-])"
)


class Digests:
    """The digests of the files of one image that differ, whatever the algorithm."""

    def __init__(self, files: Iterable[tuple[Place, Path, int]]) -> None:
        """Take the files, each with the copy of its bytes and their whole number.

        A file of which the copy holds a part alone is left out.
        """
        self._files = tuple(files)
        self._by_algorithm = cache(self._hashed)

    def masked(self, data: bytes) -> tuple[bytes, frozenset[Place]]:
        """Return `data` with each of the digests replaced by its file's place, and those places."""
        held: set[Place] = set()

        def replaced(match: re.Match[bytes]) -> bytes:
            raw = _decoded(match[0])
            place = self._by_algorithm(len(raw)).get(raw) if raw else None
            if place is None:
                return match[0]
            held.add(place)
            return f"<digest of {place[0]} {place[1]!r}>".encode(errors="backslashreplace")

        if len(data) <= MOST_BYTES:
            data = _BASE64.sub(replaced, _HEX.sub(replaced, data))
        return data, frozenset(held)

    def _hashed(self, length: int) -> dict[bytes, Place]:
        algorithm = _ALGORITHMS.get(length)
        if algorithm is None:
            return {}
        found: dict[bytes, Place] = {}
        for place, path, size in self._files:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, lambda: _hash(algorithm)).digest()
                if file.tell() == size:
                    found.setdefault(digest, place)
        return found


def _hash(algorithm: str) -> hashlib._Hash:
    return hashlib.new(algorithm, usedforsecurity=False)


def _decoded(token: bytes) -> bytes | None:
    """Return the bytes that a token in hex or base64 stands for."""
    if _HEX.fullmatch(token):
        return bytes.fromhex(token.decode("ascii"))
    plain = token.rstrip(b"=").replace(b"-", b"+").replace(b"_", b"/")
    try:
        return base64.b64decode(plain + b"=" * (-len(plain) % 4), validate=True)
    except binascii.Error:
        return None


def derived(
    differences: Sequence[Difference], contents: Contents
) -> Mapping[Place, tuple[Place, ...]]:
    """Return the places that differ in other files' digests alone, each with its roots, sorted.

    A root is no such place itself: what holds the digest of a list stands under what is listed.
    """
    kept = {
        d.place: both
        for d in differences
        if d.aspect is Aspect.CONTENT and (both := contents.get((d.left, d.right)))
    }
    left = Digests((place, k.left, k.left_size) for place, k in kept.items())
    right = Digests((place, k.right, k.right_size) for place, k in kept.items())
    held: dict[Place, frozenset[Place]] = {}
    for place, both in kept.items():
        if max(both.left_size, both.right_size) <= MOST_BYTES:
            one, named = left.masked(both.left.read_bytes())
            other, _ = right.masked(both.right.read_bytes())
            if named and one == other:
                held[place] = named
    return _roots(held)


def _roots(held: Mapping[Place, frozenset[Place]]) -> dict[Place, tuple[Place, ...]]:
    """Follow what each place holds down to what holds nothing."""
    try:
        order = tuple(TopologicalSorter(held).static_order())
    except CycleError:  # no two files hold each other's digest, unless by a crafted collision
        return {}
    found: dict[Place, frozenset[Place]] = {}
    for place in order:
        if place in held:
            below = (found.get(one, frozenset({one})) for one in held[place])
            found[place] = frozenset().union(*below)
    return {place: tuple(sorted(roots, key=str)) for place, roots in found.items()}
