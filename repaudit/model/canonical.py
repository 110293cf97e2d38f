"""Values to canonical JSON and back.

Canonical means: keys sorted, two-space indent, ASCII only, a newline at the end. The same value
gives the same bytes under any locale, hash seed or platform.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any, TypeVar

import msgspec

from repaudit.model.errors import MalformedError
from repaudit.model.lock import SCHEMA as LOCK_SCHEMA
from repaudit.model.lock import Lock
from repaudit.model.report import SCHEMA, Report

T = TypeVar("T")
_WRITER = "give the report.json that `repaudit rebuild --output` or `--format json` wrote"


def to_json(value: object) -> bytes:
    """Return the canonical JSON of any value of the model. Paths that are no UTF-8 survive."""
    # json, not msgspec, writes the text: it escapes lone surrogates instead of refusing them.
    plain = msgspec.to_builtins(value)
    text = json.dumps(plain, sort_keys=True, ensure_ascii=True, indent=2, allow_nan=False)
    return text.encode("ascii") + b"\n"


def report_from_json(data: bytes) -> Report:
    """Read a report back; raise MalformedError where it is not one that this version knows."""
    return read(data, Report, SCHEMA, "a report", _WRITER)


def read(data: bytes, kind: type[T], schema: str, what: str, hint: str) -> T:
    """Read a value of `schema` back; `what` and `hint` are for the MalformedError if it is none."""
    try:
        plain = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"not {what}: {error}", hint=hint) from error
    found = plain.get("schema") if isinstance(plain, dict) else None
    if found != schema:
        raise MalformedError(
            f"{what} of schema {found!r}, not {schema}",
            hint="read it with the version of repaudit that wrote it",
        )
    try:
        return msgspec.convert(plain, kind)
    except (msgspec.ValidationError, ValueError) as error:
        raise MalformedError(f"{what} that breaks its schema: {error}", hint=hint) from error


def lock_from_json(data: bytes) -> Lock:
    """Read a repaudit.lock back; raise MalformedError where it is none that this version knows."""
    return read(data, Lock, LOCK_SCHEMA, "a lock", "have `repaudit pins write` write it again")


def report_schema() -> dict[str, Any]:
    """Return the JSON Schema of the report, as it ships with the package."""
    return shipped_schema(SCHEMA)


def pins_schema() -> dict[str, Any]:
    """Return the JSON Schema of the answer about pins, as it ships with the package."""
    return shipped_schema("repaudit-pins/1")


def shipped_schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema of what calls itself `name` (`repaudit-gate/1`), as it ships."""
    file = name.removeprefix("repaudit-").replace("/", "-") + ".schema.json"
    text = resources.files("repaudit.model").joinpath(file).read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
