"""Settings in `repaudit.toml`, or in `[tool.repaudit]` of a pyproject.toml; flags win."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from repaudit.model.errors import UsageError

#: Each setting and the type that TOML gives it; the names are the long options'.
_TYPES: dict[str, tuple[type, ...]] = {
    "file": (str,),
    "vary": (list,),
    "hold": (list,),
    "builder": (str,),
    "builds": (int,),
    "build-arg": (list,),
    "secret": (list,),
    "target": (str,),
    "timestamp": (str, int),
    "jobs": (int,),
    "seed": (str,),
    "output": (str,),
    "format": (list,),
}


def load(context: Path) -> dict[str, Any]:
    """Return the settings that stand beside the Containerfile in `context`, {} for none.

    Raises UsageError, with the file and the key, for what is unknown or of a wrong type.
    """
    for name, table in (("repaudit.toml", ()), ("pyproject.toml", ("tool", "repaudit"))):
        path = context / name
        if not path.is_file():
            continue
        found = _read(path)
        for key in table:
            found = found.get(key, {})
        if found:
            _check(found, path)
            return found
    return {}


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {error}", hint="it must be TOML") from error


def _check(found: dict[str, Any], path: Path) -> None:
    for key, value in found.items():
        if key not in _TYPES:
            known = ", ".join(sorted(_TYPES))
            raise UsageError(f"{path}: no such setting: {key}", hint=f"there are: {known}")
        strings = not isinstance(value, list) or all(isinstance(item, str) for item in value)
        if not isinstance(value, _TYPES[key]) or isinstance(value, bool) or not strings:
            wanted = " or ".join(kind.__name__ for kind in _TYPES[key])
            raise UsageError(f"{path}: {key} must be a {wanted}", hint=f"it is {value!r}")
