"""The contract of a reporter.

Laws, tested for every reporter: the same report and surface give the same bytes, under any
locale, hash seed, time zone or umask; no clock, no host; every finding's id appears, or else the
number of findings for which a format with a limit had no room.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from msgspec import Struct

if TYPE_CHECKING:
    from repaudit.model.pins import PinsReport
    from repaudit.model.report import Report


class Surface(Struct, frozen=True):
    """What the bytes are shown on: `columns` wide, with terminal colours or without."""

    columns: int = 100
    colour: bool = False


class Reporter(Protocol):
    """One output format."""

    @property
    def name(self) -> str:
        """The file's name, as `--format` takes it."""

    @property
    def summary(self) -> str:
        """One line for `repaudit list reporters`."""

    def render(self, report: Report, surface: Surface) -> bytes:
        """Return the whole document."""


@runtime_checkable
class PinsReporter(Reporter, Protocol):
    """An output format that can show pins as well."""

    def render_pins(self, report: PinsReport, surface: Surface) -> bytes:
        """Return the whole document."""
