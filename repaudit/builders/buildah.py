"""buildah: one storage, one pair of namespaces and no cache for each run.

Every instruction becomes a layer (`--layers`), so that a difference has a line. Base images are
read in place, from a storage that all runs share and none writes (`overlay.imagestore`); only
layers that the build made are read, straight from the storage, without a push.
"""

from __future__ import annotations

import functools
import json
import re
import shutil
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from repaudit.builders._workplace import Workplace
from repaudit.builders.interface import Base, Builder, BuildRequest, Prepared
from repaudit.host import clock, process
from repaudit.host.jail import Jail
from repaudit.model.digest import sha256
from repaudit.model.errors import SourceError, ToolFailedError
from repaudit.model.experiment import BuildRun, Edit, Failure, Outcome, PlannedRun

_STEP = re.compile(r"(\[\d+/\d+\] )?STEP \d+/\d+: ")
_LOG_LINES = 20
_NOT_THERE = b"image not known"
_INSPECT = (
    *("inspect", "--type=image", "--format"),
    "{{.FromImageDigest}} {{len .OCIv1.History}} "
    "{{if .OCIv1.Created}}{{.OCIv1.Created.Unix}}{{else}}0{{end}}"
    "{{range .OCIv1.RootFS.DiffIDs}} {{.}}{{end}}",
)


class _Buildah:
    name = "buildah"
    summary = "Dockerfiles and Containerfiles, with buildah and runc"

    def command(self, request: BuildRequest, containerfile: str) -> tuple[str, ...]:
        return (
            "buildah",
            "bud",
            "--layers",
            "--no-cache",
            f"--file={containerfile}",
            *_asked(request),
            ".",
        )

    def prepare(
        self, request: BuildRequest, images: Sequence[str], folder: Path, jobs: int
    ) -> Prepared:
        process.require("buildah", "buildah")
        process.require("runc", "runc")
        process.require("containers-storage", "containers-storage")
        own = folder / "bases"
        stores = _host_stores()
        bases = tuple(_resolve(image, own, stores) for image in images)
        if own.exists():
            stores = (*stores, str(own / "root"))
        room = shutil.disk_usage(folder).free * 9 // 10 // max(jobs, 1)
        return Prepared(request=request, stores=stores, bases=bases, room=room)

    def build(
        self,
        prepared: Prepared,
        run: PlannedRun,
        edits: Mapping[str, Sequence[Edit]],
        folder: Path,
        line: Callable[[str], None],
        patience: Callable[[], float | None],
    ) -> BuildRun:
        began = clock.ticks()
        folder.mkdir(parents=True, exist_ok=True)
        with Jail(folder) as jail:
            place = Workplace(
                folder, jail, edits, prepared.room, traced=run.traced, asked=run.asked
            )
            order = (("root", "storage"), ("file_order", place.listing()))
            storage = _storage(place.store, prepared.stores)
            steps: deque[str] = deque(maxlen=1)
            last: deque[str] = deque(maxlen=_LOG_LINES)

            def hear(text: str) -> None:
                last.append(text)
                if _STEP.match(text):
                    steps.append(text)
                line(text)

            place.start_clock()
            status = jail.follow(
                _command(prepared.request, place, storage, place.show(prepared.request)),
                log=place.log,
                env={"TMPDIR": str(place.store / "tmp")},
                line=hear,
                patience=patience,
            )
            if jail.given_up:
                last.append("it did not end in many times the time that the control took")
            image = None if status else _export(place, prepared)
            # Where things lie is no part of the answer.
            request = prepared.request
            ours = (place.store / "context", folder, request.containerfile.parent, request.context)
            own = tuple(map(str, ours))
            log = tuple(
                functools.reduce(lambda t, p: t.replace(p, "…"), own, text) for text in last
            )
            failure = Failure(instruction=next(iter(steps), None), status=status, log=log)
            return BuildRun(
                planned=run,
                outcome=Outcome.FAILED if status else Outcome.BUILT,
                image=image,
                blobs=str(folder) if image else None,
                failure=failure if status else None,
                steps=place.steps(),
                readings=(order, *place.readings()),
                unmoved=place.unmoved(),
                milliseconds=round((clock.ticks() - began) * 1000),
            )

    def check_bases(self, prepared: Prepared) -> None:
        for base in prepared.bases:
            if _find(base.name, prepared.stores) not in {None, base}:
                raise SourceError(
                    f"the base image {base.name} changed while the builds ran",
                    hint="pin it by digest (FROM name@sha256:…), or run again",
                )


def _storage(store: Path, stores: Sequence[str]) -> list[str]:
    shared = [f"--storage-opt=overlay.imagestore={path}" for path in stores]
    root, run = f"--root={store / 'root'}", f"--runroot={store / 'run'}"
    return [root, run, "--storage-driver=overlay", *shared]


