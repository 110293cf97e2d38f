"""What can be said under oath of a kept run: one in-toto predicate a file."""

from repaudit.host.registry import Registry
from repaudit.predicates.interface import Evidence, Predicate, Rebuilt, Source

PREDICATES: Registry[Predicate] = Registry("repaudit.predicates", "PREDICATE")

__all__ = ["PREDICATES", "Evidence", "Predicate", "Rebuilt", "Source"]
