"""From a manifest or an index to its images (image-spec manifest.md, image-index.md, config.md).

Docker's formats (manifest list, image manifest version 2 schema 2) are read alike: they have the
same fields.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

from repaudit.model.digest import Descriptor, parse_digest, sha256
from repaudit.model.errors import MalformedError, RepauditError
from repaudit.model.image import Image, ImageSet, Layer, Listed
from repaudit.oci.blob import Blobs, parse_object, read_blob, read_digest
from repaudit.oci.fields import parse_manifest

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_INDEXES = frozenset((OCI_INDEX, DOCKER_LIST))
_MANIFESTS = frozenset((OCI_MANIFEST, DOCKER_MANIFEST))
_CONFIGS = frozenset(
    (
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.docker.container.image.v1+json",
    )
)
#: Real indexes are one deep, or two in a layout; the largest have some thirty manifests.
MAX_DEPTH = 3
MAX_MANIFESTS = 256
MAX_LAYERS = 1024
_REFERENCE_TYPE = "vnd.docker.reference.type"
_ATTESTATION = "attestation"
#: BuildKit's platform of attestations, which nobody asks for.
_UNKNOWN = "unknown/unknown"


def read_images(blobs: Blobs, root: Descriptor) -> ImageSet:
    """Return the images that `root`, an index or a manifest, leads to.

    Raises MalformedError where a blob does not match its digest or breaks its format, SourceError
    where one is not there. Layers are not opened.
    """
    return read_root(blobs, read_blob(blobs, root), root.media_type)


def load_manifest(blobs: Blobs, digest: str) -> ImageSet:
    """Like `read_images`, where nothing but the root's digest is known."""
    return read_root(blobs, read_digest(blobs, digest))


def read_root(blobs: Blobs, data: bytes, media_type: str = "") -> ImageSet:
    """Like `read_images`, where the bytes of the root are at hand already, verified or not."""
    digest = sha256(data)
    value = parse_manifest(data, f"manifest {digest}")
    if not _is_index(value, digest, media_type):
        image = _read_manifest(data, value, digest, blobs, {})
        return ImageSet(digest=digest, index=None, images=(image,))
    listed = tuple(_Walk(blobs).listed(value, digest))
    images = tuple(one.image for one in listed if one.image)
    if not images:
        raise MalformedError(f"index {digest} holds no image")
    return ImageSet(digest=digest, index=data, images=images, listed=listed)


def parse_descriptor(value: object, name: str) -> Descriptor:
    """Return the descriptor (descriptor.md) in a JSON value; `name` says where it stands."""
    if not isinstance(value, dict):
        raise MalformedError(f"{name} is no descriptor")
    media_type, size = value.get("mediaType", ""), value.get("size")
    if not isinstance(media_type, str) or type(size) is not int or size < 0:
        raise MalformedError(f"{name} is a descriptor without a media type or a size")
    digest = parse_digest(value.get("digest"))
    if "data" in value:
        _check_data(value["data"], digest, size, name)
    return Descriptor(media_type=media_type, digest=digest, size=size)


def _check_data(data: object, digest: str, size: int, name: str) -> None:
    """Refuse what a descriptor embeds, which others may take for the blob, if it is not that."""
    try:
        found = base64.b64decode(data if isinstance(data, str) else "!", validate=True)
    except ValueError as error:
        raise MalformedError(f"{name} embeds data that are no base64: {error}") from error
    algorithm, _, expected = digest.partition(":")
    if len(found) != size or hashlib.new(algorithm, found).hexdigest() != expected:
        raise MalformedError(f"{name} embeds data that do not match its digest and size")


def parse_diff_ids(config: dict[str, Any], name: str) -> tuple[str, ...]:
    """Return the `rootfs.diff_ids` of an image config; raise MalformedError where it has none."""
    rootfs = config.get("rootfs")
    found = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    if found is None and isinstance(rootfs, dict):
        found = []  # Go writes null for the empty list, and an image from scratch has no layer
    return tuple(parse_digest(item) for item in _list(found, f"the rootfs.diff_ids of {name}"))


def platform(*sources: object) -> str:
    """Return `os/architecture[/variant]` of the first object that says both, else `unknown`."""
    for source in sources:
        if isinstance(source, dict):
            words = (source.get(key) for key in ("os", "architecture", "variant"))
            parts = [word if isinstance(word, str) else "" for word in words]
            if parts[0] and parts[1]:
                return "/".join(part for part in parts if part)
    return "unknown"


