"""Pairs of images that differ in five files, for the benchmark: made once, of Debian packages.

`python -m tests.pairs [NAME…]` makes them below the user's cache. Each pair is two OCI layouts of
one layer, which differ in a stamp, a C program with `__DATE__`, a pyc, a tar.gz and a jar, and in
the times of those. The packages are unpacked by mmdebstrap and not configured.
"""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import io
import json
import os
import py_compile
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from tests.images import CONFIG, LAYER, MANIFEST

_EPOCH = 1700000000
_SMALL = ("base-files", "zip", "hello")
_MEDIUM = (
    *("base-files", "bash", "coreutils", "python3", "gcc", "libc6-dev", "zip", "xz-utils", "apt"),
    *("dpkg", "libc-bin", "tzdata", "util-linux", "perl", "bison", "vim-runtime"),
)
_LARGE = (
    *_MEDIUM,
    *("default-jdk-headless", "libboost1.74-dev", "linux-headers-amd64", "python3-scipy"),
    *("python3-pandas", "python3-sympy", "python3-django", "npm", "cmake", "perl-doc", "gfortran"),
    *("git", "libicu-dev", "gdb", "emacs-common"),
)
#: What a pair is made of, and whether its layers are compressed.
PAIRS = {
    "small": (_SMALL, True),
    "medium": (_MEDIUM, True),
    "medium-plain": (_MEDIUM, False),
    "large": (_LARGE, True),
}
#: The planted files stand here, in the middle of the layer.
_PLACE = "opt/app"
SIDES = ("left", "right")


def cache(name: str) -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    key = hashlib.sha256(f"{PAIRS[name]} {_EPOCH} 1".encode()).hexdigest()[:12]
    return Path(base) / "repaudit-pairs" / f"{name}-{key}"


def pair(name: str) -> tuple[Path, Path]:
    """Return two layouts; make them if need be."""
    home = cache(name)
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "ready").exists():
            for word in SIDES:
                shutil.rmtree(home / word, ignore_errors=True)
            with tempfile.TemporaryDirectory(dir=home) as folder:
                _make(name, Path(folder), home)
            (home / "ready").touch()
    return home / SIDES[0], home / SIDES[1]


def blob(layout: Path) -> Path:
    """Return the file of a layout's only layer."""
    index = json.loads((layout / "index.json").read_text())
    manifest = json.loads(_blob(layout, index["manifests"][0]).read_text())
    return _blob(layout, manifest["layers"][0])


def _blob(layout: Path, descriptor: dict[str, str]) -> Path:
    return layout / "blobs" / descriptor["digest"].replace(":", "/")


def _make(name: str, folder: Path, home: Path) -> None:
    print(f"making the pair {name!r} (once)", flush=True)
    packages, compressed = PAIRS[name]
    base = folder / "base.tar"
    unpack = ["mmdebstrap", "--quiet", "--variant=extract", f"--include={','.join(packages)}"]
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(_EPOCH)}
    subprocess.run([*unpack, "bookworm", base], check=True, env=environment)
    at = _insertion(base)
    for side, word in enumerate(SIDES):
        tar = folder / f"{word}.tar"
        with base.open("rb") as source, tar.open("wb") as target:
            _copy(source, target, at)
            target.write(_planted(side, folder))
            shutil.copyfileobj(source, target, 1 << 20)
    if compressed:
        running = [subprocess.Popen(["gzip", "-6", "-n", "-k", folder / f"{w}.tar"]) for w in SIDES]
        if any(process.wait() for process in running):
            sys.exit("gzip failed")
    for word in SIDES:
        layout(folder / f"{word}.tar", home / word, compressed=compressed)


def _insertion(tar: Path) -> int:
    """Return where the first member lies that comes after the planted ones by name."""
    with tarfile.open(tar) as archive:
        return next(m.offset for m in archive if m.name.removeprefix("./") > _PLACE)


def _copy(source: io.BufferedReader, target: io.BufferedWriter, size: int) -> None:
    while size:
        data = source.read(min(size, 1 << 20))
        target.write(data)
        size -= len(data)


def _planted(side: int, folder: Path) -> bytes:
    """Return the five files of one side, as members without an end of archive."""
    when = _EPOCH + 86_400 * side
    files = {
        "stamp": f"built at {when} on host-{'x' * (side + 1)}\n".encode(),
        "program": _program(when, folder),
        "module.pyc": _module(when, folder),
        "data.tar.gz": _archive(when),
        "library.jar": _jar(side),
    }
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(f"./{_PLACE}/{name}")
            member.size, member.mtime = len(data), when
            archive.addfile(member, io.BytesIO(data))
        end = archive.offset
    return out.getvalue()[:end]


def _program(when: int, folder: Path) -> bytes:
    source = folder / "program.c"
    source.write_text('#include <stdio.h>\nint main(void) { puts(__DATE__ " " __TIME__); }\n')
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(when)}
    subprocess.run(["gcc", "-o", folder / "program", source], check=True, env=environment)
    return (folder / "program").read_bytes()


def _module(when: int, folder: Path) -> bytes:
    source = folder / "module.py"
    source.write_text("ANSWER = 42\n")
    os.utime(source, (when, when))
    mode = py_compile.PycInvalidationMode.TIMESTAMP
    py_compile.compile(str(source), str(folder / "pyc"), "module.py", invalidation_mode=mode)
    return (folder / "pyc").read_bytes()


def _archive(when: int) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for number in range(5):
            data = b"a line\n" * (number + 1) * 100
            member = tarfile.TarInfo(f"file-{number}")
            member.size, member.mtime = len(data), when
            archive.addfile(member, io.BytesIO(data))
    return gzip.compress(out.getvalue(), mtime=when)


def _jar(side: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as jar:
        for name in ("META-INF/MANIFEST.MF", "A.class", "B.class"):
            jar.writestr(zipfile.ZipInfo(name, (2026, 1, 1 + side, 0, 0, 0)), name * 100)
    return out.getvalue()


def layout(tar: Path, home: Path, *, compressed: bool) -> None:
    """Make a layout of one layer; the archive, and TAR.gz beside it, are moved there."""
    blobs = home / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def add(data: bytes, media_type: str) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    stored = Path(f"{tar}.gz") if compressed else tar
    digests = [f"sha256:{_digest(path)}" for path in (tar, stored)]
    layer = {"mediaType": LAYER + ".gzip" * compressed, "digest": digests[1]}
    layer["size"] = stored.stat().st_size
    shutil.move(stored, blobs / digests[1].removeprefix("sha256:"))
    config = {"os": "linux", "architecture": "amd64"}
    config["rootfs"] = {"type": "layers", "diff_ids": [digests[0]]}
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "layers": [layer]}
    manifest["config"] = add(json.dumps(config).encode(), CONFIG)
    root = add(json.dumps(manifest).encode(), MANIFEST)
    (home / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (home / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [root]}))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    for wanted in sys.argv[1:] or PAIRS:
        print(*pair(wanted))
