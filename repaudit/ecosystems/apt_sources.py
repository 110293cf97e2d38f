"""apt's own sources: `sources.list`, `*.list` and `*.sources` (sources.list(5))."""

from __future__ import annotations

import re
from collections.abc import Iterator

from repaudit.ecosystems import _apt
from repaudit.ecosystems._catalogue import finding
from repaudit.ecosystems.interface import Document, Ecosystem
from repaudit.model.pins import Pin, PinFinding

_BOM = b"\xef\xbb\xbf"
_ONE_LINE = re.compile(rb"(?:[ \t]*(?:#[^\n]*)?\r?\n){0,200}[ \t]*deb(?:-src)?[ \t]")
_STANZA = re.compile(rb"(?:^|\n)Types:[ \t]*deb", re.IGNORECASE)


class _AptSources:
    name = "apt_sources"
    summary = "apt's sources, one-line and deb822: snapshots, signatures"

    def claims(self, path: str, head: bytes) -> bool:
        name = path.rpartition("/")[2]
        if name == "sources.list":
            return True
        if path.endswith(".list"):
            return "sources.list.d/" in path or bool(_ONE_LINE.match(head))
        return path.endswith(".sources") and (
            "sources.list.d/" in path or bool(_STANZA.search(head))
        )

    def audit(self, document: Document) -> Iterator[Pin | PinFinding]:
        start = len(_BOM) if document.data.startswith(_BOM) else 0
        reader = _apt.deb822 if document.name.endswith(".sources") else _apt.one_line
        first: str | None = None
        for source in reader(document, start, len(document.data)):
            yield from _apt.audit_source(source, now=document.now)
            for uri, where in source.uris:
                service = _apt.SNAPSHOT.match(uri)
                stamp = service["instant"] if service else source.options.get("snapshot")
                if stamp and first and stamp != first and stamp[:1].isdigit():
                    yield finding("APT005", where, f"{uri} is of {stamp}, the first of {first}")
                if stamp and stamp[:1].isdigit():
                    first = first or stamp


ECOSYSTEM: Ecosystem = _AptSources()
