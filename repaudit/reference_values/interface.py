"""The contract of a form of reference values.

Laws, tested for every form: the same image gives the same bytes; the image's digest is in them, and
no other image's; nothing that an image says of itself but its digests and its name goes in.
"""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct


class Audited(Struct, frozen=True, kw_only=True):
    """An image that its rebuilds gave again.

    `digest` is its manifest's, `image_id` its config's. `labels`, `environment` (`NAME=value`) and
    `arguments` (entrypoint and command) are the config's.
    """

    name: str
    digest: str
    image_id: str
    labels: dict[str, str]
    environment: tuple[str, ...]
    arguments: tuple[str, ...]


class ReferenceValues(Protocol):
    """One form."""

    @property
    def name(self) -> str:
        """The file's name, as `--for` takes it; hyphens will do."""

    @property
    def summary(self) -> str:
        """One line for `repaudit list reference-values`."""

    def render(self, audited: Audited) -> bytes:
        """Return the whole document."""
