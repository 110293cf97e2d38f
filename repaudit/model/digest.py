"""Content addresses as the OCI image-spec writes them (descriptor.md, "Digests")."""

from __future__ import annotations

import hashlib
import re

from msgspec import Struct

from repaudit.model.errors import MalformedError

_HEX_LENGTH = {"sha256": 64, "sha384": 96, "sha512": 128}
_DIGEST = re.compile(r"(sha256|sha384|sha512):([0-9a-f]+)")


def parse_digest(text: object) -> str:
    """Return `text` if it is a digest of a registered algorithm; raise MalformedError if not."""
    match = _DIGEST.fullmatch(text) if isinstance(text, str) else None
    if match is None or len(match[2]) != _HEX_LENGTH[match[1]]:
        raise MalformedError(f"not a digest: {text!r:.90}")
    return match[0]


def sha256(data: bytes) -> str:
    """Return the sha256 digest of `data`."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Descriptor(Struct, frozen=True, kw_only=True):
    """A reference to a blob: what it is, its digest, and its length in bytes."""

    media_type: str
    digest: str
    size: int
