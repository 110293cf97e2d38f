"""What a build depends on, read from the files that say so: one kind of file a module."""

from repaudit.ecosystems._apt import snapshot_of
from repaudit.ecosystems._catalogue import Rule, finding, rule, rules, verdict
from repaudit.ecosystems._deb import Contents, Placing, contents, placing, unpacked
from repaudit.ecosystems._debian import (
    STATUS,
    STATUS_FOLDER,
    Installed,
    Listed,
    Package,
    fields_of,
    installed,
    listed,
    newer,
)
from repaudit.ecosystems._debian_release import (
    Release,
    Suite,
    canonical,
    distribution,
    floating,
    release,
    stamp,
    suites,
)
from repaudit.ecosystems.interface import UNREADABLE, Document, Ecosystem, document
from repaudit.host.registry import Registry

ECOSYSTEMS: Registry[Ecosystem] = Registry("repaudit.ecosystems", "ECOSYSTEM")

__all__ = [
    "ECOSYSTEMS",
    "STATUS",
    "STATUS_FOLDER",
    "UNREADABLE",
    "Contents",
    "Document",
    "Ecosystem",
    "Installed",
    "Listed",
    "Package",
    "Placing",
    "Release",
    "Rule",
    "Suite",
    "canonical",
    "contents",
    "distribution",
    "document",
    "fields_of",
    "finding",
    "floating",
    "installed",
    "listed",
    "newer",
    "placing",
    "release",
    "rule",
    "rules",
    "snapshot_of",
    "stamp",
    "suites",
    "unpacked",
    "verdict",
]
