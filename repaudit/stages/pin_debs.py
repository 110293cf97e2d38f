"""Versions of the Debian packages that a Containerfile installs, and all that they bring along.

apt itself resolves them: beside what the base image has installed, from the snapshot of the
instant that its suites are taken from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import unquote

from packageurl import PackageURL

from repaudit import containerfile as cf
from repaudit.ecosystems import ECOSYSTEMS, STATUS, Package, Suite, distribution, installed, suites
from repaudit.host.apt import AptSettings, Taken, resolve
from repaudit.host.scratch import scratch
from repaudit.model.errors import MalformedError, RepauditError
from repaudit.model.lock import Locked
from repaudit.model.pins import Edit, Pin
from repaudit.oci.filesystem import merge
from repaudit.sources import open_image
from repaudit.stages.debian import of_packages
from repaudit.stages.writing import Left, Place, Wish


def debs(place: Place, wish: Wish) -> Iterator[Edit | Locked | Left]:
    """Yield `=VERSION` for each package that has none, and the lock's entries for the closure."""
    loose = [pin for pin in wish.pins if pin.location.path == place.path and _loose(pin)]
    if not (loose and wish.versions and wish.at and wish.apt):
        return
    if not ECOSYSTEMS.load("containerfile").claims(place.path, place.data[:4096]):
        return
    try:
        stages = cf.parse(place.data, name=place.path).stages()
    except MalformedError:
        return
    for stage in stages:
        pins = [
            pin
            for pin in loose
            for step in stage.statements
            if step.line <= pin.location.line <= step.end_line
        ]
        if not pins:
            continue
        try:
            yield from _stage(_base(stages, stage), place, pins, wish.at, wish.apt)
        except RepauditError as error:
            sought = "the versions of what it installs"
            yield Left(location=pins[0].location, sought=sought, reason=error.message)


def _loose(pin: Pin) -> bool:
    return pin.kind == "deb" and "@" not in pin.purl


def _base(stages: Sequence[cf.Stage], stage: cf.Stage) -> str:
    while stage.parent is not None:
        stage = stages[stage.parent]
    if stage.image is None or stage.image == "scratch":
        raise MalformedError(f"the base image of {stage.base} is not known")
    return stage.image


def _stage(
    image: str, place: Place, pins: Sequence[Pin], at: str, asked: AptSettings
) -> Iterator[Edit | Locked]:
    texts = _texts(image)
    chosen, _ = suites(texts)
    found = [one for path, data in texts.items() if path == STATUS for one in installed(path, data)]
    architecture, *more = {one.package.architecture for one in found} - {"all"} or {""}
    if more or not architecture:
        raise MalformedError(f"{image} has no dpkg status of one architecture")
    names = sorted({_name(pin) for pin in pins})
    sources = _sources(chosen, at, asked)
    taken = resolve(sources, texts[STATUS], architecture, names, asked)
    release = distribution(texts)
    # What the base has and nothing newer replaces stays.
    versions = {one.package.name: one.package.version for one in found}
    for one in taken:
        package = _package(one)
        versions[package.name] = package.version
        yield Locked(
            purl=_purl(package, release, one.url),
            kind="deb",
            digests=(f"sha256:{one.sha256}",),
            origin=one.url,
            instant=at,
        )
    for pin in pins:
        start, end = pin.location.start, pin.location.end
        version = versions.get(_name(pin))
        if start is None or end is None or not version:
            continue
        if place.data[start:end] == _name(pin).encode():
            yield Edit(start=end, end=end, text=f"={version}")


def _texts(image: str) -> Mapping[str, bytes]:
    with scratch() as folder:
        opened = open_image(f"docker://{image}", folder)
        return of_packages(merge(opened.blobs, opened.images.images[0])).texts


def _sources(chosen: Sequence[Suite], at: str, asked: AptSettings) -> str:
    keys = ",".join(str(ring) for ring in asked.keyrings)
    return "".join(
        f"deb [check-valid-until=no signed-by={keys}] "
        f"{asked.snapshots}/archive/{one.archive}/{at}/ {one.suite} {one.component}\n"
        for one in chosen
    )


def _name(pin: Pin) -> str:
    return PackageURL.from_string(pin.purl).name


def _package(one: Taken) -> Package:
    name, version, architecture = one.file.removesuffix(".deb").split("_")
    return Package(name=name, version=unquote(version), architecture=architecture)


def _purl(package: Package, release: str | None, url: str) -> str:
    """Return the package URL with the address: by it `pins verify` asks."""
    plain = PackageURL.from_string(package.purl(release))
    return plain._replace(qualifiers=dict(plain.qualifiers) | {"download_url": url}).to_string()
