"""What a build takes in and no file of its own can fix: `repaudit.lock`, `repaudit-lock/1`."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

SCHEMA = "repaudit-lock/1"
#: What the file is called, in the folder that was pinned.
LOCK_NAME = "repaudit.lock"


class Locked(Struct, frozen=True, kw_only=True, order=True):
    """One thing that was looked up. `purl` is its package URL (ECMA-427), `kind` its pin's kind.

    `digests`, ALGORITHM:HEX, are of its bytes; `origin` is the address that served them; `instant`
    is that of the snapshot they are from (YYYYMMDDTHHMMSSZ), None where there is no snapshot.
    """

    purl: str
    kind: str
    digests: tuple[str, ...]
    origin: str
    instant: str | None = None


class Lock(Struct, frozen=True, kw_only=True):
    """The whole file: canonical JSON, sorted by package URL, one entry for each."""

    schema: str = SCHEMA
    packages: tuple[Locked, ...] = ()

    def extended(self, entries: Iterable[Locked]) -> Lock:
        """Return the lock with these entries, each in the place of the one of its package URL."""
        both = {one.purl: one for one in (*self.packages, *entries)}
        return Lock(packages=tuple(sorted(both.values())))
