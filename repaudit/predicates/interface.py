"""The contract of a predicate.

Laws, tested for every predicate: the same evidence gives the same statements; every subject is an
image that a run of the evidence built; what the evidence does not bear out is not said, so the
answer may be empty; no level that SLSA reserves (`SLSA_…`) is claimed.
"""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from repaudit.model.report import Report, RunRecord
from repaudit.model.statement import Named, Statement


class Source(Struct, frozen=True, kw_only=True):
    """Where the build context comes from, as the signer says: a URI and a git commit."""

    uri: str
    commit: str


class Rebuilt(Struct, frozen=True, kw_only=True):
    """A run that built an image, whose manifest was read again and verified: its digest."""

    run: RunRecord
    digest: str


class Evidence(Struct, frozen=True, kw_only=True):
    """A kept run. The first of `rebuilt` is the control; `bases` are the images that it took in.

    `report_digest` is that of the canonical JSON. `signer` is the URI of who signs, `issued` the
    seconds since 1970 at which they do.
    """

    report: Report
    report_digest: str
    rebuilt: tuple[Rebuilt, ...]
    signer: str
    issued: int
    bases: tuple[Named, ...] = ()
    source: Source | None = None

    @property
    def images(self) -> tuple[Named, ...]:
        """The different images of this run as a statement's subjects, the control's first."""
        return tuple(map(self.named, dict.fromkeys(one.digest for one in self.rebuilt)))

    def named(self, digest: str) -> Named:
        """Return an image of this run as a statement's subject."""
        return Named(name=self.report.subject.context or "image", digest=digest)


class Predicate(Protocol):
    """One kind of statement."""

    @property
    def name(self) -> str:
        """The file's name, as `--predicate` takes it."""

    @property
    def summary(self) -> str:
        """One line for `repaudit list predicates`."""

    @property
    def uri(self) -> str:
        """The predicateType."""

    def statements(self, evidence: Evidence) -> tuple[Statement, ...]:
        """Return what the evidence bears out; nothing where it does not."""
