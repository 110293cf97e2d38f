"""The Debian packages of an image: are they a signed index's, and of one instant."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from repaudit.ecosystems import (
    STATUS,
    STATUS_FOLDER,
    UNREADABLE,
    Installed,
    Listed,
    Package,
    Suite,
    distribution,
    finding,
    floating,
    installed,
    placing,
    suites,
    verdict,
)
from repaudit.host.apt import AptSettings
from repaudit.host.fetch import Fetcher
from repaudit.model.errors import MalformedError, UnreachableError
from repaudit.model.pins import (
    Location,
    Pin,
    PinFinding,
    PinsReport,
    Strength,
    by_place,
)
from repaudit.model.text import printable
from repaudit.oci.filesystem import Files
from repaudit.stages.archive import Entries, Snapshots, Wanted, own, world
from repaudit.stages.snapshot import Cover, Interval, cover
from repaudit.stages.unpacked import Tied, against_debs, against_sums

#: More names than this in one sentence help nobody.
_SHOWN = 12
#: Each costs requests; dpkg's own multi-arch images have two or three.
_MOST_ARCHITECTURES = 8
#: The status of the largest images has some 5 MB.
_MOST = 64 << 20
#: Where dpkg puts files, and which it leaves out.
_SETTINGS = ("etc/dpkg/dpkg.cfg", "var/lib/dpkg/diversions")
#: The databases of apk and of rpm; those of others are folders.
_OTHERS = re.compile(
    r"(?:usr/)?lib/apk/db/installed"
    r"|(?:var/lib/rpm|usr/lib/sysimage/rpm)/(?:Packages(?:\.db)?|rpmdb\.sqlite)"
    r"|var/lib/pacman/local/ALPM_DB_VERSION"
)
_RELEASES = frozenset({"etc/os-release", "usr/lib/os-release"})


class Asked(Struct, frozen=True, kw_only=True):
    """What can be asked, and when it is: seconds since 1970."""

    fetcher: Fetcher
    settings: AptSettings
    now: float


class Held(Struct, frozen=True, kw_only=True):
    """What matters of an image's files: the texts that tell of packages, and all to compare."""

    texts: Mapping[str, bytes]
    files: Files


def _wanted(path: str) -> bool:
    if path.startswith(_SETTINGS):
        return True
    beside = path.startswith(STATUS_FOLDER) and not path.endswith(".md5sums")
    return beside or path == STATUS or path in _RELEASES or path.startswith("etc/apt/sources.list")


def of_packages(files: Files) -> Held:
    """Return what of an image's files says which Debian packages it has."""
    return Held(texts=files.whole(_wanted, _MOST), files=files)


def packages_report(images: Iterable[Held], asked: Asked) -> PinsReport:
    """Return what the packages of images are, by `of_packages`, and what is amiss with them.

    The images' layers are read again for packages whose .deb is not to be had.
    """
    files: set[str] = set()
    told: dict[tuple[str, int, int, int, str, str], Pin | PinFinding] = {}
    for held in images:
        files.update(held.texts)
        told.update((by_place(item), item) for item in _of_image(held, asked))
    findings = tuple(one for _, one in sorted(told.items()) if isinstance(one, PinFinding))
    return PinsReport(
        verdict=verdict(findings),
        files=tuple(sorted(files)),
        pins=tuple(one for _, one in sorted(told.items()) if isinstance(one, Pin)),
        findings=findings,
    )


def _of_image(held: Held, asked: Asked) -> Iterator[Pin | PinFinding]:
    try:
        yield from verify_debian(held, asked)
    except MalformedError as error:
        whole = Location(path=STATUS, line=error.line or 1, end_line=error.line or 1)
        yield finding(UNREADABLE, whole, error.message, fix=error.hint)
    if not any(map(_is_status, held.texts)):
        whole = Location(path=STATUS, line=1, end_line=1)
        message = "the image has no status of dpkg, so what is installed cannot be known"
        yield finding("APT016", whole, message, fix="name an image of Debian")
    for path in sorted(filter(_OTHERS.fullmatch, held.files.digests)):
        message = f"{printable(path)} lists packages of another package manager, and is not read"
        whole = Location(path=printable(path), line=1, end_line=1)
        yield finding("APT016", whole, message, fix="name an image of Debian")


