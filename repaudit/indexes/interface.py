"""The contract of an index: pins in, what it says of them out.

Laws: what was not answered is an observation of the rule `UNKNOWN`, and nothing else is said of
that pin; nothing is raised, whatever a server answers; a package is asked for once, in a fixed
order. No host stands in the code: where to ask is in the lock, or in the client's own settings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from repaudit.host.fetch import Fetcher
from repaudit.model.installed import Installed
from repaudit.model.pins import Observation, Pin

#: The rule of what could not be looked up.
UNKNOWN = "IDX001"
#: Kinds of hashes that tell who has none but the same bytes; what others agree on proves nothing.
STRONG = ("sha512", "sha384", "sha256")
GONE, OTHER_BYTES, YANKED, TO_BE_BUILT = "IDX002", "IDX003", "IDX004", "IDX005"


class Index(Protocol):
    """Knows one kind of package."""

    @property
    def name(self) -> str:
        """The file's name."""

    @property
    def kind(self) -> str:
        """The kind of pin that it knows."""

    def knows(self, pin: Pin) -> bool:
        """Whether it can be asked about a pin of its kind: it names what the index has."""

    def verify(self, pins: Iterable[Pin], fetcher: Fetcher) -> Iterator[Observation]:
        """Yield what is wrong with pins that it knows, and what could not be looked up."""

    def prove(self, installed: Installed, pin: Pin, fetcher: Fetcher) -> Iterator[Observation]:
        """Yield what tells that an installed package was not unpacked from the pinned file."""
