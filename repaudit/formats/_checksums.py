"""Digests as they stand in texts, in hex or base64, told by their lengths."""

from __future__ import annotations

import base64
import binascii
import re

_HEX = re.compile(rb"(?:[0-9a-fA-F]{2}){16,64}")
_ALGORITHMS = {16: "md5", 20: "sha1", 28: "sha224", 32: "sha256", 48: "sha384", 64: "sha512"}


def algorithm(length: int) -> str | None:
    """Return what makes digests of so many bytes, None where nothing usual does."""
    return _ALGORITHMS.get(length)


def read_digest(token: bytes) -> bytes | None:
    """Return the bytes that a token in hex or base64, in either alphabet, stands for."""
    if _HEX.fullmatch(token):
        return bytes.fromhex(token.decode("ascii"))
    plain = token.rstrip(b"=").replace(b"-", b"+").replace(b"_", b"/")
    try:
        return base64.b64decode(plain + b"=" * (-len(plain) % 4), validate=True)
    except binascii.Error:
        return None
