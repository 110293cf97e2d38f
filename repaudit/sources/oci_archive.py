"""An image in a tar archive: `FILE`, `FILE:TAG` or `oci-archive:FILE:TAG`.

Without a prefix an archive that only `docker save` could have written is read too. Archives of
today's Docker are both at once; then the OCI half is read, for it has the manifests' digests, and
the other may list none but the images that are in it. What came before manifest.json says no
digest, so that nothing beside a layout may be that.
"""

from __future__ import annotations

from pathlib import Path

from repaudit.model.errors import MalformedError, SourceError
from repaudit.sources._archive import is_archive, open_archive
from repaudit.sources._docker import check_lists, open_docker
from repaudit.sources._layout import open_layout
from repaudit.sources._reference import find_path, split
from repaudit.sources.interface import Opened, Source


class _OciArchive:
    name = "oci_archive"
    summary = "FILE[:TAG] or oci-archive:FILE[:TAG], a tar archive of an image"

    def claims(self, reference: str) -> bool:
        transport, rest = split(reference)
        return transport == "oci-archive" or (
            not transport and find_path(rest, is_archive) is not None
        )

    def open(self, reference: str, scratch: Path) -> Opened:
        transport, rest = split(reference)
        found = find_path(rest, is_archive)
        if found is None:
            raise SourceError(
                f"{rest} is no tar archive", hint="make it with `skopeo copy … oci-archive:FILE`"
            )
        archive = open_archive(found[0], scratch)
        if not transport and not archive.has("oci-layout") and archive.has("manifest.json"):
            return open_docker(archive, found[1])
        if not archive.has("oci-layout"):
            raise MalformedError(f"{archive.name} is no archive of an image")
        opened = open_layout(archive, found[1])
        if not transport and archive.has("manifest.json"):
            check_lists(archive, found[1], opened.images.images)
        elif not transport and archive.has("repositories"):
            raise MalformedError(
                f"{archive.name} lists images in index.json, and in repositories without digests",
                hint="say that the former is meant: oci-archive:FILE",
            )
        return opened


SOURCE: Source = _OciArchive()
