"""What a build depends on, read from the files that say so: one kind of file a module."""

from repaudit.ecosystems._catalogue import Rule, finding, rule, rules
from repaudit.ecosystems.interface import UNREADABLE, Document, Ecosystem, document
from repaudit.host.registry import Registry

ECOSYSTEMS: Registry[Ecosystem] = Registry("repaudit.ecosystems", "ECOSYSTEM")

__all__ = [
    "ECOSYSTEMS",
    "UNREADABLE",
    "Document",
    "Ecosystem",
    "Rule",
    "document",
    "finding",
    "rule",
    "rules",
]
