"""Locks against an image: what is in it and in no lock, what is not in it, what is another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct, field
from packageurl import PackageURL

from repaudit.ecosystems import STATUS, installed
from repaudit.inventories import INVENTORIES
from repaudit.model.errors import MalformedError
from repaudit.model.installed import Installed, Unidentified
from repaudit.model.pins import Location, Observation, Pin, by_place
from repaudit.model.text import printable
from repaudit.oci.filesystem import Files

#: What dpkg installed is its own business; these list its files.
_LISTS = "var/lib/dpkg/info/"
_MOST_LIST = 64 << 20
#: Jars that no image is meant to hold.
_ASIDE = frozenset({"sources", "javadoc", "tests", "pom"})
_MOST_NAMED = 5


class Tie(Struct, frozen=True):
    """An installed package and the pin that it should have come from: to be proved by the index."""

    installed: Installed
    pin: Pin


class Locks(Struct):
    """The pins of a kind that name a version, by name and by digest. `met` ones are installed."""

    names: dict[str, list[Pin]] = field(default_factory=lambda: defaultdict(list))
    digests: dict[str, list[Pin]] = field(default_factory=lambda: defaultdict(list))
    met: set[str] = field(default_factory=set)

    def add(self, pin: Pin, package: PackageURL) -> None:
        """Take a pin in; a jar that only its file's name identifies is found without its group."""
        names = {_full(package), package.name} if pin.kind == "maven" else {_full(package)}
        for name in sorted(names):
            self.names[name].append(pin)
        for digest in pin.digests:
            self.digests[digest].append(pin)

    def by_digest(self, digests: Iterable[str]) -> list[Pin]:
        """Return the pins that name one of these bytes."""
        return [pin for digest in digests for pin in self.digests.get(digest, ())]


def locks_of(pins: Iterable[Pin]) -> dict[str, Locks]:
    """Return the pins that an image can be held against, by kind."""
    found: dict[str, Locks] = {one.kind: Locks() for one in INVENTORIES.all()}
    for pin in pins:
        package = PackageURL.from_string(pin.purl)
        if pin.kind in found and package.version:
            found[pin.kind].add(pin, package)
    return found


def compare(locks: dict[str, Locks], files: Files) -> tuple[list[Observation], list[Tie]]:
    """Return what the image has otherwise than the locks, and what an index has yet to prove."""
    owned = _owned(files)
    seen: list[Observation] = []
    ties: list[Tie] = []
    for inventory in INVENTORIES.all():
        lock = locks[inventory.kind]
        strangers = []
        for item in sorted(inventory.installed(files), key=lambda one: one.path):
            if _plain(item.path) in owned:
                continue
            if isinstance(item, Unidentified):
                seen.extend(_unidentified(item, lock))
                continue
            seen.extend(_damaged(item))
            pins = _pins(item, lock)
            lock.met.update(pin.purl for pin in pins)
            if not pins and item.local:
                seen.append(_built_here(item))
            elif not pins:
                strangers.append(item)
            seen.extend(_held(item, pins, ties))
        seen.extend(_strangers(strangers, lock))
    seen.extend(_sparse(files))
    return seen, ties


def absent(locks: dict[str, Locks]) -> Iterator[Observation]:
    """Yield what is locked, and in none of the images that were compared."""
    for kind, lock in locks.items():
        pins = {
            pin.purl: pin
            for named in lock.names.values()
            for pin in named
            if _ASIDE.isdisjoint(_values(PackageURL.from_string(pin.purl).qualifiers or {}))
        }
        if pins and not lock.met:
            yield none_of(kind, tuple(pins.values()))
            continue
        for purl, pin in sorted(pins.items()):
            if purl not in lock.met:
                message = f"{_shown(purl)} is locked, and not in the image"
                yield Observation(rule="INS002", message=message, location=pin.location)


def none_of(kind: str, pins: Sequence[Pin]) -> Observation:
    """Return that nothing of what is locked is in the image: it may be of other locks."""
    first = min(pins, key=by_place)
    message = f"none of {len(pins)} locked {kind} packages is in the image"
    return Observation(rule="INS008", message=message, location=first.location)


def _values(qualifiers: object) -> list[str]:
    return [str(one) for one in qualifiers.values()] if isinstance(qualifiers, dict) else []


def _owned(files: Files) -> frozenset[str]:
    """Return the files of the packages that dpkg's status has, as their lists name them.

    Whether the packages are Debian's is asked elsewhere; a list of no package is nobody's.
    """
    try:
        told = files.whole(lambda path: path == STATUS, _MOST_LIST)
        packages = [one.package for name, data in told.items() for one in installed(name, data)]
    except MalformedError:
        return frozenset()  # told where dpkg's packages are looked at
    names = {name for one in packages for name in (one.name, f"{one.name}:{one.architecture}")}
    lists = {f"{_LISTS}{name}.list": _MOST_LIST for name in names}
    return frozenset(
        _plain(line)
        for _, data in files.contents({p: most for p, most in lists.items() if p in files.digests})
        for line in data.decode("utf-8", "surrogateescape").splitlines()
    )


