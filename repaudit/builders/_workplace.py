"""One run's workplace: its own file system, helpers, and the interposer's plan."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import stat
import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from repaudit.builders._trace import read_trace
from repaudit.builders.interface import BuildRequest, Frozen
from repaudit.host import clock, context, process, scratch
from repaudit.host.jail import Jail
from repaudit.model.errors import ToolFailedError
from repaudit.model.experiment import Edit, Step

_INTERPOSER = Path(__file__).resolve().parent.parent / "interposer" / "main.py"
# The verb is the first word that is one: global options, and their values, may stand before it.
_SHIM = """#!/bin/sh
for word; do
  case $word in
    create | run) exec {python} -I -S -B {interposer} {plan} "$@" ;;
    start | state | kill | delete | exec | list | events | spec | features | --help | --version)
      break ;;
  esac
done
exec {runtime} --root {state} "$@"
"""
#: Where a jail has a run's storage, and that of an earlier run. mount(2) takes a page of options,
#: in which the path of each layer stands: the shorter it is, the more layers an image may have.
_STORE, _EARLIER = Path("/run/s"), Path("/run/e")
_IMAGES = Path("overlay-images", "images.json")
_LINKS = Path("overlay", "l")
_LEAST_ROOM = 1 << 30
_MOST_READING = 64 << 10


class Workplace:
    """The folder of one run: `store` is the builder's storage, on a file system of its own.

    `store` is a path within the jail.
    """

    def __init__(
        self,
        folder: Path,
        jail: Jail,
        edits: Mapping[str, Sequence[Edit]],
        room: int,
        *,
        traced: bool = False,
        planted: bool = False,
        asked: Sequence[str] = (),
    ) -> None:
        self.jail = jail
        self.store = _STORE
        self.helpers = folder / "helpers"
        self.runtime = folder / "runtime"
        self.blobs = folder / "blobs" / "sha256"
        #: What all runs have read out so far, by digest.
        self.layers = folder.parent / "layers"
        self.log = folder / "log"
        self._folder = folder
        self._edits = edits
        self._traced = traced
        self._planted = planted
        self._asked = asked
        self._covered = 0
        for name in ("store", "helpers", "readings", "state", "traces"):
            (folder / name).mkdir(parents=True)
        self.blobs.mkdir(parents=True)
        self.layers.mkdir(exist_ok=True)
        self._mount(room)
        self._write_shim()

    def _start_edits(self, prefix: str) -> dict[str, str]:
        return {
            edit.slot.removeprefix(prefix): edit.value
            for edits in self._edits.values()
            for edit in edits
            if edit.slot.startswith(prefix)
        }

    def _mount(self, room: int) -> None:
        self.jail.path(self.store).mkdir()
        seed = self._start_edits("run:filesystem").get("")
        if seed is None:
            mount = ["mount", "--bind", str(self._folder / "store"), str(self.store)]
        else:
            # No barrier: it need not outlive the machine, so no step waits for a disk.
            options = "loop,noatime,barrier=0"
            mount = ["mount", "-o", options, str(self._disk(room, seed)), str(self.store)]
        self.jail.check(mount, doing="mounting the run's file system")
        self.jail.path(self.store / "tmp").mkdir()

    def _disk(self, room: int, seed: str) -> Path:
        disk = disk_of(self._folder)
        if room < _LEAST_ROOM:
            raise ToolFailedError(
                f"only {room >> 20} MiB of room for a build below {self._folder.parent}",
                hint="set TMPDIR to a folder with more room",
            )
        with disk.open("wb") as file:
            file.truncate(room)
        # No journal: nobody wants it back after a crash. Lazy: it takes ten milliseconds.
        options = f"lazy_itable_init=1,nodiscard,hash_seed={seed}"
        mke2fs = ["mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-m", "0"]
        process.check([*mke2fs, "-E", options, str(disk)], doing="making the run's file system")
        return disk

    def begin_with(self, start: Frozen) -> Path:
        """Return the storage of an earlier run, which shows the images of `start` alone."""
        self.jail.path(_EARLIER).mkdir()
        mount = ["mount", "-o", "loop,ro,noatime", str(disk_of(Path(start.folder))), str(_EARLIER)]
        self.jail.check(mount, doing="mounting an earlier run's file system")
        self.show_images(_EARLIER / "root", start.images)
        return _EARLIER / "root"

    def shorten(self, storages: Sequence[str]) -> None:
        """Let the layers of shared storages be found under the short links of our own.

        The driver names layers by links relative to its storage where their paths fill a page, and
        looks no further (containers/storage, `drivers/overlay`).
        """
        own = self.store / "root" / _LINKS
        self.jail.path(own).mkdir(parents=True)
        layers: dict[str, Path] = {}
        for folder in (Path(storage) / _LINKS for storage in storages):
            with suppress(FileNotFoundError):  # no image yet, or one was removed meanwhile
                for link in self.jail.path(folder).iterdir():
                    layers.setdefault(link.name, folder / link.readlink())
        for name, layer in layers.items():  # relative, since the driver joins link and target
            self.jail.path(own / name).symlink_to(os.path.relpath(layer, own))

    def let_write(self, shared: Path) -> None:
        """Let programs write to a folder of the host: what they write is the run's own."""
        own, aside = str(self._folder), self.store / "aside"  # it may lie in there
        self.jail.path(aside).mkdir()
        doing = f"showing {shared} to the run"
        self.jail.check(["mount", "--bind", own, str(aside)], doing=doing)
        self._cover(shared, {})
        self.jail.check(["mount", "--bind", str(aside), own], doing=doing)

    def show_images(self, storage: Path, some: Collection[str]) -> None:
        """Let a storage that is shared show these images alone, by their ids.

        The folder is covered, not the list: others replace that while we run, and with it a mount.
        """
        folder = storage / _IMAGES.parent
        try:
            known = json.loads(self.jail.path(storage / _IMAGES).read_bytes())
        except FileNotFoundError:  # it never held an image
            known = []
        shown = json.dumps([one for one in known if one["id"] in some])
        self._cover(folder, {_IMAGES.name: shown})

    def _cover(self, folder: Path, files: Mapping[str, str]) -> None:
        """Lay a folder of the run's own over another, with these files in it."""
        covers = self.store / "covers" / str(self._covered)
        self._covered += 1
        for name in ("upper", "work"):
            self.jail.path(covers / name).mkdir(parents=True)
        for name, text in files.items():
            self.jail.path(covers / "upper" / name).write_text(text, "utf-8")
        options = f"lowerdir={folder},upperdir={covers / 'upper'},workdir={covers / 'work'}"
        mount = ["mount", "-t", "overlay", "-o", options, "overlay", str(folder)]
        self.jail.check(mount, doing=f"covering {folder} for the run")

    def end(self) -> None:
        """Write all down, for later runs that start from here, and list the images in order."""
        self.jail.check(["sync", "--file-system", str(self.store)], doing="writing a run down")
        shutil.copy(self.jail.path(self.store / "root" / _IMAGES), self._folder / "images")

    def show(self, request: BuildRequest) -> Path:
        """Return a view of the context that steps may write to: what they write is the run's own.

        Else a step that binds the context would change the user's files, and the next run's input.
        What the request hides is not there, and its folder is as it was.
        """
        lower, view, upper, work = (
            self.store / name for name in ("lower", "context", "written", "work")
        )
        for folder in (lower, view, upper, work):
            self.jail.path(folder).mkdir()
        doing = "showing the context to the run"
        # Bound first: an option of mount(8) cannot hold any name that a context may have.
        self.jail.check(["mount", "--bind", str(request.context), str(lower)], doing=doing)
        options = f"lowerdir={lower},upperdir={upper},workdir={work}"
        self.jail.check(
            ["mount", "-t", "overlay", "-o", options, "overlay", str(view)], doing=doing
        )
        for path in request.hidden:
            context.hide(self.jail.path(view / path))
        return view

    def _write_shim(self) -> None:
        shutil.copy(process.require("busybox", "busybox-static"), self.helpers / "busybox")
        shutil.copy(process.require("date", "coreutils"), self.helpers / "date")
        for name, source in self._start_edits("run:file/").items():
            shutil.copy(source, self.helpers / name)
        for name, text in self._start_edits("run:text/").items():
            (self.helpers / name).write_text(text, "utf-8")
        for name, inner in self._start_edits("run:directory/").items():
            (self.helpers / (inner or name)).mkdir(parents=True)
        plan = {
            "runtime": process.require("runc", "runc"),
            "state": str(self._folder / "state"),
            "helpers": str(self.helpers),
            "steps": str(self._folder / "steps"),
            "readings": str(self._folder / "readings"),
            "traces": str(self._folder / "traces") if self._traced else None,
            "unmoved": str(self._folder / "unmoved"),
            "asked": self._asked,
            "planted": self._planted,
            "cgroup": scratch.CGROUP_PREFIX + self._folder.parent.name,
            "factors": {
                factor: [(e.slot, e.value, e.unless, e.needs) for e in edits]
                for factor, edits in self._edits.items()
            },
        }
        path = self._folder / "plan.json"
        path.write_text(json.dumps(plan), "utf-8")
        python = Path(sys.executable).resolve()
        words = {"python": python, "interposer": _INTERPOSER, "plan": path, **plan}
        quoted = {name: shlex.quote(str(word)) for name, word in words.items()}
        self.runtime.write_text(_SHIM.format(**quoted), "utf-8")
        self.runtime.chmod(self.runtime.stat().st_mode | stat.S_IXUSR)

    def start_clock(self) -> None:
        """Let the steps' clock stand, from now on, where the time level says that it starts."""
        start = self._start_edits("run:clock").get("")
        if start is not None:
            offset = int(start) - round(clock.now())
            (self.helpers / "clock").write_text(f"{offset:+010d}\n", "ascii")

    def listing(self) -> str:
        """Return the order in which the storage lists sixteen fixed names."""
        folder = self.jail.path(self.store / "tmp" / "order")
        folder.mkdir()
        for number in range(16):
            (folder / f"name{number}").touch()
        order = ",".join(os.listdir(folder))  # noqa: PTH208 - the order is the point
        shutil.rmtree(folder)
        return order

    def steps(self) -> tuple[Step, ...]:
        """Return what the interposer did for each step."""
        path = self._folder / "steps"
        lines = path.read_text("utf-8").splitlines() if path.exists() else ()
        return tuple(self._step(json.loads(line)) for line in lines)

    def _step(self, told: dict[str, Any]) -> Step:
        trace = read_trace(self._folder / "traces" / told["trace"]) if told["trace"] else None
        lost = "the tracer left no record" if told["trace"] and trace is None else None
        return Step(
            args=tuple(told["args"]),
            refused=tuple(sorted(told["refused"].items())),
            untraced=told["untraced"] or lost,
            trace=trace,
        )

    def unmoved(self) -> tuple[str, ...]:
        """Return what the tracers told that they did not move the clock of, each once."""
        path = self._folder / "unmoved"
        lines = path.read_text("utf-8").splitlines() if path.exists() else ()
        return tuple(sorted(set(lines)))

    def readings(self) -> tuple[tuple[tuple[str, str], ...], ...]:
        """Return what each probe saw, each named by the kind of root that it ran in."""
        found = []
        for folder in sorted((self._folder / "readings").iterdir()):
            with (folder / "reading").open("rb") as file:
                lines = file.read(_MOST_READING).decode(errors="replace").splitlines()
            pairs = [tuple(line.partition("=")[::2]) for line in lines]
            seen = [(str(name), str(value)) for name, value in pairs if value]
            found.append((("root", folder.name), *seen))
        return tuple(found)


def disk_of(folder: Path) -> Path:
    """Return where a run in `folder` has its file system, if it has one of its own."""
    return folder / "disk"
