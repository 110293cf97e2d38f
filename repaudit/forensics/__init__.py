"""Detectors that say why a file differs, one file each: they recognise the trace of a cause."""

from repaudit.forensics._catalogue import (
    Change,
    Mend,
    cause,
    causes,
    fix_of,
    general_cause,
    leaves_nothing,
)
from repaudit.forensics._clocks import Blanked, without_clock
from repaudit.forensics._known import at_known_place, place_of
from repaudit.forensics._obeyed import decides
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
    "at_known_place",
    "cause",
    "causes",
    "decides",
    "fix_of",
    "general_cause",
    "leaves_nothing",
    "place_of",
    "without_clock",
]
