"""Report in, bytes out: one output format a file."""

from repaudit.host.registry import Registry
from repaudit.reporters.interface import Reporter, Surface

REPORTERS: Registry[Reporter] = Registry("repaudit.reporters", "REPORTER")

__all__ = ["REPORTERS", "Reporter", "Surface"]
