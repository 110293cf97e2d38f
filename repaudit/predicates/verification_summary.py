"""The verdict for policy engines: SLSA VSA v1 (slsa.dev/spec/v1.1/verification_summary).

`SLSA_BUILD_REPRODUCED` asks for builders that are operated independently. One run has one host and
one operator, so the level is one of our own. An open verdict is neither PASSED nor FAILED: then
there is no summary.
"""

from __future__ import annotations

from urllib.parse import quote

from repaudit import __version__
from repaudit.model.digest import sha256
from repaudit.model.report import Verdict
from repaudit.model.reproducibility import LEVEL, PREDICATE_TYPE
from repaudit.model.statement import PAYLOAD_TYPE, Statement, digest_set
from repaudit.predicates import provenance, reproducibility
from repaudit.predicates._time import rfc3339
from repaudit.predicates.interface import Evidence, Predicate


class _VerificationSummary:
    name = "verification_summary"
    summary = "SLSA verification summary: PASSED or FAILED, for policy engines"
    uri = "https://slsa.dev/verification_summary/v1"

    def statements(self, evidence: Evidence) -> tuple[Statement, ...]:
        verdict = evidence.report.verdict
        if verdict is Verdict.INCONCLUSIVE:
            return ()
        passed = verdict is Verdict.REPRODUCIBLE
        control = evidence.images[0]
        inputs = (
            *reproducibility.PREDICATE.statements(evidence),
            *provenance.PREDICATE.statements(evidence),
        )
        predicate = {
            "verifier": {"id": evidence.signer, "version": {"repaudit": __version__}},
            "timeVerified": rfc3339(evidence.issued),
            "resourceUri": f"pkg:oci/{quote(control.name)}@{quote(control.digest)}",
            "policy": {"uri": PREDICATE_TYPE},
            # the digests of what was signed, not of the signatures: those may be random
            "inputAttestations": [
                {"digest": digest_set(sha256(one.payload())), "mediaType": PAYLOAD_TYPE}
                for one in inputs
            ],
            "verificationResult": "PASSED" if passed else "FAILED",
            "verifiedLevels": [LEVEL] if passed else ["FAILED"],
            "slsaVersion": "1.1",
        }
        return (Statement(subjects=evidence.images, predicate_type=self.uri, predicate=predicate),)


PREDICATE: Predicate = _VerificationSummary()
