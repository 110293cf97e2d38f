"""Images that skopeo can copy: registries, local storage, a Docker daemon, `dir:` folders."""

from __future__ import annotations

import re
from pathlib import Path
from typing import BinaryIO

from repaudit.host import process
from repaudit.model.digest import Descriptor
from repaudit.model.errors import SourceError
from repaudit.oci.image import read_root
from repaudit.sources._files import Files, FolderFiles, fresh, missing, read_small
from repaudit.sources._reference import SKOPEO, split
from repaudit.sources.interface import Opened, Source

#: Words of skopeo's last line, lower case, and the way out; the first that fits.
_HINTS = (
    (
        "manifest for image instance",
        "local storage keeps the parts of a list apart, and skopeo cannot join them: "
        "run `buildah manifest push --all NAME oci-archive:FILE`, and name FILE",
    ),
    ("unauthorized|authentication required|denied", "log in with `skopeo login`"),
    (
        "connection refused|no such host|dial tcp|timeout|cannot connect|certificate",
        "is it running, and can it be reached from here?",
    ),
    (
        "(manifest|name) unknown|not found|not an image|no such (file|image)|does not resolve",
        "there is no image of this name: check it with `skopeo inspect`",
    ),
)


class _Dir:
    """The blobs of a `dir:` folder, called by the hex part of their digests."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def open(self, descriptor: Descriptor) -> BinaryIO:
        encoded = descriptor.digest.partition(":")[2]
        for name in (encoded, f"{encoded}.manifest.json"):
            if self._files.has(name):
                return self._files.open(name)
        raise missing(self._files.name, descriptor.digest)


class _Skopeo:
    name = "skopeo"
    summary = "docker://NAME, containers-storage:NAME, docker-daemon:NAME:TAG, dir:DIR, …"

    def claims(self, reference: str) -> bool:
        return split(reference)[0] in (*SKOPEO, "dir")

    def open(self, reference: str, scratch: Path) -> Opened:
        transport, rest = split(reference)
        folder = Path(rest) if transport == "dir" else _copy(reference, scratch)
        files = FolderFiles(folder)
        blobs = _Dir(files)
        return Opened(images=read_root(blobs, read_small(files, "manifest.json")), blobs=blobs)


def _copy(reference: str, scratch: Path) -> Path:
    """Copy an image, all platforms of a list, and return the folder; no byte of it is changed."""
    skopeo = process.require("skopeo", "skopeo")
    folder = fresh(scratch, "skopeo")
    flags = ["--quiet", "--all", "--preserve-digests"]
    temporary = f"--tmpdir={fresh(scratch, 'skopeo-temporary')}"
    result = process.run([skopeo, temporary, "copy", *flags, reference, f"dir:{folder}"])
    if result.status != 0:
        message, hint = explain(result.last_words)
        raise SourceError(f"{reference} cannot be had: {message}", hint=hint)
    return folder


def explain(words: str) -> tuple[str, str]:
    """Return what skopeo's last line says without its dressing, and the way out."""
    from repaudit.host.images import plain  # it brings in requests, and most images are files

    message = plain(words)
    for pattern, hint in _HINTS:
        if re.search(pattern, message.lower()):
            return message, hint
    return message, "run `skopeo inspect` on it to see what is wrong"


SOURCE: Source = _Skopeo()
