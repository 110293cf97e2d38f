"""Detectors that say why a file differs, one file each: they recognise the trace of a cause."""

from repaudit.forensics._catalogue import (
    Change,
    Mend,
    cause,
    causes,
    fix_of,
    general_cause,
    leaves_nothing,
    tells_all,
)
from repaudit.forensics._clocks import Blanked, without_clock
from repaudit.forensics.interface import Case, Clamp, Content, Forensic
from repaudit.host.registry import Registry

FORENSICS: Registry[Forensic] = Registry("repaudit.forensics", "FORENSIC")

__all__ = [
    "FORENSICS",
    "Blanked",
    "Case",
    "Change",
    "Clamp",
    "Content",
    "Forensic",
    "Mend",
    "cause",
    "causes",
    "fix_of",
    "general_cause",
    "leaves_nothing",
    "tells_all",
    "without_clock",
]
