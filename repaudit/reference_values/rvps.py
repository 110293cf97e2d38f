"""Trustee's Reference Value Provider Service: a message of the type `sample` (trustee, rvps/).

Experimental: the sample type is the one that every build of the service knows, and is not signed.
"""

from __future__ import annotations

import base64
import json

from repaudit.model.canonical import to_json
from repaudit.reference_values.interface import Audited, ReferenceValues


class _Rvps:
    name = "rvps"
    summary = "a message for Trustee's Reference Value Provider Service (experimental)"

    def render(self, audited: Audited) -> bytes:
        values = {
            "container_image_digest": [audited.digest],
            "container_image_id": [audited.image_id],
        }
        provenance = json.dumps(values, sort_keys=True, separators=(",", ":")).encode()
        return to_json(
            {
                "version": "0.1.0",
                "type": "sample",
                "provenance": base64.b64encode(provenance).decode(),
            }
        )


REFERENCE: ReferenceValues = _Rvps()
