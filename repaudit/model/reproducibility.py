"""The predicate `reproducibility`: what rebuilds of an image have shown, and under which scope.

It is written so that what is left out never reads as good news: every factor that was not varied
stands in `held` with its reason, and `bound` says what the number of runs cannot show.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from repaudit.model.canonical import shipped_schema
from repaudit.model.errors import MalformedError
from repaudit.model.experiment import Held, Outcome, Role
from repaudit.model.report import Bound, Verdict

PREDICATE_TYPE = "urn:repaudit-reproducibility:1"
#: What a SLSA verification summary of ours verifies, where it passed.
LEVEL = "REPAUDIT_REPRODUCED_ON_ONE_HOST"


class Rebuild(Struct, frozen=True, kw_only=True):
    """One rebuild: its levels by factor, and the digest of the image's manifest if it built."""

    name: str
    role: Role
    outcome: Outcome
    levels: dict[str, str]
    image: str | None


class FindingRef(Struct, frozen=True, kw_only=True):
    """One cause at one place, as the report's finding `id` tells in full."""

    id: str
    cause: str


class Reproducibility(Struct, frozen=True, kw_only=True):
    """The predicate. `hosts` counts the machines that the rebuilds ran on: one host is evidence.

    `report` is the digest of the canonical JSON report, which holds every detail. `builder` is
    the program that built, `version` that of repaudit.
    """

    verdict: Verdict
    varied: tuple[str, ...]
    held: tuple[Held, ...]
    limits: tuple[Held, ...]
    rebuilds: tuple[Rebuild, ...]
    hosts: int
    bound: Bound | None
    findings: tuple[FindingRef, ...]
    builder: str | None
    timestamp: int | None
    report: str
    version: str


def parse_reproducibility(predicate: dict[str, Any]) -> Reproducibility:
    """Read the predicate of a statement; raise MalformedError where it breaks its schema."""
    try:
        return msgspec.convert(predicate, Reproducibility)
    except (msgspec.ValidationError, ValueError) as error:
        raise MalformedError(f"a reproducibility predicate that breaks its schema: {error}") from (
            error
        )


def reproducibility_schema() -> dict[str, Any]:
    """Return the JSON Schema of the predicate, as it ships with the package."""
    return shipped_schema("repaudit-reproducibility/1")
