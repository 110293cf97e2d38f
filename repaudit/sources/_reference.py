"""References: `TRANSPORT:REST` as skopeo writes them, or a path, each with an optional `:TAG`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

#: What skopeo reads for us (containers-transports(5)).
SKOPEO = ("containers-storage", "docker", "docker-daemon", "ostree", "sif", "tarball")
_OURS = ("dir", "docker-archive", "oci", "oci-archive")
#: What a path follows; of others it is the name of an image.
_PATHS = ("", "sif", "tarball", *_OURS)


def split(reference: str) -> tuple[str, str]:
    """Return the transport and what follows it; the transport is "" where none is named.

    `docker:dind` names an image and no transport, so `docker` counts with its slashes alone.
    """
    transport, colon, rest = reference.partition(":")
    if not colon or transport not in SKOPEO + _OURS:
        return "", reference
    if transport == "docker" and not rest.startswith("//"):
        return "", reference
    return transport, rest


def without_place(reference: str) -> str:
    """Return a reference without the folder, or the storage, in which its image lies here."""
    transport, rest = split(reference)
    if transport in _PATHS or (rest.startswith("/") and transport != "docker"):
        path, tag = find_path(rest, Path.exists) or (Path(rest), "")
        name = path.name or "."
        rest = f"{name}:{tag}" if tag else name
    elif transport == "containers-storage" and rest.startswith("["):
        rest = rest.partition("]")[2]
    return f"{transport}:{rest}" if transport else rest


def find_path(rest: str, fits: Callable[[Path], bool]) -> tuple[Path, str] | None:
    """Return the path and the tag in `PATH[:TAG]`; None where no path that fits is there.

    Both may hold colons; the longest path that fits is meant.
    """
    path, tag = rest, ""
    while path:
        with suppress(OSError):  # a name that is too long, a folder that may not be read
            if fits(Path(path)):
                return Path(path), tag
        path, colon, word = path.rpartition(":")
        tag = f"{word}:{tag}" if tag else word
        if not colon:
            break
    return None
