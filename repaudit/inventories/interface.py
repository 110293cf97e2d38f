"""The contract of an inventory: the files of an image in, what is installed out.

Laws, tested for every inventory: raises nothing of its own, whatever the files hold, since what is
damaged is Unidentified; the same files give the same answer; nothing is executed or unpacked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from repaudit.model.installed import Installed, Unidentified
from repaudit.oci.filesystem import Files

#: No metadata of a package comes near; a longer one is not read.
MOST_TEXT = 16 << 20


class Inventory(Protocol):
    """Finds the packages of one kind."""

    @property
    def name(self) -> str:
        """The file's name."""

    @property
    def kind(self) -> str:
        """The kind of pin that holds such packages."""

    def installed(self, files: Files) -> Iterator[Installed | Unidentified]:
        """Yield what is installed; order does not matter."""
