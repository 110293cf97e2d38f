"""Image layouts (image-layout.md), wherever their files are."""

from __future__ import annotations

from typing import Any

from repaudit.model.digest import Descriptor
from repaudit.model.errors import MalformedError, SourceError
from repaudit.oci.blob import parse_object
from repaudit.oci.fields import parse_manifest
from repaudit.oci.image import parse_descriptor, read_images, read_root
from repaudit.sources._files import BlobFiles, Files, read_small
from repaudit.sources.interface import Opened

_TAG = "org.opencontainers.image.ref.name"


def open_layout(files: Files, tag: str) -> Opened:
    """Open the image that `tag` names.

    Without a tag: the only one that index.json lists, or index.json itself as the index of all.
    """
    _check_version(files)
    data = read_small(files, "index.json")
    name = f"{files.name}: index.json"
    index = parse_manifest(data, name)
    manifests = index.pop("manifests", None)
    if not isinstance(manifests, list) or not manifests:
        raise MalformedError(f"{name} lists no manifests")
    blobs = BlobFiles(files)
    if not tag and len(manifests) > 1:
        return Opened(images=read_root(blobs, data), blobs=blobs)
    chosen = _choose(manifests, tag, name) if tag else manifests[0]
    images = read_images(blobs, _descriptor(chosen, name))
    listed = {**chosen, "index.json": index} if isinstance(chosen, dict) else None
    return Opened(images=images, blobs=blobs, listed=listed)


def _check_version(files: Files) -> None:
    found = parse_object(read_small(files, "oci-layout"), f"{files.name}: oci-layout")
    version = found.get("imageLayoutVersion")
    if version != "1.0.0":
        raise MalformedError(f"{files.name} is an image layout of version {version!r:.40}")


def _descriptor(value: object, name: str) -> Descriptor:
    return parse_descriptor(value, f"{name}: a manifest")


def _choose(manifests: list[Any], tag: str, name: str) -> object:
    tags = [_tag(item) for item in manifests]
    if tags.count(tag) == 1:
        return manifests[tags.index(tag)]
    found = ", ".join(sorted({known for known in tags if known})) or "no tags"
    many = "several images" if tag in tags else "no image"
    raise SourceError(f"{name} has {many} with the tag {tag!r}", hint=f"it has: {found}")


def _tag(item: object) -> str:
    annotations = item.get("annotations") if isinstance(item, dict) else None
    tag = annotations.get(_TAG) if isinstance(annotations, dict) else None
    return tag if isinstance(tag, str) else ""
