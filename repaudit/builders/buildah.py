"""buildah: one storage and one pair of namespaces for each run, and no cache of the host's.

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

from repaudit.builders._storage import find, host_stores, images, options, resolve
from repaudit.builders._workplace import Workplace, disk_of
from repaudit.builders.interface import Builder, BuildRequest, Frozen, Prepared
from repaudit.host import clock, process
from repaudit.host.jail import Jail
from repaudit.model.digest import sha256
from repaudit.model.errors import SourceError
from repaudit.model.experiment import BuildRun, Edit, Failure, Outcome, PlannedRun

_STEP = re.compile(r"(\[\d+/\d+\] )?STEP \d+/\d+: ")
_LOG_LINES = 20
#: Where buildah puts a copy of what it reads of an image, whatever TMPDIR says, while it looks for
#: one that it may take for an instruction (containers/image, `internal/tmpdir`).
_SCRATCH = Path("/var/tmp")  # noqa: S108 - the run's own view of it


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
        stores = host_stores()
        bases = tuple(resolve(image, own, stores) for image in images)
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
        start: Frozen | None = None,
    ) -> BuildRun:
        began = clock.ticks()
        folder.mkdir(parents=True, exist_ok=True)
        with Jail(folder) as jail:
            place = Workplace(
                folder,
                jail,
                edits,
                prepared.room,
                traced=run.traced,
                planted=run.planted,
                asked=run.asked,
            )
            order = (("root", "storage"), ("file_order", place.listing()))
            view = place.show(prepared.request)  # of the context as it lies, be it in /var/tmp
            shared = _shared(place, prepared, start)
            place.shorten(shared)
            storage = options(place.store, shared)
            steps: deque[str] = deque(maxlen=1)
            last: deque[str] = deque(maxlen=_LOG_LINES)

            def hear(text: str) -> None:
                last.append(text)
                if _STEP.match(text):
                    steps.append(text)
                line(text)

            place.start_clock()
            status = jail.follow(
                _command(prepared.request, place, storage, view, start),
                log=place.log,
                env={"TMPDIR": str(place.store / "tmp")},
                line=hear,
                patience=patience,
            )
            if jail.given_up:
                last.append("it did not end in many times the time that the control took")
            image = None if status else _export(place, prepared, shared)
            if image and start is None:
                place.end()
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
                whole=start is None,
                milliseconds=round((clock.ticks() - began) * 1000),
            )

    def freeze(self, runs: Sequence[BuildRun]) -> tuple[Frozen, ...]:
        folders = [run.blobs or "" for run in runs]
        if not all(disk_of(Path(folder)).exists() for folder in folders):
            return ()
        left = [images(Path(folder)) for folder in folders]
        steps = list(zip(*left, strict=True)) if len({len(some) for some in left}) == 1 else []
        # Each run has the images in the order of the instructions. An image's id is the digest of
        # its config, and so of all its layers and of what is said of them.
        alike = frozenset(step[0] for step in steps[:-1] if len(set(step)) == 1)
        return tuple(Frozen(folder=folder, images=alike) for folder in folders)

    def forget(self, folder: Path) -> None:
        disk_of(folder).unlink(missing_ok=True)

    def check_bases(self, prepared: Prepared) -> None:
        for base in prepared.bases:
            if find(base.name, prepared.stores) not in {None, base}:
                raise SourceError(
                    f"the base image {base.name} changed while the builds ran",
                    hint="pin it by digest (FROM name@sha256:…), or run again",
                )


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


def _shared(place: Workplace, prepared: Prepared, start: Frozen | None) -> tuple[str, ...]:
    """Return the storages that a run reads from.

    Where it may take an image for an instruction, no other ones may offer theirs.
    """
    if start is None:
        return prepared.stores
    bases = {base.identity for base in prepared.bases}
    place.let_write(_SCRATCH)
    for store in prepared.stores:
        place.show_images(Path(store), bases)
    return (*prepared.stores, str(place.begin_with(start)))


def _command(
    request: BuildRequest,
    place: Workplace,
    storage: Sequence[str],
    view: Path,
    start: Frozen | None,
) -> list[str]:
    return [
        "buildah",
        *storage,
        "bud",
        "--isolation=oci",
        f"--runtime={place.runtime}",
        *(["--pull-never"] if start else ["--no-cache", "--pull=false"]),
        "--layers",
        "--network=host",
        f"--iidfile={place.store / 'image-id'}",
        f"--file={_listed(request.containerfile)}",
        *_asked(request),
        "--",
        str(view),
    ]


def _listed(path: Path) -> str:
    """Return a path as an item of a list in CSV, which buildah's `--file` is."""
    plain = str(path)
    return plain if not set(',"\n') & set(plain) else '"' + plain.replace('"', '""') + '"'


def _export(place: Workplace, prepared: Prepared, stores: Sequence[str]) -> str:
    """Copy manifest, config and new layers out of the storage; return the manifest's digest.

    New is what no base image has. A layer that another run has read out already is not read again.
    One that an earlier build left in a shared storage is taken from there: buildah does not store
    an equal one twice.
    """
    config = place.jail.path(place.store / "image-id").read_text("ascii").strip()
    identity = config.removeprefix("sha256:")
    shared = [f"--storage-opt=overlay.imagestore={path}" for path in stores]
    store = ["-g", f"{place.store / 'root'}", "-R", f"{place.store / 'run'}", "-s", "overlay"]

    def ask(command: str, *words: str) -> bytes:
        argv = ["containers-storage", command, *store, *shared, *words]
        return place.jail.check(argv, doing="reading the image that was built")

    manifest = ask("get-image-data", identity, "manifest")
    config_text = ask("get-image-data", identity, f"sha256:{identity}")
    there = {digest for base in prepared.bases for digest in base.diff_ids}
    new = set(json.loads(config_text)["rootfs"]["diff_ids"]) - there
    blobs = {digest: place.blobs / digest.removeprefix("sha256:") for digest in new}
    missing = {d for d, blob in blobs.items() if not _named(blob, place.layers / blob.name)}
    for layer in json.loads(ask("layers", "--json")) if missing else ():
        digest = layer.get("diff-digest", "")
        if digest in missing:
            blob = blobs[digest]
            ask("diff", "--uncompressed", f"--file={blob}", layer["id"])
            _named(place.layers / blob.name, blob)
            missing.remove(digest)
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
