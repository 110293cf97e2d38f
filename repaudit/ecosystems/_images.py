"""References to images, wherever they stand (distribution/reference: NAME[:TAG][@DIGEST])."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from repaudit.ecosystems._catalogue import finding
from repaudit.ecosystems._purl import pin, purl
from repaudit.model.pins import Location, Pin, PinFinding, Strength

_PATH = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
_REFERENCE = re.compile(
    rf"(?:(?P<host>{_HOST})/)??(?P<path>{_PATH}(?:/{_PATH})*)"
    r"(?::(?P<tag>[\w][\w.-]{0,127}))?(?:@(?P<digest>[^\s@]+))?",
    re.ASCII,
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}")
_TRANSPORT = re.compile(r"(?:docker://|docker-image://)")
_LONGEST = 512
#: Tags that are moved with each release.
_MOVING = frozenset({"latest", "edge", "nightly", "main", "master", "dev", "devel", "develop"})


class Reference(Struct, frozen=True, kw_only=True):
    """An image's name with its registry, its tag and its digest where they are given."""

    name: str
    tag: str | None
    digest: str | None

    @property
    def fixed(self) -> bool:
        """Whether the digest is whole."""
        return bool(self.digest and _DIGEST.fullmatch(self.digest))


def reference(text: str) -> Reference | None:
    """Return what `text` names, None where it is no reference."""
    plain = _TRANSPORT.sub("", text, count=1)
    match = _REFERENCE.fullmatch(plain) if len(plain) <= _LONGEST else None
    if match is None:
        return None
    name = match["path"] if match["host"] is None else f"{match['host']}/{match['path']}"
    return Reference(name=name, tag=match["tag"], digest=match["digest"])


def audit_image(
    text: str, location: Location, *, said: str, configured: bool = False
) -> Iterator[Pin | PinFinding]:
    """Yield the pin of the image `text` and what it lacks; `said` tells where it stands (`FROM`).

    `configured` images stand in a configuration or a script, and break one rule of their own.
    """
    found = reference(text)
    if found is None:
        rule = "IMG007" if configured else "IMG006"
        yield finding(rule, location, f"{said} {text[:200]}: no image can be read out of this")
        return
    yield _pin(found, location)
    if found.fixed:
        return
    if found.digest:
        message = f"{said} {text}: the digest is no sha256: and 64 hexadecimal digits"
        yield finding("IMG007" if configured else "IMG001", location, message)
        return
    moving = found.tag is None or found.tag in _MOVING or found.tag.endswith("-latest")
    why = f"the tag {found.tag} is moved" if found.tag and moving else "no tag"
    why = why if moving else "a tag, no digest"
    rule = "IMG007" if configured else "IMG002" if moving else "IMG001"
    yield finding(rule, location, f"{said} {text}: {why}", fix=_fix(found))


def _fix(found: Reference) -> str:
    tag = found.tag if found.tag and found.tag not in _MOVING else "VERSION"
    return f"{found.name}:{tag}@sha256:DIGEST (`repaudit pins write` looks the digest up)"


def _pin(found: Reference, location: Location) -> Pin:
    hashes: tuple[str, ...] = ()
    strength = Strength.VERSIONED
    if found.fixed and found.digest:
        hashes, strength = (found.digest,), Strength.HASHED
    elif found.tag is None or found.tag in _MOVING:
        strength = Strength.FLOATING
    package = purl(
        "oci",
        found.name.rpartition("/")[2].lower(),
        found.digest if found.fixed else None,
        repository_url=_repository(found.name),
        tag=found.tag,
    )
    return pin("image", location, package, strength, hashes)


def _repository(name: str) -> str:
    """Return the name with the registry that is meant where none is given."""
    host, slash, _ = name.partition("/")
    if slash and (any(mark in host for mark in ".:") or host == "localhost"):
        return name
    return f"docker.io/{name if slash else 'library/' + name}"
