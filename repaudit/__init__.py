"""repaudit: is this container image reproducible, and if not, why not?"""

__version__ = "0.1.0"
