"""Sigstore bundles v0.3 with one DSSE envelope and a public key (protobuf-specs, bundle.proto).

A file holds one bundle a line. All of it is untrusted: what counts is the payload, and that alone
once its signature is verified. A bundle's key hint is not signed and only makes a message clearer.
"""

from __future__ import annotations

import base64
import json

import msgspec
from msgspec import Struct

from repaudit.model.errors import MalformedError
from repaudit.model.statement import PAYLOAD_TYPE

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
#: Bytes of a file of bundles, and how many it may hold.
MAX_BYTES = 16 << 20
MAX_BUNDLES = 1000


class Bundle(Struct, frozen=True, kw_only=True):
    """A payload of the type application/vnd.in-toto+json, its signature, and the key's hint."""

    payload: bytes
    signature: bytes
    hint: str

    def line(self) -> bytes:
        """Return the bundle as one line of JSON."""
        plain = {
            "mediaType": MEDIA_TYPE,
            "verificationMaterial": {"publicKey": {"hint": self.hint}, "tlogEntries": []},
            "dsseEnvelope": {
                "payload": base64.b64encode(self.payload).decode(),
                "payloadType": PAYLOAD_TYPE,
                "signatures": [{"sig": base64.b64encode(self.signature).decode(), "keyid": ""}],
            },
        }
        return json.dumps(plain, sort_keys=True, separators=(",", ":")).encode() + b"\n"


class _PublicKey(Struct, frozen=True):
    hint: str = ""


class _Material(Struct, frozen=True):
    publicKey: _PublicKey | None = None


class _Signature(Struct, frozen=True):
    sig: str


class _Envelope(Struct, frozen=True):
    payload: str
    payloadType: str
    signatures: tuple[_Signature, ...]


class _Plain(Struct, frozen=True):
    mediaType: str
    verificationMaterial: _Material
    dsseEnvelope: _Envelope


def parse_bundles(data: bytes) -> tuple[Bundle, ...]:
    """Read a file of bundles; raise MalformedError where one is not as described above."""
    if len(data) > MAX_BYTES:
        raise MalformedError(f"a file of bundles of more than {MAX_BYTES} bytes")
    numbered = enumerate(data.split(b"\n"), start=1)
    lines = {number: line for number, line in numbered if line.strip()}
    if _is_one(data):  # written over many lines by another tool
        lines = {1: data}
    if not 0 < len(lines) <= MAX_BUNDLES:
        raise MalformedError(f"{len(lines)} bundles in one file, not 1 to {MAX_BUNDLES}")
    return tuple(_parse_line(number, line) for number, line in lines.items())


def _parse_line(number: int, line: bytes) -> Bundle:
    try:
        return _parse(line)
    except MalformedError as error:
        raise MalformedError(
            f"line {number}: {error.message}", hint=error.hint, line=number
        ) from error


def _is_one(data: bytes) -> bool:
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True


def _parse(line: bytes) -> Bundle:
    try:
        plain = json.loads(line)
    except json.JSONDecodeError as error:  # whose line is that of this text, not of the file
        raise MalformedError(
            f"not a Sigstore bundle: {error.msg} at column {error.colno}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"not a Sigstore bundle: {error}") from error
    version = plain.get("mediaType") if isinstance(plain, dict) else None
    if version != MEDIA_TYPE:
        raise MalformedError(
            f"a bundle of type {version!r:.80}, not {MEDIA_TYPE}",
            hint="read it with the tool that wrote it",
        )
    try:
        known = msgspec.convert(plain, _Plain)
    except msgspec.ValidationError as error:
        raise MalformedError(f"a bundle that breaks its format: {error}") from error
    return _checked(known)


def _checked(plain: _Plain) -> Bundle:
    key, envelope = plain.verificationMaterial.publicKey, plain.dsseEnvelope
    if key is None:
        raise MalformedError(
            "a bundle signed with a certificate, not with a key", hint="verify it with cosign"
        )
    if len(envelope.signatures) != 1:
        raise MalformedError(f"a bundle with {len(envelope.signatures)} signatures, not one")
    if envelope.payloadType != PAYLOAD_TYPE:
        raise MalformedError(f"a payload of type {envelope.payloadType!r:.80}, not {PAYLOAD_TYPE}")
    return Bundle(
        payload=_decoded(envelope.payload),
        signature=_decoded(envelope.signatures[0].sig),
        hint=key.hint,
    )


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise MalformedError(f"a bundle that breaks its format: {error}") from error
