"""Manifests that ask for packages, and the lock beside or above them that should say which.

package.json (docs.npmjs.com), Pipfile (pipenv.pypa.io), pyproject.toml (packaging.python.org). The
ranges of a manifest are legitimate: what is told is that nothing here says what they come to.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from repaudit.ecosystems._catalogue import finding
from repaudit.ecosystems._locks import lock_above
from repaudit.ecosystems._structured import Places, read_json, read_toml, table
from repaudit.ecosystems.interface import Document, Ecosystem
from repaudit.model.pins import Pin, PinFinding

#: Where the sections of a manifest stand that ask for packages.
_SECTIONS = {
    "package.json": (("dependencies",), ("devDependencies",), ("optionalDependencies",)),
    "Pipfile": (("packages",), ("dev-packages",)),
    "pyproject.toml": (
        ("project", "dependencies"),
        ("project", "optional-dependencies"),
        ("dependency-groups",),
        ("tool", "poetry", "dependencies"),
    ),
}
_LOCAL = ("file:", "link:", "workspace:", "portal:")


class _Locks(Struct, frozen=True, kw_only=True):
    """Those that readers here judge, and those that no reader knows."""

    judged: tuple[str, ...]
    unread: tuple[str, ...] = ()


_LOCKS = {
    "package.json": _Locks(
        judged=("package-lock.json", "npm-shrinkwrap.json"),
        unread=("yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb"),
    ),
    "Pipfile": _Locks(judged=("Pipfile.lock", "pylock.toml")),
    "pyproject.toml": _Locks(
        judged=("uv.lock", "poetry.lock", "pylock.toml"), unread=("pdm.lock",)
    ),
}


class _Manifest:
    name = "manifest"
    summary = "package.json, Pipfile and pyproject.toml: dependencies without a lock"

    def claims(self, path: str, head: bytes) -> bool:
        return path.rpartition("/")[2] in _SECTIONS

    def audit(self, document: Document) -> Iterator[Pin | PinFinding]:
        read = read_json if document.name == "package.json" else read_toml
        asked = _asked(read(document), _SECTIONS[document.name])
        locks = _LOCKS[document.name]
        if asked is None or lock_above(document, locks.judged):
            return
        where = Places(document).of(asked)
        unread = lock_above(document, locks.unread)
        if unread:
            yield finding("PAR001", where, f"its lock is {unread}, which no reader judges")
        elif document.name != "pyproject.toml":
            yield finding("LCK002", where, f"no lock beside this {document.name}, nor above it")
        elif b"--hash" not in (document.read(document.beside("requirements.txt")) or b""):
            # A library's: what a build installs for it may be locked where it is installed.
            message = "no lock beside this pyproject.toml, nor above it, says what is installed"
            yield finding("PAR001", where, message, fix="commit a lock: uv lock, say")


def _asked(manifest: dict[str, Any], sections: tuple[tuple[str, ...], ...]) -> str | None:
    """Return the name of the first section that asks for a package from an index."""
    for names in sections:
        value: Any = manifest
        for name in names:
            value = table(value).get(name)
        if any(map(_foreign, value.items() if isinstance(value, dict) else _listed(value))):
            return names[-1]
    return None


def _listed(value: object) -> list[tuple[str, object]]:
    return [(str(one), one) for one in value] if isinstance(value, list) else []


def _foreign(item: tuple[str, object]) -> bool:
    name, value = item
    if name == "python" or value == []:
        return False
    if isinstance(value, dict):
        return "path" not in value
    return not (isinstance(value, str) and value.startswith(_LOCAL))


ECOSYSTEM: Ecosystem = _Manifest()
