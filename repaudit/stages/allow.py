"""What does not count: the allow file, which people write, and the baseline, which repaudit does.

An entry of the allow file is a promise with an owner and an end. The baseline is the list of what
was there when the gate was put up, and holds ids alone.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from datetime import date, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Struct

from repaudit.forensics import causes
from repaudit.model.canonical import read, to_json
from repaudit.model.errors import MalformedError, UsageError
from repaudit.model.finding import Finding
from repaudit.model.gate import Excuse

BASELINE_SCHEMA = "repaudit-baseline/1"
_SOON = timedelta(days=14)
_FIELDS = "each entry has cause, place, reason, owner and expires; image is optional"
T = TypeVar("T")
_Words = Annotated[str, msgspec.Meta(pattern=r"\S")]


class Allowance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of an allow file.

    `place` is a glob (`*`, `?`, `[…]`; `*` crosses `/`) over the paths that differ, as in the
    layer; of a finding without any, over its instruction. `expires` is the first day on which it
    does not hold. `image` is a glob over the images' names.
    """

    cause: _Words
    place: _Words
    reason: _Words
    owner: _Words
    expires: date
    image: _Words = "*"

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"{self.cause} at {self.place}"

    def covers(self, image: str, slug: str, place: str) -> bool:
        """Tell whether it is about this place, expired or not."""
        globs = ((self.image, image), (self.place, place))
        return self.cause == slug and all(fnmatchcase(text, glob) for glob, text in globs)


class _Allowances(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    allow: list[Allowance] = []


class Baseline(Struct, frozen=True, kw_only=True):
    """The ids that each image had when the baseline was saved; `repaudit-baseline/1`."""

    schema: str = BASELINE_SCHEMA
    images: dict[str, list[str]]


class Rules(Struct, frozen=True, kw_only=True):
    """What does not count on the day `today`. `baseline` is None where all that is found counts."""

    today: date
    allow: tuple[Allowance, ...] = ()
    baseline: Baseline | None = None

    def excuse(self, image: str, finding: Finding) -> tuple[Excuse | None, tuple[str, ...]]:
        """Return why a finding does not count, None where it does, and what is to be said of it.

        Each of its places must be covered; those that only hold other files' digests follow.
        """
        covering = [self._covering(image, finding.cause.slug, p) for p in _places(finding)]
        holding = [[a for a in some if a.expires > self.today] for some in covering]
        expired = {a: None for some in covering for a in some if a.expires <= self.today}
        if all(holding):
            last = [max(some, key=lambda a: a.expires) for some in holding]
            first = min(last, key=lambda a: a.expires)
            return _allowed(first), self._soon(first)
        notes = tuple(f"allowed until {a.expires} only, by {a.owner}: {a.reason}" for a in expired)
        if self.baseline and finding.id in self.baseline.images.get(image, ()):
            return Excuse(by="baseline"), notes
        return None, notes

    def unused(self, images: Sequence[tuple[str, Sequence[Finding]]]) -> tuple[str, ...]:
        """Return the names of allowances, expired or not, that cover nothing of what was found."""
        used = {
            allowance
            for image, findings in images
            for finding in findings
            for place in _places(finding)
            for allowance in self._covering(image, finding.cause.slug, place)
        }
        return tuple(a.name for a in self.allow if a not in used)

    def _covering(self, image: str, slug: str, place: str) -> list[Allowance]:
        return [a for a in self.allow if a.covers(image, slug, place)]

    def _soon(self, allowance: Allowance) -> tuple[str, ...]:
        if allowance.expires - self.today > _SOON:
            return ()
        return (f"counts again from {allowance.expires}: {allowance.owner} has to act",)


def _places(finding: Finding) -> list[str]:
    paths = {one.path for one in finding.differences if not one.derived_from}
    text = finding.instruction.text if finding.instruction else ""
    return sorted(paths) or [text]


def _allowed(allowance: Allowance) -> Excuse:
    return Excuse(
        by="allow",
        reason=allowance.reason,
        owner=allowance.owner,
        until=allowance.expires.isoformat(),
    )


def load_allowances(path: Path) -> tuple[Allowance, ...]:
    """Return the entries of an allow file; raise UsageError, naming the entry, if it is not one."""
    found = read_toml(path, _Allowances, _FIELDS).allow
    known = {cause.slug for cause in causes()}
    for number, allowance in enumerate(found):
        if allowance.cause not in known:
            message = (
                f"{path}: there is no cause {allowance.cause!r} - at `$.allow[{number}].cause`"
            )
            raise UsageError(message, hint="see: repaudit list causes")
    return tuple(found)


def load_baseline(path: Path) -> Baseline:
    """Read a baseline; raise UsageError where it is none."""
    hint = "save one with: repaudit gate --save-baseline FILE"
    try:
        return read(path.read_bytes(), Baseline, BASELINE_SCHEMA, "a baseline", hint)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", hint=hint) from error
    except MalformedError as error:
        raise UsageError(f"{path}: {error.message}", hint=error.hint) from error


def baseline_of(images: Sequence[tuple[str, Sequence[Finding]]]) -> bytes:
    """Return the baseline file that holds what was found."""
    ids = {image: sorted({finding.id for finding in findings}) for image, findings in images}
    return to_json(Baseline(images=ids))


def read_toml(path: Path, kind: type[T], hint: str) -> T:
    """Read a TOML file as a value of `kind`; raise UsageError, with the key, where it is not."""
    try:
        plain: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
        return msgspec.convert(plain, kind)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", hint=hint) from error
    except (ValueError, RecursionError) as error:  # TOML, UTF-8 and msgspec's own among them
        raise UsageError(f"{path}: {error}", hint=hint) from error
