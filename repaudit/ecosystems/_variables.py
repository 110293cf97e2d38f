"""What a script's variables are worth, as far as constants go."""

from __future__ import annotations

import re
from collections.abc import Mapping

_SIMPLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_DEFAULT = re.compile(r"\$\{(\w+):?([-=])([^$`]*)\}", re.DOTALL)


class Variables:
    """The variables of a script; `values` are those that are there at its start."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values: dict[str, str | None] = dict(values)
        self._own: set[str] = set()

    def put(self, name: str, value: str | None) -> None:
        """Set a variable, None for what is not known.

        Two values in one script are none: which of them holds is not followed.
        """
        clash = name in self._own and self._values.get(name) != value
        self._values[name] = None if clash else value
        self._own.add(name)

    def expand(self, raw: str) -> str | None:
        """Return what `$X`, `${X}`, `${X:-y}` or `${X:=y}` is worth, None where it is not known."""
        simple = _SIMPLE.fullmatch(raw)
        if simple:
            return self._values.get(simple[1] or simple[2])
        default = _DEFAULT.fullmatch(raw)
        return (self._values.get(default[1]) or default[3]) if default else None

    def replace(self, text: str) -> str:
        """Return a text with those variables in it replaced that are known."""

        def value(match: re.Match[str]) -> str:
            found = self._values.get(match[1] or match[2])
            return match[0] if found is None else found

        return _SIMPLE.sub(value, text)
