"""Google Confidential Space: the provider of a workload identity pool, as its REST API takes it.

The attribute condition (CEL, at most 4096 characters) lets in one image on hardened, supported,
confidential machines, and nobody who changed its command or environment. A claim that a token does
not have denies. The digest is that of the image's own manifest: name that one in
`tee-image-reference`, for a reference to an index of several platforms attests the index.
"""

from __future__ import annotations

from repaudit.model.canonical import to_json
from repaudit.reference_values.interface import Audited, ReferenceValues

ISSUER = "https://confidentialcomputing.googleapis.com"
_CONDITION = (
    "assertion.swname == 'CONFIDENTIAL_SPACE'",
    "assertion.dbgstat == 'disabled-since-boot'",
    "assertion.secboot == true",
    "'STABLE' in assertion.submods.confidential_space.support_attributes",
)
_UNCHANGED = "(!has(assertion.submods.container.{0}) || size(assertion.submods.container.{0}) == 0)"
#: google.subject may have 127 bytes; the digest takes 71 of them.
_SUBJECT = (
    '"gcpcs::" + assertion.submods.container.image_digest + "::" + '
    'assertion.submods.gce.project_number + "::" + assertion.submods.gce.instance_id'
)


class _ConfidentialSpace:
    name = "confidential_space"
    summary = "attribute condition (CEL) and mapping of a workload identity pool provider"

    def render(self, audited: Audited) -> bytes:
        image = f"assertion.submods.container.image_digest in ['{audited.digest}']"
        unchanged = (_UNCHANGED.format(name) for name in ("cmd_override", "env_override"))
        provider = {
            "oidc": {"issuerUri": ISSUER, "allowedAudiences": ["https://sts.googleapis.com"]},
            "attributeCondition": " && ".join((*_CONDITION, image, *unchanged)),
            "attributeMapping": {
                "google.subject": _SUBJECT,
                "attribute.image_digest": "assertion.submods.container.image_digest",
            },
        }
        return to_json(provider)


REFERENCE: ReferenceValues = _ConfidentialSpace()
