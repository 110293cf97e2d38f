"""How two files differ, shown to a person: one way a file."""

from repaudit.comparators.interface import Comparator
from repaudit.host.registry import Registry

COMPARATORS: Registry[Comparator] = Registry("repaudit.comparators", "COMPARATOR")

__all__ = ["COMPARATORS", "Comparator"]
