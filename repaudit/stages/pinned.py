"""Verify pins: what the locks name, against what the indexes serve and what an image holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from repaudit.ecosystems import UNREADABLE, finding, rules
from repaudit.host.fetch import Fetcher
from repaudit.indexes import INDEXES
from repaudit.indexes.interface import UNKNOWN
from repaudit.model.pins import (
    Observation,
    Pin,
    PinFinding,
    PinsReport,
    Strength,
    by_place,
    judge,
)
from repaudit.stages.installed import Tie

#: Of what `pins audit` finds, what says that a lock is not to be believed.
_OF_LOCKS = frozenset({UNREADABLE, "JV005", "JV006"})


def against_indexes(
    pins: Sequence[Pin], ties: Sequence[Tie], fetcher: Fetcher
) -> Iterator[Observation]:
    """Yield what the indexes serve otherwise than pinned, and which of it could not be looked up.

    `ties` are installed packages that are held against the file that their pin names.
    """
    for index in INDEXES.all():
        own = [pin for pin in pins if pin.kind == index.kind and _exact(pin)]
        if fetcher.offline:
            yield from _not_asked(own)
            continue
        yield from index.verify(own, fetcher)
        for tie in ties:
            if tie.pin.kind == index.kind:
                yield from index.prove(tie.installed, tie.pin, fetcher)


def _exact(pin: Pin) -> bool:
    named = "@" in pin.purl or bool(pin.digests)
    return named and pin.strength in (Strength.VERSIONED, Strength.HASHED)


def _not_asked(pins: Sequence[Pin]) -> Iterator[Observation]:
    files = {pin.location.path: pin.location for pin in reversed(pins)}
    counts = Counter(pin.location.path for pin in pins)
    for path, where in sorted(files.items()):
        message = f"{counts[path]} {pins[0].kind} pins were not looked up: offline"
        yield Observation(rule=UNKNOWN, message=message, location=where)


def verified(audited: PinsReport, seen: Sequence[Observation]) -> PinsReport:
    """Return the report: what was observed, and what makes a lock no witness."""
    own = [one for one in audited.findings if one.id in _OF_LOCKS]
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
    opened = frozenset(rule.id for rule in rules() if rule.open)
    unknown = frozenset(rule.id for rule in rules() if rule.unknown)
    return replace(report, findings=once, verdict=judge(once, opened, unknown))


def _findings(seen: Sequence[Observation]) -> Iterator[PinFinding]:
    for one in seen:
        yield finding(one.rule, one.location, one.message, fix=one.fix)


def _key(one: PinFinding) -> tuple[str, int, int, int, str, str]:
    return by_place(one)
