"""The contract of a format: bytes in, named parts out.

Laws, tested for every format: a file that is cut off, damaged or hostile raises UnreadableError and
nothing else, within the budget; the same bytes give the same parts; nothing is written anywhere.
A reader of a container names every byte: what is none of its parts is one of its own, such as
`after the end`, so that nothing hides beside what differs innocently. Other readers need not:
whoever walks over files adds the digest of the whole, so that two different files never look alike
(`_regions.py`, `_differing.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from repaudit.model.errors import UnreadableError
from repaudit.model.text import printable

#: Between the steps of a locator: `member a.tar.gz > inflated > member x > mtime`.
STEP = " > "


class Kind(Enum):
    """What a part stands for."""

    VALUE = "a field, in readable form"
    FILE = "bytes that may hold parts of their own"
    ORDER = "the names of the parts that could stand in another order, a line each"
    DERIVED = "follows from other parts: a checksum, a size, a copy"
    PLACE = "where other parts are, which follows from them, or leads elsewhere"


class Part(Struct, frozen=True):
    """One thing in a file. `name` is its own among the file's parts, and may have steps.

    `of` says what a derived one, or a place, follows from: the part of that name, the parts of a
    kind, or, where it is empty, all others. It is told where that is the same.
    """

    name: str
    data: bytes
    kind: Kind = Kind.VALUE
    of: str | Kind = ""


#: What is unpacked of one file is in memory, of all sides at a time.
_MOST_TOTAL = 1 << 30


class Bounds(Struct, frozen=True, kw_only=True):
    """How far files are looked into; what lies beyond is one opaque region.

    `depth` counts files within files. `total` is the most bytes that one file may unpack to, its
    files within files included; one stream may give `free` bytes, or `ratio` times its length.
    Long files may hold more (`of`): the jar of a service with all that it needs.
    """

    depth: int = 6
    total: int = 256 << 20
    free: int = 16 << 20
    ratio: int = 200
    parts: int = 300_000

    def of(self, size: int) -> Bounds:
        """Return the bounds of a file of `size` bytes: sixteen times that, and a part each 128."""
        total = max(self.total, min(16 * size, _MOST_TOTAL))
        return replace(self, total=total, parts=max(self.parts, size // 128))


BOUNDS = Bounds()


class Budget:
    """What is left of the bounds while one file is looked into."""

    def __init__(self, bounds: Bounds = BOUNDS) -> None:
        self.bounds = bounds
        self._bytes = bounds.total
        self._parts = bounds.parts

    def most(self, packed: int) -> int:
        """Return how many bytes a stream of `packed` bytes may unpack to."""
        # Half of what is left, as it is counted again with the part that it becomes.
        return max(0, min(self._bytes // 2, max(self.bounds.free, packed * self.bounds.ratio)))

    def spend(self, size: int) -> None:
        """Take `size` unpacked bytes from the budget; raise UnreadableError where it is used up."""
        self._bytes -= size
        if self._bytes < 0:
            raise UnreadableError("more bytes are in it than a file may unpack to")

    def count(self, part: Part) -> None:
        """Take one part from the budget; raise UnreadableError where it is used up."""
        self._parts -= 1
        if self._parts < 0:
            raise UnreadableError("more parts are in it than a file may have")
        # A name is made one character after the other, and of a stranger's maybe thousands.
        self.spend(4 * len(part.name) + len(part.data))


class Format(Protocol):
    """Reads one format."""

    @property
    def name(self) -> str:
        """The file's name."""

    @property
    def rank(self) -> int:
        """Lower ranks are asked first: MAGIC, then NAMED, then PLAIN."""

    @property
    def positional(self) -> bool:
        """Whether parts are named by where they stand, so that likeness aligns them, not names.

        Such a reader refuses a file before its first part, or not at all.
        """

    def claims(self, head: bytes, name: str) -> bool:
        """Whether a file called `name` that begins with `head`, its first HEAD bytes, is one."""

    def parts(self, data: bytes, budget: Budget) -> Iterator[Part]:
        """Yield what is in `data`; raise UnreadableError where it is cut off, or lies.

        What was yielded before that is true as far as it goes.
        """


#: By its first bytes; by its name; by being text.
MAGIC, NAMED, PLAIN = range(3)
#: Enough for the magic of tar.
HEAD = 512


#: So much of a name is shown, which is what Linux takes for a path.
_LONGEST = 4096


class Labels:
    """Names for parts: printable, of bounded length, without a step of their own, each one once."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def label(self, word: str, name: str | bytes = "", *, within: str = "") -> str:
        """Return `word name`, below `within`; from the second of a kind on with a number behind."""
        some = name[:_LONGEST]
        text = some if isinstance(some, str) else some.decode("utf-8", "surrogateescape")
        said = printable(f"{word} {text}" if text else word).replace(STEP, " \\x3e ")
        return self._once(within + STEP + said if within else said)

    def _once(self, said: str) -> str:
        while (count := self._seen.get(said, 0) + 1) > 1:
            self._seen[said] = count
            said = f"{said}#{count}"
        self._seen[said] = 1
        return said