def _host_stores() -> tuple[str, ...]:
    """Return the host's own image storage, if it is one that can be shared."""
    info = json.loads(process.check(["buildah", "info"], doing="asking buildah for its storage"))
    store = info["store"]
    root = str(store["GraphRoot"])
    usable = store["GraphDriverName"] == "overlay" and Path(root, "overlay-images").is_dir()
    return (root,) if usable else ()


def _find(image: str, stores: Sequence[str]) -> Base | None:
    """Return an image that one of the storages has."""
    for store in stores:
        found = process.run(["buildah", f"--root={store}", *_INSPECT, "--", image])
        if found.status == 0:
            return _base(image, found.stdout)
        if _NOT_THERE not in found.stderr:
            raise ToolFailedError(f"looking for the base image {image}: {found.last_words}")
    return None


def _base(image: str, answer: bytes) -> Base:
    digest, history, created, *diff_ids = answer.decode().split()
    return Base(
        name=image,
        digest=digest,
        history=int(history),
        created=int(created) if int(created) > 0 else None,
        diff_ids=tuple(diff_ids),
    )


def _resolve(image: str, own: Path, stores: Sequence[str]) -> Base:
    """Return a base image; fetch it into our own storage if the host has none."""
    known = _find(image, stores)
    if known is not None:
        return known
    # In a jail: a pull that is killed leaves no mount then, and its temporary files are ours.
    storage = _storage(own, stores)
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


@functools.cache
def _help() -> str:
    return process.run(["buildah", "bud", "--help"]).stdout.decode(errors="replace")


def timestamp_flags(epoch: int | None, usage: str) -> list[str]:
    """Return the flags that clamp times to `epoch`, by what the installed buildah's help knows.

    buildah 1.41 has `--source-date-epoch`, which leaves older times alone and tells the steps;
    before, `--timestamp` sets all times to one.
    """
    if epoch is None:
        return []
    if "--source-date-epoch" in usage and "--rewrite-timestamp" in usage:
        return [f"--source-date-epoch={epoch}", "--rewrite-timestamp"]
    return [f"--timestamp={epoch}"]


def _asked(request: BuildRequest) -> list[str]:
    """Return the options that decide what the image holds."""
    return [
        *timestamp_flags(request.timestamp, _help()),
        *(f"--build-arg={name}={value}" for name, value in request.build_args),
        *(f"--secret={secret}" for secret in request.secrets),
        *([f"--target={request.target}"] if request.target else []),
    ]


def _command(
    request: BuildRequest, place: Workplace, storage: Sequence[str], context: Path
) -> list[str]:
    return [
        "buildah",
        *storage,
        "bud",
        "--isolation=oci",
        f"--runtime={place.runtime}",
        "--no-cache",
        "--layers",
        "--pull=false",
        "--network=host",
        f"--iidfile={place.store / 'image-id'}",
        f"--file={_listed(request.containerfile)}",
        *_asked(request),
        "--",
        str(context),
    ]


def _listed(path: Path) -> str:
    """Return a path as an item of a list in CSV, which buildah's `--file` is."""
    plain = str(path)
    return plain if not set(',"\n') & set(plain) else '"' + plain.replace('"', '""') + '"'


def _export(place: Workplace, prepared: Prepared) -> str:
    """Copy manifest, config and new layers out of the storage; return the manifest's digest.

    New is what no base image has. A layer that another run has read out already is not read again.
    One that an earlier build left in a shared storage is taken from there: buildah does not store
    an equal one twice.
    """
    config = place.jail.path(place.store / "image-id").read_text("ascii").strip()
    identity = config.removeprefix("sha256:")
    shared = [f"--storage-opt=overlay.imagestore={path}" for path in prepared.stores]
    store = ["-g", f"{place.store / 'root'}", "-R", f"{place.store / 'run'}", "-s", "overlay"]

    def ask(command: str, *words: str) -> bytes:
        argv = ["containers-storage", command, *store, *shared, *words]
        return place.jail.check(argv, doing="reading the image that was built")

    manifest = ask("get-image-data", identity, "manifest")
    config_text = ask("get-image-data", identity, f"sha256:{identity}")
    there = {digest for base in prepared.bases for digest in base.diff_ids}
    new = set(json.loads(config_text)["rootfs"]["diff_ids"]) - there
    for layer in json.loads(ask("layers", "--json")):
        digest = layer.get("diff-digest", "")
        if digest in new:
            target = place.blobs / digest.removeprefix("sha256:")
            if not _named(target, place.layers / target.name):
                ask("diff", "--uncompressed", f"--file={target}", layer["id"])
                _named(place.layers / target.name, target)
            new.remove(digest)
    for blob in (manifest, config_text):
        (place.blobs / sha256(blob).removeprefix("sha256:")).write_bytes(blob)
    return sha256(manifest)


def _named(name: Path, file: Path) -> bool:
    """Give a file another name; tell whether it could be: not where another run did so first."""
    try:
        name.hardlink_to(file)
    except (FileNotFoundError, FileExistsError):
        return False
    return True


BUILDER: Builder = _Buildah()
