"""By which digests an image is known: as it was built, as it was released, as it was published."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from repaudit.host.scratch import digest_of
from repaudit.model.errors import RefusedError
from repaudit.model.published import Built, Identity, Standing
from repaudit.model.sign_off import BuiltImage, KnownBy, Published
from repaudit.predicates import Evidence, Rebuilt
from repaudit.sources import open_image
from repaudit.stages.audited import describe
from repaudit.stages.published import load_published
from repaudit.stages.verify import verify

_PUSHED = (
    "registries, signatures and Confidential Space (image_digest), where the image is pushed as it "
    "was built: skopeo copy --preserve-digests. A push that compresses gives it another"
)
_OF_RELEASE = {
    "index": "registries, signatures and Confidential Space (image_digest), where the reference "
    "names this index",
    "manifest": "registries, signatures and Confidential Space (image_digest), where the reference "
    "names this manifest",
    "archive": "whoever checks the file itself: SHA256SUMS, Oak's containers",
}
_CONFIG = "the image id of docker, podman and buildah, and of Confidential Space (image_id)"
_DIFF_ID = "the layer's bytes before compression, however it is stored"


def built_images(run: Path, evidence: Evidence) -> Iterator[BuiltImage]:
    """Yield the different images, the control's first."""
    of: dict[str, list[Rebuilt]] = {}
    for rebuilt in evidence.rebuilt:
        of.setdefault(rebuilt.digest, []).append(rebuilt)
    for digest, same in of.items():
        found = describe(run, same[0])
        yield BuiltImage(
            runs=tuple(one.run.name for one in same),
            identities=(
                KnownBy(kind="manifest as built", digest=digest, used_by=_PUSHED),
                KnownBy(kind="config", digest=found.image_id, used_by=_CONFIG),
                *(
                    KnownBy(kind="diff ID", digest=one, used_by=_DIFF_ID, layer=number)
                    for number, one in enumerate(found.diff_ids)
                ),
            ),
        )


def released(reference: str | None, built: BuiltImage, folder: Path) -> tuple[KnownBy, ...]:
    """Return by which digests the released image is known, once it is the one that was built."""
    if reference is None:
        return ()
    images = open_image(reference, folder).images
    config = next(one.digest for one in built.identities if one.kind == "config")
    same = next((image for image in images.images if image.config_digest == config), None)
    if same is None:
        has = ", ".join(image.config_digest for image in images.images)
        raise RefusedError(
            f"{reference} is not what the run built: its config is {has}, not {config}",
            hint="name the image that is released, and the run that built it",
        )
    found = {
        "index": images.digest if images.index is not None else None,
        "manifest": same.manifest_digest,
        "archive": digest_of(file) if (file := _file(reference)) else None,
    }
    return tuple(
        KnownBy(kind=kind, digest=digest, used_by=_OF_RELEASE[kind])
        for kind, digest in found.items()
        if digest is not None
    )


def _file(reference: str) -> Path | None:
    """Return the archive that a reference names, with or without a transport before it."""
    for text in (reference, reference.partition(":")[2]):
        if text and Path(text).is_file():
            return Path(text)
    return None


def compare_published(file: Path | None, name: str, image: BuiltImage) -> Published | None:
    """Return the digest that a file publishes of an image; raise RefusedError where it is none."""
    if file is None:
        return None
    whole = (one for one in image.identities if one.layer is None)
    known = tuple(Identity(kind=one.kind, digest=one.digest) for one in whole)
    result = verify(load_published(file), [Built(name=name, identities=known)])
    found = next(one for one in result.images if one.standing is not Standing.MISSING)
    if found.published is None:
        hint = "call it as it is called there: --name NAME"
        raise RefusedError(f"{file} publishes no {name}", hint=hint)
    if found.standing is not Standing.SAME:
        raise RefusedError(
            f"{file} publishes {found.published} as {found.name}, and the run built {found.built}",
            hint="publish what was built; --image names the released image, where it was pushed",
        )
    return Published(name=found.name, digest=found.published, kind=found.kind or "")
