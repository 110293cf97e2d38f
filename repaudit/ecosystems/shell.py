"""Shell scripts: what they install, download and pull."""

from __future__ import annotations

import re
from collections.abc import Iterator

from repaudit.ecosystems._catalogue import finding
from repaudit.ecosystems._invocation import SHELLS, Scene, base_name
from repaudit.ecosystems._scripts import audit_script, read_script
from repaudit.ecosystems.interface import Document, Ecosystem
from repaudit.model.pins import Pin, PinFinding

_SHEBANG = re.compile(rb"(?:\xef\xbb\xbf)?#![ \t]*(\S+)(?:[ \t]+(\S+))?")
_SUFFIXES = (".sh", ".bash", ".ksh", ".zsh")


class _Shell:
    name = "shell"
    summary = "shell scripts: packages, downloads, clones, images that they pull"

    def claims(self, path: str, head: bytes) -> bool:
        shebang = _SHEBANG.match(head)
        if shebang is None:
            return path.endswith(_SUFFIXES)
        program, first = (base_name((part or b"").decode("latin-1")) for part in shebang.groups())
        return (first if program == "env" else program) in SHELLS

    def audit(self, document: Document) -> Iterator[Pin | PinFinding]:
        text, cut = _script(document.data)
        scene = Scene(document=document, held=lambda name: document.read(document.beside(name)))
        yield from audit_script(scene, read_script(text, {}))
        if cut is not None:
            message = "what follows is no text, and was not read"
            yield finding("PAR001", document.at(cut), message)


def _script(data: bytes) -> tuple[bytes, int | None]:
    """Return the text without its byte order mark's effect, and where an archive behind it begins.

    A self-extracting script is text up to the line before its payload.
    """
    blank = b" " * 3 if data.startswith(b"\xef\xbb\xbf") else b""
    nul = data.find(b"\0")
    end = len(data) if nul < 0 else data.rfind(b"\n", 0, nul) + 1
    text = (blank + data[len(blank) : end]).replace(b"\\\r\n", b" \\\n").replace(b"\r\n", b" \n")
    return text, None if nul < 0 else end


ECOSYSTEM: Ecosystem = _Shell()
