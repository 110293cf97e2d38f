"""JSON Schemas of what we write: what msgspec makes of the types, closed, and a bit tighter."""

from __future__ import annotations

import inspect
from typing import Any

import msgspec


def closed(kind: type, name: str, tighter: dict[tuple[str, str], dict[str, Any]]) -> dict[str, Any]:
    """Return the schema of `kind`: all keys and no other; `tighter` is by (type, key)."""
    found = msgspec.json.schema(kind)
    places = dict(tighter)
    for title, definition in found["$defs"].items():
        definition["description"] = inspect.cleandoc(definition["description"])
        if definition.get("type") != "object":
            continue
        properties = definition["properties"]
        definition["additionalProperties"] = False
        definition["required"] = list(properties)
        for key, value in properties.items():
            value.pop("default", None)
            properties[key] = places.pop((title, key), value)
    assert not places, f"no such keys: {sorted(places)}"
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{name.replace('/', ':')}",
        "title": name,
        **found,
    }
