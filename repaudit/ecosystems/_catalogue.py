"""The catalogue of rules, `rules.toml`, as values. It ships with the package."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from msgspec import Struct

from repaudit.model.pins import Edit, Location, PinFinding, PinsVerdict, Severity, judge


class Rule(Struct, frozen=True, kw_only=True):
    """What a place must not be. `open` says that a finding of it leaves the verdict open.

    `unknown` says that it does so where nothing else is wrong.
    """

    id: str
    severity: Severity
    title: str
    reason: str
    fix: str | None = None
    reference: str | None = None
    open: bool = False
    unknown: bool = False


@cache
def rules() -> tuple[Rule, ...]:
    """Return every rule, sorted by id."""
    text = Path(__file__).with_name("rules.toml").read_text("utf-8")
    tables = tomllib.loads(text)["rule"]
    found = (Rule(**(table | {"severity": Severity(table["severity"])})) for table in tables)
    return tuple(sorted(found, key=lambda rule: rule.id))


@cache
def _by_id() -> dict[str, Rule]:
    return {rule.id: rule for rule in rules()}


def rule(name: str) -> Rule:
    """Return the rule whose id is `name`; one that is not in the catalogue is a KeyError."""
    return _by_id()[name]


def verdict(findings: Iterable[PinFinding]) -> PinsVerdict:
    """Return the verdict that findings of the catalogue's rules give."""
    undecided = frozenset(one.id for one in rules() if one.open)
    unknown = frozenset(one.id for one in rules() if one.unknown)
    return judge(findings, undecided, unknown)


def finding(
    name: str,
    location: Location,
    message: str,
    *,
    fix: str | None = None,
    edit: Edit | None = None,
    severity: Severity | None = None,
) -> PinFinding:
    """Return a finding of the rule `name`; what is not given is the rule's own."""
    broken = rule(name)
    return PinFinding(
        id=name,
        severity=severity or broken.severity,
        message=message,
        fix=fix or broken.fix,
        location=location,
        edit=edit if location.start is not None else None,
    )
