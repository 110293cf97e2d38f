"""gradle.lockfile and its like: versions without hashes (docs.gradle.org, "Locking Versions")."""

from __future__ import annotations

import re
from collections.abc import Iterator

from repaudit.ecosystems._catalogue import finding
from repaudit.ecosystems._purl import pin, purl
from repaudit.ecosystems._structured import read_xml
from repaudit.ecosystems.interface import Document, Ecosystem
from repaudit.ecosystems.interface import document as opened
from repaudit.model.errors import MalformedError
from repaudit.model.pins import Location, Pin, PinFinding, Strength

_NAME = re.compile(r".+\.lockfile", re.DOTALL)
_LINE = re.compile(rb"([^\s:=]+):([^\s:=]+):([^\s:=]+)=([\w,.$ -]*)")
_VERIFIED = "gradle/verification-metadata.xml"
_MOST_NAMED = 20


class _GradleLockfile:
    name = "gradle_lockfile"
    summary = "gradle.lockfile: versions, and whether verification-metadata.xml has their hashes"

    def claims(self, path: str, head: bytes) -> bool:
        return bool(_NAME.fullmatch(path.rpartition("/")[2]))

    def audit(self, document: Document) -> Iterator[Pin | PinFinding]:
        verified = _verified(document)
        missing: list[tuple[str, Location]] = []
        at = 3 if document.data.startswith(b"\xef\xbb\xbf") else 0
        for line in document.data[at:].split(b"\n"):
            here, at = at, at + len(line) + 1
            plain = line.strip()
            if not plain or plain.startswith((b"#", b"empty=")):
                continue
            match = _LINE.fullmatch(plain)
            if match is None:
                raise MalformedError("no line of a gradle.lockfile", line=document.line(here))
            group, name, version = (part.decode("utf-8", "replace") for part in match.groups()[:3])
            where = document.at(here, here + len(line))
            package = purl("maven", name, version, namespace=group)
            known = verified is not None and (group, name, version) in verified
            yield pin("maven", where, package, Strength.LOCKED if known else Strength.VERSIONED)
            if version.endswith("-SNAPSHOT"):
                yield finding("JV001", where, f"{group}:{name}:{version} is a SNAPSHOT")
            if verified is not None and not known:
                missing.append((f"{group}:{name}:{version}", where))
        if verified is None:
            message = f"no {_VERIFIED}: the lock fixes versions, no files"
            yield finding("JV003", document.on(1), message)
        for shown, where in missing[:_MOST_NAMED]:
            yield finding("JV004", where, f"{shown} is not in {_VERIFIED}")


def _verified(document: Document) -> frozenset[tuple[str, str, str]] | None:
    """Return what the nearest verification-metadata.xml has, None where there is none."""
    folder = document.path
    while folder:
        folder = folder.rpartition("/")[0]
        path = f"{folder}/{_VERIFIED}" if folder else _VERIFIED
        data = document.read(path)
        if data is not None:
            try:
                root = read_xml(opened(path, data))
            except MalformedError:
                return frozenset()  # the file's own audit says why
            found = (one.attributes for one in root.all("components", "component"))
            return frozenset(
                (one.get("group", ""), one.get("name", ""), one.get("version", "")) for one in found
            )
    return None


ECOSYSTEM: Ecosystem = _GradleLockfile()
