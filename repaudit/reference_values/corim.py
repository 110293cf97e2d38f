"""CoRIM: reference values as CBOR (draft-ietf-rats-corim-11), not signed.

Experimental: the draft may still change. The numbers are the keys of its CDDL.
"""

from __future__ import annotations

from typing import Any

from repaudit.model.errors import ExtraMissingError
from repaudit.reference_values.interface import Audited, ReferenceValues

_UNSIGNED, _COMID = 501, 506  # CBOR tags
_SHA256 = 1  # named information hash algorithm registry


class _Corim:
    name = "corim"
    summary = "an unsigned CoRIM as CBOR, draft-ietf-rats-corim-11 (experimental)"

    def render(self, audited: Audited) -> bytes:
        try:
            import cbor2
        except ImportError as error:
            raise ExtraMissingError("cbor2", "corim") from error
        identity = f"repaudit:{audited.digest}"
        comid = {1: {0: identity}, 4: {0: [[_environment(audited), _measurements(audited)]]}}
        encoded = cbor2.dumps(comid, canonical=True)
        corim = {0: identity, 1: [cbor2.CBORTag(_COMID, encoded)]}
        return cbor2.dumps(cbor2.CBORTag(_UNSIGNED, corim), canonical=True)


def _environment(audited: Audited) -> dict[int, Any]:
    return {0: {2: audited.name}}  # class: model


def _measurements(audited: Audited) -> list[dict[int, Any]]:
    named = {"image-digest": audited.digest, "image-id": audited.image_id}
    return [{0: key, 1: {2: [[_SHA256, _bytes(digest)]]}} for key, digest in named.items()]


def _bytes(digest: str) -> bytes:
    return bytes.fromhex(digest.removeprefix("sha256:"))


REFERENCE: ReferenceValues = _Corim()
