"""ARG and ENV: what a variable is worth at a place of a Containerfile.

Source: "Environment replacement" and "ARG" in the Dockerfile reference, BuildKit's shell lexer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct

from repaudit.containerfile import words
from repaudit.containerfile.statement import Statement

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BRACED = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(\}|:?[-+?])")


class Expansion(Struct, frozen=True, kw_only=True):
    """A text with its variables replaced and its quotes taken away.

    `unset` names the variables that had no value and no default, and so left nothing behind.
    `understood` is false where an operator is unknown, a brace is open or `${X:?}` finds nothing.
    """

    text: str
    unset: frozenset[str]
    understood: bool


def expand(text: str, values: Mapping[str, str], escape: str = "\\") -> Expansion:
    r"""Replace `$X`, `${X}`, `${X:-y}`, `${X-y}`, `${X:+y}` and `${X+y}`; `\$` is a dollar."""
    expander = _Expander(text, values, escape)
    result = expander.word("")
    return Expansion(text=result, unset=frozenset(expander.unset), understood=expander.understood)


class _Expander:
    def __init__(self, text: str, values: Mapping[str, str], escape: str) -> None:
        self._text = text
        self._values = values
        self._escape = escape
        self._at = 0
        self.unset: set[str] = set()
        self.understood = True

    def word(self, stop: str) -> str:
        """Read until the mark `stop`, which is eaten, or else to the end."""
        plain, quoted = "", False
        while self._at < len(self._text):
            mark = self._text[self._at]
            self._at += 1
            if mark == stop and not quoted:
                return plain
            if mark == '"':
                quoted = not quoted
            elif mark == "'" and not quoted:
                plain += self._literal()
            elif mark == self._escape:
                plain += self._escaped(quoted=quoted)
            else:
                plain += self._variable() if mark == "$" else mark
        self.understood &= not stop and not quoted
        return plain

    def _literal(self) -> str:
        end = self._text.find("'", self._at)
        self.understood &= end >= 0
        end = end if end >= 0 else len(self._text)
        plain = self._text[self._at : end]
        self._at = end + 1
        return plain

    def _escaped(self, *, quoted: bool) -> str:
        mark = self._text[self._at : self._at + 1]
        self._at += 1
        return self._escape + mark if quoted and mark not in ('"', "$", self._escape) else mark

    def _variable(self) -> str:
        plain = _NAME.match(self._text, self._at)
        if plain:
            self._at = plain.end()
            return self._value(plain[0])
        braced = _BRACED.match(self._text, self._at)
        if braced:
            self._at = braced.end()
            return self._chosen(braced[1], braced[2])
        self.understood &= not self._text.startswith("{", self._at)
        return "$"

    def _chosen(self, name: str, operator: str) -> str:
        if operator == "}":
            return self._value(name)
        outside, self.unset = self.unset, set()
        other = self.word("}")
        inside, self.unset = self.unset, outside
        value = self._values.get(name)
        present = bool(value) if operator.startswith(":") else value is not None
        if present is operator.endswith("+"):
            self.unset |= inside
            self.understood &= not operator.endswith("?")
            return other
        return "" if operator.endswith("+") else value or ""

    def _value(self, name: str) -> str:
        if name not in self._values:
            self.unset.add(name)
        return self._values.get(name, "")


def platform(architecture: str) -> dict[str, str]:
    """Return the arguments that are there without ARG for FROM; `architecture` is `arm/v7`, say."""
    arch, _, variant = architecture.partition("/")
    one = {"PLATFORM": f"linux/{architecture}", "OS": "linux", "ARCH": arch, "VARIANT": variant}
    return {side + key: value for side in ("BUILD", "TARGET") for key, value in one.items()}


class Scope:
    """The variables in force, statement after statement.

    `outer` are the arguments that an ARG without a default takes over, `given` those of the command
    line, `values` those in force at the start. A `closed` scope has no base image below it, so a
    variable that nobody set is empty there; elsewhere it is unknown.
    """

    def __init__(
        self,
        values: Mapping[str, str],
        *,
        outer: Mapping[str, str],
        given: Mapping[str, str],
        escape: str,
        closed: bool = False,
    ) -> None:
        self.environment = dict(values)
        self._arguments: dict[str, str] = {}
        self._outer = outer
        self._given = given
        self._escape = escape
        self._closed = closed

    @property
    def values(self) -> dict[str, str]:
        """Every variable that is known; ENV goes over ARG."""
        return self._arguments | self.environment

    def read(self, statement: Statement) -> None:
        """Take in what an ARG or ENV says; other statements change nothing."""
        if statement.keyword == "ARG":
            for word in words.split(statement.arguments, self._escape) or ():
                name, given, default = word.partition("=")
                self._put(self._arguments, name, self._argument(name, default if given else None))
        elif statement.keyword == "ENV":
            values = self.values
            for name, raw in _pairs(statement.arguments, self._escape):
                self._put(self.environment, name, self._known(raw, values))

    def _argument(self, name: str, default: str | None) -> str | None:
        if name in self._given:
            return self._given[name]
        return self._outer.get(name) if default is None else self._known(default, self.values)

    def _known(self, raw: str, values: Mapping[str, str]) -> str | None:
        expansion = expand(raw, values, self._escape)
        known = expansion.understood and (self._closed or not expansion.unset)
        return expansion.text if known else None

    def _put(self, into: dict[str, str], name: str, value: str | None) -> None:
        if value is None:
            into.pop(name, None)
        else:
            into[name] = value

    def resolve(self, raw: str) -> str | None:
        """Return `raw` expanded, or None where a variable is not known."""
        return self._known(raw, self.values)


def _pairs(arguments: str, escape: str) -> list[tuple[str, str]]:
    parts = words.split(arguments, escape) or ()
    if parts and "=" not in parts[0]:
        return [(parts[0], arguments[len(parts[0]) :].strip(words.SPACE))]
    return [(name, value) for name, _, value in (part.partition("=") for part in parts)]
