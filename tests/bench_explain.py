"""`python -m tests.bench_explain`: what `rebuild --explain` costs for a Debian image of 1.5 GB.

The Containerfile adds Debian packages as one archive and writes 200 files that differ, of ten
kinds. The unit is a plain build of it by buildah, before and after the audit, so that a busy
machine does not decide. Memory is that of all processes of a side together. The archive is made
once, by mmdebstrap, and kept in the user's cache.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from tests import base
from tests.bench_diff import _memory

_PACKAGES = (
    *("passwd", "gcc", "python3", "openjdk-17-jdk-headless", "golang-1.19-go", "llvm-14-dev"),
    "clang-14",
)
#: Large, and read by no step: what is left has the size that is asked for.
_LEFT_OUT = "usr/lib/go-1.19/pkg"
_EPOCH = "1700000000"
_EACH = 20
#: How a file that differs is written; `$n` is its number.
_KINDS = {
    "date": 'echo "built on $(date) as number $n" > $n',
    "day": "date +%Y-%m-%d > $n",
    "hostname": 'echo "file $n of $(hostname)" > $n',
    "gzip": "echo $n > name; gzip -N name; mv name.gz $n",
    "tar": "tar -cf $n -C /etc/pam.d .",
    "umask": "echo $n > $n",
    "random": "cat /proc/sys/kernel/random/uuid > $n",
    "locale": r"printf 'z\nt\na\nB\nb\n' | sort > $n; echo $n >> $n",
    "kernel": "echo $n $(uname -r) > $n",
    "user": "echo $n $USER $HOME > $n",
}


def archive() -> Path:
    """Return the tar archive of the packages, which is made if need be."""
    key = hashlib.sha256(f"{_PACKAGES} {_LEFT_OUT} {_EPOCH} 1".encode()).hexdigest()[:12]
    home = base.cache().parent / f"explain-{key}"
    home.mkdir(parents=True, exist_ok=True)
    path, draft = home / "debian.tar", home / "draft.tar"
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            print("making an archive of Debian packages (once, some minutes)", flush=True)
            options = ["--variant=apt", f"--include={','.join(_PACKAGES)}", "--quiet"]
            options.append(f'--customize-hook=rm -rf "$1"/{_LEFT_OUT}')
            environment = os.environ | {"SOURCE_DATE_EPOCH": _EPOCH}
            subprocess.run(["mmdebstrap", *options, "bookworm", draft], check=True, env=environment)
            draft.rename(path)
    return path


class Peak:
    """The most memory at one time of all processes that come of one, by proportional set size."""

    def __init__(self, process: int) -> None:
        self._process = process
        self._most = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def megabytes(self) -> float:
        self._over.set()
        self._thread.join()
        return self._most / 1000

    def _watch(self) -> None:
        while not self._over.wait(0.5):
            self._most = max(self._most, sum(_memory(Path(f"/proc/{pid}")) for pid in self._all()))

    def _all(self) -> list[int]:
        children: dict[int, list[int]] = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                parent = int(stat.read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):  # it ended
                continue
            children.setdefault(parent, []).append(int(stat.parent.name))
        found = [self._process]
        for pid in found:
            found += children.get(pid, ())
        return found


def run(argv: list[str], environment: dict[str, str], allowed: tuple[int, ...]) -> list[float]:
    """Return wall seconds, processor seconds and megabytes of a program and all that it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(argv, env=environment, stdout=said, stderr=said)
        peak = Peak(process.pid)
        if process.wait() not in allowed:
            said.seek(0)
            sys.exit(f"{argv[0]} failed: {said.read()[-800:].decode(errors='replace')}")
    wall = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return [wall, used, peak.megabytes()]


def main() -> None:
    environment = os.environ | base.storage()
    steps = (
        f"RUN mkdir /srv/{kind} && cd /srv/{kind} && for n in $(seq {_EACH}); do {line}; done"
        for kind, line in _KINDS.items()
    )
    text = "\n".join(["FROM scratch", f"ADD {archive().name} /", *steps, ""])
    with tempfile.TemporaryDirectory(dir=archive().parent) as folder:
        Path(folder, archive().name).hardlink_to(archive())
        Path(folder, "Containerfile").write_text(text)
        build = ["buildah", "bud", "--isolation=oci", "--no-cache", "--timestamp=0", folder]
        audit = [sys.executable, "-m", "repaudit", "rebuild", "--explain", "--timestamp=0"]
        first = run(build, environment, (0,))
        explained = run([*audit, "--quiet", "--format=json", folder], environment, (1,))
        builds = list(zip(first, run(build, environment, (0,)), strict=True))
    wall, used = (explained[n] * 2 / sum(builds[n]) for n in (0, 1))
    print(
        f"an image of {archive().stat().st_size / 1e9:.1f} GB, {_EACH * len(_KINDS)} files: "
        f"rebuild --explain / one bare build = {wall:.1f} in wall time ({explained[0]:.0f} s), "
        f"{used:.1f} in processor time; memory {explained[2]:.0f} MB against "
        f"{max(builds[2]):.0f} MB",
        flush=True,
    )
    subprocess.run(["buildah", "rmi", "--prune", "--force"], env=environment, capture_output=True)


if __name__ == "__main__":
    main()
