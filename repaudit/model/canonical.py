"""Values to canonical JSON and back.

Canonical means: keys sorted, two-space indent, ASCII only, a newline at the end. The same value
gives the same bytes under any locale, hash seed or platform.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from repaudit.model.errors import MalformedError
from repaudit.model.lock import SCHEMA as LOCK_SCHEMA
from repaudit.model.lock import Lock
from repaudit.model.report import SCHEMA, Report

T = TypeVar("T")
_INDENT = "  "
_ENCODER = json.JSONEncoder(sort_keys=True, ensure_ascii=True, indent=len(_INDENT), allow_nan=False)
#: As deep as the differences lie in a report.
_DEPTH = 4
_WRITER = "give the report.json that `repaudit rebuild --output` or `--format json` wrote"


def to_json(value: object) -> bytes:
    """Return the canonical JSON of any value of the model. Paths that are no UTF-8 survive."""
    text = io.BytesIO()
    for piece in _pieces(value, 0):
        text.write(piece.encode("ascii"))
    text.write(b"\n")
    return text.getvalue()


def _pieces(value: object, depth: int) -> Iterator[str]:
    """Yield the text of a value piece by piece: of very many differences the whole is large."""
    parts: Iterable[tuple[str, object]]
    if isinstance(value, msgspec.Struct) and depth < _DEPTH:
        begin, end = "{}"
        names = sorted(value.__struct_fields__)
        parts = ((f'"{name}": ', getattr(value, name)) for name in names)
    elif isinstance(value, tuple | list) and value and depth < _DEPTH:
        begin, end = "[]"
        parts = (("", one) for one in value)
    else:
        # json, not msgspec, writes the text: it escapes lone surrogates instead of refusing them.
        text = _ENCODER.encode(msgspec.to_builtins(value))
        yield text.replace("\n", "\n" + _INDENT * depth)  # in a string it is escaped
        return
    between = begin
    for label, one in parts:
        yield f"{between}\n{_INDENT * (depth + 1)}{label}"
        yield from _pieces(one, depth + 1)
        between = ","
    yield f"\n{_INDENT * depth}{end}"


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
    text = Path(__file__).with_name(file).read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
