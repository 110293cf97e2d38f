"""Debian's indexes at an instant, out of a snapshot service: signed, hashed, asked for once.

A Packages index counts only by the SHA-256 that a signed Release file gives of it; the SHA-1 by
which the service names its files is never asked for.
"""

from __future__ import annotations

import json
import lzma
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from msgspec import Struct

from repaudit.ecosystems import Listed, Release, Suite, canonical, listed, newer, release, stamp
from repaudit.host import apt
from repaudit.host.fetch import Fetcher
from repaudit.model.errors import MalformedError, UnreachableError

_MOST_RUNS, _MOST_RELEASE, _MOST_INDEX = 16 << 20, 4 << 20, 256 << 20
_FORMS = (".xz", ".gz", "")

#: By (name, architecture): every entry of one index.
Entries = Mapping[tuple[str, str], tuple[Listed, ...]]


class Wanted(Struct, frozen=True, kw_only=True):
    """The packages that are asked for, by name, and for which architectures."""

    names: frozenset[str]
    architectures: tuple[str, ...]


class Snapshots:
    """The archives of one snapshot service.

    Its methods raise UnreachableError where the service gives no answer, and MalformedError where
    what it gives is not what was signed.
    """

    def __init__(self, fetcher: Fetcher, settings: apt.AptSettings, wanted: Wanted) -> None:
        self._fetcher = fetcher
        self._settings = settings
        self._wanted = wanted
        self._runs: dict[str, tuple[str, ...]] = {}
        self._indexes: dict[str, tuple[Listed, ...]] = {}
        self._at: dict[tuple[Suite, str], Entries] = {}

    def runs(self, archive: str) -> tuple[str, ...]:
        """Return the instants of all runs of an archive, ascending."""
        if archive not in self._runs:
            url = f"{self._settings.snapshots}/mr/timestamp/?archive={archive}"
            data = self._fetcher.need(url, most=_MOST_RUNS)
            self._runs[archive] = _instants(data, archive)
        return self._runs[archive]

    def entries(self, suite: Suite, instant: str) -> Entries:
        """Return what a suite listed of the wanted packages at an instant; nothing if not there."""
        runs = self.runs(suite.archive)
        at = bisect_right(runs, instant)
        if at == 0:
            return {}
        key = suite, runs[at - 1]
        if key not in self._at:
            self._at[key] = self._read(*key)
        return self._at[key]

    def address(self, suite: Suite, instant: str, listed: Listed) -> str:
        """Return where the .deb of an entry is, which the suite had at an instant."""
        runs = self.runs(suite.archive)
        run = runs[bisect_right(runs, instant) - 1]
        return f"{self._settings.snapshots}/archive/{suite.archive}/{run}/{listed.filename}"

    def _read(self, suite: Suite, run: str) -> Entries:
        told = self._release(suite, run)
        if told is None:
            return {}
        self._check(suite, run, told)
        base = self._base(suite, run)
        found: dict[tuple[str, str], list[Listed]] = {}
        for architecture in self._wanted.architectures:
            path = f"{suite.component}/binary-{architecture}/Packages"
            for one in self._index(base, path, told):
                found.setdefault(one.package.key, []).append(one)
        return {key: tuple(several) for key, several in found.items()}

    def _base(self, suite: Suite, run: str) -> str:
        return f"{self._settings.snapshots}/archive/{suite.archive}/{run}/dists/{suite.suite}"

    def _release(self, suite: Suite, run: str) -> Release | None:
        url = f"{self._base(suite, run)}/InRelease"
        return self._fetcher.verified(
            url, lambda data: self._told(data, url, suite), most=_MOST_RELEASE
        )

    def _told(self, data: bytes, url: str, suite: Suite) -> Release:
        told = release(apt.signed_text(data, self._settings.keyrings, url), url)
        if not told.called(suite.suite):
            raise MalformedError(f"{url} is of {' and '.join(sorted(told.names)) or 'no suite'}")
        return told

    def _check(self, suite: Suite, run: str, told: Release) -> None:
        """Raise MalformedError where a signed Release file is another run's than it is served for.

        A suite that has not changed has the same one for months, so its date alone tells little.
        What has run out by then, or is older than that of the run before, was not there.
        """
        url = f"{self._base(suite, run)}/InRelease"
        if stamp(told.date) > run:
            raise MalformedError(f"{url} is of {stamp(told.date)}, after its own snapshot")
        if told.until and stamp(told.until) < run:
            raise MalformedError(f"{url} ran out on {stamp(told.until)}, before its own snapshot")
        runs = self.runs(suite.archive)
        at = bisect_left(runs, run)
        before = self._release(suite, runs[at - 1]) if at else None
        if before and before.date > told.date:
            raise MalformedError(
                f"{url} is of {stamp(told.date)}, older than the run before has it"
            )

    def _index(self, base: str, path: str, told: Release) -> tuple[Listed, ...]:
        form = next((form for form in _FORMS if path + form in told.files), None)
        if form is None:
            return ()
        digest, size = told.files[path + form]
        if digest not in self._indexes:
            data = _inflate(self._get(base, path + form, digest, size, told), form)
            self._indexes[digest] = tuple(listed(data, self._wanted.names))
        return self._indexes[digest]

    def _get(self, base: str, path: str, digest: str, size: int, told: Release) -> bytes:
        """Return the file of that SHA-256: by its hash, or else by its name."""
        folder = path.rpartition("/")[0]
        urls = [f"{base}/{path}"]
        if told.by_hash:
            urls.insert(0, f"{base}/{folder}/by-hash/SHA256/{digest}")

        def check(data: bytes) -> bytes:
            if len(data) != size or sha256(data).hexdigest() != digest:
                raise MalformedError(f"{urls[-1]} is not what its signed Release file names")
            return data

        most = min(size, _MOST_INDEX)
        for url in urls:
            data = self._fetcher.verified(url, check, most=most, name=f"sha256:{digest}")
            if data is not None:
                return data
        raise UnreachableError(f"{urls[-1]} is gone, though its Release file names it")


