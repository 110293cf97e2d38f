"""Findings: one cause at one place, however many files it touches."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from repaudit.model.difference import Difference, Process

#: The slug of the cause that stands for none.
UNEXPLAINED = "unexplained"


class Confidence(StrEnum):
    """How sure an attribution is."""

    DEMONSTRATED = "demonstrated"
    INDICATED = "indicated"
    UNEXPLAINED = "unexplained"


class EvidenceKind(StrEnum):
    """Where the evidence comes from."""

    EXPERIMENT = "experiment"
    SIGNATURE = "signature"
    CANARY = "canary"
    TRACE = "trace"


class Cause(Struct, frozen=True, kw_only=True):
    """A known way to lose reproducibility; slugs follow the reproducible-builds notes."""

    slug: str
    title: str
    remedy: str
    reference: str | None = None


class Suspect(Struct, frozen=True, kw_only=True):
    """A factor that a finding blames."""

    factor: str
    confidence: Confidence


class Instruction(Struct, frozen=True, kw_only=True):
    """The line of the Containerfile that wrote what differs. `line` counts from 1."""

    file: str
    line: int
    text: str
    stage: str


class Evidence(Struct, frozen=True, kw_only=True):
    """What backs a cause. `source` names the detector, `runs` the runs that it looked at."""

    kind: EvidenceKind
    source: str
    detail: str
    runs: tuple[str, ...] = ()


class Clue(Struct, frozen=True, kw_only=True):
    """What a detector says about one difference: a cause by its slug, and the factors it blames.

    `whole` says that this accounts for all that differs there. `place`, where what differs is
    unexplained, is the slug of the cause that is known to show there.
    """

    slug: str
    factors: tuple[str, ...]
    kind: EvidenceKind
    detail: str
    whole: bool = False
    place: str = ""


class FixOutcome(StrEnum):
    """What became of a finding's differences when the fix was tried.

    `partly` says that some of its places no longer differ, `unneeded` that none does without this
    fix either, as long as the others are in.
    """

    GONE = "gone"
    PARTLY = "partly"
    UNNEEDED = "unneeded"
    REMAINS = "remains"
    BREAKS = "breaks"
    UNTRIED = "untried"


class Fix(Struct, frozen=True, kw_only=True):
    """The remedy as an edit of the Containerfile.

    `edit` is a unified diff, None where no safe one is known, and then `reason` says why not.
    `line` is the first that it changes. `outcome` is None where nobody tried.
    """

    edit: str | None
    line: int | None
    outcome: FixOutcome | None = None
    reason: str | None = None

    @property
    def useful(self) -> bool:
        """Whether there is an edit that was not tried in vain."""
        tried = {None, FixOutcome.GONE, FixOutcome.PARTLY}
        return self.edit is not None and self.outcome in tried


class Finding(Struct, frozen=True, kw_only=True):
    """One cause at one place. `id` is the same from night to night for the same of both.

    `process` is the one that wrote most of what differs, and all of it where no difference names
    one. `fix` is None where the remedy is no edit of the Containerfile.
    """

    id: str
    cause: Cause
    factors: tuple[Suspect, ...]
    instruction: Instruction | None
    process: Process | None
    evidence: tuple[Evidence, ...]
    differences: tuple[Difference, ...]
    fix: Fix | None = None

    @property
    def confidence(self) -> Confidence:
        """The best confidence among the suspects.

        Without suspects a known cause is indicated all the same: a checksum, say, follows from
        another finding and has no factor of its own.
        """
        if self.cause.slug == UNEXPLAINED:
            return Confidence.UNEXPLAINED
        order = list(Confidence)
        held = [suspect.confidence for suspect in self.factors]
        return min(held, key=order.index, default=Confidence.INDICATED)
