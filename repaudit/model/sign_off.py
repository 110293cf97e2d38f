"""The sign-off of a run: all that a person answers for with a release; `repaudit-sign-off/1`.

It holds no clock but the run's own, so that the same run gives the same bytes whenever it is asked.
"""

from __future__ import annotations

from msgspec import Struct

from repaudit.model.experiment import Held
from repaudit.model.finding import Instruction
from repaudit.model.journal import Host
from repaudit.model.pins import Pin, PinFinding, PinsVerdict
from repaudit.model.report import Bound, RunRecord, Subject, Verdict

SIGN_OFF_SCHEMA = "repaudit-sign-off/1"
#: Of what an image's digests are: the first three as it is released, the others as it was built.
KINDS = ("index", "manifest", "archive", "manifest as built", "config", "diff ID")


class KnownBy(Struct, frozen=True, kw_only=True):
    """One digest of an image: of what (`kind`, of KINDS), and who knows the image by it, and when.

    `layer` counts from 0 at the base, for a diff ID, and is None else.
    """

    kind: str
    digest: str
    used_by: str
    layer: int | None = None


class BuiltImage(Struct, frozen=True, kw_only=True):
    """An image that runs of these names built; several runs may have built the same."""

    runs: tuple[str, ...]
    identities: tuple[KnownBy, ...]


class Settings(Struct, frozen=True, kw_only=True):
    """What the image's config says of how it runs."""

    user: str
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    working_directory: str
    environment: tuple[str, ...]
    labels: dict[str, str]


class PolicyRemark(Struct, frozen=True, kw_only=True):
    """What the launcher of Confidential Space makes of a label `tee.launch_policy.*`."""

    severity: str
    label: str
    message: str


class Submodule(Struct, frozen=True, kw_only=True):
    """A submodule as the commit pins it. `state` is clean, changed, or absent (not checked out)."""

    path: str
    commit: str
    state: str


class SourceState(Struct, frozen=True, kw_only=True):
    """What was built. `folder` is the context's path in the repository, `uri` where that is.

    `dirty`: the context held more, or other, than the commit and its submodules. `ignored` is what
    lies in it though git ignores it, and a clone does not have.
    """

    commit: str
    dirty: bool
    folder: str | None
    uri: str | None
    submodules: tuple[Submodule, ...]
    ignored: tuple[str, ...]


class DatedBase(Struct, frozen=True, kw_only=True):
    """A base image by its manifest's digest; `days` is its age, None where it does not say."""

    name: str
    digest: str
    created: str | None
    days: int | None


class DatedPin(Struct, frozen=True, kw_only=True):
    """A pin and since when it has stood: its snapshot's instant, or its line's last commit.

    Dates are YYYY-MM-DD; `since` and `days` are None for what floats, and where nothing tells.
    """

    pin: Pin
    since: str | None
    days: int | None


class DatedPins(Struct, frozen=True, kw_only=True):
    """What the context's files take in, and what of it is not pinned."""

    verdict: PinsVerdict
    pins: tuple[DatedPin, ...]
    findings: tuple[PinFinding, ...]


class Accepted(Struct, frozen=True, kw_only=True):
    """A finding that was accepted, by whom and why; from the day `until` on it counts again."""

    finding: str
    cause: str
    place: str
    instruction: Instruction | None
    reason: str
    owner: str
    until: str


class Published(Struct, frozen=True, kw_only=True):
    """The published digest that is this image's, under its name there; `kind` says of what."""

    name: str
    digest: str
    kind: str


class SignOff(Struct, frozen=True, kw_only=True):
    """All that is signed off; `repaudit-sign-off/1`.

    The first of `images` is signed off; others are there only where `accepted` says why. Its
    digest for deployment is `reference`. `run_at` is when it was built, in seconds since 1970; ages
    are of that day. `report` is the digest of report.json. `signer` is None where nothing is
    signed, `published` where nothing was compared.
    """

    schema: str = SIGN_OFF_SCHEMA
    name: str
    verdict: Verdict
    reference: str
    images: tuple[BuiltImage, ...]
    settings: Settings
    policy: tuple[PolicyRemark, ...]
    subject: Subject
    varied: tuple[str, ...]
    held: tuple[Held, ...]
    limits: tuple[Held, ...]
    runs: tuple[RunRecord, ...]
    hosts: int
    host: Host | None
    bound: Bound | None
    accepted: tuple[Accepted, ...]
    source: SourceState | None
    bases: tuple[DatedBase, ...]
    pins: DatedPins
    published: Published | None
    tools: dict[str, str]
    run_at: int
    report: str
    signer: str | None
