"""Images, layouts and tar archives written by hand, byte by byte, for tests."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from repaudit.model.digest import Descriptor
from repaudit.model.errors import SourceError
from repaudit.model.image import Layer

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
END = bytes(1024)


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def describe(data: bytes, media_type: str = LAYER) -> Descriptor:
    return Descriptor(media_type=media_type, digest=digest_of(data), size=len(data))


def layer_of(stored: bytes, plain: bytes) -> Layer:
    return Layer(index=0, descriptor=describe(stored), diff_id=digest_of(plain))


def octal(value: int, width: int) -> bytes:
    return b"%0*o\0" % (width - 1, value)


def header(
    name: bytes,
    size: int = 0,
    kind: bytes = b"0",
    *,
    link: bytes = b"",
    mode: int = 0o644,
    mtime: bytes | None = None,
    size_field: bytes | None = None,
    magic: bytes = b"ustar\x0000",
    tail: bytes = b"",
) -> bytes:
    """One header block; `tail` is what stands from the user name (byte 265) on."""
    fields = [
        name.ljust(100, b"\0"),
        octal(mode, 8),
        octal(0, 8),
        octal(0, 8),
        size_field or octal(size, 12),
        mtime or octal(0, 12),
        b" " * 8,
        kind,
        link.ljust(100, b"\0"),
        magic,
        tail,
    ]
    return seal(b"".join(fields).ljust(512, b"\0"))


def seal(block: bytes) -> bytes:
    """Put the right checksum into a header."""
    blank = block[:148] + b" " * 8 + block[156:]
    return blank[:148] + b"%06o\0 " % sum(blank) + blank[156:]


def pad(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def member(name: bytes, data: bytes = b"", kind: bytes = b"0", **fields: Any) -> bytes:
    return header(name, len(data), kind, **fields) + pad(data)


def records(*pairs: tuple[bytes, bytes]) -> bytes:
    """PAX records, each with the length that it has with its length."""
    out = b""
    for key, value in pairs:
        rest = b" " + key + b"=" + value + b"\n"
        length = len(rest)
        while length != len(rest) + len(b"%d" % length):
            length = len(rest) + len(b"%d" % length)
        out += b"%d" % length + rest
    return out


def pax(*pairs: tuple[bytes, bytes], kind: bytes = b"x") -> bytes:
    return member(b"PaxHeaders.0/x", records(*pairs), kind)


def tar(*members: bytes, end: bytes = END) -> bytes:
    return b"".join(members) + end


class Store:
    """Blobs in memory, and what is needed to make images of them."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}

    def open(self, descriptor: Descriptor) -> BinaryIO:
        if descriptor.digest not in self.blobs:
            raise SourceError(f"no blob {descriptor.digest}")
        return io.BytesIO(self.blobs[descriptor.digest])

    def add(self, data: bytes, media_type: str = LAYER, **more: Any) -> dict[str, Any]:
        self.blobs[digest_of(data)] = data
        return {"mediaType": media_type, "digest": digest_of(data), "size": len(data), **more}

    def add_json(self, value: object, media_type: str, **more: Any) -> dict[str, Any]:
        return self.add(json.dumps(value).encode(), media_type, **more)

    def image(
        self,
        *layers: bytes,
        architecture: str = "amd64",
        compress: bool = False,
        history: Sequence[dict[str, Any]] = (),
        created: str = "",
        **more: Any,
    ) -> dict[str, Any]:
        """Add an image of these uncompressed layers and return its manifest's descriptor."""
        config = {
            "os": "linux",
            "architecture": architecture,
            "rootfs": {"type": "layers", "diff_ids": [digest_of(layer) for layer in layers]},
            **({"history": history} if history else {}),
            **({"created": created} if created else {}),
        }
        stored = [gzip.compress(layer, mtime=0) if compress else layer for layer in layers]
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.add_json(config, CONFIG),
            "layers": [self.add(layer) for layer in stored],
        }
        return self.add_json(manifest, MANIFEST, **more)

    def index(self, *manifests: dict[str, Any], **more: Any) -> dict[str, Any]:
        value = {"schemaVersion": 2, "mediaType": INDEX, "manifests": list(manifests)}
        return self.add_json(value, INDEX, **more)

    def layout(self, *roots: dict[str, Any]) -> dict[str, bytes]:
        """The files of an image layout whose index.json lists `roots`."""
        files = {
            "oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
            "index.json": json.dumps({"schemaVersion": 2, "manifests": list(roots)}).encode(),
        }
        for digest, data in self.blobs.items():
            files["blobs/" + digest.replace(":", "/")] = data
        return files


def root_of(descriptor: dict[str, Any]) -> Descriptor:
    return Descriptor(
        media_type=descriptor["mediaType"], digest=descriptor["digest"], size=descriptor["size"]
    )


def tagged(descriptor: dict[str, Any], tag: str) -> dict[str, Any]:
    return {**descriptor, "annotations": {"org.opencontainers.image.ref.name": tag}}


def write_files(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def archive(files: dict[str, bytes]) -> bytes:
    return tar(*(member(name.encode(), data) for name, data in files.items()))
