"""The properties of Maven's and Gradle's wrappers: which build tool they fetch."""

from __future__ import annotations

import re
from collections.abc import Iterator

from repaudit.ecosystems._catalogue import finding
from repaudit.ecosystems._purl import digests, pin, purl
from repaudit.ecosystems.interface import Document, Ecosystem
from repaudit.model.pins import Pin, PinFinding, Strength

_NAMES = frozenset({"maven-wrapper.properties", "gradle-wrapper.properties"})
_SETTING = re.compile(rb"^(?:\xef\xbb\xbf)?[ \t]*([\w.]+)[ \t]*[=:][ \t]*([^\r\n]*)", re.MULTILINE)
_VERSION = re.compile(r"-(\d[\w.]*)-(?:bin|all)\.")


class _Wrapper:
    name = "wrapper"
    summary = "maven-wrapper.properties, gradle-wrapper.properties: the build tool's checksum"

    def claims(self, path: str, head: bytes) -> bool:
        return path.rpartition("/")[2] in _NAMES

    def audit(self, document: Document) -> Iterator[Pin | PinFinding]:
        settings = {match[1]: match for match in _SETTING.finditer(document.data)}
        address = settings.get(b"distributionUrl")
        if address is None:
            return
        url = address[2].decode("utf-8", "replace").replace("\\:", ":").strip()
        kept = settings.get(b"distributionSha256Sum")
        hashes = digests(f"sha256:{kept[2].decode('latin-1').strip()}") if kept else ()
        version = _VERSION.search(url[:4096])
        tool = document.name.partition("-")[0]
        where = document.at(address.start(2), address.end(2))
        package = purl("generic", tool, version[1] if version else None, download_url=url)
        yield pin("tool", where, package, Strength.HASHED if hashes else Strength.VERSIONED, hashes)
        if not hashes:
            yield finding("JV008", where, f"{tool} from {url[:200]}")


ECOSYSTEM: Ecosystem = _Wrapper()
