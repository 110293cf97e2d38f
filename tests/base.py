"""The base images of golden cases, demo and benchmark: made once, cached outside of the repo.

They lie in a container storage of its own, which `storage()` points buildah, skopeo and repaudit
to; the host's own storage is left alone.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

NAME = "localhost/repaudit-golden"
#: The images of the planted causes: C, Python and archivers; Java, Rust and npm.
TOOLS, RUNTIMES = f"{NAME}-tools", f"{NAME}-runtimes"
#: What `pins write` takes apt's sources from: those of Debian's mirrors.
APT = f"{NAME}-apt"
_VARIANT = "essential"
_EPOCH = "1700000000"
_PACKAGES = {
    NAME: ("passwd",),
    TOOLS: (
        *("passwd", "xz-utils", "zip", "git", "openssl", "perl", "gcc", "libc6-dev", "python3"),
        *("python3-pip", "gettext", "groff", "fontconfig", "fonts-dejavu-core"),
    ),
    APT: ("apt",),
    RUNTIMES: ("passwd", "openjdk-17-jdk-headless", "rustc", "npm"),
}
#: What no step reads, and would only cost time.
_UNREAD = ("usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale", "var/cache")


def cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(base) / "repaudit-golden" / _key(NAME)


def storage(*more: str) -> dict[str, str]:
    """Return the environment under which the base image is the host's own; make it if need be.

    So are the images named in `more`.
    """
    home = cache()
    home.mkdir(parents=True, exist_ok=True)
    conf = home / "storage.conf"
    for name in (NAME, *more):
        ready = home / ("ready" if name == NAME else f"ready-{_key(name)}")
        if ready.exists():
            continue
        # One lock an image: who needs another one need not wait for minutes.
        with (home / f"lock-{_key(name)}").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if ready.exists():
                continue
            print(f"making the base image {name} (once, it takes a minute or two)", flush=True)
            if name == NAME:
                _configure(home, conf)
            _make(home, conf, name)
            ready.touch()
    return {"CONTAINERS_STORAGE_CONF": str(conf)}


def _key(name: str) -> str:
    words = f"{_VARIANT} {' '.join(_PACKAGES[name])} {_EPOCH} 1"
    return hashlib.sha256(words.encode()).hexdigest()[:12]


def _configure(home: Path, conf: Path) -> None:
    shutil.rmtree(home / "storage", ignore_errors=True)
    words = {"driver": "overlay", "graphroot": f"{home}/storage", "runroot": f"{home}/run"}
    lines = [f"{name} = {json.dumps(value)}" for name, value in words.items()]
    conf.write_text("[storage]\n" + "\n".join(lines) + "\n", "utf-8")


def _make(home: Path, conf: Path, name: str) -> None:
    with tempfile.TemporaryDirectory(dir=home) as folder:
        tar = Path(folder) / "base.tar"
        options = [f"--variant={_VARIANT}", f"--include={','.join(_PACKAGES[name])}", "--quiet"]
        if name != NAME:
            unread = " ".join(f'"$1"/{path}/*' for path in _UNREAD)
            options.append(f"--customize-hook=rm -rf {unread}")
        environment = os.environ | {"SOURCE_DATE_EPOCH": _EPOCH}
        subprocess.run(["mmdebstrap", *options, "bookworm", tar], check=True, env=environment)
        (Path(folder) / "Containerfile").write_text("FROM scratch\nADD base.tar /\n")
        build = ["buildah", "bud", "--quiet", "--isolation=oci", f"--timestamp={_EPOCH}"]
        environment = os.environ | {"CONTAINERS_STORAGE_CONF": str(conf)}
        subprocess.run([*build, "--tag", name, folder], check=True, env=environment)
