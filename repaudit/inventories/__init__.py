"""What is installed in an image, read from its files: one kind of package a module."""

from repaudit.host.registry import Registry
from repaudit.inventories.interface import Inventory

INVENTORIES: Registry[Inventory] = Registry("repaudit.inventories", "INVENTORY")

__all__ = ["INVENTORIES", "Inventory"]
