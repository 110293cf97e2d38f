""".gitmodules: submodules are fixed by the commit in the tree, unless they follow a branch."""

from __future__ import annotations

import re
from collections.abc import Iterator

from repaudit.ecosystems._catalogue import finding
from repaudit.ecosystems._purl import pin, purl
from repaudit.ecosystems.interface import Document, Ecosystem
from repaudit.model.errors import MalformedError
from repaudit.model.pins import Location, Pin, PinFinding, Severity, Strength

_SECTION = re.compile(
    rb"[ \t]*\[[ \t]*submodule[ \t]+\"((?:[^\"\\\r\n]|\\.)*)\"[ \t]*\][ \t]*(?:[#;].*)?"
)
_SETTING = re.compile(rb"[ \t]*([A-Za-z][\w-]*)[ \t]*(?:=[ \t]*([^\r\n]*))?")
_OTHER = re.compile(rb"[ \t]*\[[^\]\r\n]*\][ \t]*(?:[#;].*)?")


class _GitModules:
    name = "gitmodules"
    summary = ".gitmodules: submodules, and those that follow a branch"

    def claims(self, path: str, head: bytes) -> bool:
        return path.rpartition("/")[2] == ".gitmodules"

    def audit(self, document: Document) -> Iterator[Pin | PinFinding]:
        at = 3 if document.data.startswith(b"\xef\xbb\xbf") else 0
        inside = False
        for line in document.data[at:].split(b"\n"):
            here, at = at, at + len(line) + 1
            plain = line.rstrip(b"\r")
            setting = _SETTING.fullmatch(plain)
            if not plain.strip() or plain.lstrip().startswith((b"#", b";")):
                continue
            if _OTHER.fullmatch(plain):
                inside = bool(_SECTION.fullmatch(plain))
            elif setting is None:
                raise MalformedError("no line of a .gitmodules", line=document.line(here))
            elif inside:
                value = (setting[2] or b"").decode(errors="replace").strip().strip('"')
                yield from _setting(setting[1].lower(), value, document.at(here, here + len(plain)))


def _setting(name: bytes, value: str, where: Location) -> Iterator[Pin | PinFinding]:
    if name == b"url":
        last = value.rstrip("/").rpartition("/")[2].removesuffix(".git")
        yield pin("git", where, purl("generic", last, vcs_url=f"git+{value}"), Strength.LOCKED)
    elif name == b"branch":
        message = f"a submodule follows {value[:80]}: `git submodule update --remote` moves it"
        fix = "leave branch out; the tree has the commit"
        yield finding("GIT001", where, message, fix=fix, severity=Severity.NOTE)


ECOSYSTEM: Ecosystem = _GitModules()
