"""MODULE.bazel.lock: hashes of what the registries said, and yanked versions that are let in."""

from __future__ import annotations

import re
from collections.abc import Iterator

from repaudit.ecosystems._catalogue import finding
from repaudit.ecosystems._purl import digests, pin, purl
from repaudit.ecosystems._structured import Places, read_json, table
from repaudit.ecosystems.interface import Document, Ecosystem
from repaudit.model.errors import MalformedError
from repaudit.model.pins import Pin, PinFinding, Strength

_MODULE = re.compile(r".*/modules/(?P<name>[^/]+)/(?P<version>[^/]+)/source\.json")


class _BazelLock:
    name = "bazel_lock"
    summary = "MODULE.bazel.lock: modules' hashes, yanked versions"

    def claims(self, path: str, head: bytes) -> bool:
        return path.rpartition("/")[2] == "MODULE.bazel.lock"

    def audit(self, document: Document) -> Iterator[Pin | PinFinding]:
        lock = read_json(document)
        if not isinstance(lock.get("lockFileVersion"), int):
            raise MalformedError("no MODULE.bazel.lock: it has no lockFileVersion")
        places = Places(document)
        for url, value in table(lock.get("registryFileHashes")).items():
            match = _MODULE.fullmatch(url[:4096])
            if match:
                hashes = digests(f"sha256:{value}")
                firm = Strength.HASHED if hashes else Strength.VERSIONED
                package = purl("bazel", match["name"], match["version"])
                yield pin("bazel-module", places.key(url), package, firm, hashes)
        yanked = table(lock.get("selectedYankedVersions"))
        for name, reason in yanked.items():
            message = f"{name[:100]} was yanked: {str(reason)[:200]}"
            yield finding("BZL003", Places(document).key(name), message, fix="take another version")


ECOSYSTEM: Ecosystem = _BazelLock()
