"""Verify pins: what the locks name, against what the indexes serve and what an image holds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec.structs import replace
from packageurl import PackageURL

from repaudit.ecosystems import finding, rules, verdict
from repaudit.host.fetch import Fetcher
from repaudit.indexes import INDEXES
from repaudit.indexes.interface import UNKNOWN, Index
from repaudit.model.pins import (
    Observation,
    Pin,
    PinFinding,
    PinsReport,
    Severity,
    Strength,
    by_place,
)
from repaudit.stages.installed import Tie, none_of

_FLOATS = "what is named is not fixed"
_NO_INDEX = "repaudit asks no index of that kind"
_NO_FORM = "the index cannot be asked for what is named so"
_OFFLINE = "offline"
#: The way out of each: asking again helps with none of them.
_WAYS_OUT = {
    _FLOATS: "pin it; `repaudit pins audit` says how",
    _NO_INDEX: "compare it with the tool that installs it; no option of repaudit's asks",
    _NO_FORM: "name it as its index does, by name and version or by digest",
    _OFFLINE: "leave out --offline",
}


def against_indexes(
    pins: Sequence[Pin], ties: Sequence[Tie], fetcher: Fetcher
) -> Iterator[Observation]:
    """Yield what the indexes serve otherwise than pinned, and which of it could not be looked up.

    `ties` are installed packages that are held against the file that their pin names.
    """
    indexes = {one.kind: one for one in INDEXES.all()}
    why = {pin: _why_not(pin, indexes.get(pin.kind)) for pin in pins}
    known = {pin.purl for pin in pins if why[pin] is None}
    if fetcher.offline:
        why = {pin: reason or _OFFLINE for pin, reason in why.items()}
    asked = {pin for pin in pins if why[pin] is None}
    # What a pin lacks, a lock beside may say of the same package.
    left = [pin for pin in pins if why[pin] and (why[pin] == _OFFLINE or pin.purl not in known)]
    yield from _not_asked(left, why)
    for kind, index in sorted(indexes.items()):
        own = [pin for pin in pins if pin in asked and pin.kind == kind]
        yield from index.verify(own, fetcher)
    for tie in ties:
        if tie.pin in asked:
            yield from indexes[tie.pin.kind].prove(tie.installed, tie.pin, fetcher)
    yield from _unproved([tie for tie in ties if tie.pin not in asked], why)


def _why_not(pin: Pin, index: Index | None) -> str | None:
    """Return why nobody can be asked about a pin, None where its index can."""
    if pin.strength in (Strength.FLOATING, Strength.RANGED):
        return _FLOATS
    if index is None:
        return _NO_INDEX
    return None if index.knows(pin) else _NO_FORM


def against_packages(pins: Sequence[Pin], packages: Sequence[Pin]) -> Iterator[Observation]:
    """Yield how the Debian packages of an image are not those that a lock names by their hash."""
    held: dict[tuple[str, str | None], list[Pin]] = defaultdict(list)
    for pin in packages:
        held[_package(pin)].append(pin)
    locked = [pin for pin in pins if pin.kind == "deb" and pin.digests]
    if locked and not held:
        yield none_of("deb", locked)
        return
    for pin in locked:
        name, version = _package(pin)[0], PackageURL.from_string(pin.purl).version
        found = held.get(_package(pin), [])
        versions = {PackageURL.from_string(one.purl).version for one in found}
        known = {digest for one in found for digest in one.digests}
        if not found:
            message = f"{name} {version} is locked, and not in the image"
            yield Observation(rule="INS002", message=message, location=pin.location)
        elif version not in versions:
            other = ", ".join(sorted(map(str, versions)))
            message = f"{name} in the image is {other}; locked is {version}"
            yield Observation(rule="INS003", message=message, location=pin.location)
        elif known and known.isdisjoint(pin.digests):
            message = f"{name} {version} in the image is of another .deb than locked"
            yield Observation(rule="INS004", message=message, location=pin.location)


def _package(pin: Pin) -> tuple[str, str | None]:
    package = PackageURL.from_string(pin.purl)
    return package.name, dict(package.qualifiers).get("arch")


def _not_asked(pins: Sequence[Pin], why: Mapping[Pin, str | None]) -> Iterator[Observation]:
    groups: dict[tuple[str, str, str], list[Pin]] = defaultdict(list)
    for pin in pins:
        groups[pin.location.path, pin.kind, why[pin] or ""].append(pin)
    for (_, kind, reason), group in sorted(groups.items()):
        count = f"{len(group)} {kind} pin" + ("s were" if len(group) > 1 else " was")
        message = f"{count} not looked up: {reason}"
        fix = _WAYS_OUT.get(reason)
        yield Observation(rule=UNKNOWN, message=message, location=group[0].location, fix=fix)


def _unproved(ties: Sequence[Tie], why: Mapping[Pin, str | None]) -> Iterator[Observation]:
    """Yield which packages have the name and version of a pin, and nobody says with which bytes."""
    groups: dict[tuple[str, str], list[Tie]] = defaultdict(list)
    for tie in ties:
        groups[tie.pin.kind, why[tie.pin] or ""].append(tie)
    for (kind, reason), group in sorted(groups.items()):
        count = f"{len(group)} {kind} package" + ("s" if len(group) > 1 else "")
        message = f"{count} in the image could not be compared with what is locked: {reason}"
        yield Observation(rule="INS006", message=message, location=group[0].pin.location)


def verified(audited: PinsReport, seen: Sequence[Observation]) -> PinsReport:
    """Return the report: what was observed, and what falls short before anything is asked.

    The audit's notes are its own, but for those that leave open what a file takes in.
    """
    left = {rule.id for rule in rules() if rule.open or rule.unknown}
    own = [one for one in audited.findings if one.severity is not Severity.NOTE or one.id in left]
    return _with(audited, (*own, *_findings(seen)))


def joined(report: PinsReport, other: PinsReport) -> PinsReport:
    """Return two reports as one: of the locks, and of an image's packages."""
    both = replace(
        report,
        files=tuple(sorted({*report.files, *other.files})),
        pins=tuple(sorted((*report.pins, *other.pins), key=by_place)),
    )
    return _with(both, (*report.findings, *other.findings))


def _with(report: PinsReport, findings: Iterable[PinFinding]) -> PinsReport:
    once = tuple(sorted({_key(one): one for one in findings}.values(), key=by_place))
    return replace(report, findings=once, verdict=verdict(once))


def _findings(seen: Sequence[Observation]) -> Iterator[PinFinding]:
    for one in seen:
        yield finding(one.rule, one.location, one.message, fix=one.fix)


def _key(one: PinFinding) -> tuple[str, int, int, int, str, str]:
    return by_place(one)
