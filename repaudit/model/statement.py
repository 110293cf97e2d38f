"""Statements about images: in-toto Statement v1 (in-toto/attestation, spec/v1/statement.md)."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from msgspec import Struct

from repaudit.model.digest import parse_digest
from repaudit.model.errors import MalformedError

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"


class Named(Struct, frozen=True, kw_only=True):
    """An artefact that a statement is about: a name for people, the digest for programs."""

    name: str
    digest: str


class Statement(Struct, frozen=True, kw_only=True):
    """What is said (`predicate`, of the kind `predicate_type`, a URI) of which artefacts."""

    subjects: tuple[Named, ...]
    predicate_type: str
    predicate: dict[str, Any]

    def payload(self) -> bytes:
        """Return the bytes that are signed: JSON with sorted keys, no spaces, ASCII only."""
        plain = {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": s.name, "digest": digest_set(s.digest)} for s in self.subjects],
            "predicateType": self.predicate_type,
            "predicate": self.predicate,
        }
        return json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()

    def is_about(self, digest: str) -> bool:
        """Whether one of the subjects has this digest."""
        return any(subject.digest == digest for subject in self.subjects)


def digest_set(digest: str) -> dict[str, str]:
    """Return a digest as in-toto writes it (spec/v1/digest_set.md): `{algorithm: hex}`."""
    algorithm, _, encoded = digest.partition(":")
    return {algorithm: encoded}


def parse_statement(payload: bytes) -> Statement:
    """Read a statement; raise MalformedError where it is none, or of another version.

    Digests of algorithms that name no image (`gitCommit`, …) are passed over.
    """
    try:
        plain = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"the signed payload is no JSON: {error}") from error
    version = plain.get("_type") if isinstance(plain, dict) else None
    if version != STATEMENT_TYPE:
        raise MalformedError(
            f"a statement of type {version!r:.80}, not {STATEMENT_TYPE}",
            hint="read it with a tool that knows that version",
        )
    kind, predicate, subjects = map(plain.get, ("predicateType", "predicate", "subject"))
    if not isinstance(kind, str) or not isinstance(predicate, dict):
        raise MalformedError("a statement without predicateType and predicate")
    if not isinstance(subjects, list) or not subjects:
        raise MalformedError("a statement about nothing: it has no subject")
    named = tuple(name for subject in subjects for name in _named(subject))
    return Statement(subjects=named, predicate_type=kind, predicate=predicate)


def _named(subject: object) -> list[Named]:
    digests = subject.get("digest") if isinstance(subject, dict) else None
    if not isinstance(subject, dict) or not isinstance(digests, dict) or not digests:
        raise MalformedError("a statement with a subject that has no digest")
    found = []
    for algorithm, encoded in digests.items():
        with suppress(MalformedError):  # what names no image
            digest = parse_digest(f"{algorithm}:{encoded}")
            found.append(Named(name=str(subject.get("name") or ""), digest=digest))
    return found
