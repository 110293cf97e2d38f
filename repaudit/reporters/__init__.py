"""Report in, bytes out: one output format a file."""

from repaudit.host.registry import Registry
from repaudit.reporters.interface import PinsReporter, Reporter, Surface

REPORTERS: Registry[Reporter] = Registry("repaudit.reporters", "REPORTER")

__all__ = ["REPORTERS", "PinsReporter", "Reporter", "Surface"]
