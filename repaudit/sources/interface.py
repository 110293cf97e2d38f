"""The contract of an image source: a reference in, a verified image set and its blobs out.

Laws, tested for every source: `claims` looks at no more than the file's kind and first bytes;
every manifest, config and index that comes back was verified against its digest; what is
malformed raises MalformedError, what cannot be had SourceError; nothing is written outside of
`scratch`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO, Protocol

from msgspec import Struct

from repaudit.model.digest import Descriptor
from repaudit.model.image import ImageSet


class Blobs(Protocol):
    """Opens blobs as they are stored; whoever reads them verifies (see oci.blob)."""

    def open(self, descriptor: Descriptor) -> BinaryIO:
        """Return the blob's stored bytes; raise SourceError where it is not there."""


class Opened(Struct, frozen=True, kw_only=True):
    """An image set that can be read.

    `listed` is what a layout's index.json or an archive's manifest.json says of the only image
    there, or the one that was chosen: tags and the like, which are no part of the image. What an
    index.json says besides is in it by that name.
    """

    images: ImageSet
    blobs: Blobs
    listed: dict[str, Any] | None = None


class Source(Protocol):
    """One kind of place where an image can be."""

    @property
    def name(self) -> str:
        """The file's name."""

    @property
    def summary(self) -> str:
        """One line for `repaudit list sources` and the help."""

    def claims(self, reference: str) -> bool:
        """Whether `reference` is of this kind; at most one source claims any reference."""

    def open(self, reference: str, scratch: Path) -> Opened:
        """Open the image; `scratch` is a folder that the caller removes afterwards."""
