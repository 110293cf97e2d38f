"""What the rebuilds have shown, with its scope: `urn:repaudit-reproducibility:1`."""

from __future__ import annotations

import msgspec

from repaudit import __version__
from repaudit.model.reproducibility import PREDICATE_TYPE, FindingRef, Rebuild, Reproducibility
from repaudit.model.statement import Statement
from repaudit.predicates.interface import Evidence, Predicate


class _Reproducibility:
    name = "reproducibility"
    summary = "verdict, what was varied and what was not, the runs, the bound that they give"
    uri = PREDICATE_TYPE

    def statements(self, evidence: Evidence) -> tuple[Statement, ...]:
        report = evidence.report
        said = Reproducibility(
            verdict=report.verdict,
            varied=report.varied,
            held=report.held,
            limits=report.limits,
            rebuilds=tuple(
                Rebuild(name=r.name, role=r.role, outcome=r.outcome, levels=r.levels, image=r.image)
                for r in report.runs
            ),
            hosts=1,  # a run has one host; what several saw is for `repaudit quorum` to compare
            bound=report.bound,
            findings=tuple(FindingRef(id=f.id, cause=f.cause.slug) for f in report.findings),
            builder=report.subject.builder,
            timestamp=report.subject.timestamp,
            report=evidence.report_digest,
            version=__version__,
        )
        plain = msgspec.to_builtins(said)
        return (Statement(subjects=evidence.images, predicate_type=self.uri, predicate=plain),)


PREDICATE: Predicate = _Reproducibility()
