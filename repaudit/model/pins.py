"""What a build depends on, how firmly it is pinned, and what falls short; `repaudit-pins/1`."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct

SCHEMA = "repaudit-pins/1"


class Strength(StrEnum):
    """How firmly a pin holds, weakest first.

    `floating`: whatever is newest. `ranged`: the newest within bounds. `versioned`: one version, by
    a name that could be moved or served with other bytes. `locked`: one version out of an index
    that is itself fixed (a snapshot, a commit). `hashed`: the bytes themselves.
    """

    FLOATING = "floating"
    RANGED = "ranged"
    VERSIONED = "versioned"
    LOCKED = "locked"
    HASHED = "hashed"


class Severity(StrEnum):
    """An error or a warning makes the verdict `floating`; a note does not."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class PinsVerdict(StrEnum):
    """The answer. `inconclusive` is an answer of its own, never folded into yes or no."""

    PINNED = "pinned"
    FLOATING = "floating"
    INCONCLUSIVE = "inconclusive"

    @property
    def exit_code(self) -> int:
        """The process exit code that stands for this verdict."""
        return {"pinned": 0, "floating": 1, "inconclusive": 3}[self.value]


class Location(Struct, frozen=True, kw_only=True):
    """A place in a file: lines counted from 1, and bytes `start` to before `end`.

    `path` is relative to the audited folder. The bytes are None where the file is no UTF-8, or what
    is meant does not stand in it as it is (in a JSON array, say).
    """

    path: str
    line: int
    end_line: int
    start: int | None = None
    end: int | None = None


class Edit(Struct, frozen=True, kw_only=True):
    """Put `text` in the place of the bytes `start` to before `end` of the file."""

    start: int
    end: int
    text: str


class Pin(Struct, frozen=True, kw_only=True):
    """One thing that the build takes in. `digests`, ALGORITHM:HEX, are of the files that may be it.

    `purl` is a package URL (ECMA-427); `kind` says what sort of thing it is (image, deb, pypi, …).
    `location` spans the reference itself.
    """

    purl: str
    kind: str
    strength: Strength
    digests: tuple[str, ...]
    location: Location


class Observation(Struct, frozen=True, kw_only=True):
    """What looking a pin up has shown: the rule that is broken, how, and where."""

    rule: str
    message: str
    location: Location
    fix: str | None = None


class PinFinding(Struct, frozen=True, kw_only=True):
    """A rule of the catalogue that a place breaks. `fix` is what to type or to write instead.

    `edit` is there where the fix needs no look-up and changes nothing else.
    """

    id: str
    severity: Severity
    message: str
    fix: str | None
    location: Location
    edit: Edit | None = None


class PinsReport(Struct, frozen=True, kw_only=True):
    """The whole answer; `repaudit-pins/1`. `files` are the paths that an ecosystem has read."""

    schema: str = SCHEMA
    verdict: PinsVerdict
    files: tuple[str, ...] = ()
    pins: tuple[Pin, ...] = ()
    findings: tuple[PinFinding, ...] = ()


def by_place(item: Pin | PinFinding) -> tuple[str, int, int, int, str, str]:
    """Return the key by which reports sort pins and findings."""
    place = item.location
    name, text = (item.purl, item.kind) if isinstance(item, Pin) else (item.id, item.message)
    return (place.path, place.line, place.start or 0, place.end_line, name, text)


def judge(
    findings: Iterable[PinFinding], undecided: frozenset[str], unknown: frozenset[str] = frozenset()
) -> PinsVerdict:
    """Return the verdict; a finding whose id is `undecided` leaves it open, whatever else is there.

    What could not be read may hold anything, so neither yes nor no would be the whole truth. One
    whose id is `unknown` leaves it open where nothing else is wrong: it was not looked up.
    """
    found = tuple(findings)
    if any(finding.id in undecided for finding in found):
        return PinsVerdict.INCONCLUSIVE
    if any(finding.severity is not Severity.NOTE for finding in found):
        return PinsVerdict.FLOATING
    if any(finding.id in unknown for finding in found):
        return PinsVerdict.INCONCLUSIVE
    return PinsVerdict.PINNED
