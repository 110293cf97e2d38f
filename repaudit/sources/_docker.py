"""What `docker save` writes: manifest.json, configs and layers (Docker's image spec v1.2)."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from itertools import chain
from typing import Any, BinaryIO

from repaudit.model.digest import Descriptor, sha256
from repaudit.model.errors import MalformedError, SourceError, UsageError
from repaudit.model.image import Image, ImageSet, Layer
from repaudit.oci.blob import parse_object
from repaudit.oci.compression import sniff
from repaudit.oci.cursor import Cursor
from repaudit.oci.fields import check_fields
from repaudit.oci.header import BLOCK
from repaudit.oci.image import MAX_LAYERS, pair_layers, parse_diff_ids, platform
from repaudit.sources._archive import Archive
from repaudit.sources._files import read_small
from repaudit.sources.interface import Opened

_MEDIA_TYPES = {
    "tar": "application/vnd.docker.image.rootfs.diff.tar",
    "gzip": "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "zstd": "application/vnd.docker.image.rootfs.diff.tar.zstd",
}
#: What loaders read of an image in manifest.json.
_FIELDS = ("Config", "RepoTags", "Layers", "Parent", "LayerSources")
#: A config is called by its digest: `HEX.json`, `sha256:HEX` or `blobs/sha256/HEX`.
_HEX = re.compile(r"(?:.*[/:])?([0-9a-f]{64})(?:\.json)?")
_BLOB = re.compile(r"blobs/sha256/([0-9a-f]{64})")


class _Members:
    """Blobs by their digests, each at the member that holds it."""

    def __init__(self, archive: Archive, places: dict[str, str]) -> None:
        self._archive = archive
        self._places = places

    def open(self, descriptor: Descriptor) -> BinaryIO:
        place = self._places.get(descriptor.digest)
        if place is None:
            raise SourceError(f"{self._archive.name} has no blob {descriptor.digest}")
        return self._archive.open(place)


def open_docker(archive: Archive, tag: str) -> Opened:
    """Open the image called `tag` (or `@N`, counted from 0), or the only one."""
    chosen = _choose(_images(archive), tag, archive.name)
    config = read_small(archive, chosen["Config"])
    digest = sha256(config)
    said = _HEX.fullmatch(chosen["Config"])
    if said and said[1] != digest.removeprefix("sha256:"):
        raise MalformedError(
            f"{archive.name}: {chosen['Config']} does not match its name: {digest}"
        )
    fields = parse_object(config, f"{archive.name}: {chosen['Config']}")
    diff_ids = parse_diff_ids(fields, chosen["Config"])
    places: dict[str, str] = {}
    descriptors = []
    for number, name in enumerate(chosen["Layers"]):
        diff_id = diff_ids[number] if number < len(diff_ids) else ""
        descriptors.append(_describe(archive, name, diff_id))
        places[descriptors[-1].digest] = name
    layers = pair_layers(descriptors, diff_ids, archive.name)
    image = _image(config, digest, platform(fields), layers)
    images = ImageSet(digest=digest, index=None, images=(image,))
    return Opened(images=images, blobs=_Members(archive, places), listed=chosen)


def check_lists(archive: Archive, tag: str, images: Iterable[Image]) -> None:
    """Raise MalformedError where manifest.json calls an image `tag`, or any, that is none of these.

    Archives of today's Docker have it beside index.json, and each loader reads what it knows.
    """
    known = {
        (image.config_digest, *(layer.descriptor.digest for layer in image.layers))
        for image in images
    }
    for item in _images(archive):
        if tag and not any(f":{word}".endswith((f"/{tag}", f":{tag}")) for word in _tags(item)):
            continue
        if tuple(_digest(archive, name) for name in (item["Config"], *item["Layers"])) not in known:
            raise MalformedError(
                f"{archive.name}: manifest.json lists an image that index.json has not",
                hint="say which of them is meant: oci-archive:FILE or docker-archive:FILE",
            )


def _digest(archive: Archive, name: str) -> str:
    if said := _BLOB.fullmatch(name):  # verified where it is read as what index.json lists
        return f"sha256:{said[1]}"
    with archive.open(name) as file:
        return Cursor(file).hash(archive.size(name))


def _image(config: bytes, digest: str, platform: str, layers: tuple[Layer, ...]) -> Image:
    return Image(
        platform=platform,
        manifest=None,
        manifest_digest=None,
        config=config,
        config_digest=digest,
        layers=layers,
    )


def _images(archive: Archive) -> list[dict[str, Any]]:
    name = f"{archive.name}: manifest.json"
    try:
        text = read_small(archive, "manifest.json").decode()
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"{name} is not JSON: {error}") from error
    check_fields(text, name, _FIELDS)
    if not isinstance(found, list) or not found:
        raise MalformedError(f"{name} lists no images")
    for item in found:
        layers = item.get("Layers") if isinstance(item, dict) else None
        words = [item.get("Config"), *(layers or [])] if isinstance(layers, list) else [None]
        if not all(isinstance(word, str) for word in words) or len(words) > MAX_LAYERS:
            raise MalformedError(f"{name}: an image without a config and a list of layers")
    return found


def _choose(images: list[dict[str, Any]], tag: str, name: str) -> dict[str, Any]:
    if not tag and len(images) == 1:
        return images[0]
    fits = _called(images, tag)
    if tag and len(fits) == 1:
        return fits[0]
    tags = list(map(_tags, images))
    times = Counter(chain.from_iterable(tags))
    known = [
        ", ".join(word for word in words if times[word] == 1) or f"@{number}"
        for number, words in enumerate(tags)
    ]
    what = f"{len(fits)} images called {tag!r}" if tag else f"{len(images)} images"
    raise UsageError(
        f"{name} has {what}",
        hint=f"choose one with docker-archive:{name}:TAG: {', '.join(known)}",
    )


def _called(images: list[dict[str, Any]], tag: str) -> list[dict[str, Any]]:
    return [
        image
        for number, image in enumerate(images)
        if tag == f"@{number}"
        or any(known == tag or known.endswith(f"/{tag}") for known in _tags(image))
    ]


def _tags(image: dict[str, Any]) -> list[str]:
    tags = image.get("RepoTags")
    return [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []


def _describe(archive: Archive, name: str, diff_id: str) -> Descriptor:
    """Return a layer's descriptor. The archive says no digests of layers, so they are hashed."""
    with archive.open(name) as file:
        form = sniff(file.read(BLOCK))
        if form is None:
            raise MalformedError(f"{archive.name}: {name} is none of gzip, zstd, tar")
        file.seek(0)
        digest = Cursor(file).hash(archive.size(name))
    if form == "tar" and digest != diff_id:
        raise MalformedError(f"{archive.name}: {name} does not match its diff_id: {digest}")
    return Descriptor(media_type=_MEDIA_TYPES[form], digest=digest, size=archive.size(name))
