"""Installed Python packages: *.dist-info and its RECORD, and eggs, which have none.

The format is that of packaging.python.org, "Recording installed projects"; that of eggs is in the
documentation of setuptools, "The Internal Structure of Python Eggs".
"""

from __future__ import annotations

import csv
import json
from base64 import urlsafe_b64decode
from collections.abc import Iterator, Mapping
from email.parser import BytesHeaderParser
from posixpath import normpath

from msgspec.structs import replace
from packageurl import PackageURL
from packaging.tags import parse_tag
from packaging.utils import canonicalize_name

from repaudit.inventories.interface import MOST_TEXT, Inventory
from repaudit.model.installed import Installed, Unidentified
from repaudit.oci.filesystem import Files

_METADATA, _RECORD, _WHEEL, _ORIGIN = "METADATA", "RECORD", "WHEEL", "direct_url.json"
_SUFFIX = ".dist-info"
_EGG = (".egg-info/PKG-INFO", "/EGG-INFO/PKG-INFO", ".egg-info")


class _Wheel:
    name = "wheel"
    kind = "pypi"

    def installed(self, files: Files) -> Iterator[Installed | Unidentified]:
        folders = [
            path.removesuffix(f"/{_METADATA}")
            for path in files.digests
            if path.endswith(f"{_SUFFIX}/{_METADATA}")
        ]
        names = (_METADATA, _RECORD, _WHEEL, _ORIGIN)
        wanted = [f"{folder}/{name}" for folder in folders for name in names]
        texts = dict(files.contents({p: MOST_TEXT for p in wanted if p in files.digests}))
        for folder in folders:
            yield _distribution(folder, texts, files)
        eggs = {path: MOST_TEXT for path in files.digests if path.endswith(_EGG)}
        for path, data in files.contents(eggs):
            yield _named(path, data) or _nameless(path)


def _distribution(
    folder: str, texts: Mapping[str, bytes], files: Files
) -> Installed | Unidentified:
    path = f"{folder}/{_METADATA}"
    found = _named(path, texts.get(path, b""))
    if found is None:
        return _nameless(path)
    try:
        listed = tuple(_record(folder, texts.get(f"{folder}/{_RECORD}", b""), files))
    except (ValueError, csv.Error):
        return Unidentified(kind="pypi", path=path, reason="RECORD cannot be read")
    return replace(
        found,
        files=listed,
        tags=_tags(texts.get(f"{folder}/{_WHEEL}", b"")),
        local=_from_folder(texts.get(f"{folder}/{_ORIGIN}", b"")),
    )


def _named(path: str, data: bytes) -> Installed | None:
    """Return the package that metadata names, None where they name none."""
    fields = _headers(data)
    name, version = fields.get("name", ""), fields.get("version", "")
    if not name or not version:
        return None
    try:
        package = PackageURL(type="pypi", name=canonicalize_name(name), version=version)
    except ValueError:
        return None
    return Installed(kind="pypi", purl=package.to_string(), path=path, unpacked=True)


def _nameless(path: str) -> Unidentified:
    reason = f"{path.rpartition('/')[2]} names no package"
    return Unidentified(kind="pypi", path=path, reason=reason)


def _headers(data: bytes) -> dict[str, str]:
    message = BytesHeaderParser().parsebytes(data)
    return {name.lower(): str(value).strip() for name, value in message.items()}


def _record(folder: str, data: bytes, files: Files) -> Iterator[tuple[str, str, str]]:
    """Yield the lines of a RECORD that have a sha256: what it says, and what is so."""
    base = folder.rpartition("/")[0]
    for row in csv.reader(data.decode("utf-8").splitlines()):
        if len(row) < 2 or not row[1].startswith("sha256="):
            continue
        value = row[1].removeprefix("sha256=")
        digest = urlsafe_b64decode(value + "=" * (-len(value) % 4)).hex()
        path = normpath(f"/{base}/{row[0]}").lstrip("/")
        if row[0].startswith("/"):
            path = normpath(row[0]).lstrip("/")
        yield row[0], f"sha256:{digest}", files.digests.get(path, "")


def _tags(data: bytes) -> frozenset[str]:
    found = BytesHeaderParser().parsebytes(data).get_all("Tag", [])
    try:
        return frozenset(str(tag) for text in found[:100] for tag in parse_tag(str(text).strip()))
    except ValueError:
        return frozenset()


def _from_folder(data: bytes) -> bool:
    """Whether it was built from a folder of the build's, not taken from an archive."""
    try:
        origin = json.loads(data) if data else {}
    except (ValueError, RecursionError):
        return False
    url = origin.get("url") if isinstance(origin, dict) else None
    return isinstance(url, str) and url.startswith("file:") and "dir_info" in origin


INVENTORY: Inventory = _Wheel()
