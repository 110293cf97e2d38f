"""Project Oak's endorsement with the claim "reproducibly buildable".

The claim (docs/tr/claim/26208.md) says that two builds of one revision gave the same bits, and that
a provenance tells all that is needed to repeat them. So it is made for a reproducible image whose
source the signer names, and never otherwise. It holds for a year.
"""

from __future__ import annotations

from repaudit.model.report import Verdict
from repaudit.model.statement import Statement
from repaudit.predicates._time import rfc3339
from repaudit.predicates.interface import Evidence, Predicate

CLAIM = "https://github.com/project-oak/oak/blob/main/docs/tr/claim/26208.md"
_YEAR = 365 * 86_400


class _Endorsement:
    name = "endorsement"
    summary = "Project Oak's endorsement, claim 26208: reproducibly buildable (needs --source)"
    uri = "https://project-oak.github.io/oak/tr/endorsement/v1"

    def statements(self, evidence: Evidence) -> tuple[Statement, ...]:
        if evidence.report.verdict is not Verdict.REPRODUCIBLE or evidence.source is None:
            return ()
        issued = rfc3339(evidence.issued)
        predicate = {
            "issuedOn": issued,
            "validity": {"notBefore": issued, "notAfter": rfc3339(evidence.issued + _YEAR)},
            "claims": [{"type": CLAIM}],
        }
        return (Statement(subjects=evidence.images, predicate_type=self.uri, predicate=predicate),)


PREDICATE: Predicate = _Endorsement()
