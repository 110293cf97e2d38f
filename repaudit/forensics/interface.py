"""The contract of a forensic: a difference and both sides' bytes in, clues out.

Laws, tested for every forensic: silent where both sides are equal, on empty, truncated and random
bytes; raises nothing, whatever the bytes; yields only causes of the catalogue (causes.toml); the
same case gives the same clues.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Protocol

from msgspec import Struct

from repaudit.model.difference import Difference
from repaudit.model.experiment import Level
from repaudit.model.finding import Clue


class Content(Struct, frozen=True, kw_only=True):
    """The bytes of one side, cut off at a bound; `size` is the whole length."""

    data: bytes
    size: int

    @property
    def whole(self) -> bool:
        """Whether nothing was cut off."""
        return len(self.data) == self.size


class Files(Hashable, Protocol):
    """Files that differ: of the image, and of the archive that a case is a member of."""

    def named(self, left: bytes, right: bytes) -> str | None:
        """Return the one that has these digests on the two sides, None where none has."""


#: What two clamped times of two images show.
CLAMPED = "times_clamped_differently"


class Clamp(Struct, frozen=True):
    """The times that two images are clamped to, each to another: instants in whole seconds."""

    left: int
    right: int

    def explains(self, left: int, right: int) -> bool:
        """Whether two times are what the clamps make of one: what is older keeps its own time."""
        one, other = (left, right) if self.left < self.right else (right, left)
        low, high = sorted((self.left, self.right))
        return one == low < other <= high


class Room:
    """So many bytes may all archives in one file still unpack to: who opens one takes them."""

    def __init__(self, left: int) -> None:
        self.left = left


class Case(Struct, frozen=True, kw_only=True):
    """One difference to examine.

    `left` and `right` are the contents, None unless the aspect is content. `left_levels` and
    `right_levels` are the factor levels of both runs, empty when two existing images are compared.
    `instruction` is the text of the Containerfile line that wrote the file, None where unknown.
    `files` are those that what differs may be digests of. `alike` is how many owners of a layer, or
    modes of an image, differ as this one; of modes that are of files alone 1, as they show no
    umask. `share` is how many cases, the members of an archive, share the work that one file may
    take, and `room` what archives in it may unpack to. `recut` says that one image has more layers
    than the other. `clamped` is what the times of both images are clamped to, None where that is
    not so, or not known.
    """

    difference: Difference
    left: Content | None = None
    right: Content | None = None
    left_levels: tuple[Level, ...] = ()
    right_levels: tuple[Level, ...] = ()
    instruction: str | None = None
    files: Files | None = None
    alike: int = 1
    share: int = 1
    room: Room | None = None
    recut: bool = False
    clamped: Clamp | None = None


class Forensic(Protocol):
    """Recognises the trace of one kind of cause."""

    @property
    def name(self) -> str:
        """The file's name."""

    def examine(self, case: Case) -> Iterator[Clue]:
        """Yield what is recognised, best first; nothing where nothing is."""
