"""repaudit.lock: what `pins write` looked up and could write nowhere else (`repaudit-lock/1`)."""

from __future__ import annotations

from collections.abc import Iterator

from packageurl import PackageURL

from repaudit.ecosystems._catalogue import finding
from repaudit.ecosystems._purl import digests, pin, strong
from repaudit.ecosystems._structured import Places
from repaudit.ecosystems.interface import Document, Ecosystem
from repaudit.model.canonical import lock_from_json
from repaudit.model.errors import MalformedError
from repaudit.model.lock import LOCK_NAME
from repaudit.model.pins import Pin, PinFinding, Strength


class _RepauditLock:
    name = "repaudit_lock"
    summary = "repaudit.lock: digests and origins of what no other file can fix"

    def claims(self, path: str, head: bytes) -> bool:
        return path.rpartition("/")[2] == LOCK_NAME

    def audit(self, document: Document) -> Iterator[Pin | PinFinding]:
        places = Places(document)
        for one in lock_from_json(document.data).packages:
            where = places.key(one.purl)
            try:
                PackageURL.from_string(one.purl)
            except ValueError as error:
                message = f"no package URL: {one.purl[:100]!r}"
                raise MalformedError(message, line=where.line) from error
            whole = digests(*one.digests)
            firm = Strength.HASHED if strong(whole) else Strength.VERSIONED
            yield pin(one.kind, where, one.purl, firm, whole)
            if firm is not Strength.HASHED:
                yield finding("LCK001", where, f"{one.purl[:200]}: no sha256")


ECOSYSTEM: Ecosystem = _RepauditLock()
