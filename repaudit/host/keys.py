"""Keys: load them, sign with them, verify with them. All cryptography is securesystemslib's.

securesystemslib (extra `attest`) is imported when the first key is loaded.
"""

from __future__ import annotations

import base64
import hashlib
import os
import stat
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from msgspec import Struct

from repaudit.model.errors import (
    ExtraMissingError,
    MalformedError,
    RepauditError,
    ToolFailedError,
    UsageError,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
    from securesystemslib.signer import Signer, SSlibKey

#: The variable that holds an encrypted key's password; a flag would show it to every user.
PASSWORD = "REPAUDIT_KEY_PASSWORD"  # noqa: S105 - a variable's name, no password
_SCHEMES = ("ecdsa-sha2-nistp256", "ed25519")
_TYPES_HINT = "make one with: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256"


class PublicKey(Struct, frozen=True, kw_only=True):
    """A key to verify with. `id` is the hex SHA-256 of its DER SubjectPublicKeyInfo (RFC 5280).

    `pem` is the same as a file.
    """

    id: str
    pem: bytes
    key: SSlibKey

    @property
    def hint(self) -> str:
        """The id as a Sigstore bundle names the key."""
        return base64.b64encode(bytes.fromhex(self.id)).decode()

    @property
    def uri(self) -> str:
        """The id as a URI that names nothing but the key (RFC 6920)."""
        return "ni:///sha-256;" + base64.urlsafe_b64encode(bytes.fromhex(self.id)).decode().rstrip(
            "="
        )

    def verifies(self, signature: bytes, payload_type: str, payload: bytes) -> bool:
        """Whether `signature` is this key's over the DSSE pre-authentication encoding."""
        from securesystemslib.exceptions import UnverifiedSignatureError, VerificationError
        from securesystemslib.signer import Signature

        try:
            self.key.verify_signature(
                Signature(self.id, signature.hex()), _encoded(payload_type, payload)
            )
        except (UnverifiedSignatureError, VerificationError):
            return False
        return True


class SigningKey(Struct, frozen=True, kw_only=True):
    """A key to sign with. `loose`: others than its owner may read the file."""

    public: PublicKey
    signer: Signer
    loose: bool

    def sign(self, payload_type: str, payload: bytes) -> bytes:
        """Return the signature over the DSSE pre-authentication encoding (DSSE protocol.md)."""
        return self.sign_bytes(_encoded(payload_type, payload))

    def sign_bytes(self, data: bytes) -> bytes:
        """Return the signature over bytes as they are, as `openssl` verifies it."""
        try:
            signature = self.signer.sign(data).signature
        except Exception as error:  # each key service has errors of its own
            raise ToolFailedError(
                f"the key did not sign: {error}", hint="may it be used from here?"
            ) from error
        return bytes.fromhex(signature)


def load_public(path: Path) -> PublicKey:
    """Load a PEM public key; raise UsageError where it is no ECDSA P-256 or ed25519 key."""
    from_pem = _cryptography()
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        return _public(from_pem.load_pem_public_key(_read(path)), str(path))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UsageError(
            f"{path} is no public key in PEM", hint="openssl pkey -in KEY -pubout -out KEY.pub"
        ) from error


def load_signing(reference: str, public: Path | None) -> SigningKey:
    """Load a PEM private key, or reach one by a URI of securesystemslib (`awskms:…`, `hv:…`).

    A key behind a URI stays where it is; `public` is the file of its public half. Raises
    UsageError for what is no key that signs, ExtraMissingError without securesystemslib.
    """
    from_pem = _cryptography()
    from securesystemslib.signer import SIGNER_FOR_URI_SCHEME

    scheme = reference.partition(":")[0]
    if scheme in SIGNER_FOR_URI_SCHEME and not Path(reference).exists():
        return _remote(reference, public)
    from cryptography.exceptions import UnsupportedAlgorithm
    from securesystemslib.signer import CryptoSigner

    path = Path(reference)
    password = os.environ.get(PASSWORD)
    try:
        private = from_pem.load_pem_private_key(
            _read(path), password.encode() if password else None
        )
    except TypeError as error:
        lacks = "is encrypted" if password is None else "is not encrypted"
        raise UsageError(f"{path} {lacks}", hint=f"set or unset {PASSWORD}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UsageError(
            f"{path} is no private key in PEM that opens", hint=f"{_TYPES_HINT}; see {PASSWORD}"
        ) from error
    known = _public(private.public_key(), str(path))
    loose = bool(stat.S_IMODE(path.stat().st_mode) & 0o077)
    return SigningKey(public=known, signer=CryptoSigner(private, known.key), loose=loose)


def _remote(reference: str, public: Path | None) -> SigningKey:
    from securesystemslib.exceptions import UnsupportedLibraryError
    from securesystemslib.signer import Signer

    if public is None:
        raise UsageError(
            f"{reference} stays where it is, and so does its public half",
            hint="export that and name it with --public-key FILE",
        )
    known = load_public(public)
    try:
        signer = Signer.from_priv_key_uri(reference, known.key)
    except UnsupportedLibraryError as error:
        raise ExtraMissingError(str(error), "attest") from error
    except Exception as error:  # each key service has errors of its own
        raise UsageError(
            f"{reference} cannot be had: {error}", hint="see securesystemslib for its URIs"
        ) from error
    return SigningKey(public=known, signer=signer, loose=False)


def _public(key: PublicKeyTypes, name: str) -> PublicKey:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    from securesystemslib.signer import SSlibKey

    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    identity = hashlib.sha256(der).hexdigest()
    try:
        known = SSlibKey.from_crypto(key, identity)
    except ValueError as error:
        raise _other_kind(name) from error
    if known.scheme not in _SCHEMES:
        raise _other_kind(name)
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return PublicKey(id=identity, pem=pem, key=known)


def _other_kind(name: str) -> RepauditError:
    return UsageError(f"{name} is neither an ECDSA P-256 nor an ed25519 key", hint=_TYPES_HINT)


def _encoded(payload_type: str, payload: bytes) -> bytes:
    from securesystemslib.dsse import Envelope

    return Envelope(payload, payload_type, {}).pae()


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(1 << 16)
    except OSError as error:
        raise UsageError(f"no key at {path}: {error.strerror}", hint=_TYPES_HINT) from error
    if len(data) == 1 << 16:
        raise MalformedError(f"{path} is too large to be a key")
    return data


def _cryptography() -> ModuleType:
    """Return the reader of PEM, or say which extra brings it."""
    try:
        import securesystemslib.signer  # noqa: F401
        from cryptography.hazmat.primitives import serialization
    except ImportError as error:
        raise ExtraMissingError("securesystemslib[crypto]", "attest") from error
    return serialization
