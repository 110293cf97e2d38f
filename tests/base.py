"""The base image of golden cases, demo and benchmark: made once, cached outside of the repo.

It lies in a container storage of its own, which `storage()` points buildah, skopeo and repaudit to;
the host's own storage is left alone.
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
_INCLUDE = "passwd"
_VARIANT = "essential"
_EPOCH = "1700000000"


def cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    key = hashlib.sha256(f"{_VARIANT} {_INCLUDE} {_EPOCH} 1".encode()).hexdigest()[:12]
    return Path(base) / "repaudit-golden" / key


def storage() -> dict[str, str]:
    """Return the environment under which the base image is the host's own; make it if need be."""
    home = cache()
    home.mkdir(parents=True, exist_ok=True)
    conf = home / "storage.conf"
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "ready").exists():
            _make(home, conf)
            (home / "ready").touch()
    return {"CONTAINERS_STORAGE_CONF": str(conf)}


def _make(home: Path, conf: Path) -> None:
    print("making the base image of the golden cases (once, some 30 s)", flush=True)
    shutil.rmtree(home / "storage", ignore_errors=True)
    words = {"driver": "overlay", "graphroot": f"{home}/storage", "runroot": f"{home}/run"}
    lines = [f"{name} = {json.dumps(value)}" for name, value in words.items()]
    conf.write_text("[storage]\n" + "\n".join(lines) + "\n", "utf-8")
    with tempfile.TemporaryDirectory(dir=home) as folder:
        tar = Path(folder) / "base.tar"
        include = [f"--variant={_VARIANT}", f"--include={_INCLUDE}", "--quiet"]
        environment = os.environ | {"SOURCE_DATE_EPOCH": _EPOCH}
        subprocess.run(["mmdebstrap", *include, "bookworm", tar], check=True, env=environment)
        (Path(folder) / "Containerfile").write_text("FROM scratch\nADD base.tar /\n")
        build = ["buildah", "bud", "--quiet", "--isolation=oci", f"--timestamp={_EPOCH}"]
        environment = os.environ | {"CONTAINERS_STORAGE_CONF": str(conf)}
        subprocess.run([*build, "--tag", NAME, folder], check=True, env=environment)