def _is_status(path: str) -> bool:
    return path == STATUS or path.startswith(STATUS_FOLDER)


def verify_debian(held: Held, asked: Asked) -> Iterator[Pin | PinFinding]:
    """Yield a pin for each package that an image's files say is installed, and what is amiss.

    Raises MalformedError for files that cannot be read.
    """
    found = tuple(_installed(held.texts))
    if not found:
        return
    chosen, others = suites(held.texts)
    image = _Image(found, chosen, distribution(held.texts))
    whole = Location(path=found[0].path, line=1, end_line=1)
    for uri in others:
        yield finding("APT014", whole, f"{uri} is in the image's sources, and is not looked up")
    try:
        yield from image.verify(asked)
    except (UnreachableError, MalformedError) as error:
        yield finding("APT016", whole, error.message, fix=error.hint)
        yield from image.by_own_lists(asked)
        why = "their .debs were not asked for"
        yield from against_sums(found, held.files, placing(held.texts), why)
    else:
        tied = list(image.tied.values())
        yield from against_debs(tied, held.files, placing(held.texts), asked.fetcher)
        strange = [one for one in found if one.package not in image.tied]
        yield from against_sums(strange, held.files, placing(held.texts), None)


def _installed(files: Mapping[str, bytes]) -> Iterator[Installed]:
    for path, data in files.items():
        if path == STATUS or path.startswith(STATUS_FOLDER):
            yield from installed(path, data)


