"""What an image is made of: manifest, config, layers, and the entries of a layer."""

from __future__ import annotations

from enum import StrEnum
from itertools import chain, count

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


class Listed(Struct, frozen=True, kw_only=True):
    """What an index lists at the JSON pointer `where`.

    One of three is set: `image`; `index`, the verified bytes of a nested index; or `other`, a word
    for what is neither (`attestation`, an artifact's type), which is known by its digest alone.
    """

    where: str
    image: Image | None = None
    index: bytes | None = None
    other: str = ""


class ImageSet(Struct, frozen=True, kw_only=True):
    """What a reference points to: one image, or an index of one image a platform.

    `index` holds the exact bytes of the index, None where the reference is a single manifest.
    `listed` is all that it lists, in its order, nested indexes before what they list.
    """

    digest: str
    index: bytes | None
    images: tuple[Image, ...]
    listed: tuple[Listed, ...] = ()

    @property
    def named(self) -> dict[str, Image]:
        """The images by platform, in their order; a platform's second image gets a number."""
        found: dict[str, Image] = {}
        for image in self.images:
            names = chain([image.platform], (f"{image.platform} ({n})" for n in count(2)))
            found[next(name for name in names if name not in found)] = image
        return found
