"""npm's registry: which versions it has, their hashes, and what is in their archives.

See github.com/npm/registry, docs/responses/package-metadata.md. Where an index has an archive, it
is unpacked as npm does: what its first folder holds becomes the package's.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any
from urllib.parse import quote

from packageurl import PackageURL

from repaudit.formats import FORMATS, Budget, Kind
from repaudit.host.clients import npm_registry
from repaudit.host.fetch import Answer, Fetcher, Known
from repaudit.indexes._downloads import address, look_up
from repaudit.indexes.interface import GONE, OTHER_BYTES, STRONG, UNKNOWN, Index
from repaudit.model.digest import sha256
from repaudit.model.errors import UnreadableError
from repaudit.model.installed import Installed
from repaudit.model.pins import Observation, Pin
from repaudit.model.text import printable

_ACCEPT = "application/vnd.npm.install-v1+json"
_LARGEST = 256 << 20
_MEMBER = "member "
#: npm writes it under another name.
_RENAMED = ".gitignore"


class _Npm:
    name = "npm"
    kind = "npm"

    def knows(self, pin: Pin) -> bool:
        return bool(PackageURL.from_string(pin.purl).version and _strong(pin))

    def verify(self, pins: Iterable[Pin], fetcher: Fetcher) -> Iterator[Observation]:
        for pin in sorted(pins, key=lambda one: one.purl):
            package = PackageURL.from_string(pin.purl)
            url = _elsewhere(pin, package)
            if url:
                yield from look_up(pin, url, _strong(pin), fetcher)
                continue
            shown = f"{_name(package)} {package.version}"
            told = _told(package, fetcher)
            if isinstance(told, Answer):
                rule = GONE if told.known is Known.ABSENT else UNKNOWN
                yield _seen(rule, pin, f"{shown}: {told.reason or 'not in the registry'}")
                continue
            served = _hashes(told.get("integrity"))
            kinds = {one.partition(":")[0] for one in served}
            asked = [one for one in _strong(pin) if one.partition(":")[0] in kinds]
            if not asked:
                yield _seen(UNKNOWN, pin, f"{shown}: the registry has no such hash as is locked")
            elif served.isdisjoint(asked):
                yield _seen(OTHER_BYTES, pin, f"{shown} is locked as {asked[0]}, and not served so")

    def prove(self, installed: Installed, pin: Pin, fetcher: Fetcher) -> Iterator[Observation]:
        package = PackageURL.from_string(pin.purl)
        where = f"{_name(package)} {package.version} at {printable(installed.path)}"
        url: object = _elsewhere(pin, package)
        if not url:
            told = _told(package, fetcher)
            url = "" if isinstance(told, Answer) else told.get("tarball")
        archive = fetcher.get(url, forever=True, most=_LARGEST) if isinstance(url, str) else None
        if archive is None or archive.known is not Known.FOUND:
            reason = archive.reason if archive else "the registry names no archive"
            yield _seen(UNKNOWN, pin, f"{where}: its archive could not be had: {reason or 'gone'}")
            return
        data = archive.data
        if {f"{one}:{hashlib.new(one, data).hexdigest()}" for one in STRONG}.isdisjoint(
            pin.digests
        ):
            yield _seen(OTHER_BYTES, pin, f"{where}: its archive is served with other bytes")
            return
        packed = _packed(data)
        if packed is None:
            yield _seen("INS006", pin, f"{where}: its archive cannot be read")
            return
        yield from _unlike(where, pin, packed, {name: found for name, _, found in installed.files})


def _unlike(
    where: str, pin: Pin, packed: dict[str, str], held: dict[str, str]
) -> Iterator[Observation]:
    """Yield what of an installed package is not as in its archive."""
    said = (
        (
            "INS004",
            "not those of its archive",
            [n for n in packed if held.get(n, packed[n]) != packed[n]],
        ),
        ("INS007", "not there", [n for n in packed if n not in held and n != _RENAMED]),
        ("INS006", "in no archive", [n for n in held if n not in packed]),
    )
    for rule, what, names in said:
        if names:
            message = f"{where}: {len(names)} files are {what}: {printable(min(names))}"
            yield _seen(rule, pin, message)


def _name(package: PackageURL) -> str:
    return f"{package.namespace}/{package.name}" if package.namespace else package.name


@cache
def _registry(scope: str) -> str | None:
    return npm_registry(scope)


def _elsewhere(pin: Pin, package: PackageURL) -> str:
    """Return the address that the lock names, empty where that is the registry's own."""
    registry, url = _registry(package.namespace or ""), address(pin)
    return "" if registry and url.startswith(registry.rstrip("/") + "/") else url


def _told(package: PackageURL, fetcher: Fetcher) -> dict[str, Any] | Answer:
    """Return what the registry says of a version's archive, or the answer that does not say it."""
    registry = _registry(package.namespace or "")
    if registry is None:
        return Answer(known=Known.UNKNOWN, reason="no npm is installed that names a registry")
    url = f"{registry.rstrip('/')}/{quote(_name(package), safe='@')}"
    answer = fetcher.get(url, accept=_ACCEPT)
    if answer.known is not Known.FOUND:
        return answer
    try:
        version = json.loads(answer.data)["versions"].get(package.version)
        return Answer(known=Known.ABSENT) if version is None else dict(version["dist"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return Answer(known=Known.UNKNOWN, reason="the registry's answer cannot be read")


def _strong(pin: Pin) -> list[str]:
    return [one for one in pin.digests if one.startswith(STRONG)]


def _hashes(text: object) -> set[str]:
    """Return the hashes of a Subresource Integrity text."""
    found = set()
    for word in text.split() if isinstance(text, str) else ():
        name, _, value = word.partition("-")
        try:
            found.add(f"{name}:{b64decode(value.partition('?')[0], validate=True).hex()}")
        except ValueError:
            continue
    return found


def _packed(data: bytes) -> dict[str, str] | None:
    """Return the sha256 of each file in an archive, by its path in the package; None if damaged."""
    found = {}
    budget = Budget()
    try:
        for outer in FORMATS.load("gzip").parts(data, budget):
            if outer.name != "inflated":
                continue
            for part in FORMATS.load("tar").parts(outer.data, budget):
                if part.kind is Kind.FILE and part.name.startswith(_MEMBER):
                    path = part.name.removeprefix(_MEMBER).partition("/")[2]
                    if "node_modules/" not in path:  # a bundled package is one of its own
                        found[path] = sha256(part.data)
    except UnreadableError:
        return None
    return found or None


def _seen(rule: str, pin: Pin, message: str) -> Observation:
    return Observation(rule=rule, message=message, location=pin.location)


INDEX: Index = _Npm()
