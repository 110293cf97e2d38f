"""Files by their names: in a folder here, in an archive elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, Protocol

from repaudit.model.digest import Descriptor
from repaudit.model.errors import MalformedError, SourceError
from repaudit.oci.blob import MAX_JSON


class Files(Protocol):
    """A set of files; `name` is what messages call it."""

    @property
    def name(self) -> str:
        """Where the files are."""

    def has(self, path: str) -> bool:
        """Tell whether there is a regular file called `path`."""

    def open(self, path: str) -> BinaryIO:
        """Open one; raise SourceError where it is not there."""


class FolderFiles:
    """The files below a folder. Links are followed, for Bazel makes layouts of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.name = str(folder)

    def has(self, path: str) -> bool:
        """Tell whether there is a regular file called `path`."""
        return (self._folder / path).is_file()

    def open(self, path: str) -> BinaryIO:
        """Open one; raise SourceError where it is not there."""
        if not self.has(path):
            raise missing(self.name, path)
        try:
            return (self._folder / path).open("rb")
        except OSError as error:
            raise SourceError(f"{self.name}: {path}: {error.strerror}") from error


class BlobFiles:
    """The blobs of an image layout (image-layout.md): `blobs/ALGORITHM/ENCODED`."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def open(self, descriptor: Descriptor) -> BinaryIO:
        """Return the blob's stored bytes; raise SourceError where it is not there."""
        return self._files.open("blobs/" + descriptor.digest.replace(":", "/"))


def read_small(files: Files, path: str) -> bytes:
    """Return a file of at most 4 MiB; raise MalformedError if it is larger."""
    with files.open(path) as file:
        data = file.read(MAX_JSON + 1)
    if len(data) > MAX_JSON:
        raise MalformedError(f"{files.name}: {path} is larger than {MAX_JSON} bytes")
    return data


def missing(name: str, path: str) -> SourceError:
    """Return the error for a file that is not there."""
    return SourceError(f"{name} has no {path}", hint="copy the image again: this copy is not whole")


def fresh(scratch: Path, name: str) -> Path:
    """Return a new empty folder in `scratch`, whatever is there already."""
    number = 0
    while True:
        folder = scratch / f"{name}-{number}"
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1
        else:
            return folder
