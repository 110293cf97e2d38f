"""What differs between two listings: their entries joined by path, equal stretches unread.

A path's second entry in a layer is called `PATH (entry 2)`, and so on, as the first one decides
nothing about the second.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice, pairwise

from msgspec import Struct

from repaudit.model.errors import MalformedError
from repaudit.model.image import Entry, Kind
from repaudit.oci.listing import Listing
from repaudit.oci.order import Stretch, decided
from repaudit.oci.otherwise import Otherwise, Times
from repaudit.oci.record import Record, bare, kind_of, text

#: Above this many, two layers are not two builds of one thing. Each takes some kilobyte.
MOST_CHANGES = 500_000
#: The longest stretch, in records, that is compared at once.
_MOST_AT_ONCE = 4096
#: The rights of others than the owner to read.
_READ = 0o044
_Name = Callable[[int], str]


class Change(Struct, frozen=True, kw_only=True):
    """One path at which two layers do not hold the same record; None where there is none.

    `layers` are the numbers of the layers on each side, where there are several.
    """

    path: str
    left: Entry | None
    right: Entry | None
    layers: tuple[int, int] = (0, 0)


class Changes(Struct, frozen=True, kw_only=True):
    """All of them, sorted by path, and the first two paths that stand in another order, if any.

    `decides` says in words what hangs on that order, None where nothing does. `written` says in
    words how the layers are written otherwise, whatever differs besides, `times` what other times
    they tell of files, and `means` whether a reader may take the former for more. `kept` are the
    rights to read that files have on both sides, where others differ in such rights.
    """

    changed: tuple[Change, ...]
    order: tuple[str, str] | None
    decides: str | None = None
    written: tuple[str, ...] = ()
    times: Times | None = None
    means: bool = False
    kept: int = 0


def find_changes(left: Listing, right: Listing) -> Changes:
    """Join two listings. Memory grows with what differs, not with what there is.

    Raises MalformedError above MOST_CHANGES.
    """
    join = _Join(left, right)
    changed = sorted(islice(join.changes(), MOST_CHANGES + 1), key=lambda change: change.path)
    if len(changed) > MOST_CHANGES:
        raise MalformedError(
            f"two layers differ in more than {MOST_CHANGES} entries",
            hint="these are not two builds of one image: name the ones that shall be compared",
        )
    order = join.order()
    decides = decided(left, join.stretches, _told(changed)) if order else None
    join.otherwise.end(left.foot, right.foot)
    written = join.otherwise.lines()
    return Changes(
        changed=tuple(changed),
        order=order,
        decides=decides,
        written=written,
        times=join.otherwise.times(),
        means=join.otherwise.means,
        kept=_kept(left, changed),
    )


def kept_rights(changed: Iterable[Change], others: Iterable[Record]) -> int:
    """Return the rights to read that files among `others` have, if any of `changed` differ in such.

    No umask of a build took rights from some that others of its files have.
    """
    rights = 0
    if any(a and b and (a.mode ^ b.mode) & _READ for a, b in ((c.left, c.right) for c in changed)):
        for one in others:
            rights |= one.mode & _READ if kind_of(one) is Kind.FILE else 0
    return rights


def _kept(left: Listing, changed: list[Change]) -> int:
    apart = {
        one.left.position
        for one in changed
        if one.left and (one.right is None or one.left.mode != one.right.mode)
    }
    records = enumerate(left.records(0, len(left)))
    return kept_rights(changed, (one for number, one in records if number not in apart))


def _told(changed: list[Change]) -> set[int]:
    """Return the numbers of the left's entries that are of another kind, or lead elsewhere."""
    return {
        one.left.position
        for one in changed
        if one.left
        and one.right
        and (one.left.kind, one.left.link) != (one.right.kind, one.right.link)
    }


