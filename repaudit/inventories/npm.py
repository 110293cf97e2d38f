"""Packages in node_modules: each one's package.json, and npm's own record of what it unpacked."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from binascii import Error
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from packageurl import PackageURL

from repaudit.inventories.interface import MOST_TEXT, Inventory
from repaudit.model.installed import Installed, Unidentified
from repaudit.oci.filesystem import Files

_MANIFEST = re.compile(r"(?:.*/)?node_modules/((?:@[^/]+/)?[^/@.][^/]*)/package\.json")
_INSIDE = re.compile(r"((?:.*/)?node_modules/(?:@[^/]+/)?[^/@.][^/]*)/(.+)", re.DOTALL)
_HIDDEN = re.compile(r"(?:.*/)?node_modules/\.package-lock\.json")


class _Npm:
    name = "npm"
    kind = "npm"

    def installed(self, files: Files) -> Iterator[Installed | Unidentified]:
        hidden = {path: 4 * MOST_TEXT for path in files.digests if _HIDDEN.fullmatch(path)}
        unpacked: dict[str, tuple[str, ...]] = {}
        for path, data in files.contents(hidden):
            unpacked |= _unpacked(path.removesuffix("node_modules/.package-lock.json"), data)
        wanted = {path: MOST_TEXT for path in files.digests if _MANIFEST.fullmatch(path)}
        inside: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
        for path, digest in files.digests.items():
            if match := _INSIDE.fullmatch(path):
                inside[match[1]].append((match[2], digest, digest))
        for path, data in files.contents(wanted):
            own = inside[path.removesuffix("/package.json")]
            yield _package(path, data, unpacked, tuple(sorted(own)))


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _unpacked(base: str, data: bytes) -> dict[str, tuple[str, ...]]:
    """Return the hashes of the archives that npm says it unpacked, by the folder."""
    packages = _object(data).get("packages")
    found = {}
    for path, package in packages.items() if isinstance(packages, dict) else ():
        text = package.get("integrity") if isinstance(package, dict) else None
        if isinstance(text, str):
            found[base + path] = tuple(sorted(filter(None, map(_hash, text.split()[:16]))))
    return found


def _hash(word: str) -> str:
    name, _, value = word.partition("-")
    try:
        return f"{name}:{b64decode(value.partition('?')[0], validate=True).hex()}"
    except (Error, ValueError):
        return ""


def _package(
    path: str,
    data: bytes,
    unpacked: Mapping[str, tuple[str, ...]],
    inside: tuple[tuple[str, str, str], ...],
) -> Installed | Unidentified:
    manifest = _object(data)
    name, version = manifest.get("name"), manifest.get("version")
    if not (isinstance(name, str) and isinstance(version, str) and name and version):
        return Unidentified(kind="npm", path=path, reason="package.json names no version")
    scope, _, plain = name.rpartition("/")
    try:
        package = PackageURL(
            type="npm", namespace=scope or None, name=plain, version=version
        ).to_string()
    except ValueError:
        return Unidentified(kind="npm", path=path, reason="package.json names no package")
    digests = unpacked.get(path.removesuffix("/package.json"), ())
    return Installed(
        kind="npm", purl=package, path=path, digests=digests, files=inside, unpacked=True
    )


INVENTORY: Inventory = _Npm()
