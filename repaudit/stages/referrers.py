"""Attach signed statements to an image in a registry, and find them again.

The image itself is never written again: its digest stays. A fallback tag has no lock, so of two
writers at once one may lose its entry to the other; attached again, it is there.
"""

from __future__ import annotations

from collections.abc import Sequence

from repaudit.attestations.bundle import MEDIA_TYPE, Bundle, parse_bundles
from repaudit.host.distribution import Manifest, Repository, parse_reference
from repaudit.model.digest import Descriptor
from repaudit.model.errors import RefusedError, SourceError
from repaudit.model.statement import parse_statement
from repaudit.oci.referrer import (
    EMPTY,
    INDEX,
    MANIFEST,
    Referrer,
    fallback_tag,
    list_of,
    only_layer,
    parse_referrers,
    referring_manifest,
)

_KIND = "dev.sigstore.bundle.predicateType"
_CONTENT = "dev.sigstore.bundle.content"
#: How often two writers of one fallback tag may meet before one gives up.
_ATTEMPTS = 5


def attach(reference: str, data: bytes) -> tuple[str, ...]:
    """Attach the statements about an image to it; return the digests of the new manifests.

    Raises RefusedError where none is about the image. The same bundle is attached but once.
    """
    repository, name = parse_reference(reference)
    image = _image(repository, name)
    subject = Descriptor(media_type=image.media_type, digest=image.digest, size=len(image.data))
    bundles = [b for b in parse_bundles(data) if parse_statement(b.payload).is_about(image.digest)]
    if not bundles:
        raise RefusedError(
            f"no statement of the file is about {image.digest}",
            hint="attach it to the image that was audited",
        )
    return tuple(_attach(repository, subject, bundle) for bundle in bundles)


def _attach(repository: Repository, subject: Descriptor, bundle: Bundle) -> str:
    line = bundle.line()
    notes = {_CONTENT: "dsse-envelope", _KIND: parse_statement(bundle.payload).predicate_type}
    manifest = Manifest(
        data=referring_manifest(subject, MEDIA_TYPE, line, notes), media_type=MANIFEST
    )
    repository.put_blob(EMPTY)
    repository.put_blob(line)
    listed = repository.put_manifest(manifest.digest, manifest)
    if not listed:
        entry = Referrer(
            digest=manifest.digest,
            size=len(manifest.data),
            artifact_type=MEDIA_TYPE,
            annotations=notes,
        )
        _list(repository, fallback_tag(subject.digest), entry)
    return manifest.digest


def _list(repository: Repository, tag: str, entry: Referrer) -> None:
    """Add an entry to the list under a tag, and look whether it stayed: others write there too."""
    for _ in range(_ATTEMPTS):
        known = _listed(repository, tag)
        if any(one.digest == entry.digest for one in known):
            return
        index = Manifest(data=list_of((*known, entry)), media_type=INDEX)
        repository.put_manifest(tag, index)
    if all(one.digest != entry.digest for one in _listed(repository, tag)):
        raise SourceError(
            f"{repository.name}:{tag} is written by others all the time", hint="try again"
        )


def _listed(repository: Repository, tag: str) -> tuple[Referrer, ...]:
    found = repository.manifest(tag)
    return parse_referrers(found.data, f"{repository.name}:{tag}") if found else ()


def find(reference: str) -> bytes:
    """Return the bundles that are attached to an image, one a line; nothing is verified yet.

    Raises SourceError where none is attached.
    """
    repository, name = parse_reference(reference)
    image = _image(repository, name)
    lines = [
        parse_bundles(repository.blob(_bundle_of(repository, one)))[0].line()
        for one in _referrers(repository, image.digest)
        if one.artifact_type == MEDIA_TYPE
    ]
    if not lines:
        raise SourceError(
            f"nothing is attached to {repository.name}@{image.digest}",
            hint="attach it with: repaudit attest attach BUNDLE IMAGE",
        )
    return b"".join(lines)


def _referrers(repository: Repository, digest: str) -> Sequence[Referrer]:
    """Return both lists as one: a registry may have learned the API after a tag was written."""
    data = repository.referrers(digest)
    known = parse_referrers(data, f"{repository.name}: referrers") if data is not None else ()
    tagged = _listed(repository, fallback_tag(digest))
    return sorted({one.digest: one for one in (*tagged, *known)}.values(), key=lambda r: r.digest)


def _bundle_of(repository: Repository, referrer: Referrer) -> str:
    manifest = repository.manifest(referrer.digest)
    if manifest is None:
        raise SourceError(f"{repository.name} lists {referrer.digest}, which is not there")
    return only_layer(manifest.data, referrer.digest).digest


def _image(repository: Repository, name: str) -> Manifest:
    found = repository.manifest(name)
    if found is None:
        raise SourceError(
            f"{repository.name} has no image {name}", hint="push it first: skopeo copy"
        )
    return found