def _instants(data: bytes | None, archive: str) -> tuple[str, ...]:
    try:
        result = json.loads(data or b"{}")["result"][archive]
        found = {one for one in result if isinstance(one, str) and canonical(one)}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UnreachableError(f"the snapshot service lists no runs of {archive}") from error
    return tuple(sorted(found))


def _inflate(data: bytes, form: str) -> bytes:
    """Return what is compressed in `data`, within a bound."""
    if not form:
        return data
    try:
        if form == ".xz":
            unpacked = lzma.LZMADecompressor(memlimit=1 << 28).decompress(data, _MOST_INDEX)
        else:
            unpacked = zlib.decompressobj(wbits=31).decompress(data, _MOST_INDEX)
    except (lzma.LZMAError, zlib.error) as error:
        raise MalformedError(f"a Packages index does not unpack: {error}") from error
    if len(unpacked) >= _MOST_INDEX:
        raise MalformedError(f"a Packages index of more than {_MOST_INDEX} bytes")
    return unpacked


def own(
    wanted: Wanted, suites: Collection[Suite], keyrings: Sequence[Path]
) -> Mapping[Suite, Entries]:
    """Return what the lists of apt on this machine hold of the wanted packages, by suite.

    They are held to the same signatures as those of a snapshot.
    """
    found: dict[Suite, Entries] = {}
    for one in apt.own_lists():
        suite = _match(one, suites)
        if suite is None:
            continue
        name = one.inrelease.name
        told = release(apt.signed_text(one.inrelease.read_bytes(), keyrings, name), name)
        data = apt.plain(one.packages)
        if not told.called(suite.suite):
            raise MalformedError(f"{name} is not of {suite.suite}")
        if told.files.get(one.key) != (sha256(data).hexdigest(), len(data)):
            raise MalformedError(f"{name} does not name the list that lies beside it")
        entries: dict[tuple[str, str], list[Listed]] = {}
        for entry in listed(data, wanted.names):
            entries.setdefault(entry.package.key, []).append(entry)
        found[suite] = {key: tuple(several) for key, several in entries.items()}
    return found


def _match(one: apt.List, suites: Collection[Suite]) -> Suite | None:
    archive = one.repository.rstrip("/").rpartition("/")[2]
    component = one.key.partition("/")[0]
    return next(
        (
            suite
            for suite in suites
            if (suite.archive, suite.component) == (archive, component)
            and one.inrelease.name.endswith(f"_dists_{suite.suite}_InRelease")
        ),
        None,
    )


def newest(several: Sequence[Listed]) -> Listed:
    """Return the entry of the highest version."""
    best = several[0]
    for one in several[1:]:
        if newer(one.package.version, best.package.version):
            best = one
    return best


def world(
    suites: Collection[Suite], entries: Callable[[Suite, str], Entries], instant: str
) -> dict[tuple[str, str], str]:
    """Return the version that all suites together had to offer of each package at an instant."""
    merged: dict[tuple[str, str], list[Listed]] = {}
    for suite in suites:
        for key, several in entries(suite, instant).items():
            merged.setdefault(key, []).extend(several)
    return {key: newest(several).package.version for key, several in merged.items()}
