"""Package URLs (ECMA-427) of what files name, and the pins that carry them."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterable

from packageurl import PackageURL

from repaudit.model.pins import Location, Pin, Strength

_HASH = re.compile(r"(sha512|sha384|sha256|sha1|md5)[:=-]([0-9a-fA-F]+)")
_LENGTH = {"md5": 32, "sha1": 40, "sha256": 64, "sha384": 96, "sha512": 128}
_STRONG = ("sha256:", "sha384:", "sha512:")
COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def purl(
    kind: str,
    name: str,
    version: str | None = None,
    *,
    namespace: str | None = None,
    **qualifiers: str | None,
) -> str:
    """Return the package URL; what is empty is left out, a name of nothing is `unknown`."""
    given = {key: _sound(value) for key, value in qualifiers.items() if value}
    return PackageURL(
        type=kind,
        namespace=_sound(namespace).strip("/") if namespace else None,
        name=_sound(name).strip("/") or "unknown",
        version=_sound(version) if version else None,
        qualifiers=given,
    ).to_string()


def _sound(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def digests(*texts: object) -> tuple[str, ...]:
    """Return the hashes that texts name as ALGORITHM:HEX, whole ones only, sorted."""
    found = {
        f"{match[1]}:{match[2].lower()}"
        for text in texts
        if isinstance(text, str)
        for match in _HASH.finditer(text)
        if len(match[2]) == _LENGTH[match[1]]
    }
    return tuple(sorted(found))


def strong(hashes: Iterable[str]) -> bool:
    """Whether one of the hashes holds against someone who wants another file to have it."""
    return any(one.startswith(_STRONG) for one in hashes)


def integrity(text: object) -> tuple[str, ...]:
    """Return the hashes of a Subresource Integrity text (`sha512-BASE64`), whole ones only."""
    found = set()
    for word in text.split() if isinstance(text, str) else ():
        name, _, value = word.partition("-")
        try:
            digest = b64decode(value.partition("?")[0], validate=True).hex()
        except ValueError:
            continue
        if _LENGTH.get(name) == len(digest):
            found.add(f"{name}:{digest}")
    return tuple(sorted(found))


def pin(
    kind: str,
    location: Location,
    package: str,
    strength: Strength,
    hashes: tuple[str, ...] = (),
) -> Pin:
    """Return a pin of the package URL `package`."""
    return Pin(purl=package, kind=kind, strength=strength, digests=hashes, location=location)
