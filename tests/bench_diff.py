"""`python -m tests.bench_diff [PAIR…]`: what `repaudit diff` costs, beside the floor.

The floor is what no verifying reader can do without: both blobs decompressed with the fastest
library, and what comes out hashed, a process each. A reader that verifies hashes the blobs as they
are stored as well: that floor is shown beside it. The selftest, which a version makes once, was
made by a comparison of the small pair; of the blobs at hand nothing is known then. All sides run in
turn, and the ratios are those of neighbours in time, so that a busy machine does not decide. Peak
memory is that of all processes of a side together.
"""

from __future__ import annotations

import compileall
import os
import resource
import statistics
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import repaudit
from tests import pairs

_FLOOR = """
import hashlib, os, sys
from isal import igzip_lib

def read(path):
    hasher, stored = hashlib.sha256(), hashlib.sha256()
    with open(path, "rb") as file:
        packed = file.read(2) == b"\\x1f\\x8b"
        file.seek(0)
        decoder = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
        while data := file.read(1 << 16 if packed else 1 << 18):
            if packed and sys.argv[3:]:
                stored.update(data)
            while packed and (data or not decoder.needs_input) and not decoder.eof:
                hasher.update(decoder.decompress(data, 1 << 18))
                data = b""
            hasher.update(data)
    return hasher.hexdigest()

child = os.fork()
read(sys.argv[1 if child else 2])
if child:
    os.waitpid(child, 0)
"""
#: Seconds after which a side is stopped: nobody waits for longer.
_PATIENCE = 600
_ROUNDS = 5
#: The least entries of which five differ.
_FEWEST = 25
#: So many entries take long enough to be read once.
_MANY = 1_000_000
REPAUDIT = Path(sys.executable).with_name("repaudit")


@dataclass(frozen=True)
class Cost:
    """Wall and processor seconds, and the most memory at one time in MB; None if it was stopped."""

    wall: float
    processor: float
    memory: float
    done: bool = True


def cost(argv: Sequence[str | Path], patience: float = _PATIENCE, **environment: str) -> Cost:
    """Run a program; its memory is looked at all the while, that of its children included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    process = subprocess.Popen(
        [str(word) for word in argv],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | environment,
        start_new_session=True,
    )
    watch = _Memory(process.pid)
    try:
        process.wait(patience)
        done = process.returncode in {0, 1}
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.wait()
        done = False
    wall = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(wall, used, watch.peak(), done)


class _Memory:
    """The sum of the proportional set sizes (proc(5), smaps_rollup) of a session's processes."""

    def __init__(self, session: int) -> None:
        self._session = session
        self._peak = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def peak(self) -> float:
        self._over.set()
        self._thread.join()
        return self._peak / 1000

    def _watch(self) -> None:
        while not self._over.wait(0.05):
            self._peak = max(self._peak, sum(map(_memory, self._processes())))

    def _processes(self) -> list[Path]:
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                if int(stat.read_text().rpartition(")")[2].split()[3]) == self._session:
                    found.append(stat.parent)
            except (OSError, IndexError):
                continue  # it ended
        return found


def _memory(process: Path) -> int:
    try:
        lines = (process / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def make_selftest(cache: str) -> None:
    """Let a cache know that this version catches what is planted, and no more than that."""
    cost([REPAUDIT, "diff", "--quiet", *pairs.pair("small")], XDG_CACHE_HOME=cache)
    for kept in Path(cache, "repaudit", "index").iterdir():
        if not kept.name.startswith("selftest-"):
            kept.unlink()


def compare(name: str, rounds: int = _ROUNDS) -> None:
    """Print a pair's ratios."""
    layouts = pairs.pair(name)
    blobs = [pairs.blob(layout) for layout in layouts]
    diff = [REPAUDIT, "diff", "--quiet", *layouts]
    floors, verified, firsts, seconds = [], [], [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as cache:
            make_selftest(cache)
            floors.append(cost([sys.executable, "-c", _FLOOR, *blobs]))
            verified.append(cost([sys.executable, "-c", _FLOOR, *blobs, "stored"]))
            firsts.append(cost(diff, XDG_CACHE_HOME=cache))
            seconds.append(cost(diff, XDG_CACHE_HOME=cache))
    _say(name, "first / floor", firsts, floors)
    _say(name, "first / floor with the digests of the blobs as stored", firsts, verified)
    _say(name, "second / first", seconds, firsts)
    wall = statistics.median(one.wall for one in firsts)
    memory = max(one.memory for one in firsts)
    print(f"{name}: {wall:.2f} s, {memory:.0f} MB at most", flush=True)


def _say(name: str, what: str, some: Sequence[Cost], others: Sequence[Cost]) -> None:
    for kind in ("wall", "processor"):
        ratios = [
            getattr(one, kind) / getattr(other, kind)
            for one, other in zip(some, others, strict=True)
        ]
        print(
            f"{name}: {what}, {kind} time = {statistics.median(ratios):.2f} "
            f"({min(ratios):.2f} to {max(ratios):.2f})",
            flush=True,
        )


def growth(counts: Sequence[int] = (10_000, 100_000, 1_000_000)) -> None:
    """Print the time for an entry as layers grow.

    What it takes to start, and to look into the five files that differ, is what the smallest layers
    take that have as many.
    """
    with tempfile.TemporaryDirectory() as folder:
        few = [_layers(Path(folder, "0", word), _FEWEST, word) for word in pairs.SIDES]
        start = statistics.median(_alone(few).processor for _ in range(_ROUNDS))
        for count in counts:
            sides = [_layers(Path(folder, str(count), word), count, word) for word in pairs.SIDES]
            took = [_alone(sides) for _ in range(_ROUNDS if count < _MANY else 1)]
            used = statistics.median(one.processor for one in took)
            each = (used - start) / (count - _FEWEST) * 1e6
            print(
                f"{count} entries a side: {each:.1f} us of processor time an entry, "
                f"{took[0].wall:.1f} s, {took[0].memory:.0f} MB",
                flush=True,
            )


def _alone(sides: Sequence[Path]) -> Cost:
    """Compare two images of which nothing is known."""
    with tempfile.TemporaryDirectory() as cache:
        make_selftest(cache)
        return cost([REPAUDIT, "diff", "--quiet", *sides], XDG_CACHE_HOME=cache)


def _layers(home: Path, count: int, word: str) -> Path:
    """Make a layout of one plain layer of so many small files, of which five differ."""
    home.mkdir(parents=True)
    tar = home.parent / f"{word}.tar"
    one = tarfile.TarInfo("./" + "n" * 40)
    one.size, one.mtime = 8, 1_700_000_000
    with tar.open("wb") as file:
        for number in range(count):
            one.name = f"./usr/share/some/where/{number // 100:06}/file-{number:08}"
            file.write(one.tobuf(tarfile.GNU_FORMAT))
            differs = number % (count // 5 + 1) == 0
            file.write((word if differs else "content").encode()[:8].ljust(512, b"\0"))
        file.write(bytes(1024))
    pairs.layout(tar, home, compressed=False)
    return home


def main(names: Sequence[str]) -> None:
    # As pip leaves a package that it installs, and unlike one that is being edited.
    compileall.compile_dir(Path(repaudit.__file__).parent, quiet=1)
    if names == ["growth"]:
        growth()
        return
    for name in names:
        compare(name)


if __name__ == "__main__":
    main(sys.argv[1:] or list(pairs.PAIRS))
    if len(sys.argv) == 1:
        growth()
