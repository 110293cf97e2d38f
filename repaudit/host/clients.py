"""Where package indexes are, as the user's own clients are configured: pip, npm and Maven."""

from __future__ import annotations

import ast
import os
from pathlib import Path

from repaudit.host import process

_PIP = ("PIP_INDEX_URL", "PIP_CONFIG_FILE", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "VIRTUAL_ENV")
_NPM = frozenset(
    {"npm_config_registry", "npm_config_userconfig", "npm_config_globalconfig", "home"}
)
#: In the order in which pip heeds them: its environment, the command's section, the global one.
_KEYS = (":env:.index-url", "install.index-url", "global.index-url")
_PATIENCE = 30.0
_MOST_SETTINGS = 4 << 20


def pip_index() -> str | None:
    """Return the index that pip is configured to ask, None where that is left to pip."""
    pip = process.find_tool("pip") or process.find_tool("pip3")
    if pip is None:
        return os.environ.get("PIP_INDEX_URL")
    passed = {name: os.environ[name] for name in _PIP if name in os.environ}
    result = process.run([pip, "config", "list"], timeout=_PATIENCE, env=passed)
    lines = result.stdout.decode("utf-8", "replace").splitlines() if result.status == 0 else []
    found = {key: value for key, equals, value in (line.partition("=") for line in lines) if equals}
    for key in _KEYS:
        if key in found:
            return _unquoted(found[key])
    return None


def _unquoted(text: str) -> str | None:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None
    return value if isinstance(value, str) else None


def npm_registry(scope: str) -> str | None:
    """Return the registry that npm asks for packages of a scope (`@name`; empty for none).

    None where npm is not installed. No project's own settings count: a stranger may have made them.
    """
    npm = process.find_tool("npm")
    passed = {name: value for name, value in os.environ.items() if name.lower() in _NPM}
    for key in (f"{scope}:registry", "registry") if scope else ("registry",):
        found = npm and process.run(
            [npm, "config", "get", key], timeout=_PATIENCE, env=passed, cwd=Path("/")
        )
        text = found.stdout.decode("utf-8", "replace").strip() if found else ""
        if text.startswith(("https://", "http://")):
            return text
    return None


def maven_settings() -> tuple[bytes, ...]:
    """Return the settings.xml files that Maven reads, the user's first."""
    homes = [Path("~/.m2").expanduser()]
    home = maven_home()
    homes += [home / "conf"] if home else []
    found = []
    for folder in homes:
        try:
            with (folder / "settings.xml").open("rb") as file:
                found.append(file.read(_MOST_SETTINGS))
        except OSError:
            continue  # there need not be one
    return tuple(found)


def maven_home() -> Path | None:
    """Return the folder in which Maven is installed, None where it is not."""
    mvn = process.find_tool("mvn")
    return Path(mvn).resolve().parent.parent if mvn else None


def maven_models() -> tuple[bytes, ...]:
    """Return the jars of the installed Maven that hold its super POM."""
    home = maven_home()
    paths = sorted((home / "lib").glob("maven-model-builder*.jar")) if home else []
    return tuple(path.read_bytes() for path in paths[:1])
