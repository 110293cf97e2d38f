"""Plug-ins are files: list their names without importing them, load one by its name."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cached_property
from typing import Generic, TypeVar, cast

from repaudit.model.errors import UsageError

T = TypeVar("T")


class Registry(Generic[T]):
    """The plug-ins of one package: each module but `interface` and private ones is one.

    A module ends in one constant, `constant`, that holds the plug-in.
    """

    def __init__(self, package: str, constant: str) -> None:
        self._package = package
        self._constant = constant
        self._loaded: dict[str, T] = {}

    def names(self) -> tuple[str, ...]:
        """Return the names of all plug-ins, sorted; imports none of them."""
        return self._names

    @cached_property
    def _names(self) -> tuple[str, ...]:
        path = importlib.import_module(self._package).__path__
        found = (module.name for module in pkgutil.iter_modules(path))
        return tuple(sorted(n for n in found if n != "interface" and not n.startswith("_")))

    def load(self, name: str) -> T:
        """Return the plug-in called `name`; raise UsageError, listing all, if there is none."""
        if name not in self._loaded:  # readers are asked for by the thousand
            self.check(name)
            module = importlib.import_module(f"{self._package}.{name}")
            self._loaded[name] = cast("T", getattr(module, self._constant))
        return self._loaded[name]

    def check(self, name: str) -> None:
        """Raise UsageError as `load` does; imports nothing."""
        if name not in self.names():
            kind = self._package.rpartition(".")[2]
            raise UsageError(
                f"{name!r} is not one of the {kind}", hint="there are: " + ", ".join(self.names())
            )

    def all(self) -> tuple[T, ...]:
        """Return every plug-in, in the order of the names."""
        return tuple(self.load(name) for name in self.names())
