"""What a .deb would unpack (deb(5)), and how dpkg was told to unpack it elsewhere, or not at all.

A .deb is read only after its SHA-256 was found in a signed index, so that tarfile will do.
"""

from __future__ import annotations

import gzip
import json
import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from hashlib import file_digest
from io import BufferedIOBase, BytesIO
from typing import IO, cast

import zstandard
from msgspec import Struct, field

from repaudit.model.errors import MalformedError

_MAGIC = b"!<arch>\n"
_HEADER = 60
_FORMS: Mapping[str, Callable[[BytesIO], object]] = {
    "": lambda packed: packed,
    ".gz": lambda packed: gzip.GzipFile(fileobj=packed),
    ".xz": lzma.LZMAFile,
    ".zst": lambda packed: zstandard.ZstdDecompressor().stream_reader(packed),
}
_MOST_NAMES = 1_000_000
_MOST_SCRIPT = 64 << 20
#: Folders that are links in a merged /usr: packages may name a file by either.
_MERGED = ("bin/", "lib/", "lib32/", "lib64/", "libx32/", "sbin/")
#: What images leave out to be small, and no program runs.
_SPARED = ("usr/share/doc/", "usr/share/man/", "usr/share/locale/", "usr/share/info/")
_SPARED_TOO = ("usr/share/lintian/", "usr/share/doc-base/", "usr/share/groff/", "usr/share/linda/")


class Contents(Struct, frozen=True, kw_only=True):
    """The regular files of a .deb: the sha256 of each path, and which of them are conffiles."""

    files: Mapping[str, str]
    conffiles: frozenset[str]

    def packed(self) -> bytes:
        """Return it as text that `unpacked` reads."""
        return json.dumps([dict(self.files), sorted(self.conffiles)]).encode()


def unpacked(data: bytes) -> Contents:
    """Return contents that were packed."""
    files, conffiles = json.loads(data)
    return Contents(files=files, conffiles=frozenset(conffiles))


def contents(deb: bytes) -> Contents:
    """Return what a .deb holds; raise MalformedError where it cannot be read."""
    try:
        members = dict(_members(deb))
        files = dict(_files(*_member(members, "data.tar"), lambda path: True))
        control = _member(members, "control.tar")
        texts = {path: data for path, data in _texts(*control) if path == "conffiles"}
    except (tarfile.TarError, lzma.LZMAError, zlib.error, zstandard.ZstdError) as error:
        raise MalformedError(f"a .deb that cannot be unpacked: {error}") from error
    except (EOFError, OSError, ValueError, KeyError) as error:
        raise MalformedError(f"a .deb that cannot be unpacked: {error!r:.100}") from error
    lines = texts.get("conffiles", b"").decode(errors="surrogateescape").splitlines()
    words = (line.split() for line in lines)  # a flag may stand before the path (deb-conffiles(5))
    named = frozenset(each[-1].lstrip("/") for each in words if each)
    return Contents(files=files, conffiles=named)


def _members(deb: bytes) -> Iterator[tuple[str, bytes]]:
    if not deb.startswith(_MAGIC):
        raise MalformedError("a .deb that is no ar archive")
    at = len(_MAGIC)
    while at + _HEADER <= len(deb):
        header = deb[at : at + _HEADER]
        size = int(header[48:58])
        name = header[:16].decode(errors="replace").strip().rstrip("/")
        at += _HEADER
        if size < 0 or at + size > len(deb):
            raise MalformedError("a .deb that is cut off")
        yield name, deb[at : at + size]
        at += size + size % 2


def _member(members: Mapping[str, bytes], stem: str) -> tuple[str, bytes]:
    name = next((name for name in members if name.startswith(stem)), None)
    if name is None:
        raise MalformedError(f"a .deb without {stem}")
    return name.removeprefix(stem), members[name]


def _opened(form: str, data: bytes) -> tarfile.TarFile:
    packed = BytesIO(data)
    opened = _FORMS[form](packed)
    return tarfile.open(fileobj=cast("IO[bytes]", opened), mode="r|")


def _files(form: str, data: bytes, wanted: Callable[[str], bool]) -> Iterator[tuple[str, str]]:
    found: dict[str, str] = {}
    with _opened(form, data) as archive:
        for count, member in enumerate(archive):
            if count > _MOST_NAMES:
                raise MalformedError(f"a .deb of more than {_MOST_NAMES} files")
            path = _plain(member.name)
            if member.isreg():
                body = archive.extractfile(member)
                digest = file_digest(cast("BufferedIOBase", body), "sha256").hexdigest()
                found[path] = f"sha256:{digest}"
            elif member.islnk() and (target := found.get(_plain(member.linkname))):
                found[path] = target
    yield from found.items()


def _texts(form: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    with _opened(form, data) as archive:
        for member in archive:
            body = archive.extractfile(member) if member.isreg() else None
            if body is not None:
                yield _plain(member.name), body.read(_MOST_SCRIPT)


def _plain(path: str) -> str:
    return path.removeprefix(".").lstrip("/")


class Placing(Struct, frozen=True, kw_only=True):
    """Where an image's dpkg puts files: diversions (dpkg-divert(1)) and path filters (dpkg(1))."""

    diverted: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    filters: tuple[tuple[bool, str], ...] = ()

    def places(self, path: str, package: str) -> tuple[str, ...]:
        """Return where a file of a package may stand."""
        to, by = self.diverted.get(path, (path, package))
        there = path if by == package else to
        return (there, f"usr/{there}") if there.startswith(_MERGED) else (there,)

    def spared(self, path: str) -> bool:
        """Whether an image may well be without it: documentation, or what dpkg was told to omit."""
        left_out = False
        for keep, pattern in self.filters:
            if fnmatchcase(f"/{path}", pattern):
                left_out = not keep
        return left_out or path.startswith((*_SPARED, *_SPARED_TOO))


def placing(files: Mapping[str, bytes]) -> Placing:
    """Return what an image's files say of it; lines that cannot be read say nothing."""
    lines = _lines(files.get("var/lib/dpkg/diversions", b""))
    diverted = {
        _plain(old): (_plain(new), by)
        for old, new, by in zip(lines[::3], lines[1::3], lines[2::3], strict=False)
    }
    filters = []
    for path, data in sorted(files.items()):
        if path == "etc/dpkg/dpkg.cfg" or path.startswith("etc/dpkg/dpkg.cfg.d/"):
            for line in _lines(data):
                name, _, value = line.partition("=")
                if name.strip() in ("path-exclude", "path-include"):
                    filters.append((name.strip() == "path-include", value.strip()))
    return Placing(diverted=diverted, filters=tuple(filters))


def _lines(data: bytes) -> list[str]:
    return data.decode("utf-8", "surrogateescape").splitlines()
