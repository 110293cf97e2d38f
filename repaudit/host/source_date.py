"""The one agreed timestamp of a build (reproducible-builds.org, SOURCE_DATE_EPOCH)."""

from __future__ import annotations

import os
from pathlib import Path

from repaudit.host import clock, git
from repaudit.model.errors import UsageError

_VARIABLE = "SOURCE_DATE_EPOCH"


def resolve(option: str, context: Path) -> int | None:
    """Return the epoch, in seconds, that `--timestamp` means; None for `none`.

    `auto` is SOURCE_DATE_EPOCH if it is set, else the last commit that touched `context`, else 0.
    Raises UsageError for what is no epoch.
    """
    if option == "none":
        return None
    if option != "auto":
        return _epoch(option, "--timestamp takes auto, none, or seconds since 1970")
    given = os.environ.get(_VARIABLE)
    if given:
        return _epoch(given, f"{_VARIABLE} holds seconds since 1970")
    return git.last_commit(context) or 0


def _epoch(text: str, hint: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 1 << 33):
        raise UsageError(f"not an epoch: {text!r}", hint=hint)
    return int(text)


def issued(otherwise: int | None = None) -> int:
    """Return the time at which something is signed: SOURCE_DATE_EPOCH, else `otherwise`, or now."""
    given = os.environ.get(_VARIABLE)
    if given:
        return _epoch(given, f"{_VARIABLE} holds seconds since 1970")
    return int(clock.now()) if otherwise is None else otherwise
