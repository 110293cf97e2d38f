"""Which paths of a context no build takes in: `.containerignore` and `.dockerignore`.

The patterns are those of the Dockerfile reference (Go's filepath.Match, and `**`). What cannot be
read beyond doubt ignores nothing.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence

#: The names that such a file has, alone in the context or behind the Containerfile's own.
IGNORE_FILES = (".containerignore", ".dockerignore")
_WILD = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
_TOKEN = re.compile(r"\*\*/|\*\*|\*|\?|[^*?]+")
_ODD = frozenset("[]\\")


class Ignored:
    """The rules of one file; the last that fits decides, as to a path or a folder above it."""

    def __init__(self, text: bytes) -> None:
        lines = text.decode("utf-8-sig", "surrogateescape").splitlines()
        rules = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
        odd = any(_ODD & set(rule) for rule in rules)
        self._rules = [] if odd else [_rule(rule) for rule in rules]
        self._whole = all(ignores for ignores, _ in self._rules)

    def path(self, path: str) -> bool:
        """Whether a path, relative to the context, is ignored."""
        above = [path, *_above(path)]
        found = False
        for ignores, pattern in self._rules:
            if any(map(pattern.fullmatch, above)):
                found = ignores
        return found

    def folder(self, path: str) -> bool:
        """Whether a folder is ignored with all that is in it."""
        return self._whole and self.path(path)


def ignored_by_all(rules: Sequence[Ignored], path: str, *, folder: bool = False) -> bool:
    """Whether each of several files ignores a path: which of them counts is the builder's to say.

    A `folder` is ignored only with all that is in it.
    """
    ask = (lambda one: one.folder(path)) if folder else (lambda one: one.path(path))
    return bool(rules) and all(map(ask, rules))


def _above(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:n]) for n in range(len(parts) - 1, 0, -1)]


def _rule(text: str) -> tuple[bool, re.Pattern[str]]:
    ignores = not text.startswith("!")
    plain = posixpath.normpath("/" + text.removeprefix("!").strip()).lstrip("/")
    words = (_WILD.get(token) or re.escape(token) for token in _TOKEN.findall(plain))
    return ignores, re.compile("".join(words), re.DOTALL)