class _Image:
    """The packages of an image, and the suites that they are from."""

    def __init__(
        self, found: Sequence[Installed], chosen: Sequence[Suite], distribution: str | None
    ) -> None:
        self._found = found
        self._suites = chosen
        self._distribution = distribution
        self._whole = Location(path=found[0].path, line=1, end_line=1)
        self.tied: dict[Package, Tied] = {}
        # What is of no architecture is listed with that of the machine; an image of such packages
        # alone does not say which that is, and then it makes no difference.
        architectures = {one.package.architecture for one in found} - {"all"} or {"amd64"}
        if len(architectures) > _MOST_ARCHITECTURES:
            raise MalformedError(f"packages of more than {_MOST_ARCHITECTURES} architectures")
        self._wanted = Wanted(
            names=frozenset(one.package.name for one in found),
            architectures=tuple(sorted(architectures)),
        )

    def verify(self, asked: Asked) -> tuple[Pin | PinFinding, ...]:
        """Return the pins and findings, by the indexes of a snapshot service; all or an error."""
        if not self._suites:
            raise UnreachableError(
                "the image does not say which release of Debian it is",
                hint="keep etc/os-release or apt's sources in the image",
            )
        snapshots = Snapshots(asked.fetcher, asked.settings, self._wanted)
        instants = {suite.instant for suite in self._suites}
        wrong = {one: floating(one, asked.now) for one in instants if one}
        if None in instants or any(wrong.values()):
            said = [f"the image's sources: {reason}" for reason in wrong.values() if reason]
            told = [finding("APT004", self._whole, one) for one in sorted(said)]
            return (*told, *self._search(snapshots))
        return tuple(self._at_its_instants(snapshots))

    def _at_its_instants(self, snapshots: Snapshots) -> Iterator[Pin | PinFinding]:
        for one in self._found:
            instants = [(suite, suite.instant or "") for suite in self._suites]
            where = "the snapshots of the image's own sources"
            yield from self._at(one, instants, snapshots, where)

    def _search(self, snapshots: Snapshots) -> Iterator[Pin | PinFinding]:
        archives = {suite.archive for suite in self._suites}
        runs = sorted({run for archive in archives for run in snapshots.runs(archive)})
        packages = {one.package for one in self._found}
        found = cover(packages, runs, lambda run: world(self._suites, snapshots.entries, run))
        where = {package: one for one in found.intervals for package in one.packages}
        for one in self._found:
            interval = where.get(one.package)
            run = interval.last if interval else runs[-1] if runs else ""
            instants = [(suite, run) for suite in self._suites]
            yield from self._at(one, instants, snapshots, "any instant that was looked at")
        yield from self._told(found)

    def _at(
        self,
        one: Installed,
        instants: Sequence[tuple[Suite, str]],
        snapshots: Snapshots,
        where: str,
    ) -> Iterator[Pin | PinFinding]:
        """Yield what `_tie` does, by what suites had at instants, and note where the .deb is."""
        each = [snapshots.entries(suite, instant) for suite, instant in instants]
        for (suite, instant), entries in zip(instants, each, strict=True):
            same = _same(one, [entries])
            for entry in (_equal(one, same) or same)[:1]:
                url = snapshots.address(suite, instant, entry)
                self.tied.setdefault(one.package, Tied(installed=one, listed=entry, url=url))
        yield from self._tie(one, each, where)

    def by_own_lists(self, asked: Asked) -> Iterator[Pin | PinFinding]:
        """Yield the pins, by what apt on this machine holds; what is not there stays unknown."""
        try:
            held = own(self._wanted, self._suites, asked.settings.keyrings)
        except MalformedError as error:
            yield finding("APT016", self._whole, error.message, fix=error.hint)
            held = {}
        left = []
        for one in self._found:
            told = tuple(self._tie(one, list(held.values()), ""))
            if isinstance(told[0], Pin) and told[0].strength is Strength.HASHED:
                yield from told
            else:
                left.append(one.package)
                yield self._pin(one, ())
        if left and held:
            count = f"{len(left)} of {len(self._found)} packages are not in apt's own lists"
            yield finding("APT016", self._whole, f"{count}: {_names(left)}")

    def _tie(
        self, one: Installed, each: Iterable[Entries], where: str
    ) -> Iterator[Pin | PinFinding]:
        same = _same(one, each)
        equal = _equal(one, same)
        yield self._pin(one, equal)
        name = f"{one.package.name} {one.package.version} {one.package.architecture}"
        place = Location(path=one.path, line=one.line, end_line=one.line)
        if not same:
            yield finding("APT011", place, f"{name} is in no index of {where}")
        elif not equal:
            fields = ", ".join(_differing(one, same[0]))
            yield finding("APT011", place, f"{name} is not the index's: {fields}")

    def _pin(self, one: Installed, entries: Collection[Listed]) -> Pin:
        return Pin(
            purl=one.package.purl(self._distribution),
            kind="deb",
            strength=Strength.HASHED if entries else Strength.VERSIONED,
            digests=tuple(sorted({f"sha256:{entry.sha256}" for entry in entries})),
            location=Location(path=one.path, line=one.line, end_line=one.line),
        )

    def _told(self, found: Cover) -> Iterator[PinFinding]:
        if not found.intervals:
            return
        said = "; ".join(_interval(one) for one in found.intervals)
        if len(found.intervals) == 1:
            fix = f"take apt's sources from the snapshot of {found.intervals[0].last}"
            yield finding("APT017", self._whole, said, fix=fix)
            return
        odd = found.forbidding
        where = next(one for one in self._found if one.package == odd[0])
        place = Location(path=where.path, line=where.line, end_line=where.line)
        yield finding("APT012", place, f"{said}. What forbids one: {_names(odd)}")


def _same(one: Installed, each: Iterable[Entries]) -> list[Listed]:
    """Return the entries of the very version that is installed."""
    return [
        entry
        for entries in each
        for entry in entries.get(one.package.key, ())
        if entry.package == one.package
    ]


def _equal(one: Installed, same: Iterable[Listed]) -> list[Listed]:
    """Return those of them that say of it what dpkg does, word for word."""
    return [entry for entry in same if entry.told == one.told]


def _interval(one: Interval) -> str:
    span = one.first if one.first == one.last else f"{one.first} to {one.last}"
    count = "1 package" if len(one.packages) == 1 else f"{len(one.packages)} packages"
    return f"{span}: {count}"


def _names(packages: Sequence[Package]) -> str:
    shown = ", ".join(f"{one.name} {one.version}" for one in packages[:_SHOWN])
    return shown + (f" and {len(packages) - _SHOWN} more" if len(packages) > _SHOWN else "")


def _differing(one: Installed, entry: Listed) -> Iterator[str]:
    for name in sorted({*one.told, *entry.told}):
        if one.told.get(name) != entry.told.get(name):
            yield name.decode()
