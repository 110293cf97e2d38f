"""How old is what a build takes in: pins, by their snapshot or their line's commit, and bases."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from repaudit.host import git
from repaudit.model.journal import BaseImage
from repaudit.model.pins import Pin, PinsReport, Strength
from repaudit.model.sign_off import DatedBase, DatedPin, DatedPins

_INSTANT = re.compile(r"@(\d{8}T\d{6}Z)(?=[?#]|$)")
_DAY = 86_400
#: What has an age: the rest is as new as the day it is fetched.
_FIXED = (Strength.VERSIONED, Strength.LOCKED, Strength.HASHED)


def dated_pins(report: PinsReport, context: Path, commit: str | None, now: int) -> DatedPins:
    """Return the pins of a context's audit, each with its age at `now`, in seconds since 1970.

    Without a commit, what only its line's history could tell has no date.
    """
    paths = {pin.location.path for pin in report.pins} if commit else set()
    lines = {path: git.line_dates(context, commit or "", path) for path in sorted(paths)}
    return DatedPins(
        verdict=report.verdict,
        pins=tuple(_dated(pin, lines.get(pin.location.path, {}), now) for pin in report.pins),
        findings=report.findings,
    )


def dated_bases(bases: Iterable[BaseImage], now: int) -> tuple[DatedBase, ...]:
    """Return base images, each with its age at `now`."""
    return tuple(
        DatedBase(
            name=base.name,
            digest=base.digest,
            created=None if base.created is None else day(base.created),
            days=None if base.created is None else _days(base.created, now),
        )
        for base in bases
    )


def day(epoch: int) -> str:
    """Return the day, in UTC, as YYYY-MM-DD."""
    return datetime.fromtimestamp(epoch, UTC).date().isoformat()


def _dated(pin: Pin, lines: dict[int, int], now: int) -> DatedPin:
    instant = _INSTANT.search(pin.purl)
    if instant:
        read = datetime.strptime(instant[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        since: int | None = int(read.timestamp())
    else:
        since = lines.get(pin.location.line) if pin.strength in _FIXED else None
    if since is None:
        return DatedPin(pin=pin, since=None, days=None)
    return DatedPin(pin=pin, since=day(since), days=_days(since, now))


def _days(since: int, now: int) -> int:
    return max(0, (now - since) // _DAY)
