"""Where images come from, one file each."""

from repaudit.host.registry import Registry
from repaudit.sources.interface import Blobs, Opened, Source

SOURCES: Registry[Source] = Registry("repaudit.sources", "SOURCE")

__all__ = ["SOURCES", "Blobs", "Opened", "Source"]
