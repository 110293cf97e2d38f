"""Debian packages of other versions in two images, by dpkg's status and lists (dpkg(1), deb822(5)).

A list is the same where another version has the same files, so lists are read from the layers, and
not from what differs.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import closing
from itertools import groupby

from msgspec import Struct

from repaudit.ecosystems import STATUS, STATUS_FOLDER, Placing, fields_of
from repaudit.model.difference import Aspect, Difference
from repaudit.model.digest import sha256
from repaudit.model.image import Entry, Kind
from repaudit.oci import layer as oci_layer
from repaudit.oci.listing import Listing
from repaudit.oci.record import kind_of, text
from repaudit.stages.contents import Contents
from repaudit.stages.packages import Listed, Package, Sides

KIND = "deb"
_SUMS = ".md5sums"
_INFO = "var/lib/dpkg/info/"
_SUM = re.compile(r"([0-9a-f]{32})  (?:\./)?([^/\\\n][^\n]*)")
#: What dpkg keeps of a package besides its lists, of which no digest is known.
_KEPT = ("config", "conffiles", "preinst", "postinst", "prerm", "postrm", "shlibs", "symbols")
_KEPT_TOO = ("templates", "triggers")
#: The most bytes of dpkg's status that are read, and of lists and their lines up to one layer: some
#: times as much as thousands of packages have.
_MOST_STATUS, _MOST_LISTS, _MOST_LINES = 16 << 20, 64 << 20, 1_000_000
_MOST_NAMED = 8
#: A package's name and architecture.
_Key = tuple[str, str]


class _Stanza(Struct, frozen=True):
    text: bytes
    version: str
    conffiles: Mapping[str, str]


_Status = Mapping[_Key, _Stanza]


def debian_packages(
    differences: Iterable[Difference], contents: Contents, sides: Sides
) -> Iterator[Package]:
    """Yield the packages that are of other versions, by each status of dpkg's that differs.

    After those of a status comes what that itself comes to.
    """
    files = [one for one in differences if one.aspect is Aspect.CONTENT]
    found = [one for one in files if one.path == STATUS]
    for one in found:
        own = [d.layer or 0 for d in found if d.platform == one.platform]
        later = min((number for number in own if number > (one.layer or 0)), default=sys.maxsize)
        if both := _both(one, contents):
            yield from _changed(one, *both, sides, later)
    single = [d for d in files if d.path.startswith(STATUS_FOLDER) and not d.path.endswith(_SUMS)]
    for _, some in groupby(single, key=lambda one: (one.platform, str(sides.scope(one)))):
        yield from _singles(list(some), contents, sides)


def _both(one: Difference, contents: Contents) -> tuple[_Status, _Status] | None:
    """Return what both sides record, None where one cannot be read."""
    kept = contents.get((one.left, one.right))
    if kept is None or kept.length > _MOST_STATUS:
        return None
    left, right = (_read(side.data) for side in kept.load())
    return None if left is None or right is None else (left, right)


def _singles(
    differences: Sequence[Difference], contents: Contents, sides: Sides
) -> Iterator[Package]:
    """Yield packages whose records are files of their own, as images without dpkg have them."""
    wanted = {f"{one.path}{_SUMS}": one.path for one in differences}
    texts = [dict(_texts(differences[0], side, wanted, sides)) for side in (0, 1)]
    for one in differences:
        left, right = _both(one, contents) or ({}, {})
        if left.keys() != right.keys() or len(left) != 1:
            continue
        (key,) = left
        if left[key].version != right[key].version:
            before, after = (
                _files(key, own[key], has, [one.path])
                for own, has in zip((left, right), texts, strict=True)
            )
            yield Package(
                kind=KIND,
                name=_called(key),
                versions=(left[key].version, right[key].version),
                files=({**before, one.path: one.left}, {**after, one.path: one.right}),
                root=one.path,
                platform=one.platform,
                layers=sides.scope(one),
            )


def _changed(
    one: Difference, left: _Status, right: _Status, sides: Sides, end: int
) -> Iterator[Package]:
    names = sorted(left.keys() | right.keys())
    keys = [key for key in names if _version(left, key) != _version(right, key)]
    some = [{key: own[key] for key in keys if key in own} for own in (left, right)]
    listed = [_lists(one, side, own, sides) for side, own in enumerate(some)]
    layers = None if sides.are_merged(one) else range(one.layer or 0, end)
    packages = [
        Package(
            kind=KIND,
            name=_called(key),
            versions=(_version(left, key), _version(right, key)),
            files=(listed[0].get(key, {}), listed[1].get(key, {})),
            platform=one.platform,
            layers=layers,
        )
        for key in keys
    ]
    yield from packages
    if packages and _rest(left, set(keys)) == _rest(right, set(keys)):
        yield _summary(one, packages, layers)


def _summary(one: Difference, packages: Sequence[Package], layers: range | None) -> Package:
    """Return what dpkg's status itself comes to, where it tells of nothing but these packages."""
    lone = [package.words for package in packages if not package.both]
    words = [*lone, *(package.words for package in packages if package.both)]
    more = f", and {len(words) - _MOST_NAMED} more" if len(words) > _MOST_NAMED else ""
    return Package(
        kind=KIND,
        name=STATUS,
        versions=("", None if lone else ""),
        files=({STATUS: one.left}, {STATUS: one.right}),
        platform=one.platform,
        layers=layers,
        said=f"{', '.join(words[:_MOST_NAMED])}{more}",
    )


