"""What locks have in common: where they stand, and packages with files, each with its hash."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from packaging.utils import canonicalize_name

from repaudit.ecosystems._catalogue import finding
from repaudit.ecosystems._purl import COMMIT, digests, pin, purl, strong
from repaudit.ecosystems.interface import Document
from repaudit.model.pins import Location, Pin, PinFinding, Strength


def lock_above(document: Document, names: Sequence[str]) -> str | None:
    """Return the first of the files `names` that stands beside a document, or else above it."""
    folder = document.path
    while folder and names:
        folder = folder.rpartition("/")[0]
        for name in names:
            if document.read(f"{folder}/{name}" if folder else name) is not None:
                return name
    return None


def audit_locked(
    name: str, version: str, files: Sequence[object], where: Location, *, index: str = ""
) -> Iterator[Pin | PinFinding]:
    """Yield the pin of a package whose files have `files` as hashes, and what it lacks."""
    hashes = digests(*files)
    strength = Strength.HASHED if strong(hashes) else Strength.VERSIONED
    package = purl("pypi", canonicalize_name(name), version or None, repository_url=index)
    yield pin("pypi", where, package, strength, hashes)
    bare = sum(1 for one in files if not digests(one))
    if not hashes:
        yield finding("LCK001", where, f"{name} {version}: no hash")
    elif not strong(hashes):
        yield finding("PY003", where, f"{name} {version}: only weak hashes")
    elif bare:
        yield finding(
            "LCK001", where, f"{name} {version}: {bare} of {len(files)} files without hash"
        )


def audit_revision(
    name: str, address: str, commit: str, where: Location
) -> Iterator[Pin | PinFinding]:
    """Yield the pin of a package out of a repository, and what it lacks."""
    fixed = bool(COMMIT.fullmatch(commit))
    package = purl("pypi", canonicalize_name(name), vcs_url=f"git+{address}@{commit}")
    yield pin("pypi", where, package, Strength.LOCKED if fixed else Strength.FLOATING)
    if not fixed:
        shown = commit[:80] or "nothing"
        yield finding("PY007", where, f"{name} {address[:200]}: {shown} is no commit of 40 digits")
