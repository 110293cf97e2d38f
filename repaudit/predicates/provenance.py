"""How each image of the run was built: SLSA provenance v1 (slsa.dev/spec/v1.1/provenance)."""

from __future__ import annotations

from typing import Any

from repaudit import __version__
from repaudit.model.statement import Statement, digest_set
from repaudit.predicates.interface import Evidence, Predicate, Rebuilt

BUILD_TYPE = "urn:repaudit-rebuild:1"


class _Provenance:
    name = "provenance"
    summary = "SLSA provenance v1 of each image that was built"
    uri = "https://slsa.dev/provenance/v1"

    def statements(self, evidence: Evidence) -> tuple[Statement, ...]:
        return tuple(
            Statement(
                subjects=(evidence.named(rebuilt.digest),),
                predicate_type=self.uri,
                predicate=_predicate(evidence, rebuilt),
            )
            for rebuilt in evidence.rebuilt
        )


def _predicate(evidence: Evidence, rebuilt: Rebuilt) -> dict[str, Any]:
    subject = evidence.report.subject
    report = {
        "name": "report.json",
        "mediaType": "application/json",
        "digest": digest_set(evidence.report_digest),
    }
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "context": subject.context,
                "containerfile": subject.containerfile,
                "command": list(subject.command or ()),
                "timestamp": subject.timestamp,
            },
            "internalParameters": {"run": rebuilt.run.name, "levels": rebuilt.run.levels},
            "resolvedDependencies": _dependencies(evidence),
        },
        "runDetails": {
            "builder": {"id": evidence.signer, "version": {"repaudit": __version__}},
            "byproducts": [report],
        },
    }


def _dependencies(evidence: Evidence) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if evidence.source is not None:
        found.append({"uri": evidence.source.uri, "digest": {"gitCommit": evidence.source.commit}})
    # Not the manifest's annotation: with a layer for each instruction that names the layer below.
    found += [{"name": base.name, "digest": digest_set(base.digest)} for base in evidence.bases]
    return found


PREDICATE: Predicate = _Provenance()
