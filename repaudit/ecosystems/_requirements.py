"""What one Python requirement asks for: PEP 508, and pip's URLs, repositories and paths."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from repaudit.ecosystems._catalogue import finding
from repaudit.ecosystems._purl import COMMIT, digests, pin, purl, strong
from repaudit.model.pins import Location, Pin, PinFinding, Strength

_REPOSITORY = re.compile(r"(?:git|hg|svn|bzr)\+[a-z+]+://[^\s]+")
_ADDRESS = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^\s]+")
_NAMED = re.compile(r"([A-Za-z0-9][\w.-]*)\s*(\[[^\]]*\])?\s*@\s*(\S+)(.*)", re.DOTALL)
_PATH = re.compile(
    r"(?:file:|[./~\\]|[A-Za-z]:\\).*|[^\s;]+\.(?:whl|zip|tar\.gz|tar\.bz2)", re.DOTALL
)
#: What files of requirements are called.
FILE_NAME = re.compile(
    r"(?:\A|/)(?:[^/]*(?:requirements|constraints)[^/]*\.(?:txt|in)"
    r"|requirements/[^/]+\.(?:txt|in))\Z",
    re.IGNORECASE,
)
_BOOTSTRAP = frozenset({"pip", "setuptools", "wheel", "uv", "pipenv", "poetry"})
_LONGEST = 8192


class Asked(Struct, frozen=True, kw_only=True):
    """A requirement, read. `exact` is the version that `==` names; `local` is a path."""

    name: str
    exact: str | None = None
    ranged: bool = False
    address: str | None = None
    local: bool = False


def ask(text: str) -> Asked | None:
    """Return what a requirement asks for, None where it is none."""
    plain = text.strip()
    if not plain or len(plain) > _LONGEST:
        return None
    named = _NAMED.fullmatch(plain)
    if named and _ADDRESS.fullmatch(named[3]):
        return Asked(name=canonicalize_name(named[1]), address=named[3])
    address = plain.partition(" ")[0]
    if _ADDRESS.fullmatch(address) and not address.startswith("file:"):
        return Asked(name=_name_of(address), address=address)
    if _PATH.fullmatch(plain) or plain == ".":
        return Asked(name=plain, local=True)
    return _specified(plain)


def _specified(text: str) -> Asked | None:
    try:
        found = Requirement(text)
    except (InvalidRequirement, ValueError, RecursionError):
        return None
    name = canonicalize_name(found.name)
    if found.url:
        return Asked(name=name, address=found.url)
    exact = [
        spec.version
        for spec in found.specifier
        if spec.operator in ("==", "===") and not spec.version.endswith(".*")
    ]
    return Asked(name=name, exact=exact[0] if exact else None, ranged=bool(found.specifier))


def _name_of(address: str) -> str:
    egg = re.search(r"[#&]egg=([\w.-]+)", address)
    if egg:
        return canonicalize_name(egg[1])
    plain = re.split(r"[#?]", address)[0].rstrip("/").rpartition("/")[2].partition("@")[0]
    return re.split(r"-\d|\.git$|\.whl$|\.tar\.|\.zip$", plain)[0] or "unknown"


def audit_requirement(
    asked: Asked,
    shown: str,
    hashes: tuple[str, ...],
    where: Location,
    *,
    installer: bool = False,
) -> Iterator[Pin | PinFinding]:
    """Yield the pin of a requirement and what it lacks.

    `installer` says that the command may be about pip renewing itself.
    """
    if asked.local:
        return
    if asked.address is not None:
        yield from _address(asked, asked.address, hashes, where)
        return
    strength = (
        Strength.FLOATING
        if not asked.ranged
        else Strength.RANGED
        if asked.exact is None
        else Strength.HASHED
        if strong(hashes)
        else Strength.VERSIONED
    )
    package = purl("pypi", asked.name, asked.exact)
    yield pin("pypi", where, package, strength, hashes)
    if asked.exact is None:
        rule = "PY010" if asked.name in _BOOTSTRAP and installer else "PY001"
        yield finding(rule, where, f"{shown}: {'a range' if asked.ranged else 'no version'}")
    elif not hashes:
        yield finding("PY002", where, f"{shown}: no hash")
    elif not strong(hashes):
        yield finding("PY003", where, f"{shown}: only {', '.join(_algorithms(hashes))}")


def _address(
    asked: Asked, address: str, hashes: tuple[str, ...], where: Location
) -> Iterator[Pin | PinFinding]:
    if _REPOSITORY.fullmatch(address):
        revision = _revision(address)
        fixed = bool(revision and COMMIT.fullmatch(revision))
        package = purl("pypi", asked.name, vcs_url=address.partition("#")[0])
        yield pin("pypi", where, package, Strength.LOCKED if fixed else Strength.FLOATING)
        if not fixed:
            message = f"{address}: {revision or 'no revision'} is no commit of 40 digits"
            yield finding("PY007", where, message)
        return
    found = digests(address.partition("#")[2]) + hashes
    hashed = bool(strong(found))
    package = purl("pypi", asked.name, download_url=address.partition("#")[0])
    yield pin("pypi", where, package, Strength.HASHED if hashed else Strength.VERSIONED, found)
    if not found:
        yield finding("PY002", where, f"{address}: no hash")
    elif not hashed:
        yield finding("PY003", where, f"{address}: only {', '.join(_algorithms(found))}")


def _revision(address: str) -> str | None:
    """Return what follows the @ behind the host, None where there is none."""
    path = address.partition("://")[2].partition("#")[0].partition("/")[2]
    return path.rpartition("@")[2] if "@" in path else None


def _algorithms(hashes: tuple[str, ...]) -> list[str]:
    return sorted({one.partition(":")[0] for one in hashes})
