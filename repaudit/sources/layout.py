"""An OCI image layout in a folder: `DIR`, `DIR:TAG` or `oci:DIR:TAG`."""

from __future__ import annotations

from pathlib import Path

from repaudit.model.errors import SourceError
from repaudit.sources._files import BlobFiles, FolderFiles
from repaudit.sources._layout import open_layout
from repaudit.sources._reference import find_path, split
from repaudit.sources.interface import Opened, Source


class Folder(BlobFiles):
    """The blobs of an image layout in a folder, whatever its index says."""

    def __init__(self, folder: Path) -> None:
        super().__init__(FolderFiles(folder))


class _Layout:
    name = "layout"
    summary = "DIR[:TAG] or oci:DIR[:TAG], an OCI image layout"

    def claims(self, reference: str) -> bool:
        transport, rest = split(reference)
        return transport == "oci" or (not transport and find_path(rest, _is_layout) is not None)

    def open(self, reference: str, scratch: Path) -> Opened:
        rest = split(reference)[1]
        found = find_path(rest, _is_layout)
        if found is None:
            raise SourceError(
                f"{rest} is no OCI image layout", hint="name a folder that has a file `oci-layout`"
            )
        return open_layout(FolderFiles(found[0]), found[1])


def _is_layout(path: Path) -> bool:
    return (path / "oci-layout").is_file()


SOURCE: Source = _Layout()
