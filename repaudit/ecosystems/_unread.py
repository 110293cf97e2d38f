"""Programs that take packages in which no reader here judges: what came is not known."""

from __future__ import annotations

import re
from collections.abc import Iterator

from repaudit.ecosystems._catalogue import finding
from repaudit.ecosystems._invocation import Invocation, Scene
from repaudit.model.pins import PinFinding

_FETCHES = r"-[a-z]*[ce] .*(?:https?|ftp)://"
#: By program, what its arguments begin with or hold where it takes something in.
_TAKE_IN = {
    "brew": r"(?:re)?install |upgrade|bundle",
    "bundle": r"(?:install|update|add)\b|\Z",
    "composer": r"(?:global )?(?:require|install|update|create-project)\b",
    "cpan": r"[^-]",
    "cpanm": r"[^-]",
    "dotnet": r"add (?:\S+ )?package |restore|tool (?:install|update) ",
    "luarocks": r"(?:install|build) ",
    "mvn": r"(?:-\S+ )*[^-]",
    "node": _FETCHES,
    "pacman": r"(?:-S[yuw]*|--sync) ",
    "perl": _FETCHES,
    "pipenv": r"(?:install [^-]|update|upgrade)",
    "poetry": r"(?:add|update|lock|self add|self update)\b",
    "python": rf"{_FETCHES}|(?:\S*/)?setup\.py (?:\S+ )*(?:install|develop)\b",
    "R": r".*\binstall(?:\.packages|_\w+)",
    "Rscript": r".*\binstall(?:\.packages|_\w+)",
    "ruby": _FETCHES,
    "rustup": r"(?:toolchain )?install\b|update|default |component add |target add ",
    "snap": r"(?:install|refresh) ",
}
_MOST = 2000


def audit(scene: Scene, found: Invocation) -> Iterator[PinFinding]:
    """Yield that nobody judges what a program takes in, where it is one of those."""
    pattern = _TAKE_IN.get(found.name)
    words = " ".join(found.texts())[:_MOST]
    if pattern is None or not re.match(pattern, words, re.DOTALL):
        return
    if found.name == "mvn" and scene.held("pom.xml") is not None:
        return  # it is audited as a file of its own
    message = f"{found.name} {words[:100]}: what this takes in is not judged"
    yield finding("PAR001", scene.of(found.command), message)
