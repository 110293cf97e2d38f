"""The files of an image's Debian packages beside those of their .debs, or else their md5sums.

A .deb counts by the SHA-256 that the signed index gives of it; it is fetched from the index's own
snapshot, and what is kept of it is the list of its files. Where none can be had, a package's own
md5sums tell what was changed by accident: who changes a file on purpose changes them as well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from repaudit.ecosystems import Contents, Installed, Listed, Placing, contents, finding, unpacked
from repaudit.host.fetch import Fetcher
from repaudit.model.errors import MalformedError, UnreachableError
from repaudit.model.pins import Location, PinFinding
from repaudit.model.text import printable
from repaudit.oci.filesystem import Files

_MOST_DEB = 1 << 30
_MOST_SUMS = 64 << 20
_MOST_HASHED = 256 << 20
_SHOWN = 5


class Tied(Struct, frozen=True, kw_only=True):
    """An installed package, and where the .deb of its index entry is."""

    installed: Installed
    listed: Listed
    url: str


def against_debs(
    tied: Sequence[Tied], files: Files, placing: Placing, fetcher: Fetcher
) -> Iterator[PinFinding]:
    """Yield what files of packages are not those of their .debs, changed or gone."""
    left: list[Installed] = []
    reasons: set[str] = set()
    for one in tied:
        try:
            held = _contents(one, fetcher)
        except (UnreachableError, MalformedError) as error:
            reasons.add(error.message)
            held = None
        if held is None:
            left.append(one.installed)
        else:
            yield from _unlike(one.installed, held, files, placing)
    if left:
        why = min(reasons, default="gone from the snapshot")
        yield from against_sums(left, files, placing, f"their .debs could not be had: {why}")


def _contents(one: Tied, fetcher: Fetcher) -> Contents | None:
    def distil(data: bytes) -> bytes:
        if hashlib.sha256(data).hexdigest() != one.listed.sha256:
            raise MalformedError(f"{one.url} is not what its signed index names")
        return contents(data).packed()

    name = f"files of sha256:{one.listed.sha256}"
    packed = fetcher.distilled(one.url, distil, most=_MOST_DEB, name=name)
    return None if packed is None else unpacked(packed)


def _unlike(one: Installed, held: Contents, files: Files, placing: Placing) -> Iterator[PinFinding]:
    changed, gone, configured = [], [], []
    for path, digest in sorted(held.files.items()):
        places = placing.places(path, one.package.name)
        found = next((files.digests[each] for each in places if each in files.digests), None)
        if found == digest:
            continue
        if path in held.conffiles:
            configured.append(path)
        elif found is not None:
            changed.append(path)
        elif not placing.spared(path):
            gone.append(path)
    if changed:
        yield _told("APT013", one, f"not as in its .deb: {_named(changed)}")
    if gone:
        yield _told("APT019", one, f"in its .deb and not in the image: {_named(gone)}")
    if configured:
        yield _told("APT020", one, f"not as in its .deb: {_named(configured)}")


def against_sums(
    several: Iterable[Installed], files: Files, placing: Placing, why: str | None
) -> Iterator[PinFinding]:
    """Yield what files of packages are not as their own md5sums say.

    `why` says why nothing better could be asked; None where that is told already.
    """
    sums = _sums(files)
    some = [(one, _own(one, sums)) for one in several]
    expected = {
        place: digest
        for one, named in some
        for path, digest in named.items()
        for place in placing.places(path, one.package.name)
        if place in files.digests
    }
    bounds = {path: files.size(path) for path in expected if files.size(path) <= _MOST_HASHED}
    wrong = {
        path
        for path, data in files.contents(bounds)
        if hashlib.md5(data, usedforsecurity=False).hexdigest() != expected[path]
    }
    for one, named in some:
        own = (path for path in named for p in placing.places(path, one.package.name) if p in wrong)
        if changed := sorted(own):
            yield _told("APT013", one, f"not as its own md5sums say: {_named(changed)}")
    if some and why:
        first = some[0][0]
        held = sum(1 for _, named in some if named)
        count = "1 package" if held == 1 else f"{held} packages"
        message = f"the files of {count} were held against their own md5sums alone"
        if without := len(some) - held:
            message += f", those of {without} against nothing"
        place = Location(path=first.path, line=1, end_line=1)
        yield finding("APT018", place, f"{message}: {why}")


def _sums(files: Files) -> Mapping[str, bytes]:
    def wanted(path: str) -> bool:
        return path.endswith(".md5sums") and path.startswith("var/lib/dpkg/")

    return files.whole(wanted, _MOST_SUMS)


def _own(one: Installed, sums: Mapping[str, bytes]) -> dict[str, str]:
    name, architecture = one.package.name, one.package.architecture
    stems = (f"info/{name}", f"info/{name}:{architecture}", f"status.d/{name}")
    paths = [*(f"var/lib/dpkg/{stem}.md5sums" for stem in stems), f"{one.path}.md5sums"]
    data = next((sums[path] for path in paths if path in sums), b"")
    lines = (line.split(maxsplit=1) for line in data.decode(errors="surrogateescape").splitlines())
    return {words[1]: words[0] for words in lines if len(words) == 2}


def _told(rule: str, one: Installed, said: str) -> PinFinding:
    shown = f"{one.package.name} {one.package.version} {one.package.architecture}"
    return finding(
        rule, Location(path=one.path, line=one.line, end_line=one.line), f"{shown}: {said}"
    )


def _named(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return printable(", ".join(path[:200] for path in paths[:_SHOWN])) + more
