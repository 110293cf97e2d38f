"""What package indexes serve, against what is pinned: one kind of index a module."""

from repaudit.host.registry import Registry
from repaudit.indexes.interface import Index

INDEXES: Registry[Index] = Registry("repaudit.indexes", "INDEX")

__all__ = ["INDEXES", "Index"]
