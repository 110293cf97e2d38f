"""The images of a kept run as their configs describe them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec import Struct

from repaudit.model.digest import parse_digest
from repaudit.model.errors import MalformedError
from repaudit.model.sign_off import Settings
from repaudit.oci.blob import parse_object
from repaudit.predicates import Evidence, Rebuilt
from repaudit.reference_values import Audited
from repaudit.stages.attest import blob_of


class Described(Struct, frozen=True, kw_only=True):
    """The config of a run's image: its digest, the layers' diff IDs, and how it runs."""

    image_id: str
    diff_ids: tuple[str, ...]
    settings: Settings


def audited(run: Path, evidence: Evidence) -> Audited:
    """Return the control's image, as reference values need it; raises like `describe`."""
    control = evidence.rebuilt[0]
    found = describe(run, control)
    settings = found.settings
    return Audited(
        name=evidence.images[0].name,
        digest=control.digest,
        image_id=found.image_id,
        labels=settings.labels,
        environment=settings.environment,
        arguments=settings.entrypoint + settings.command,
    )


def describe(run: Path, rebuilt: Rebuilt) -> Described:
    """Return what the config of a run's image says; raise MalformedError where it is not sound."""
    manifest = parse_object(blob_of(run, rebuilt.run.name, rebuilt.digest), rebuilt.digest)
    described = manifest.get("config")
    image_id = parse_digest(described.get("digest") if isinstance(described, dict) else None)
    plain = parse_object(blob_of(run, rebuilt.run.name, image_id), image_id)
    config, rootfs = plain.get("config") or {}, plain.get("rootfs")
    if not isinstance(config, dict) or not isinstance(rootfs, dict):
        raise MalformedError(f"{image_id}: a config that is no object")
    labels = config.get("Labels") or {}
    if not isinstance(labels, dict) or not all(isinstance(v, str) for v in labels.values()):
        raise MalformedError(f"{image_id}: labels that are no texts")
    return Described(
        image_id=image_id,
        diff_ids=tuple(map(parse_digest, _texts(rootfs, "diff_ids", image_id))),
        settings=Settings(
            user=_text(config, "User", image_id),
            entrypoint=_texts(config, "Entrypoint", image_id),
            command=_texts(config, "Cmd", image_id),
            working_directory=_text(config, "WorkingDir", image_id),
            environment=_texts(config, "Env", image_id),
            labels=labels,
        ),
    )


def _text(config: dict[str, Any], key: str, name: str) -> str:
    found = config.get(key) or ""
    if not isinstance(found, str):
        raise MalformedError(f"{name}: {key} is no text")
    return found


def _texts(config: dict[str, Any], key: str, name: str) -> tuple[str, ...]:
    found = config.get(key) or []
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise MalformedError(f"{name}: {key} is no list of texts")
    return tuple(found)
