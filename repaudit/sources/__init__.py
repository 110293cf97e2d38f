"""Where images come from, one file each."""

from pathlib import Path

from repaudit.host.registry import Registry
from repaudit.model.errors import UsageError
from repaudit.sources._reference import without_place
from repaudit.sources.interface import Blobs, Opened, Source

SOURCES: Registry[Source] = Registry("repaudit.sources", "SOURCE")

__all__ = ["SOURCES", "Blobs", "Opened", "Source", "open_image", "without_place"]


def open_image(reference: str, scratch: Path) -> Opened:
    """Open the image that `reference` names; raise UsageError, with all forms, if none is."""
    sources = SOURCES.all()
    for source in sources:
        if source.claims(reference):
            return source.open(reference, scratch)
    raise UsageError(
        f"{reference!r} is neither a file nor a folder with an image, nor has it a transport",
        hint="name it as one of: " + "; ".join(source.summary for source in sources),
    )
