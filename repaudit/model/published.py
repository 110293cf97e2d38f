"""Digests that were published, and how built ones stand against them."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

VERIFY_SCHEMA = "repaudit-verify/1"


class Standing(StrEnum):
    """How one image stands."""

    SAME = "same"
    CHANGED = "changed"
    MISSING = "missing"  # it was published (before), and is not there
    EXTRA = "extra"  # it is there, and was not published (before)


class Identity(Struct, frozen=True, kw_only=True):
    """One digest by which an image is known. `kind` says of what: a manifest, say."""

    kind: str
    digest: str


class Built(Struct, frozen=True, kw_only=True):
    """An image that was built, and all its identities, the one that is shown first."""

    name: str
    identities: tuple[Identity, ...]


class Checked(Struct, frozen=True, kw_only=True):
    """One image against what was published. `kind` says which identity `built` is.

    `alarm` is True where a digest changed from one release to the next while no input did.
    """

    name: str
    standing: Standing
    published: str | None
    built: str | None
    kind: str | None = None
    alarm: bool = False


class VerifyResult(Struct, frozen=True, kw_only=True):
    """The answer; `repaudit-verify/1`.

    `inputs` are the paths that changed between two releases, None where none were compared.
    """

    schema: str = VERIFY_SCHEMA
    verified: bool
    images: tuple[Checked, ...]
    inputs: tuple[str, ...] | None = None
