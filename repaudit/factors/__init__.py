"""What a rebuild can vary, one factor a file."""

from repaudit.factors.interface import Factor, Machine
from repaudit.host.registry import Registry

FACTORS: Registry[Factor] = Registry("repaudit.factors", "FACTOR")

__all__ = ["FACTORS", "Factor", "Machine"]
