"""Files that differ only because they hold the digest, or the bytes, of another that differs.

A wheel's RECORD, a package's md5sums and an archive follow what they list or hold: they have no
cause of their own, and stand under the file that has one. So does what a layer has from one below.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from graphlib import CycleError, TopologicalSorter
from itertools import islice
from pathlib import PurePosixPath

from repaudit.forensics import decides
from repaudit.formats import algorithm, differing, read_digest
from repaudit.model.difference import Aspect, Difference, Place, Within
from repaudit.oci.spool import Source
from repaudit.stages.contents import Contents, Kept

#: Lists of digests are short; what is longer is taken for something else.
MOST_BYTES = 4 << 20
#: Further files stand for themselves.
MOST_FILES = 5_000
#: Shorter files are the same by chance: two lines may each write the date.
LEAST_BYTES = 16
#: What of a file is copied up with it, and is not what a step writes there.
_COPIED_UP = {Aspect.MODE, Aspect.OWNER, Aspect.XATTR}
_BYTES = {Aspect.CONTENT, Aspect.LINK}
_HEX = re.compile(rb"(?<![0-9A-Za-z])(?:[0-9a-f]{2}){16,64}(?![0-9A-Za-z])", re.IGNORECASE)
#: In either alphabet, with its padding or without (RECORD, Subresource Integrity, Content-MD5).
_BASE64 = re.compile(
    rb"(?:(?<=sha256[-=])|(?<=sha384[-=])|(?<=sha512[-=])|(?<![0-9A-Za-z+/_=-]))"
    rb"[0-9A-Za-z+/_-]{22,86}={0,2}(?![0-9A-Za-z+/_=-])"
)


#: A place and what both sides have there.
_Sided = tuple[Place, str | None, str | None]
#: Both sides' bytes, and of which image.
_Bytes = tuple[str | None, str | None, str | None]


class Digests:
    """The digests of the files of one image that differ, whatever the algorithm."""

    def __init__(self, files: Iterable[tuple[Place, Source, int]]) -> None:
        """Take the files, each with where its bytes are kept and their whole number.

        A file of which the copy holds a part alone is left out.
        """
        self._files = tuple(files)
        self._by_algorithm = cache(self._hashed)

    def masked(self, data: bytes, seal: str) -> tuple[bytes, frozenset[Place]]:
        """Return `data` with each of the digests replaced by its file's place, and those places.

        `seal` stands there as well: what no text holds, so that none passes for a digest.
        """
        held: set[Place] = set()

        def replaced(match: re.Match[bytes]) -> bytes:
            raw = read_digest(match[0])
            place = self.of(raw) if raw else None
            if place is None:
                return match[0]
            held.add(place)
            return f"<{seal} {place[0]} {place[1]!r}>".encode(errors="backslashreplace")

        if len(data) <= MOST_BYTES:
            data = _BASE64.sub(replaced, _HEX.sub(replaced, data))
        return data, frozenset(held)

    def of(self, digest: bytes) -> Place | None:
        """Return the file that has this digest."""
        return self._by_algorithm(len(digest)).get(digest)

    def place(self, data: bytes) -> Place | None:
        """Return the file that has these bytes."""
        return self.of(hashlib.sha256(data).digest())

    def _hashed(self, length: int) -> dict[bytes, Place]:
        name = algorithm(length)
        if name is None:
            return {}
        found: dict[bytes, Place] = {}
        for place, source, size in self._files:
            data = source.read_bytes()
            if len(data) == size:
                digest = hashlib.new(name, data, usedforsecurity=False).digest()
                found.setdefault(digest, place)
        return found


Derived = Mapping[Place, tuple[Place, ...]]


def derived(
    differences: Sequence[Difference], contents: Contents, *, one_build: bool = True
) -> Derived:
    """Return the places that differ in other files' digests or bytes alone, with those, sorted.

    A root is no such place itself: what holds the digest of a list stands under what is listed.
    Where both sides are not of `one_build`, a place at which those may decide something is none.
    """
    return Derivation(contents, one_build=one_build).of(differences)


class Derivation:
    """What follows from what, in several comparisons: the same contents are looked at once."""

    def __init__(self, contents: Contents, *, one_build: bool = True) -> None:
        self._contents = contents
        self._one_build = one_build
        self._known: dict[tuple[_Sided, ...], Derived] = {}

    def of(self, differences: Iterable[Difference]) -> Derived:
        """Return, of one comparison, what `derived` does."""
        content = (d for d in differences if d.aspect is Aspect.CONTENT)
        sided = ((d.place, d.left, d.right) for d in content)
        some = tuple(islice((s for s in sided if self._contents.get(s[1:])), MOST_FILES))
        if some not in self._known:
            self._known[some] = self._roots(some)
        return self._known[some]

    def _roots(self, some: Iterable[_Sided]) -> Derived:
        pairs = ((place, self._contents.get((left, right))) for place, left, right in some)
        kept = {place: both for place, both in pairs if both}
        search = _Search(kept, one_build=self._one_build)
        return roots({place: found for place in kept if (found := search.held(place))})


def inherited(
    differences: Iterable[Difference], left_alone: Callable[[Difference], bool] = lambda _: False
) -> dict[Place, tuple[Place, ...]]:
    """Return the places whose values are, on both sides, those of a layer below, with the lowest.

    A step that writes into a folder brings the folder into its layer, with the mode, the owner and
    the attributes that it has below (overlayfs copies it up). A file's bytes come along where its
    mode or owner is changed. Two lines may write the same, too, so they count only where the later
    one is known to have `left_alone` the bytes; then they, and their mode and owner, may have had
    another name below. Times are left out.
    """
    found: dict[Place, tuple[Place, ...]] = {}
    below: dict[tuple[str | None, str, Aspect], tuple[Difference, Place]] = {}
    elsewhere: dict[_Bytes, tuple[int | None, Place]] = {}
    former: dict[tuple[Within, str], str] = {}
    kinds = _COPIED_UP | _BYTES
    layered = (d for d in differences if d.layer is not None and d.aspect in kinds)
    for one in sorted(layered, key=lambda d: d.key):
        path = former.get((one.within, one.path), one.path)
        known, lowest = below.get((one.platform, path, one.aspect), (None, one.place))
        same = known and (known.left, known.right) == (one.left, one.right)
        if same and (one.aspect in _COPIED_UP or left_alone(one)):
            found[one.place] = (lowest,)
        elif (moved := _moved(one, elsewhere)) and left_alone(one):
            found[one.place], lowest = (moved,), moved
            former[one.within, one.path] = moved[1]  # its content comes first, in that order
        else:
            lowest = one.place
        if one.aspect is Aspect.CONTENT:
            elsewhere.setdefault(_bytes(one), (one.layer, lowest))
        below[one.platform, one.path, one.aspect] = (one, lowest)
    return found


class _OwnError(Exception):
    """A text differs in more than digests, so that the rest of its file need not be read."""


def _bytes(one: Difference) -> _Bytes:
    return (one.platform, one.left, one.right)


def _moved(one: Difference, known: Mapping[_Bytes, tuple[int | None, Place]]) -> Place | None:
    """Return where a layer below has the same bytes under another name."""
    if one.aspect is not Aspect.CONTENT or _bytes(one) not in known:
        return None
    layer, place = known[_bytes(one)]
    return place if layer != one.layer else None


class _Search:
    def __init__(self, kept: Mapping[Place, Kept], *, one_build: bool) -> None:
        self._kept = kept
        self._one_build = one_build
        self._digests = (
            Digests((place, k.left, k.left_size) for place, k in kept.items()),
            Digests((place, k.right, k.right_size) for place, k in kept.items()),
        )
        self._sizes = {(k.left_size, k.right_size) for k in kept.values()}

    def held(self, place: Place) -> frozenset[Place]:
        """Return the places whose digests or bytes are all that differs in one, if they are."""
        both = self._kept[place]
        if max(both.left_size, both.right_size) > MOST_BYTES or not both.whole:
            return frozenset()
        sides = (both.left.read_bytes(), both.right.read_bytes())
        seal = hashlib.sha256(b"".join(sides)).hexdigest()  # no file holds its own
        found: set[Place] = set()
        read = [*sides]

        def masked(_: str, texts: Sequence[bytes]) -> list[bytes]:
            pairs = zip(self._digests, texts, strict=True)
            (left, named), (right, _others) = (
                digests.masked(text, seal) for digests, text in pairs
            )
            found.update(named)
            read.extend(texts)
            if left != right and max(map(len, texts)) <= MOST_BYTES:
                raise _OwnError
            return [left, right]

        def known(inner: Sequence[bytes]) -> bool:
            root = self._root(place, inner)
            found.update([root] if root else [])
            return root is not None

        try:
            regions = differing(sides, PurePosixPath(place[1]).name, rewrite=masked, known=known)
            for values in regions.values():
                left, right = masked("", [value or b"" for value in values])
                if left != right or None in values:
                    return frozenset()
        except _OwnError:
            return frozenset()
        if found and not self._one_build and decides(place[1], read, regions):
            return frozenset()
        return frozenset(found)

    def _root(self, place: Place, inner: Sequence[bytes]) -> Place | None:
        """Return the file of which both sides of `inner`, a part of another, are both sides."""
        left, right = inner
        if (len(left), len(right)) not in self._sizes or min(len(left), len(right)) < LEAST_BYTES:
            return None
        one, other = (
            digests.place(data) for digests, data in zip(self._digests, inner, strict=True)
        )
        return one if one == other != place else None


def roots(held: Mapping[Place, Iterable[Place]]) -> dict[Place, tuple[Place, ...]]:
    """Follow what each place follows from down to what follows from nothing; a circle has no end.

    No two files hold each other's digest, but two may each be read for the other.
    """
    try:
        order = tuple(TopologicalSorter(held).static_order())
    except CycleError:
        return {}
    found: dict[Place, frozenset[Place]] = {}
    for place in order:
        if place in held:
            below = (found.get(one, frozenset({one})) for one in held[place])
            found[place] = frozenset().union(*below)
    return {place: tuple(sorted(roots, key=str)) for place, roots in found.items()}
