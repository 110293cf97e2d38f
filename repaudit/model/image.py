"""What an image is made of: manifest, config, layers, and the entries of a layer."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from repaudit.model.digest import Descriptor


class Kind(StrEnum):
    """File types of a layer (image-spec layer.md), whiteouts included."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    HARDLINK = "hardlink"
    CHARACTER = "character device"
    BLOCK = "block device"
    FIFO = "fifo"
    WHITEOUT = "whiteout"
    OPAQUE = "opaque whiteout"


class Entry(Struct, frozen=True, kw_only=True):
    """One file record of a layer.

    `path` has no leading `./` or `/`; bytes that are no UTF-8 are surrogate-escaped. `mtime` is
    in nanoseconds. `position` counts the layer's entries from 0; `offset` is where the content
    starts in the uncompressed layer and `stored` how many bytes lie there.

    Of what is stored as a regular file, `digest` is the sha256 and `fingerprint` the BLAKE3 digest.
    Both tell contents apart; one is None where the other was enough.
    """

    path: str
    kind: Kind
    mode: int
    uid: int
    gid: int
    uname: str
    gname: str
    mtime: int
    size: int
    digest: str | None
    link: str | None
    device: tuple[int, int] | None
    xattrs: tuple[tuple[str, str], ...]
    position: int
    offset: int
    stored: int
    fingerprint: bytes | None = None

    @property
    def content(self) -> bytes | str | None:
        """What two contents have in common if they are the same; None where there is none."""
        return self.fingerprint or self.digest


class Layer(Struct, frozen=True, kw_only=True):
    """One changeset. `diff_id` is the digest of the uncompressed tar, from the config."""

    index: int
    descriptor: Descriptor
    diff_id: str


class Image(Struct, frozen=True, kw_only=True):
    """One platform's image. `manifest` and `config` are the exact bytes, verified.

    `manifest` is None where the container has none (docker-archive).
    """

    platform: str
    manifest: bytes | None
    manifest_digest: str | None
    config: bytes
    config_digest: str
    layers: tuple[Layer, ...]

    @property
    def digest(self) -> str:
        """The name that a verifier knows the image by: its manifest's digest, else its config's."""
        return self.manifest_digest or self.config_digest


class ImageSet(Struct, frozen=True, kw_only=True):
    """What a reference points to: one image, or an index of one image a platform.

    `index` holds the exact bytes of the index, None where the reference is a single manifest.
    """

    digest: str
    index: bytes | None
    images: tuple[Image, ...]
