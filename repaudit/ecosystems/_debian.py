"""Debian packages, installed (dpkg's status) and on offer (Packages), as values (deb822(5)).

The reader is our own: an index has 70 000 stanzas in 56 MB, of which a few hundred matter, and
what a general reader takes a minute for is to take a second.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from msgspec import Struct

from repaudit.ecosystems._purl import purl
from repaudit.model.errors import MalformedError

#: Where dpkg keeps what is installed; images without dpkg have a file a package instead.
STATUS = "var/lib/dpkg/status"
STATUS_FOLDER = "var/lib/dpkg/status.d/"
#: What a package says of itself, and dpkg and the index repeat word for word. Section and Priority
#: are not here: the archive overrides them.
TOLD = (
    "Source Architecture Multi-Arch Essential Maintainer Installed-Size Pre-Depends Depends "
    "Recommends Suggests Enhances Breaks Conflicts Replaces Provides"
).split()
_NAME = re.compile(rb"[a-z0-9][a-z0-9+.-]{1,127}")
_VERSION = re.compile(rb"[0-9]{1,10}:[0-9A-Za-z.+:~-]{1,256}|[0-9A-Za-z.+~-]{1,256}")
_RUNS = re.compile(r"([^0-9]*)([0-9]*)")
_ARCHITECTURE = re.compile(rb"[a-z0-9-]{1,64}")
_PACKAGE = re.compile(rb"^Package:[ \t]*(\S+)", re.MULTILINE)
_SHA256 = re.compile(rb"[0-9a-f]{64}")
_MOST_PACKAGES = 100_000

Fields = Mapping[bytes, bytes]


class Package(Struct, frozen=True, kw_only=True, order=True):
    """One version of a package for one architecture: what an index lists and dpkg installs."""

    name: str
    version: str
    architecture: str

    @property
    def key(self) -> tuple[str, str]:
        """What of one suite there is one version of."""
        return self.name, self.architecture

    def purl(self, distribution: str | None = None) -> str:
        """Return the package URL; `distribution` as in debian-12."""
        return purl(
            "deb",
            self.name,
            self.version,
            namespace="debian",
            arch=self.architecture,
            distro=distribution,
        )


class Installed(Struct, frozen=True, kw_only=True):
    """A package as dpkg has it. `line`, from 1, is where its stanza stands in the file `path`."""

    package: Package
    told: Fields
    path: str
    line: int


class Listed(Struct, frozen=True, kw_only=True):
    """A package as a Packages index has it; `sha256` is of the .deb, in hex."""

    package: Package
    told: Fields
    filename: str
    sha256: str


def newer(one: str, other: str) -> bool:
    """Whether version `one` is higher than `other` (deb-version(7), "Sorting algorithm")."""
    return _rank(one) > _rank(other)


_Part = tuple[tuple[tuple[int, ...], int], ...]


def _rank(version: str) -> tuple[int, _Part, _Part]:
    epoch, _, rest = version.partition(":") if ":" in version else ("", "", version)
    upstream, dash, revision = rest.rpartition("-")
    return int(epoch or 0), _part(upstream if dash else rest), _part(revision if dash else "0")


def _part(text: str) -> _Part:
    """Return what sorts as a part of a version does: texts and numbers in turn.

    A tilde sorts before the end, that before letters, and those before all else.
    """
    return tuple(
        ((*(_place(character) for character in letters), 0), int(digits or 0))
        for letters, digits in _RUNS.findall(text)
    )


def _place(character: str) -> int:
    if character == "~":
        return -1
    return ord(character) + (0 if character.isalpha() else 256)


def installed(path: str, data: bytes) -> Iterator[Installed]:
    """Yield the packages of dpkg's status, or of a file of `status.d`, whose files are there.

    Raises MalformedError, with the line, for a stanza that names no package.
    """
    for number, (line, stanza) in enumerate(_numbered(data)):
        if number > _MOST_PACKAGES:
            raise MalformedError(f"{path}: more than {_MOST_PACKAGES} packages")
        fields = fields_of(stanza)
        words = fields.get(b"status", b"install ok installed").split()
        if words[-1:] in ([b"not-installed"], [b"config-files"]):
            continue
        found = _package(fields)
        if found is None:
            raise MalformedError(f"{path}:{line}: a stanza without name and version", line=line)
        yield Installed(package=found, told=_told(fields), path=path, line=line)


def listed(data: bytes, names: Collection[str]) -> Iterator[Listed]:
    """Yield the entries of a Packages index for the packages called `names`.

    An entry without a SHA-256 is left out: nothing weaker says which bytes it means.
    """
    wanted = {name.encode() for name in names}
    for _, stanza in _stanzas(data):
        match = _PACKAGE.match(stanza) or _PACKAGE.search(stanza)
        if match is None or match[1] not in wanted:
            continue
        fields = fields_of(stanza)
        found = _package(fields)
        digest = fields.get(b"sha256", b"").lower()
        if found is not None and _SHA256.fullmatch(digest):
            name = fields.get(b"filename", b"").decode(errors="replace")
            yield Listed(
                package=found, told=_told(fields), filename=name, sha256=digest.decode("ascii")
            )


def _numbered(data: bytes) -> Iterator[tuple[int, bytes]]:
    at, line = 0, 1
    for start, stanza in _stanzas(data := _unix(data)):
        line += data.count(b"\n", at, start)
        at = start
        yield line, stanza


def _unix(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n") if b"\r" in data else data


def _stanzas(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield each stanza and where it starts; fields begin at once, so newlines are passed over."""
    text = _unix(data)
    start = 0
    while start < len(text):
        if text[start] == 0x0A:
            start += 1
            continue
        end = text.find(b"\n\n", start)
        end = len(text) if end < 0 else end
        yield start, text[start:end]
        start = end + 2


def fields_of(stanza: bytes) -> dict[bytes, bytes]:
    """Return the fields of one stanza by their lower-case names; the first of a name counts."""
    fields: dict[bytes, list[bytes]] = {}
    last: list[bytes] = []
    for line in stanza.split(b"\n"):
        if line[:1] in (b" ", b"\t"):
            last.append(line.strip())
            continue
        name, colon, value = line.partition(b":")
        last = [value.strip()]
        if colon and name:
            fields.setdefault(name.strip().lower(), last)
    return {name: b"\n".join(lines) for name, lines in fields.items()}


def _told(fields: Fields) -> Fields:
    return {key: value for name in TOLD if (value := fields.get(key := name.lower().encode()))}


def _package(fields: Fields) -> Package | None:
    name, version = fields.get(b"package", b""), fields.get(b"version", b"")
    architecture = fields.get(b"architecture", b"")
    found = (_NAME.fullmatch(name), _VERSION.fullmatch(version))
    if not (all(found) and _ARCHITECTURE.fullmatch(architecture)):
        return None
    return Package(name=name.decode(), version=version.decode(), architecture=architecture.decode())
