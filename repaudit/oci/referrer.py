"""Artefacts that refer to an image (image-spec manifest.md, "subject"; distribution-spec).

A registry without the referrers API keeps the list under a tag that is made of the image's digest.
"""

from __future__ import annotations

import json
from typing import Any

from msgspec import Struct

from repaudit.model.digest import Descriptor, parse_digest, sha256
from repaudit.model.errors import MalformedError
from repaudit.oci.blob import parse_object

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
EMPTY = b"{}"
_EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
_MOST = 10_000


class Referrer(Struct, frozen=True, kw_only=True):
    """An entry of the list of referrers: a manifest, what kind of artefact it is, its notes."""

    digest: str
    size: int
    artifact_type: str
    annotations: dict[str, str]

    def entry(self) -> dict[str, Any]:
        """Return the entry as the list holds it."""
        return {
            "mediaType": MANIFEST,
            "digest": self.digest,
            "size": self.size,
            "artifactType": self.artifact_type,
            "annotations": self.annotations,
        }


def fallback_tag(digest: str) -> str:
    """Return the tag under which a registry without the API keeps the list."""
    return digest.replace(":", "-")[:128]


def referring_manifest(
    subject: Descriptor, artifact_type: str, data: bytes, annotations: dict[str, str]
) -> bytes:
    """Return the manifest of an artefact that is one blob and refers to `subject`."""
    plain = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": artifact_type,
        "config": _plain(_EMPTY_TYPE, EMPTY),
        "layers": [_plain(artifact_type, data)],
        "subject": {
            "mediaType": subject.media_type,
            "digest": subject.digest,
            "size": subject.size,
        },
        "annotations": annotations,
    }
    return json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()


def _plain(media_type: str, data: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": sha256(data), "size": len(data)}


def parse_referrers(data: bytes, name: str) -> tuple[Referrer, ...]:
    """Read a list of referrers; raise MalformedError where it is none."""
    entries = parse_object(data, name).get("manifests")
    if not isinstance(entries, list) or len(entries) > _MOST:
        raise MalformedError(f"{name} is no list of referrers")
    return tuple(_referrer(entry, name) for entry in entries)


def _referrer(entry: object, name: str) -> Referrer:
    if not isinstance(entry, dict):
        raise MalformedError(f"{name}: an entry that is no object")
    size, notes = entry.get("size"), entry.get("annotations") or {}
    if not isinstance(size, int) or size < 0 or not isinstance(notes, dict):
        raise MalformedError(f"{name}: an entry that breaks its format")
    return Referrer(
        digest=parse_digest(entry.get("digest")),
        size=size,
        artifact_type=str(entry.get("artifactType") or ""),
        annotations={str(key): str(value) for key, value in notes.items()},
    )


def list_of(referrers: tuple[Referrer, ...]) -> bytes:
    """Return the list as an image index, in the order of the digests."""
    entries = [one.entry() for one in sorted(referrers, key=lambda one: one.digest)]
    plain = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}
    return json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()


def only_layer(manifest: bytes, name: str) -> Descriptor:
    """Return the descriptor of an artefact's one blob."""
    layers = parse_object(manifest, name).get("layers")
    if not isinstance(layers, list) or len(layers) != 1 or not isinstance(layers[0], dict):
        raise MalformedError(f"{name} does not have one blob")
    size = layers[0].get("size")
    if not isinstance(size, int) or size < 0:
        raise MalformedError(f"{name}: a blob without a size")
    return Descriptor(
        media_type=str(layers[0].get("mediaType")),
        digest=parse_digest(layers[0].get("digest")),
        size=size,
    )
