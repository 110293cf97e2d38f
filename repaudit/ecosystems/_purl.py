"""Package URLs (ECMA-427) of what files name, and the pins that carry them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from packageurl import PackageURL

from repaudit.model.pins import Location, Pin, Strength

_HASH = re.compile(r"(sha512|sha384|sha256|sha1|md5)[:=-]([0-9a-fA-F]+)")
_LENGTH = {"md5": 32, "sha1": 40, "sha256": 64, "sha384": 96, "sha512": 128}
#: What holds against someone who wants another file to have the same hash.
STRONG = frozenset({"sha256", "sha384", "sha512"})
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


def digests(text: str) -> dict[str, str]:
    """Return the hashes that `text` names as ALGORITHM:HEX, whole ones only."""
    found = ((match[1], match[2].lower()) for match in _HASH.finditer(text))
    return {name: value for name, value in found if len(value) == _LENGTH[name]}


def pin(
    kind: str,
    location: Location,
    package: str,
    strength: Strength,
    hashes: Mapping[str, str] | None = None,
) -> Pin:
    """Return a pin of the package URL `package`."""
    return Pin(
        purl=package, kind=kind, strength=strength, digests=dict(hashes or {}), location=location
    )
