"""Locks of rules_distroless (`apt.install`): Debian packages, each with its address and hash."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from repaudit.ecosystems._apt import SNAPSHOT, instant
from repaudit.ecosystems._catalogue import finding
from repaudit.ecosystems._purl import digests, pin, purl
from repaudit.ecosystems._structured import Places, read_json, tables, text
from repaudit.ecosystems.interface import Document, Ecosystem
from repaudit.model.errors import MalformedError
from repaudit.model.pins import Pin, PinFinding, Severity, Strength

_MARKS = (b'"packages"', b'"sha256"', b'"arch"')


class _DistrolessLock:
    name = "distroless_lock"
    summary = "locks of rules_distroless: hashes and snapshots of Debian packages"

    def claims(self, path: str, head: bytes) -> bool:
        return path.endswith(".lock.json") and all(mark in head for mark in _MARKS)

    def audit(self, document: Document) -> Iterator[Pin | PinFinding]:
        lock = read_json(document)
        if lock.get("version") not in (1, 2) or not isinstance(lock.get("packages"), list):
            raise MalformedError("no lock of rules_distroless that is known: version 1 or 2")
        places = Places(document)
        for package in tables(lock["packages"]):
            yield from _package(places, package, document.now)


def _package(places: Places, package: dict[str, Any], now: float) -> Iterator[Pin | PinFinding]:
    name, version, arch = (text(package.get(key)) for key in ("name", "version", "arch"))
    urls = package.get("urls")
    address = text(package.get("url")) or (text(urls[0]) if isinstance(urls, list) and urls else "")
    where = places.key(text(package.get("key")) or name)
    hashes = digests(f"sha256:{package.get('sha256')}")
    firm = Strength.HASHED if hashes else Strength.VERSIONED
    yield pin("deb", where, purl("deb", name, version, namespace="debian", arch=arch), firm, hashes)
    shown = f"{name} {version}"[:200]
    if not hashes:
        yield finding("LCK001", where, f"{shown}: no sha256")
    service = SNAPSHOT.match(address)
    wrong = instant(service["instant"], now) if service else None
    if wrong:
        yield finding("APT004", where, f"{address[:200]}: {wrong}")
    elif not service:
        message = f"{shown}: {address[:200]} is no snapshot, and will vanish"
        yield finding("APT001", where, message, severity=Severity.WARNING)


ECOSYSTEM: Ecosystem = _DistrolessLock()