class _Join:
    """Goes through both in step; where their paths differ, both go on until they meet again."""

    def __init__(self, left: Listing, right: Listing) -> None:
        self._left, self._right = left, right
        #: Where a path may repeat, equal records need not be of the same number.
        self._unique = not (left.foot.repeats or right.foot.repeats)
        self._names = _names(left), _names(right)
        #: Entries that the other side has yet to meet, by path.
        self._waiting: tuple[dict[str, int], dict[str, int]] = ({}, {})
        #: Stretches that belong together: where they begin on each side, and how long they are.
        self.stretches: list[Stretch] = []
        self.otherwise = Otherwise()

    def changes(self) -> Iterator[Change]:
        left, right = self._left, self._right
        i = j = 0
        while i < len(left) or j < len(right):
            if self._unique and (count := _agreeing(left, i, right, j)):
                self._met(i, j, count)
                i, j = i + count, j + count
                continue
            one = self._names[0](i) if i < len(left) else None
            other = self._names[1](j) if j < len(right) else None
            if one == other and one is not None:
                yield from self._pair(one, i, j)
                i, j = i + 1, j + 1
            elif other is not None and other in self._waiting[0]:
                yield from self._pair(other, self._waiting[0].pop(other), j)
                j += 1
            elif one is not None and one in self._waiting[1]:
                yield from self._pair(one, i, self._waiting[1].pop(one))
                i += 1
            else:
                if one is not None:
                    self._waiting[0][one] = i
                    i += 1
                if other is not None:
                    self._waiting[1][other] = j
                    j += 1
        for path, number in self._waiting[0].items():
            yield Change(path=path, left=left.entry(number), right=None)
        for path, number in self._waiting[1].items():
            yield Change(path=path, left=None, right=right.entry(number))

    def order(self) -> tuple[str, str] | None:
        """Return the first two paths, one a side, that stand at one place of what is common."""
        by_right = sorted(self.stretches, key=lambda stretch: stretch[1])
        by_left = sorted(self.stretches)
        for one, other in zip(by_left, by_right, strict=True):
            if one != other:
                return self._names[0](one[0]), self._names[1](other[1])
        return None

    def _pair(self, path: str, i: int, j: int) -> Iterator[Change]:
        self._met(i, j, 1)
        if self._left.raw(i, 1) == self._right.raw(j, 1):
            return
        one, other = self._left.record(i), self._right.record(j)
        self.otherwise.add(path, one, other)
        if bare(one) != bare(other):
            yield Change(path=path, left=self._left.entry(i), right=self._right.entry(j))

    def _met(self, i: int, j: int, count: int) -> None:
        if self.stretches:
            a, b, length = self.stretches[-1]
            if (a + length, b + length) == (i, j):
                self.stretches[-1] = (a, b, length + count)
                return
        self.stretches.append((i, j, count))


def _agreeing(left: Listing, i: int, right: Listing, j: int) -> int:
    """Return how many records are the same from these two numbers on."""
    most = min(len(left) - i, len(right) - j)
    count, step = 0, 1
    while count < most:
        data = left.raw(i + count, min(step, most - count))
        if data == right.read(j + count, len(data)):
            count += min(step, most - count)
            step = min(step * 4, _MOST_AT_ONCE)
        elif step > 1:
            step = 1 if step <= 4 else step // 4
        else:
            break
    return count


def _names(listing: Listing) -> _Name:
    """Return what entries are called by their numbers."""
    if not listing.foot.repeats:
        return lambda number: text(listing.record(number).path)
    again = _again(listing)

    def name(number: int) -> str:
        path = text(listing.record(number).path)
        return f"{path} (entry {again[number]})" if number in again else path

    return name


def _again(listing: Listing) -> dict[int, int]:
    """Return how many times the path of an entry stood up to it, where it was not the first."""
    hashes = array("q", (hash(listing.record(n).path) for n in range(len(listing))))
    order = sorted(hashes)
    repeated = {one for one, other in pairwise(order) if one == other}
    times: Counter[bytes] = Counter()
    found: dict[int, int] = {}
    for number, one in enumerate(hashes):
        if one in repeated:
            path = listing.record(number).path
            times[path] += 1
            if times[path] > 1:
                found[number] = times[path]
    return found
