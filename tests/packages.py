"""Wheels, jars and node packages made by hand, as files and as they are installed."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Mapping

Tree = dict[str, bytes]
SITE = "usr/local/lib/python3.12/site-packages/"


def zipped(files: Mapping[str, bytes], *, store: bool = False) -> bytes:
    out = io.BytesIO()
    method = zipfile.ZIP_STORED if store else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(out, "w", method) as file:
        for name, data in files.items():
            file.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, method)
    return out.getvalue()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def record(files: Mapping[str, bytes], folder: str) -> bytes:
    lines = []
    for name, data in files.items():
        digest = urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(data)}")
    return "\n".join([*lines, f"{folder}/RECORD,,", ""]).encode()


def wheel_tree(name: str, version: str, code: bytes = b"x = 1\n") -> Tree:
    folder = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
    tags = b"Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files = {
        f"{name}/__init__.py": code,
        f"{folder}/METADATA": metadata,
        f"{folder}/WHEEL": tags,
    }
    return files | {f"{folder}/RECORD": record(files, folder)}


def wheel(name: str, version: str, code: bytes = b"x = 1\n") -> bytes:
    return zipped(wheel_tree(name, version, code))


def installed_wheel(name: str, version: str, code: bytes = b"x = 1\n") -> Tree:
    """As pip leaves it: INSTALLER beside, and in RECORD."""
    tree = wheel_tree(name, version, code)
    folder = f"{name}-{version}.dist-info"
    tree[f"{folder}/INSTALLER"] = b"pip\n"
    del tree[f"{folder}/RECORD"]
    tree[f"{folder}/RECORD"] = record(tree, folder)
    return {SITE + path: data for path, data in tree.items()}


def jar(group: str, name: str, version: str, code: bytes = b"\xca\xfe\xba\xbe") -> bytes:
    said = f"#made\ngroupId={group}\nartifactId={name}\nversion={version}\n".encode()
    return zipped(
        {
            "META-INF/MANIFEST.MF": b"Manifest-Version: 1.0\n",
            "A.class": code,
            f"META-INF/maven/{group}/{name}/pom.properties": said,
        }
    )


def boot_jar(inner: Mapping[str, bytes]) -> bytes:
    files = {f"BOOT-INF/lib/{name}": data for name, data in inner.items()}
    return zipped({"META-INF/MANIFEST.MF": b"Start-Class: A\n", **files}, store=True)


def integrity(data: bytes) -> str:
    return "sha512-" + b64encode(hashlib.sha512(data).digest()).decode()


def node_package(name: str, version: str) -> Tree:
    manifest = json.dumps({"name": name, "version": version}).encode()
    return {f"app/node_modules/{name}/package.json": manifest}


def hidden_lock(packages: Mapping[str, tuple[str, bytes]]) -> Tree:
    entries = {
        f"node_modules/{name}": {"version": version, "integrity": integrity(data)}
        for name, (version, data) in packages.items()
    }
    lock = {"lockfileVersion": 3, "packages": entries}
    return {"app/node_modules/.package-lock.json": json.dumps(lock).encode()}