def _plain(path: str) -> str:
    """Return a path without a leading slash and `usr`, which dpkg may have left out (usrmerge)."""
    return path.lstrip("/").removeprefix("usr/")


def _pins(item: Installed, lock: Locks) -> list[Pin]:
    package = PackageURL.from_string(item.purl)
    named = lock.names.get(_full(package), [])
    return lock.by_digest(item.digests) or named


def _held(item: Installed, pins: Sequence[Pin], ties: list[Tie]) -> Iterator[Observation]:
    """Yield how an installed package differs from the pins of its name."""
    version = PackageURL.from_string(item.purl).version
    same = [pin for pin in pins if PackageURL.from_string(pin.purl).version == version]
    agreeing = [pin for pin in pins if set(item.digests) & set(pin.digests)]
    where = _in_image(item.path)
    if agreeing:
        ties.extend(Tie(item, pin) for pin in agreeing[:1] if item.unpacked)
    elif pins and not same:
        locked = ", ".join(sorted({PackageURL.from_string(p.purl).version or "" for p in pins}))
        message = f"{where.path} is {_shown(item.purl)}; locked is {locked[:100]}"
        yield Observation(rule="INS003", message=message, location=pins[0].location)
    elif _comparable(item.digests, same):
        what = ", whose own record names" if item.unpacked else " with"
        message = f"{where.path} is {_shown(item.purl)}{what} other bytes than locked"
        yield Observation(rule="INS004", message=message, location=same[0].location)
    elif same and item.unpacked:
        ties.append(Tie(item, same[0]))
    elif same:
        message = f"{where.path} is {_shown(item.purl)}, and its lock has no hash of such a kind"
        yield Observation(rule="INS006", message=message, location=same[0].location)


def _comparable(digests: Sequence[str], pins: Sequence[Pin]) -> bool:
    kinds = {digest.partition(":")[0] for digest in digests}
    return any(one.partition(":")[0] in kinds for pin in pins for one in pin.digests)


def _unidentified(item: Unidentified, lock: Locks) -> Iterator[Observation]:
    pins = lock.by_digest(item.digests)
    lock.met.update(pin.purl for pin in pins)
    if not pins:
        where = _in_image(item.path)
        message = f"{where.path}: {printable(item.reason)}"
        yield Observation(rule="INS006", message=message, location=where)


def _built_here(item: Installed) -> Observation:
    where = _in_image(item.path)
    message = f"{where.path} says that it was built here, so no lock names the bytes of it"
    return Observation(rule="INS006", message=message, location=where)


def _sparse(files: Files) -> Iterator[Observation]:
    """Yield one observation of all files with holes, which may be packages and are not read."""
    found = sorted(files.sparse)
    if found:
        where = _in_image(found[0])
        message = f"{_listed(found)}: sparse files are not looked into"
        yield Observation(rule="INS006", message=message, location=where)


def _listed(names: Sequence[str]) -> str:
    """Return the first of some names, and how many more there are."""
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return printable(", ".join(names[:_MOST_NAMED])) + more


def _damaged(item: Installed) -> Iterator[Observation]:
    where = _in_image(item.path)
    changed = sorted(name for name, said, found in item.files if found and said != found)
    gone = sum(1 for _, _, found in item.files if not found)
    if changed:
        message = f"{_shown(item.purl)}: changed after it was installed: {_listed(changed)}"
        yield Observation(rule="INS005", message=message, location=where)
    if gone:
        message = f"{_shown(item.purl)}: {gone} of the files in its RECORD are not there"
        yield Observation(rule="INS007", message=message, location=where)


def _strangers(items: Sequence[Installed], lock: Locks) -> Iterator[Observation]:
    """Yield what is in no lock; once for all where there is no lock of that kind at all."""
    if items and not lock.names:
        message = f"{len(items)} {items[0].kind} packages are in the image, and there is no lock"
        yield Observation(rule="INS001", message=message, location=_in_image(items[0].path))
        return
    for item in items:
        where = _in_image(item.path)
        message = f"{_shown(item.purl)} is in the image and in no lock"
        yield Observation(rule="INS001", message=message, location=where)


def _full(package: PackageURL) -> str:
    return f"{package.namespace}/{package.name}" if package.namespace else str(package.name)


def _shown(purl: str) -> str:
    package = PackageURL.from_string(purl)
    return printable(f"{_full(package)} {package.version or ''}".strip())[:200]


def _in_image(path: str) -> Location:
    return Location(path=f"image:/{printable(path)}", line=1, end_line=1)
