""".gitmodules: submodules are fixed by the commit that the checkout has of them, or by nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator

from repaudit.ecosystems._catalogue import finding
from repaudit.ecosystems._purl import pin, purl
from repaudit.ecosystems.interface import Document, Ecosystem
from repaudit.model.errors import MalformedError
from repaudit.model.pins import Location, Pin, PinFinding, Severity, Strength
from repaudit.model.text import printable

_SECTION = re.compile(
    rb"[ \t]*\[[ \t]*submodule[ \t]+\"((?:[^\"\\\r\n]|\\.)*)\"[ \t]*\][ \t]*(?:[#;].*)?"
)
_SETTING = re.compile(rb"[ \t]*([A-Za-z][\w-]*)[ \t]*(?:=[ \t]*([^\r\n]*))?")
_OTHER = re.compile(rb"[ \t]*\[[^\]\r\n]*\][ \t]*(?:[#;].*)?")


class _GitModules:
    name = "gitmodules"
    summary = ".gitmodules: submodules, held against the checkout, and those that follow a branch"

    def claims(self, path: str, head: bytes) -> bool:
        return path.rpartition("/")[2] == ".gitmodules"

    def audit(self, document: Document) -> Iterator[Pin | PinFinding]:
        for section in _sections(document):
            yield from _submodule(document, section)


#: The settings of a section by name, each with its value and place.
_Section = dict[bytes, tuple[str, Location]]


def _sections(document: Document) -> Iterator[_Section]:
    """Yield each submodule's settings; git-config(1) has no setting before the first section."""
    at = 3 if document.data.startswith(b"\xef\xbb\xbf") else 0
    section: _Section | None = None
    found: list[_Section] = []
    for line in document.data[at:].split(b"\n"):
        here, at = at, at + len(line) + 1
        plain = line.rstrip(b"\r")
        if not plain.strip() or plain.lstrip().startswith((b"#", b";")):
            continue
        if _OTHER.fullmatch(plain):
            section = {}
            if _SECTION.fullmatch(plain):
                found.append(section)
            continue
        setting = _SETTING.fullmatch(plain)
        if setting is None or section is None:
            raise MalformedError("no line of a .gitmodules", line=document.line(here))
        value = (setting[2] or b"").decode("utf-8", "surrogateescape").strip().strip('"')
        section[setting[1].lower()] = value, document.at(here, here + len(plain))
    yield from found


def _submodule(document: Document, section: _Section) -> Iterator[Pin | PinFinding]:
    if b"url" in section:
        url, where = section[b"url"]
        path = section[b"path"][0] if b"path" in section else ""
        commit = document.commit(path) if path else None
        last = url.rstrip("/").rpartition("/")[2].removesuffix(".git") or "submodule"
        package = purl("generic", printable(last), commit, vcs_url=printable(f"git+{url}"))
        yield pin("git", where, package, Strength.LOCKED if commit else Strength.FLOATING)
        if commit is None:
            message = f"no commit stands in the tree for the submodule {printable(path)[:80]!r}"
            fix = "audit a git checkout, with the submodule added to it"
            yield finding("PAR001", where, message, fix=fix)
    if b"branch" in section:
        value, where = section[b"branch"]
        shown = printable(value)[:80]
        message = f"a submodule follows {shown}: `git submodule update --remote` moves it"
        fix = "leave branch out; the tree has the commit"
        yield finding("GIT001", where, message, fix=fix, severity=Severity.NOTE)


ECOSYSTEM: Ecosystem = _GitModules()
