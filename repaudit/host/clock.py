"""The only clock."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime


def now() -> float:
    """Return the seconds since the epoch."""
    return time.time()


def today() -> date:
    """Return the day, in UTC."""
    return datetime.fromtimestamp(now(), UTC).date()


def ticks() -> float:
    """Return seconds of a clock that only goes forward."""
    return time.monotonic()


def sleep(seconds: float) -> None:
    """Wait."""
    time.sleep(seconds)
