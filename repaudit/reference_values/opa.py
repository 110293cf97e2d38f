"""Open Policy Agent: the data that a policy over a Confidential Space token compares with.

The keys are those of Google's example policies. The audience and the nonce are the
caller's own, and not in here.
"""

from __future__ import annotations

from repaudit.model.canonical import to_json
from repaudit.reference_values.interface import Audited, ReferenceValues


class _Opa:
    name = "opa"
    summary = "data for an Open Policy Agent policy over Confidential Space tokens"

    def render(self, audited: Audited) -> bytes:
        data = {
            "allowed_submods_container_image_digest": [audited.digest],
            "allowed_submods_container_image_id": [audited.image_id],
            "allowed_issuer": ["https://confidentialcomputing.googleapis.com"],
            "allowed_sw_name": ["CONFIDENTIAL_SPACE"],
            "allowed_hwmodel": ["GCP_AMD_SEV", "GCP_AMD_SEV_ES", "GCP_INTEL_TDX"],
            "allowed_secboot": [True],
            "allowed_dbgstat": ["disabled-since-boot"],
        }
        return to_json(data)


REFERENCE: ReferenceValues = _Opa()
