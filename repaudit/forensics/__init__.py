"""Detectors that say why a file differs, one file each: they recognise the trace of a cause."""

from repaudit.forensics._catalogue import cause, causes, leaves_nothing
from repaudit.forensics.interface import Case, Content, Forensic
from repaudit.host.registry import Registry

FORENSICS: Registry[Forensic] = Registry("repaudit.forensics", "FORENSIC")

__all__ = ["FORENSICS", "Case", "Content", "Forensic", "cause", "causes", "leaves_nothing"]
