"""The one agreed timestamp of a build (reproducible-builds.org, SOURCE_DATE_EPOCH)."""

from __future__ import annotations

import os
from pathlib import Path

from repaudit.host import process
from repaudit.model.errors import UsageError

_VARIABLE = "SOURCE_DATE_EPOCH"
#: A context may be a stranger's, and a repository's own configuration can name programs to run.
#: git's guard (safe.directory) stays on as well: a repository of another owner has no commits here.
TAME = (
    *("-c", "safe.bareRepository=explicit", "-c", "core.fsmonitor=false", "-c", "core.pager=cat"),
    *("-c", "log.showSignature=false", "-c", "gpg.program=false", "-c", "protocol.allow=never"),
)


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
    return _last_commit(context) or 0


def _epoch(text: str, hint: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 1 << 33):
        raise UsageError(f"not an epoch: {text!r}", hint=hint)
    return int(text)


def _last_commit(context: Path) -> int | None:
    if process.find_tool("git") is None:
        return None
    log = ["-C", str(context), "log", "-1", "--format=%ct", "--no-show-signature", "--", "."]
    result = process.run(["git", *TAME, *log])
    text = result.stdout.decode(errors="replace").strip()
    return int(text) if result.status == 0 and text.isascii() and text.isdigit() else None
