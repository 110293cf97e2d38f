"""What the writers of pins take and give: a file with its findings, and what to do about them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from repaudit.host.apt import AptSettings
from repaudit.host.fetch import Fetcher
from repaudit.host.tree import Tree
from repaudit.model.lock import Locked
from repaudit.model.pins import Edit, Location, Pin, PinFinding


class Wish(Struct, frozen=True, kw_only=True):
    """What is asked for: `at` is the instant (YYYYMMDDTHHMMSSZ) of which things shall be.

    `pins` are those of the whole tree. `versions` asks for those of Debian packages as well, which
    a snapshot fixes already: then `apt` says what apt on this machine is set to.
    """

    tree: Tree
    pins: Sequence[Pin]
    fetcher: Fetcher
    at: str | None = None
    versions: bool = False
    apt: AptSettings | None = None


class Place(Struct, frozen=True, kw_only=True):
    """A file of the tree that falls short: its bytes, and the findings that decide."""

    path: str
    data: bytes
    findings: tuple[PinFinding, ...]

    def text(self, finding: PinFinding) -> str:
        """Return what stands where a finding points, nothing where that is not known."""
        start, end = finding.location.start, finding.location.end
        if start is None or end is None:
            return ""
        return self.data[start:end].decode("utf-8", "replace")


class Added(Struct, frozen=True, kw_only=True):
    """A file to be written beside: `path` is relative to the tree."""

    path: str
    data: bytes


class Left(Struct, frozen=True, kw_only=True):
    """What was sought for a place and not found, with the reason; the place stays as it is."""

    location: Location
    sought: str
    reason: str = "not looked up: offline"


Writer = Callable[[Place, Wish], Iterator[Edit | Added | Locked | Left]]
