"""Maven repositories: their checksums, or else the file itself.

See maven.apache.org, "Repository Layout" and "Using Mirrors for Repositories".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from urllib.parse import quote
from xml.etree.ElementTree import Element

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring
from packageurl import PackageURL

from repaudit.formats import FORMATS, Budget, Kind
from repaudit.host.clients import maven_models, maven_settings
from repaudit.host.fetch import Fetcher, Known
from repaudit.indexes.interface import GONE, OTHER_BYTES, STRONG, UNKNOWN, Index
from repaudit.model.errors import UnreadableError
from repaudit.model.installed import Installed
from repaudit.model.pins import Observation, Pin

_MODEL = "member org/apache/maven/model/pom-4.0.0.xml"
_CENTRAL = "central"
#: Versions that no repository can be asked about.
_MOVING = re.compile(r".*-SNAPSHOT|LATEST|RELEASE|.*[\[\](),$].*", re.DOTALL)
_HEX = re.compile(rb"(?<![0-9a-fA-F])[0-9a-fA-F]{40,128}(?![0-9a-fA-F])")
_MOST_CHECKSUM = 4096
#: Strongest first. The weak ones can show that bytes are others, and never that they are the same.
_ALGORITHMS = (*STRONG, "sha1", "md5")


class _Maven:
    name = "maven"
    kind = "maven"

    def knows(self, pin: Pin) -> bool:
        package = PackageURL.from_string(pin.purl)
        moving = not package.version or _MOVING.fullmatch(package.version)
        return not moving and bool(package.namespace)

    def verify(self, pins: Iterable[Pin], fetcher: Fetcher) -> Iterator[Observation]:
        for pin in sorted(pins, key=lambda one: one.purl):
            yield from _look_up(pin, PackageURL.from_string(pin.purl), fetcher)

    def prove(self, installed: Installed, pin: Pin, fetcher: Fetcher) -> Iterator[Observation]:
        yield from ()  # a jar is in the image as it was locked, byte for byte


def _look_up(pin: Pin, package: PackageURL, fetcher: Fetcher) -> Iterator[Observation]:
    shown = f"{package.namespace}:{package.name}:{package.version}"
    repository = _repository(package)
    if repository is None:
        message = f"{shown}: neither the lock nor an installed Maven names a repository"
        yield _seen(UNKNOWN, pin, message)
        return
    if not pin.digests:  # a pom says no more than that it exists, and what is no jar has one too
        package = package._replace(qualifiers={"type": "pom"})
    url = f"{repository}/{_path(package)}"
    algorithm, locked = _strongest(pin.digests)
    told = fetcher.get(f"{url}.{algorithm}", most=_MOST_CHECKSUM)
    match = _HEX.search(told.data) if told.known is Known.FOUND else None
    if match is not None:
        served = {f"{algorithm}:{match[0].decode().lower()}"}
    else:  # the repository has no such checksum: the file itself tells
        file = fetcher.digests(url)
        if file.known is Known.ABSENT:
            yield _seen(GONE, pin, f"{shown} is not in the repository")
            return
        if file.known is Known.UNKNOWN:
            yield _seen(UNKNOWN, pin, f"{shown}: {file.reason}")
            return
        served = set(file.data.decode().split())
    if locked is None:
        return
    found = next((one for one in served if one.startswith(f"{algorithm}:")), None)
    if found is None:
        yield _seen(UNKNOWN, pin, f"{shown}: nobody says which {algorithm} it has")
    elif locked != found:
        yield _seen(OTHER_BYTES, pin, f"{shown} is locked as {locked}, and served as {found}")
    elif algorithm not in STRONG:
        yield _seen(UNKNOWN, pin, f"{shown} is locked by {algorithm} alone, which can be forged")


def _strongest(digests: Iterable[str]) -> tuple[str, str | None]:
    named = {digest.partition(":")[0]: digest for digest in digests}
    for algorithm in _ALGORITHMS:
        if algorithm in named:
            return algorithm, named[algorithm]
    return "sha1", None


def _path(package: PackageURL) -> str:
    """Return where a repository keeps a file: group/as/folders/name/version/name-version."""
    kind = package.qualifiers.get("type") or "jar"
    classifier = package.qualifiers.get("classifier")
    file = f"{package.name}-{package.version}" + (f"-{classifier}" if classifier else "")
    group = str(package.namespace).replace(".", "/")
    return quote(f"{group}/{package.name}/{package.version}/{file}.{kind}")


def _repository(package: PackageURL) -> str | None:
    """Return the lock's repository, or Maven's own; a mirror in settings.xml takes its place."""
    central, mirrors = _configured()
    named = package.qualifiers.get("repository_url", "").rstrip("/") or central
    if named is None:
        return None
    identity = _CENTRAL if named == central else None
    for pattern, url in mirrors:
        if _mirrors(pattern, identity, named):
            return url
    return named


def _mirrors(pattern: str, identity: str | None, url: str) -> bool:
    """Whether a mirrorOf stands for the repository; one without an id is met by wildcards alone."""
    local = re.match(r"file:|https?://(?:localhost|127\.0\.0\.1)(?=[:/])", url) is not None
    words = [word.strip() for word in pattern.split(",")]
    if identity and f"!{identity}" in words:
        return False
    return any(
        word == "*"
        or (word == "external:*" and not local)
        or (word == "external:http:*" and not local and url.startswith("http:"))
        or word == identity
        for word in words
    )


@cache
def _configured() -> tuple[str | None, tuple[tuple[str, str], ...]]:
    """Return the address of Central in Maven's super POM, and the mirrors of settings.xml."""
    mirrors = [
        (_value(one, "mirrorOf"), _value(one, "url").rstrip("/"))
        for data in maven_settings()
        for one in _elements(data, "mirror")
        if _value(one, "blocked") != "true"
    ]
    return _central(), tuple(mirrors)


def _central() -> str | None:
    for jar in maven_models():
        try:
            for part in FORMATS.load("zip").parts(jar, Budget()):
                if part.kind is Kind.FILE and part.name == _MODEL:
                    for one in _elements(part.data, "repository"):
                        return _value(one, "url").rstrip("/")
        except UnreadableError:
            return None
    return None


def _elements(data: bytes, name: str) -> list[Element]:
    try:
        root = fromstring(data)
    except (ParseError, DefusedXmlException, ValueError):
        return []
    return [one for one in root.iter() if one.tag.rpartition("}")[2] == name]


def _value(parent: Element, name: str) -> str:
    found = (child.text or "" for child in parent if child.tag.rpartition("}")[2] == name)
    return next(found, "").strip()


def _seen(rule: str, pin: Pin, message: str) -> Observation:
    return Observation(rule=rule, message=message, location=pin.location)


INDEX: Index = _Maven()