class _Walk:
    """Goes through an index and those nested in it, within bounds."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._seen = 0

    def listed(
        self, index: dict[str, Any], digest: str, depth: int = 1, where: str = ""
    ) -> Iterator[Listed]:
        if depth > MAX_DEPTH:
            raise MalformedError(f"index {digest} is nested more than {MAX_DEPTH} deep")
        items = _list(index.get("manifests"), f"the manifests of index {digest}")
        for number, item in enumerate(items):
            self._seen += 1
            if self._seen > MAX_MANIFESTS:
                raise MalformedError(f"an index of more than {MAX_MANIFESTS} manifests")
            descriptor = parse_descriptor(item, f"a manifest of index {digest}")
            at = f"{where}/manifests/{number}"
            if other := _other(item):
                if other != _ATTESTATION or not self._is_image(item, descriptor):
                    yield Listed(where=at, other=other)
                    continue
            data = read_blob(self._blobs, descriptor)
            value = parse_manifest(data, f"manifest {descriptor.digest}")
            if _is_index(value, descriptor.digest, descriptor.media_type):
                yield Listed(where=at, index=data)
                yield from self.listed(value, descriptor.digest, depth + 1, at)
            elif other := _artifact(value, f"manifest {descriptor.digest}"):
                yield Listed(where=at, other=other)
            else:
                image = _read_manifest(data, value, descriptor.digest, self._blobs, item)
                yield Listed(where=at, image=image)

    def _is_image(self, item: dict[str, Any], descriptor: Descriptor) -> bool:
        """Whether what calls itself an attestation is an image to those who ask for a platform."""
        target = platform(item.get("platform"))
        if target != "unknown":
            return target != _UNKNOWN
        try:
            value = parse_manifest(read_blob(self._blobs, descriptor), "it")
            if "manifests" in value:
                return True
            config = parse_descriptor(value.get("config"), "it")
            fields = parse_object(read_blob(self._blobs, config), "it")
        except RepauditError:  # no reader of images has it either
            return False
        return platform(fields) not in {"unknown", _UNKNOWN}


def _other(item: dict[str, Any]) -> str:
    """Return what an index's item is by its own words where those say that it is no image."""
    annotations, target = item.get("annotations"), item.get("platform")
    kind = annotations.get(_REFERENCE_TYPE) if isinstance(annotations, dict) else None
    if kind == "attestation-manifest":
        return _ATTESTATION
    if kind is None and isinstance(target, dict) and platform(target) == _UNKNOWN:
        return "manifest of an unknown platform"
    media_type = str(item.get("mediaType") or "")
    return "" if media_type in {"", *_INDEXES, *_MANIFESTS} else media_type


def _artifact(value: dict[str, Any], name: str) -> str:
    """Return the type of the artifact in a manifest, "" for an image (manifest.md)."""
    config = parse_descriptor(value.get("config"), f"the config of {name}").media_type
    return "" if config in _CONFIGS else str(value.get("artifactType") or config or "artifact")


def _is_index(value: dict[str, Any], digest: str, media_type: str) -> bool:
    """Tell an index from a manifest; refuse what is neither, or both (CVE-2021-41190)."""
    if value.get("schemaVersion") != 2:
        raise MalformedError(
            f"manifest {digest} is of schema {value.get('schemaVersion')!r:.20}, not 2",
            hint="push the image again with a current tool: schema 1 has no digests of its layers",
        )
    has_manifests = value.get("manifests") is not None
    has_layers = value.get("layers") is not None or value.get("config") is not None
    if has_manifests == has_layers:
        raise MalformedError(f"manifest {digest} is neither an index nor an image manifest")
    said = str(value.get("mediaType") or media_type)
    if said in (_MANIFESTS if has_manifests else _INDEXES):
        raise MalformedError(f"manifest {digest} is not the {said} that it says it is")
    return has_manifests


def _read_manifest(
    data: bytes, value: dict[str, Any], digest: str, blobs: Blobs, item: dict[str, Any]
) -> Image:
    name = f"manifest {digest}"
    descriptor = parse_descriptor(value.get("config"), f"the config of {name}")
    if descriptor.media_type not in _CONFIGS:
        raise MalformedError(
            f"{name} is no image: its config is a {descriptor.media_type or 'blob of no type'}"
        )
    config = read_blob(blobs, descriptor)
    fields = parse_object(config, f"config {descriptor.digest}")
    diff_ids = parse_diff_ids(fields, f"config {descriptor.digest}")
    items = value.get("layers")
    items = [] if items is None else _list(items, f"the layers of {name}")
    layers = [parse_descriptor(layer, f"a layer of {name}") for layer in items]
    return Image(
        platform=platform(fields, item.get("platform")),
        manifest=data,
        manifest_digest=digest,
        config=config,
        config_digest=descriptor.digest,
        layers=pair_layers(layers, diff_ids, name),
    )


def pair_layers(
    descriptors: list[Descriptor], diff_ids: tuple[str, ...], name: str
) -> tuple[Layer, ...]:
    """Return the layers, base first; raise MalformedError unless there is a diff_id for each."""
    if len(descriptors) != len(diff_ids):
        raise MalformedError(
            f"{name} has {len(descriptors)} layers, but its config has {len(diff_ids)} diff_ids"
        )
    return tuple(
        Layer(index=index, descriptor=descriptor, diff_id=diff_id)
        for index, (descriptor, diff_id) in enumerate(zip(descriptors, diff_ids, strict=True))
    )


def _list(value: object, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise MalformedError(f"{name} are no list")
    if len(value) > MAX_LAYERS:
        raise MalformedError(f"{name} are {len(value)}, more than {MAX_LAYERS}")
    return value
