"""What is installed in an image, as its files tell."""

from __future__ import annotations

from msgspec import Struct


class Installed(Struct, frozen=True, kw_only=True):
    """A package that is in an image. `kind` is that of the pin that would hold it.

    `path` is where in the image it says so. `digests`, ALGORITHM:HEX, are of the bytes that a lock
    names. Those of an `unpacked` package are gone: what digests it has are what the image's own
    record says they had. `files` are what its own record lists: the name there, the digest there,
    the digest in the image (empty: it is not there); without a record, all in its folder, as it is.
    `tags` say what a wheel was built for. A `local` package says that it was built here, so no lock
    can name it.
    """

    kind: str
    purl: str
    path: str
    digests: tuple[str, ...] = ()
    files: tuple[tuple[str, str, str], ...] = ()
    tags: frozenset[str] = frozenset()
    unpacked: bool = False
    local: bool = False


class Unidentified(Struct, frozen=True, kw_only=True):
    """Something in an image that is a package, and which one cannot be told; `reason` says why."""

    kind: str
    path: str
    reason: str
    digests: tuple[str, ...] = ()
