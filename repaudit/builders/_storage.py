"""The storages that a build by buildah reads and fills, and the base images in them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from repaudit.builders.interface import Base
from repaudit.host import process
from repaudit.host.jail import Jail
from repaudit.model.errors import SourceError, ToolFailedError

_NOT_THERE = b"image not known"
_INSPECT = (
    *("inspect", "--type=image", "--format"),
    "{{.FromImageID}} {{.FromImageDigest}} {{len .OCIv1.History}} "
    "{{if .OCIv1.Created}}{{.OCIv1.Created.Unix}}{{else}}0{{end}}"
    "{{range .OCIv1.RootFS.DiffIDs}} {{.}}{{end}}",
)


def options(store: Path, stores: Sequence[str]) -> list[str]:
    """Return what tells buildah to fill `store`, and to read from `stores` as well."""
    shared = [f"--storage-opt=overlay.imagestore={path}" for path in stores]
    root, run = f"--root={store / 'root'}", f"--runroot={store / 'run'}"
    return [root, run, "--storage-driver=overlay", *shared]


def host_stores() -> tuple[str, ...]:
    """Return the host's own image storage, if it is one that can be shared."""
    info = json.loads(process.check(["buildah", "info"], doing="asking buildah for its storage"))
    store = info["store"]
    root = str(store["GraphRoot"])
    usable = store["GraphDriverName"] == "overlay" and Path(root, "overlay-images").is_dir()
    return (root,) if usable else ()


def find(image: str, stores: Sequence[str]) -> Base | None:
    """Return an image that one of the storages has."""
    for store in stores:
        found = process.run(["buildah", f"--root={store}", *_INSPECT, "--", image])
        if found.status == 0:
            return _base(image, found.stdout)
        if _NOT_THERE not in found.stderr:
            raise ToolFailedError(f"looking for the base image {image}: {found.last_words}")
    return None


def _base(image: str, answer: bytes) -> Base:
    identity, digest, history, created, *diff_ids = answer.decode().split()
    return Base(
        name=image,
        identity=identity,
        digest=digest,
        history=int(history),
        created=int(created) if int(created) > 0 else None,
        diff_ids=tuple(diff_ids),
    )


def resolve(image: str, own: Path, stores: Sequence[str]) -> Base:
    """Return a base image; fetch it into our own storage if the host has none."""
    known = find(image, stores)
    if known is not None:
        return known
    # In a jail: a pull that is killed leaves no mount then, and its temporary files are ours.
    storage = options(own, stores)
    (own / "tmp").mkdir(parents=True, exist_ok=True)
    with Jail(own) as jail:
        ask = ["buildah", *storage, "pull", "--quiet", "--", image]
        pulled = jail.run(ask, env={"TMPDIR": str(own / "tmp")})
    if pulled.status != 0:
        raise SourceError(
            f"the base image {image} cannot be had: {pulled.last_words}",
            hint="check its name, and that its registry can be reached; or bring it into the "
            f"host's storage first: buildah pull {image}",
        )
    identity = pulled.stdout.decode().split()[-1]
    ask = ["buildah", *storage, *_INSPECT, "--", identity]
    return _base(image, process.check(ask, doing="asking for a digest"))


def images(folder: Path) -> list[str]:
    """Return the ids of the images that a run made, in their order."""
    return [one["id"] for one in json.loads((folder / "images").read_bytes())]
