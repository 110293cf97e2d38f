"""Settings in `repaudit.toml`, or in `[tool.repaudit]` of a pyproject.toml; flags win."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from repaudit.model.errors import UsageError

#: Each setting and the type that TOML gives it; the names are the long options'.
_TYPES: dict[str, tuple[type, ...]] = {
    "vary": (list,),
    "hold": (list,),
    "builder": (str,),
    "builds": (int,),
    "target": (str,),
    "timestamp": (str, int),
    "jobs": (int,),
    "seed": (str,),
}
#: A context may be a stranger's: what reads or writes beside it is the user's to say.
_FLAGS_ONLY = ("file", "build-arg", "secret", "output", "format")


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
            inner = found.get(key, {})
            if not isinstance(inner, dict):
                raise UsageError(f"{path}: {key} must be a table", hint=f"it is {inner!r}")
            found = inner
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
        if key in _FLAGS_ONLY:
            raise UsageError(f"{path}: {key} is no setting", hint=f"give it as a flag: --{key}")
        if key not in _TYPES:
            known = ", ".join(sorted(_TYPES))
            raise UsageError(f"{path}: no such setting: {key}", hint=f"there are: {known}")
        if key == "jobs" and isinstance(value, int) and value < 1:
            raise UsageError(f"{path}: jobs must be 1 or more", hint=f"it is {value}")
        strings = not isinstance(value, list) or all(isinstance(item, str) for item in value)
        if not isinstance(value, _TYPES[key]) or isinstance(value, bool) or not strings:
            wanted = " or ".join(kind.__name__ for kind in _TYPES[key])
            raise UsageError(f"{path}: {key} must be a {wanted}", hint=f"it is {value!r}")
