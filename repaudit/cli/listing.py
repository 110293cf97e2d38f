"""`repaudit list`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from repaudit.builders import BUILDERS
from repaudit.ecosystems import ECOSYSTEMS
from repaudit.factors import FACTORS
from repaudit.forensics import causes
from repaudit.model.experiment import INTRINSIC, SETTABLE
from repaudit.predicates import PREDICATES
from repaudit.reference_values import REFERENCE_VALUES
from repaudit.reporters import REPORTERS
from repaudit.sources import SOURCES

_INTRINSIC = "nobody sets it; a replicate (--builds 3) shows it"


class Kind(StrEnum):
    """What can be listed."""

    FACTORS = "factors"
    CAUSES = "causes"
    ECOSYSTEMS = "ecosystems"
    SOURCES = "sources"
    REPORTERS = "reporters"
    BUILDERS = "builders"
    PREDICATES = "predicates"
    REFERENCE_VALUES = "reference-values"


def listing(
    kind: Annotated[Kind, typer.Argument(help="What to list.", show_default=False)],
) -> None:
    """List the plug-ins, one a line."""
    rows = _rows(kind)
    width = max(len(name) for name, _ in rows)
    for name, summary in rows:
        typer.echo(f"{name:{width}}  {summary}")


def _rows(kind: Kind) -> list[tuple[str, str]]:
    match kind:
        case Kind.FACTORS:
            rows = [(name, FACTORS.load(name).summary) for name in SETTABLE]
            return rows + [(name, _INTRINSIC) for name in INTRINSIC]
        case Kind.CAUSES:
            return [(cause.slug, cause.title) for cause in causes()]
        case Kind.ECOSYSTEMS:
            return [(ecosystem.name, ecosystem.summary) for ecosystem in ECOSYSTEMS.all()]
        case Kind.SOURCES:
            return [(source.name, source.summary) for source in SOURCES.all()]
        case Kind.REPORTERS:
            return [(reporter.name, reporter.summary) for reporter in REPORTERS.all()]
        case Kind.BUILDERS:
            return [(builder.name, builder.summary) for builder in BUILDERS.all()]
        case Kind.PREDICATES:
            return [(predicate.name, predicate.summary) for predicate in PREDICATES.all()]
        case Kind.REFERENCE_VALUES:
            return [(form.name, form.summary) for form in REFERENCE_VALUES.all()]
