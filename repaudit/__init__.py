"""repaudit says whether a container image is reproducible, and if not, why not."""

__version__ = "0.1.0"
