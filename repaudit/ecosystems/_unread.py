"""Programs that take packages in which no reader here judges: what came is not known."""

from __future__ import annotations

import re
from collections.abc import Iterator

from repaudit.ecosystems._catalogue import finding
from repaudit.ecosystems._invocation import Invocation, Scene
from repaudit.model.pins import PinFinding

_FETCHES = r"-[a-z]*[ce] .*(?:https?|ftp)://"
#: By program, what its arguments begin with where it takes something in, options left out or not.
_TAKE_IN = {
    "asdf": r"install\b|plugin add ",
    "aws": r"s3 (?:cp|sync) s3://",
    "brew": r"(?:re)?install |upgrade|bundle|update|tap ",
    "bundle": r"(?:install|update|add)\b|\Z",
    "cabal": r"(?:v2-)?(?:install|update)\b",
    "composer": r"(?:global )?(?:require|install|update|create-project|self-update)\b",
    "conan": r"install ",
    "corepack": r"(?:prepare|install|use|up)\b",
    "cpan": r"[^-]",
    "cpanm": r"[^-]|--self-upgrade",
    "deno": r"(?:install|add|cache|upgrade)\b|(?:run|eval) .*https?://",
    "dotnet": r"add (?:\S+ )?package |restore|tool (?:install|update) ",
    "easy_install": r"[^-]",
    "gsutil": r"(?:cp|rsync) gs://",
    "helm": r"(?:install|upgrade|pull|fetch|dependency|dep) ",
    "hg": r"clone ",
    "luarocks": r"(?:install|build) ",
    "mix": r"(?:deps\.get|archive\.install|local\.)",
    "mvn": r"(?:-\S+ )*[^-]",
    "nix": r"(?:profile (?:install|add)|shell|run|develop|build)\b",
    "nix-channel": r"--(?:add|update)",
    "nix-env": r".*(?:^|\s)(?:-\w*[iu]|--install|--upgrade)",
    "node": _FETCHES,
    "nvm": r"install\b",
    "opam": r"(?:install|update|upgrade|init)\b",
    "pacman": r"(?:-S[yuw]*|--sync) ",
    "pear": r"(?:install|upgrade) ",
    "pecl": r"(?:install|upgrade) ",
    "perl": rf"{_FETCHES}|.*-MCPAN(?:::Shell)?(?:\s|\Z)",
    "pipenv": r"(?:install [^-]|update|upgrade)",
    "poetry": r"(?:add|update|lock|self add|self update)\b",
    "pyenv": r"install ",
    "python": rf"{_FETCHES}|(?:\S*/)?setup\.py (?:\S+ )*(?:install|develop)\b",
    "R": r".*\binstall(?:\.packages|_\w+)",
    "Rscript": r".*\binstall(?:\.packages|_\w+)",
    "rbenv": r"install ",
    "ruby": _FETCHES,
    "rustup": r"(?:toolchain )?install\b|(?:self )?update|default |component add |target add ",
    "sdk": r"(?:install|upgrade)\b",
    "snap": r"(?:install|refresh) ",
    "stack": r"(?:install|build|setup|update|upgrade)\b",
    "svn": r"(?:checkout|co|export) ",
    "vcpkg": r"install ",
}
_MOST = 2000


def audit(scene: Scene, found: Invocation) -> Iterator[PinFinding]:
    """Yield that nobody judges what a program takes in, where it is one of those."""
    pattern = _TAKE_IN.get(found.name)
    words = " ".join(found.texts())[:_MOST]
    plain = " ".join(text for text in found.texts() if not text.startswith("-"))[:_MOST]
    if pattern is None or not any(
        re.match(pattern, one, re.DOTALL) for one in (words, plain or words)
    ):
        return
    if found.name == "mvn" and scene.held("pom.xml") is not None:
        return  # it is audited as a file of its own
    message = f"{found.name} {words[:100]}: what this takes in is not judged"
    yield finding("PAR001", scene.of(found.command), message)
