"""The image of a kept run whose rebuilds gave the same bytes, as reference values need it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from repaudit.model.digest import parse_digest
from repaudit.model.errors import MalformedError
from repaudit.oci.blob import parse_object
from repaudit.predicates import Evidence
from repaudit.reference_values import Audited
from repaudit.stages.attest import blob_of


def audited(run: Path, evidence: Evidence) -> Audited:
    """Return the control's image; raise MalformedError where its config is not sound."""
    control = evidence.rebuilt[0]
    manifest = parse_object(blob_of(run, control.run.name, control.digest), control.digest)
    described = manifest.get("config")
    image_id = parse_digest(described.get("digest") if isinstance(described, dict) else None)
    plain = parse_object(blob_of(run, control.run.name, image_id), image_id)
    config = plain.get("config") or {}
    if not isinstance(config, dict):
        raise MalformedError(f"{image_id}: a config that is no object")
    labels = config.get("Labels") or {}
    if not isinstance(labels, dict) or not all(isinstance(v, str) for v in labels.values()):
        raise MalformedError(f"{image_id}: labels that are no texts")
    return Audited(
        name=evidence.images[0].name,
        digest=control.digest,
        image_id=image_id,
        labels=labels,
        environment=_texts(config, "Env", image_id),
        arguments=_texts(config, "Entrypoint", image_id) + _texts(config, "Cmd", image_id),
    )


def _texts(config: dict[str, Any], key: str, name: str) -> tuple[str, ...]:
    found = config.get(key) or []
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise MalformedError(f"{name}: {key} is no list of texts")
    return tuple(found)
