"""Python's simple index, in JSON and in HTML (PEP 503, 592, 691, 700, 714)."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections import defaultdict
from collections.abc import Iterable, Iterator
from csv import Error, reader
from functools import cache
from typing import TYPE_CHECKING

from packageurl import PackageURL
from packaging.utils import (
    InvalidWheelFilename,
    canonicalize_name,
    canonicalize_version,
    parse_wheel_filename,
)

from repaudit.formats import FORMATS, Budget, Kind
from repaudit.host.clients import pip_index
from repaudit.host.fetch import Answer, Fetcher, Known
from repaudit.indexes.interface import (
    GONE,
    OTHER_BYTES,
    STRONG,
    TO_BE_BUILT,
    UNKNOWN,
    YANKED,
    Index,
)
from repaudit.model.digest import sha256
from repaudit.model.errors import UnreadableError
from repaudit.model.installed import Installed
from repaudit.model.pins import Observation, Pin
from repaudit.model.text import printable

if TYPE_CHECKING:
    from pypi_simple import DistributionPackage

_JSON = "application/vnd.pypi.simple.v1+json"
_LARGEST_WHEEL = 256 << 20
_HASHES = ("sha256", "sha384", "sha512", "sha1", "md5")


class _Pypi:
    name = "pypi"
    kind = "pypi"

    def knows(self, pin: Pin) -> bool:
        package = PackageURL.from_string(pin.purl)
        return bool(package.version) and not _elsewhere(package)

    def verify(self, pins: Iterable[Pin], fetcher: Fetcher) -> Iterator[Observation]:
        projects: dict[tuple[str, str], list[tuple[Pin, PackageURL]]] = defaultdict(list)
        for pin in pins:
            package = PackageURL.from_string(pin.purl)
            projects[_index(package), package.name].append((pin, package))
        for (index, name), asked in sorted(projects.items(), key=lambda item: item[0]):
            files = _files(index, name, fetcher)
            for pin, package in asked:
                yield from _judge(pin, package, files)

    def prove(self, installed: Installed, pin: Pin, fetcher: Fetcher) -> Iterator[Observation]:
        package = PackageURL.from_string(pin.purl)
        shown = f"{package.name} {package.version}"
        files = _files(_index(package), package.name, fetcher)
        if isinstance(files, Answer):
            yield _seen(UNKNOWN, pin, f"{shown}: {files.reason or 'not in the index'}")
            return
        fitting = [
            file
            for file in _of_version(files, package)
            if _fits(file, installed.tags) and (not pin.digests or _hashes(file) & set(pin.digests))
        ]
        if not fitting:
            message = f"{shown} at {printable(installed.path)}: the index has no wheel like it"
            yield _seen("INS006", pin, message)
            return
        yield from _unlike(installed, pin, fitting[0], fetcher)


def _elsewhere(package: PackageURL) -> bool:
    return "vcs_url" in package.qualifiers or "download_url" in package.qualifiers


def _index(package: PackageURL) -> str:
    """Return the index of a package: the lock's own, but the user's where that is the default."""
    from pypi_simple import PYPI_SIMPLE_ENDPOINT

    named = package.qualifiers.get("repository_url", "").rstrip("/")
    default = PYPI_SIMPLE_ENDPOINT.rstrip("/")
    return named if named and named != default else (_configured() or default).rstrip("/")


@cache
def _configured() -> str | None:
    return pip_index()


def _files(index: str, name: str, fetcher: Fetcher) -> list[DistributionPackage] | Answer:
    """Return the files of a project, or the answer that does not give them."""
    from pypi_simple import ACCEPT_ANY, ProjectPage, UnsupportedRepoVersionError

    url = f"{index}/{canonicalize_name(name)}/"
    answer = fetcher.get(url, accept=ACCEPT_ANY)
    if answer.known is not Known.FOUND:
        return answer
    try:
        if answer.kind.partition(";")[0].strip() == _JSON:
            page = ProjectPage.from_json_data(json.loads(answer.data), base_url=url)
        else:
            page = ProjectPage.from_html(name, answer.data, base_url=url, from_encoding="utf-8")
    except (ValueError, TypeError, KeyError, RecursionError, UnsupportedRepoVersionError) as error:
        return Answer(known=Known.UNKNOWN, reason=f"its page cannot be read: {error!r:.100}")
    return list(page.packages)


def _judge(
    pin: Pin, package: PackageURL, files: list[DistributionPackage] | Answer
) -> Iterator[Observation]:
    shown = f"{package.name} {package.version}"
    if isinstance(files, Answer):
        if files.known is Known.ABSENT:
            yield _seen(GONE, pin, f"{package.name} is not in the index")
        else:
            yield _seen(UNKNOWN, pin, f"{shown}: {files.reason}")
        return
    own = _of_version(files, package)
    if not own:
        yield _seen(GONE, pin, f"{shown} is not in the index, which has {len(files)} other files")
        return
    served = set().union(*map(_hashes, own))
    known = {digest.partition(":")[0] for digest in served}
    asked = [digest for digest in pin.digests if digest.partition(":")[0] in known]
    strange = [digest for digest in asked if digest not in served]
    if pin.digests and not asked:
        yield _seen(UNKNOWN, pin, f"{shown}: the index has no hash of the kind that is locked")
    elif strange:
        message = (
            f"{shown}: {len(strange)} of {len(pin.digests)} hashes are of no file of the index"
        )
        yield _seen(OTHER_BYTES, pin, f"{message}: {strange[0]}")
    elif asked and not any(one.startswith(STRONG) for one in asked):
        yield _seen(UNKNOWN, pin, f"{shown} is locked by a hash alone that can be forged")
    held = [file for file in own if _hashes(file) & set(pin.digests)] or own
    yanked = [file for file in held if file.is_yanked]
    if yanked:
        reason = printable(yanked[0].yanked_reason or "no reason given")[:200]
        yield _seen(YANKED, pin, f"{shown} was yanked: {reason}")
    if all(file.package_type == "sdist" for file in held):
        yield _seen(TO_BE_BUILT, pin, f"{shown} is there as a source distribution only")


def _of_version(
    files: Iterable[DistributionPackage], package: PackageURL
) -> list[DistributionPackage]:
    version = canonicalize_version(package.version or "")
    return [one for one in files if one.version and canonicalize_version(one.version) == version]


def _hashes(file: DistributionPackage) -> set[str]:
    return {f"{name}:{value.lower()}" for name, value in file.digests.items() if name in _HASHES}


def _fits(file: DistributionPackage, tags: frozenset[str]) -> bool:
    try:
        found = parse_wheel_filename(file.filename)[3]
    except InvalidWheelFilename:
        return False
    return not tags.isdisjoint(map(str, found))


def _unlike(
    installed: Installed, pin: Pin, file: DistributionPackage, fetcher: Fetcher
) -> Iterator[Observation]:
    """Yield what of an installed wheel is not as in its file; its METADATA needs no download."""
    where = f"{installed.purl.partition('/')[2]} at {printable(installed.path)}"
    held = {name: found for name, _, found in installed.files}
    said = (file.metadata_digests or {}).get("sha256")
    metadata = next((d for n, d in held.items() if n.endswith(".dist-info/METADATA")), None)
    if said and metadata and metadata != f"sha256:{said}":
        yield _seen("INS004", pin, f"{where}: its METADATA is not that of {file.filename}")
        return
    wheel = fetcher.get(file.url, forever=True, most=_LARGEST_WHEEL)
    if wheel.known is not Known.FOUND:
        reason = wheel.reason or "it is gone"
        yield _seen(UNKNOWN, pin, f"{where}: {file.filename} could not be had: {reason}")
        return
    if sha256(wheel.data) not in _hashes(file):
        yield _seen(OTHER_BYTES, pin, f"{file.filename} is served with other bytes than listed")
        return
    recorded = _record(wheel.data)
    if recorded is None:
        yield _seen("INS006", pin, f"{where}: {file.filename} has no RECORD that can be read")
        return
    other = sorted(name for name, digest in recorded.items() if held.get(name, digest) != digest)
    missing = sorted(name for name in recorded if name not in held)
    if other or missing:
        first = printable((other or missing)[0])
        message = f"{where}: {len(other) + len(missing)} files are not those of {file.filename}"
        yield _seen("INS004", pin, f"{message}: {first}")


def _record(wheel: bytes) -> dict[str, str] | None:
    """Return the digests in a wheel's RECORD, without what installing moves elsewhere."""
    try:
        for part in FORMATS.load("zip").parts(wheel, Budget()):
            if part.kind is Kind.FILE and part.name.endswith(".dist-info/RECORD"):
                rows = reader(part.data.decode().splitlines())
                return {
                    row[0]: f"sha256:{_hex(row[1])}"
                    for row in rows
                    if len(row) > 1 and row[1].startswith("sha256=") and ".data/" not in row[0]
                }
    except (UnreadableError, ValueError, Error):
        return None
    return None


def _hex(text: str) -> str:
    value = text.removeprefix("sha256=")
    return urlsafe_b64decode(value + "=" * (-len(value) % 4)).hex()


def _seen(rule: str, pin: Pin, message: str) -> Observation:
    return Observation(rule=rule, message=message, location=pin.location)


INDEX: Index = _Pypi()