def _read(data: bytes) -> _Status | None:
    """Return dpkg's status by package; None where one has no name, or stands there twice."""
    found: dict[_Key, _Stanza] = {}
    for stanza in data.split(b"\n\n"):
        if not stanza.strip(b"\n"):
            continue
        fields = {
            name.decode(errors="replace"): value.decode(errors="replace")
            for name, value in fields_of(stanza.strip(b"\n")).items()
        }
        key = fields.get("package", ""), fields.get("architecture", "")
        if not key[0] or key in found:
            return None
        words = (line.split() for line in fields.get("conffiles", "").splitlines())
        sums = {each[0].lstrip("/"): f"md5:{each[1]}" for each in words if len(each) > 1}
        found[key] = _Stanza(stanza.strip(b"\n"), fields.get("version", ""), sums)
    return found


def _version(status: _Status, key: _Key) -> str | None:
    return status[key].version if key in status else None


def _rest(status: _Status, keys: Set[_Key]) -> list[bytes]:
    """Return the stanzas of all other packages."""
    return [stanza.text for key, stanza in status.items() if key not in keys]


def _called(key: _Key) -> str:
    """Return a package's name, with its architecture as dpkg tells the same ones apart."""
    return key[0] if key[1] in ("", "all") else f"{key[0]}:{key[1]}"


def _stems(key: _Key) -> tuple[str, str]:
    """Return what a package's files in dpkg's own folder are called, but for their ends."""
    return f"{_INFO}{key[0]}", f"{_INFO}{key[0]}:{key[1]}"


def _lists(one: Difference, side: int, own: _Status, sides: Sides) -> dict[_Key, Listed]:
    """Return the files of packages, by dpkg's lists up to a layer of one image."""
    ends = ("list", "md5sums")
    wanted = {f"{stem}.{end}": (key, end) for key in own for stem in _stems(key) for end in ends}
    texts = dict(_texts(one, side, wanted, sides))
    return {key: _files(key, stanza, texts, _stems(key)) for key, stanza in own.items()}


def _texts(
    one: Difference, side: int, wanted: Mapping[str, Hashable], sides: Sides
) -> Iterator[tuple[str, bytes]]:
    """Yield files of an image, of those that stand for the same the one of the last layer."""
    room, lines, missing = _MOST_LISTS, _MOST_LINES, set(wanted.values())
    paths = set(wanted)
    for layer in reversed(sides.layers(side, one)):
        listing = sides.listing(side, layer) if missing else None
        if listing is None:
            continue
        with closing(listing):
            numbers, hidden = _seen(listing, paths)
            entries = {
                path: listing.entry(number)
                for path, number in numbers.items()
                if wanted[path] in missing
            }
        some: list[tuple[Entry, int]] = []
        for entry in entries.values():
            room -= entry.stored
            if entry.kind is Kind.FILE and entry.stored == entry.size and room >= 0:
                some.append((entry, entry.stored))
        paths = {path for path in paths if hidden.isdisjoint(_places(path))}
        missing &= {wanted[path] for path in paths}
        missing.difference_update(wanted[path] for path in entries)
        for entry, data in oci_layer.contents(sides.opened[side].blobs, layer, some):
            lines -= data.count(b"\n")
            if lines >= 0:
                yield entry.path, data


def _seen(listing: Listing, paths: Set[str]) -> tuple[dict[str, int], set[str]]:
    """Return the numbers of files in a layer, and the places below which it takes all away.

    A whiteout takes away from the layers below alone, and so does what is in a folder's place.
    """
    numbers: dict[str, int] = {}
    hidden: set[str] = set()
    above = {place for path in paths for place in _places(path)}
    for number, record in enumerate(listing.records(0, len(listing))):
        path, kind = text(record.path), kind_of(record)
        if kind is Kind.WHITEOUT:
            folder, slash, name = path.rpartition("/")
            hidden.add(f"{folder}{slash}{name.removeprefix('.wh.')}")
        elif kind is Kind.OPAQUE:
            hidden.add(f"{path.rpartition('/')[0]}/")
        elif path in paths:
            numbers[path] = number
        elif path in above and kind is not Kind.DIRECTORY:
            hidden.add(path)
    return numbers, hidden & above


def _places(path: str) -> Iterator[str]:
    """Yield a path and the folders that it is in, each as such and as what is in it."""
    yield path
    while path:
        path = path.rpartition("/")[0]
        yield from (path, f"{path}/")


def _files(key: _Key, stanza: _Stanza, texts: Mapping[str, bytes], stems: Iterable[str]) -> Listed:
    """Return the files of one package, the lists among them, which are as they were read.

    `stems` are what the lists are called, but for their ends.
    """
    found: dict[str, str | None] = {}
    for stem in stems:
        found |= dict.fromkeys(f"{stem}.{end}" for end in (*_KEPT, *_KEPT_TOO))
        paths = _lines(texts.get(f"{stem}.list"))
        if paths is not None and all(path.startswith("/") for path in paths):
            found |= dict.fromkeys(path.lstrip("/") for path in paths)
            found[f"{stem}.list"] = sha256(texts[f"{stem}.list"])
        sums = _lines(texts.get(f"{stem}.md5sums"))
        read = [_SUM.fullmatch(line) for line in sums or ()]
        found |= {hit[2]: f"md5:{hit[1]}" for hit in read if hit}
        if sums is not None and all(read):
            found[f"{stem}.md5sums"] = sha256(texts[f"{stem}.md5sums"])
    found |= stanza.conffiles
    places = Placing().places
    return {place: what for path, what in found.items() for place in places(path, key[0])}


def _lines(data: bytes | None) -> list[str] | None:
    if data is None:
        return None
    return data.decode("utf-8", "surrogateescape").removesuffix("\n").split("\n")
