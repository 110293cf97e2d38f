"""The journal of a kept run: what happened, where and with what. A report holds none of it."""

from __future__ import annotations

from msgspec import Struct, field

from repaudit.model.history import Source


class BaseImage(Struct, frozen=True, kw_only=True):
    """An image that a build took in: its name there, its manifest's digest, when it was made.

    `created` is in seconds since 1970, None where it does not say, or says an epoch it is clamped
    to (0).
    """

    name: str
    digest: str
    created: int | None


class Host(Struct, frozen=True, kw_only=True):
    """The machine that built."""

    kernel: str
    cpus: int


class Duration(Struct, frozen=True, kw_only=True):
    """How long a run took."""

    milliseconds: int


class Journal(Struct, frozen=True, kw_only=True):
    """What is known of a kept run; None and nothing where an older repaudit did not write it.

    `hidden` are the paths below the context that repaudit itself wrote, and that no build saw.
    `start` is in seconds since 1970. `context` and `containerfile` are paths of the machine that
    built, `tools` the paths of its programs, `versions` what those call themselves.
    """

    start: int | None = None
    repaudit: str | None = None
    context: str | None = None
    containerfile: str | None = None
    source: Source | None = None
    hidden: tuple[str, ...] = ()
    host: Host | None = None
    bases: tuple[BaseImage, ...] = ()
    tools: dict[str, str | None] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    runs: dict[str, Duration] = field(default_factory=dict)
