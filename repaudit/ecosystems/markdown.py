"""Markdown: images that its console lines tell the reader to pull or run.

Only fenced blocks of a shell are read, and only for images: what a page says is what people type,
but how they install a tool on their own machine is no part of a build.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from repaudit.containerfile.shell_tree import LONGEST
from repaudit.ecosystems._invocation import Scene, invocations
from repaudit.ecosystems._shell import parse
from repaudit.ecosystems._tools import TOOLS
from repaudit.ecosystems.interface import Document, Ecosystem
from repaudit.model.pins import Pin, PinFinding

_FENCE = re.compile(
    rb"^(?P<indent>[ \t>]*)(?P<mark>`{3,}|~{3,})[ \t]*(?P<language>[\w+.-]*)[^\n`]*$", re.MULTILINE
)
_SHELLS = frozenset({b"", b"bash", b"sh", b"shell", b"console", b"zsh", b"shell-session", b"text"})
_PROMPT = re.compile(rb"^[ \t>]*(?:[\w@:~/.-]*[$#%])[ \t]+", re.MULTILINE)
_PULLS = frozenset(
    {"docker", "podman", "nerdctl", "kubectl", "spark-submit", "spark-shell"} & TOOLS.keys()
)
_WORD = re.compile(rb"\b(?:docker|podman|nerdctl|kubectl|spark-submit|spark-shell)\b")


class _Markdown:
    name = "markdown"
    summary = "Markdown: images in the commands that it shows"

    def claims(self, path: str, head: bytes) -> bool:
        return path.lower().endswith((".md", ".markdown"))

    def audit(self, document: Document) -> Iterator[Pin | PinFinding]:
        if not _WORD.search(document.data):
            return
        scene = Scene(document=document)
        for start, end in _blocks(document.data):
            text = document.data[start:end]
            if not _WORD.search(text) or len(text) > LONGEST:
                continue
            plain = _PROMPT.sub(lambda match: b" " * len(match[0]), text)
            for one in invocations(parse(plain, {}, start).commands):
                if one.name in _PULLS:
                    yield from TOOLS[one.name](scene, one)


def _blocks(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield the bytes of fenced blocks that may hold shell."""
    opened: re.Match[bytes] | None = None
    for match in _FENCE.finditer(data):
        if opened is None:
            opened = match
        elif match["mark"].startswith(opened["mark"]) and not match["language"]:
            if opened["language"].lower() in _SHELLS:
                yield opened.end(), match.start()
            opened = None


ECOSYSTEM: Ecosystem = _Markdown()
