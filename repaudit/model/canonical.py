"""Values to canonical JSON and back.

Canonical means: keys sorted, two-space indent, ASCII only, a newline at the end. The same value
gives the same bytes under any locale, hash seed or platform.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import msgspec

from repaudit.model.errors import MalformedError
from repaudit.model.report import SCHEMA, Report

_WRITER = "give the report.json that `repaudit rebuild --output` or `--format json` wrote"


def to_json(value: object) -> bytes:
    """Return the canonical JSON of any value of the model. Paths that are no UTF-8 survive."""
    # json, not msgspec, writes the text: it escapes lone surrogates instead of refusing them.
    plain = msgspec.to_builtins(value)
    text = json.dumps(plain, sort_keys=True, ensure_ascii=True, indent=2, allow_nan=False)
    return text.encode("ascii") + b"\n"


def report_from_json(data: bytes) -> Report:
    """Read a report back; raise MalformedError where it is not one that this version knows."""
    try:
        plain = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"not a report: {error}", hint=_WRITER) from error
    schema = plain.get("schema") if isinstance(plain, dict) else None
    if schema != SCHEMA:
        raise MalformedError(
            f"a report of schema {schema!r}, not {SCHEMA}",
            hint="read it with the version of repaudit that wrote it",
        )
    try:
        return msgspec.convert(plain, Report)
    except (msgspec.ValidationError, ValueError) as error:
        raise MalformedError(f"a report that breaks its schema: {error}", hint=_WRITER) from error


def report_schema() -> dict[str, Any]:
    """Return the JSON Schema of the report, as it ships with the package."""
    return _schema("report-1.schema.json")


def pins_schema() -> dict[str, Any]:
    """Return the JSON Schema of the answer about pins, as it ships with the package."""
    return _schema("pins-1.schema.json")


def _schema(name: str) -> dict[str, Any]:
    text = resources.files("repaudit.model").joinpath(name).read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
