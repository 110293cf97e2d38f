"""Built digests against published ones, and one release against the next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from repaudit.host.scratch import digest_of
from repaudit.model.errors import UsageError
from repaudit.model.image import ImageSet
from repaudit.model.published import Built, Checked, Identity, Standing, VerifyResult
from repaudit.sources import open_image


def identities(images: ImageSet) -> tuple[Identity, ...]:
    """Return every digest by which a verifier may know an image, the reference's own first.

    What is launched from a registry is known by its manifest, or its index where there is one; the
    docker image id is the config's digest.
    """
    found = [Identity(kind="index", digest=images.digest)] if images.index is not None else []
    if len(images.images) == 1:  # of several, no one stands for all
        (image,) = images.images
        if image.manifest_digest is not None:
            found.append(Identity(kind="manifest", digest=image.manifest_digest))
        found.append(Identity(kind="config", digest=image.config_digest))
    return tuple(found)


def read_built(references: Iterable[tuple[str, str]], folder: Path) -> list[Built]:
    """Read images, as (name, reference) pairs; `folder` is ours to fill."""
    built = []
    for number, (name, reference) in enumerate(references):
        (own := folder / str(number)).mkdir()
        found = identities(open_image(reference, own).images)
        file = Path(reference)
        if file.is_file():  # an archive is published by its own digest, too
            found = (*found, Identity(kind="archive", digest=digest_of(file)))
        built.append(Built(name=name, identities=found))
    return built


def verify(published: Mapping[str, str], built: Sequence[Built]) -> VerifyResult:
    """Compare; verified is what was published whole, and nothing else, with the same digests.

    Names are paths, of which one may be the end of the other; raises UsageError where that leaves
    a doubt.
    """
    of = {name: _matching(name, published) for name in (one.name for one in built)}
    if len(of) < len(built):
        raise UsageError("an image is named twice", hint="give each as NAME=IMAGE")
    checked = [_against(one, of[one.name], published) for one in built]
    found = list(of.values())
    for name in published:
        if found.count(name) > 1:
            raise UsageError(f"two images may be {name}", hint="give each as NAME=IMAGE")
    missing = (
        Checked(name=name, standing=Standing.MISSING, published=digest, built=None)
        for name, digest in published.items()
        if name not in found
    )
    images = tuple(sorted((*checked, *missing), key=lambda one: one.name))
    return VerifyResult(verified=_all_same(images), images=images)


def compare_releases(
    old: Mapping[str, str], new: Mapping[str, str], inputs: Sequence[str]
) -> VerifyResult:
    """Compare two releases; `inputs` are the paths of the source that changed between them.

    A digest that changed though no input did is an alarm, and nothing else is.
    """
    images = []
    for name in sorted({*old, *new}):
        before, now = old.get(name), new.get(name)
        standing = Standing.SAME if before == now else Standing.CHANGED
        if before is None or now is None:
            standing = Standing.EXTRA if before is None else Standing.MISSING
        images.append(
            Checked(
                name=name,
                standing=standing,
                published=before,
                built=now,
                alarm=standing is Standing.CHANGED and not inputs,
            )
        )
    alarms = any(image.alarm for image in images)
    return VerifyResult(verified=not alarms, images=tuple(images), inputs=tuple(inputs))


def _against(one: Built, name: str | None, published: Mapping[str, str]) -> Checked:
    shown = one.identities[0]
    if name is None:
        return Checked(
            name=one.name,
            standing=Standing.EXTRA,
            published=None,
            built=shown.digest,
            kind=shown.kind,
        )
    wanted = published[name]
    same = next((i for i in one.identities if i.digest == wanted), None)
    return Checked(
        name=name,
        standing=Standing.SAME if same else Standing.CHANGED,
        published=wanted,
        built=(same or shown).digest,
        kind=(same or shown).kind,
    )


def _matching(name: str, published: Iterable[str]) -> str | None:
    """Return the published name that is this one, or of which one is the other's end."""
    words = name.split("/")
    matches = [other for other in published if _end(words, other.split("/"))]
    if name in matches:
        return name
    if len(matches) > 1:
        said = ", ".join(sorted(matches))
        raise UsageError(f"{name} may be any of {said}", hint="give it as NAME=IMAGE")
    return matches[0] if matches else None


def _end(one: Sequence[str], other: Sequence[str]) -> bool:
    shorter = min(len(one), len(other))
    return one[-shorter:] == other[-shorter:]


def _all_same(images: Iterable[Checked]) -> bool:
    return all(image.standing is Standing.SAME for image in images)
