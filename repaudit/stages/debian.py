"""The Debian packages of an image: are they a signed index's, and of one instant."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

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
    rules,
    suites,
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
    judge,
)
from repaudit.oci.filesystem import Files
from repaudit.stages.archive import Entries, Snapshots, Wanted, own, world
from repaudit.stages.snapshot import Cover, Interval, cover

#: More names than this in one sentence help nobody.
_SHOWN = 12
#: Each costs requests; dpkg's own multi-arch images have two or three.
_MOST_ARCHITECTURES = 8
#: The status of the largest images has some 5 MB.
_MOST = 64 << 20
_RELEASES = frozenset({"etc/os-release", "usr/lib/os-release"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What can be asked, and when it is: seconds since 1970."""

    fetcher: Fetcher
    settings: AptSettings
    now: float


def _wanted(path: str) -> bool:
    beside = path.startswith(STATUS_FOLDER) and not path.endswith(".md5sums")
    return beside or path == STATUS or path in _RELEASES or path.startswith("etc/apt/sources.list")


def of_packages(files: Files) -> dict[str, bytes]:
    """Return the files of an image that say which Debian packages it has, by their paths."""
    return files.whole(_wanted, _MOST)


def packages_report(images: Iterable[Mapping[str, bytes]], asked: Asked) -> PinsReport:
    """Return what the packages of images are, by `of_packages`, and what is amiss with them."""
    files: set[str] = set()
    told: dict[tuple[str, int, int, int, str, str], Pin | PinFinding] = {}
    for held in images:
        files.update(held)
        told.update((by_place(item), item) for item in _of_image(held, asked))
    findings = tuple(one for _, one in sorted(told.items()) if isinstance(one, PinFinding))
    return PinsReport(
        verdict=judge(
            findings,
            frozenset(rule.id for rule in rules() if rule.open),
            frozenset(rule.id for rule in rules() if rule.unknown),
        ),
        files=tuple(sorted(files)),
        pins=tuple(one for _, one in sorted(told.items()) if isinstance(one, Pin)),
        findings=findings,
    )


def _of_image(held: Mapping[str, bytes], asked: Asked) -> Iterator[Pin | PinFinding]:
    try:
        yield from verify_debian(held, asked)
    except MalformedError as error:
        whole = Location(path=STATUS, line=error.line or 1, end_line=error.line or 1)
        yield finding(UNREADABLE, whole, error.message, fix=error.hint)
    if not any(map(_is_status, held)):
        whole = Location(path=STATUS, line=1, end_line=1)
        message = "the image has no status of dpkg, so what is installed cannot be known"
        yield finding("APT016", whole, message, fix="name an image of Debian")


def of_debian(report: PinsReport) -> bool:
    """Whether a report of packages is of an image that has any status of dpkg."""
    return any(map(_is_status, report.files))


def _is_status(path: str) -> bool:
    return path == STATUS or path.startswith(STATUS_FOLDER)


def verify_debian(files: Mapping[str, bytes], asked: Asked) -> Iterator[Pin | PinFinding]:
    """Yield a pin for each package that an image's files say is installed, and what is amiss.

    Raises MalformedError for files that cannot be read.
    """
    found = tuple(_installed(files))
    if not found:
        return
    chosen, others = suites(files)
    image = _Image(found, chosen, distribution(files))
    whole = Location(path=found[0].path, line=1, end_line=1)
    for uri in others:
        yield finding("APT014", whole, f"{uri} is in the image's sources, and is not looked up")
    try:
        yield from image.verify(asked)
    except (UnreachableError, MalformedError) as error:
        yield finding("APT016", whole, error.message, fix=error.hint)
        yield from image.by_own_lists(asked)


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
        each = [snapshots.entries(suite, suite.instant or "") for suite in self._suites]
        for one in self._found:
            yield from self._tie(one, each, "the snapshots of the image's own sources")

    def _search(self, snapshots: Snapshots) -> Iterator[Pin | PinFinding]:
        archives = {suite.archive for suite in self._suites}
        runs = sorted({run for archive in archives for run in snapshots.runs(archive)})
        packages = {one.package for one in self._found}
        found = cover(packages, runs, lambda run: world(self._suites, snapshots.entries, run))
        where = {package: one for one in found.intervals for package in one.packages}
        for one in self._found:
            interval = where.get(one.package)
            run = interval.last if interval else runs[-1] if runs else ""
            each = [snapshots.entries(suite, run) for suite in self._suites]
            yield from self._tie(one, each, "any instant that was looked at")
        yield from self._told(found)

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
        same = [
            entry
            for entries in each
            for entry in entries.get(one.package.key, ())
            if entry.package == one.package
        ]
        equal = [entry for entry in same if entry.told == one.told]
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
