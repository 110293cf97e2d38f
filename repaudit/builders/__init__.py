"""The image build tools that repaudit can drive, one file each."""

from repaudit.builders.interface import Base, Builder, BuildRequest, Frozen, Prepared
from repaudit.host.registry import Registry

BUILDERS: Registry[Builder] = Registry("repaudit.builders", "BUILDER")

__all__ = ["BUILDERS", "Base", "BuildRequest", "Builder", "Frozen", "Prepared"]
