"""Small images made up in memory, one of every kind of file in them: what the selftest compares."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

from msgspec import Struct, field

from repaudit.model.digest import Descriptor, sha256
from repaudit.model.errors import SourceError
from repaudit.oci.cursor import CHUNK
from repaudit.oci.header import BLOCK
from repaudit.oci.image import OCI_INDEX, OCI_MANIFEST, read_images
from repaudit.sources import Opened

_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_GZIP = _LAYER + "+gzip"
END = bytes(2 * BLOCK)


class Member(Struct, frozen=True, kw_only=True):
    """One member of a layer, as tarfile takes it; `pax` are further records of its header."""

    path: str
    type: bytes = tarfile.REGTYPE
    data: bytes = b""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    uname: str = "root"
    gname: str = "root"
    mtime: int = 1_700_000_000
    link: str = ""
    device: tuple[int, int] = (0, 0)
    pax: Mapping[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        """Return the member as it lies in an archive."""
        info = tarfile.TarInfo(self.path)
        info.type, info.size, info.mode = self.type, len(self.data), self.mode
        info.uid, info.gid, info.uname, info.gname = self.uid, self.gid, self.uname, self.gname
        info.mtime, info.linkname = self.mtime, self.link
        info.devmajor, info.devminor = self.device
        info.pax_headers = dict(self.pax)
        padding = bytes(-len(self.data) % BLOCK)
        return info.tobuf(tarfile.PAX_FORMAT) + self.data + padding


def sparse(path: str, regions: Sequence[tuple[int, bytes]], size: int) -> Member:
    """Return a sparse member (GNU tar, format 1.0) of `size` bytes with data at these offsets."""
    numbers = [len(regions), *(n for start, data in regions for n in (start, len(data)))]
    head = "".join(f"{number}\n" for number in numbers).encode()
    records = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": path,
        "GNU.sparse.realsize": str(size),
    }
    data = head.ljust(BLOCK, b"\0") + b"".join(data for _, data in regions)
    return Member(path=path, data=data, pax=records)


#: Every kind of file that a layer can hold, and what makes readers take another way.
SAMPLE: tuple[Member, ...] = (
    Member(path="dir/", type=tarfile.DIRTYPE, mode=0o755),
    Member(path="dir/file", data=b"some content\n"),
    Member(path="dir/empty"),
    Member(path="dir/large", data=b"0123456789abcdef" * (CHUNK // 8)),
    Member(path="dir/link", type=tarfile.SYMTYPE, link="file", mode=0o777),
    Member(path="dir/hard", type=tarfile.LNKTYPE, link="dir/file"),
    Member(path="dev/char", type=tarfile.CHRTYPE, device=(1, 3)),
    Member(path="dev/block", type=tarfile.BLKTYPE, device=(7, 0)),
    Member(path="dev/fifo", type=tarfile.FIFOTYPE),
    Member(path="dir/attributes", data=b"x", pax={"SCHILY.xattr.user.a": "1"}),
    sparse("dir/sparse", [(0, b"head"), (8192, b"tail")], 16384),
    Member(path="dir/" + "long" * 40, data=b"a name that only an extended header can hold"),
    Member(path="dir/twice", data=b"the first, which nobody sees"),
    Member(path="dir/twice", data=b"the second"),
    Member(path="dir/.wh.gone"),
    Member(path="opaque/.wh..wh..opq"),
    Member(path="last", data=b"the last one"),
)


def archive(members: Sequence[Member], end: bytes = END) -> bytes:
    """Return a layer of these members."""
    return b"".join(member.encoded() for member in members) + end


class Images:
    """Images of layers that are given as bytes; they have their blobs in memory."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}

    def open(self, descriptor: Descriptor) -> BinaryIO:
        """Return a blob; raise SourceError where it is not there."""
        if descriptor.digest not in self._blobs:
            raise SourceError(f"no blob {descriptor.digest}")
        return io.BytesIO(self._blobs[descriptor.digest])

    def add(self, data: bytes, media_type: str, **more: object) -> dict[str, Any]:
        """Add a blob and return its descriptor."""
        digest = sha256(data)
        self._blobs[digest] = data
        return {"mediaType": media_type, "digest": digest, "size": len(data), **more}

    def image(
        self,
        *layers: bytes,
        level: int = 1,
        mtime: int = 0,
        config: Mapping[str, object] | None = None,
        manifest: Mapping[str, object] | None = None,
        layer: Mapping[str, object] | None = None,
        indent: int | None = None,
    ) -> dict[str, Any]:
        """Add an image and return its descriptor; what is given is added to what it holds anyway.

        `level` and `mtime` are gzip's, level 0 for layers that are not compressed; `layer` is added
        to each of their descriptors, and `indent` is the manifest's.
        """
        plain = {
            "os": "linux",
            "architecture": "amd64",
            "rootfs": {"type": "layers", "diff_ids": [sha256(data) for data in layers]},
        }
        stored = [
            self.add(gzip.compress(data, level, mtime=mtime), _GZIP, **(layer or {}))
            if level
            else self.add(data, _LAYER, **(layer or {}))
            for data in layers
        ]
        value = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": self.add(json.dumps(plain | dict(config or {})).encode(), _CONFIG),
            "layers": stored,
        } | dict(manifest or {})
        return self.add(json.dumps(value, indent=indent).encode(), OCI_MANIFEST)

    def index(self, *manifests: Mapping[str, object], **more: object) -> dict[str, Any]:
        """Add an index of images and return its descriptor."""
        value = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests, **more}
        return self.add(json.dumps(value).encode(), OCI_INDEX)

    def opened(self, root: Mapping[str, Any]) -> Opened:
        """Open an image or an index."""
        descriptor = Descriptor(
            media_type=root["mediaType"], digest=root["digest"], size=root["size"]
        )
        return Opened(images=read_images(self, descriptor), blobs=self)
