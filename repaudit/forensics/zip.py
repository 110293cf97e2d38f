"""zip, jar and wheel: times, modes and order of the members, the jar's manifest (APPNOTE 4.3)."""

from __future__ import annotations

import io
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime

from repaudit.forensics._case import clue, contents, distinct, sides, whole
from repaudit.forensics._dates import why_later
from repaudit.forensics._inner import (
    Member,
    inside,
    insides,
    modes,
    only_on_one_side,
    order,
)
from repaudit.forensics.interface import Case, Forensic
from repaudit.model.finding import Clue

_MAGIC = b"PK\x03\x04"
_MOST_MEMBERS = 20_000
_MOST_OF_ONE = 4 << 20
_MOST_OF_ALL = 64 << 20
_MANIFEST = ("META-INF/MANIFEST.MF", 0)
_KEYS = {
    "Built-By": "user_in_java_jar_manifest",
    "Build-Jdk": "toolchain_in_java_jar_manifest",
    "Created-By": "toolchain_in_java_jar_manifest",
    "Bnd-LastModified": "timestamp_in_java_bnd_manifest",
}
_SLUGS = {"jar": "timestamps_in_jar", "war": "timestamps_in_jar", "ear": "timestamps_in_jar"}
_BROKEN = (
    zipfile.BadZipFile,
    NotImplementedError,  # a compression that Python does not have
    RuntimeError,  # encrypted
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,  # bz2's way to say invalid data
    ValueError,
    struct.error,
    OverflowError,
)


class _Zip:
    name = "zip"

    def examine(self, case: Case) -> Iterator[Clue]:
        """Yield what of the directory differs, and what is found in the members."""
        data = contents(case)
        # The directory stands at the end, so a file that was cut off has none.
        if data is None or not whole(case) or not all(s.startswith(_MAGIC) for s in data):
            return
        left, right = _members(data[0]), _members(data[1])
        if left and right:
            yield from distinct(_compare(case, left, right))


def _compare(
    case: Case, left: dict[tuple[str, int], Member], right: dict[tuple[str, int], Member]
) -> Iterator[Clue]:
    yield from _times(case, left, right)
    yield from modes(case, left, right)
    yield from order(case, "random_order_in_zip", left, right)
    manifests = left.pop(_MANIFEST, None), right.pop(_MANIFEST, None)
    if manifests[0] and manifests[1]:
        yield from _manifest(case, manifests[0].data, manifests[1].data)
    yield from insides(case, left, right)
    yield from only_on_one_side(left, right)


def _times(
    case: Case, left: dict[tuple[str, int], Member], right: dict[tuple[str, int], Member]
) -> Iterator[Clue]:
    suffix = case.difference.path.rpartition(".")[2].lower()
    slug = "python_wheel_package" if suffix == "whl" else _SLUGS.get(suffix, "timestamps_in_zip")
    for key, member in left.items():
        a, b = member.time, right[key].time if key in right else None
        if a is None or b is None or a == b:
            continue
        zone = why_later(case, b - a, wrap=False) == "captures_timezone"
        detail = f"time of {key[0][-60:]}: {sides(_shown(a), _shown(b))}"
        yield clue(slug, detail, factors=("timezone",) if zone else None)


def _shown(seconds: int) -> str:
    # The times are the wall clock's: APPNOTE 4.4.6 knows no zone.
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _manifest(case: Case, left: bytes, right: bytes) -> Iterator[Clue]:
    for key, slug in _KEYS.items():
        pattern = re.compile(rb"^" + key.encode() + rb": (.*)$", re.MULTILINE)
        a, b = pattern.search(left), pattern.search(right)
        if a and b and a[1] != b[1]:
            yield clue(slug, f"{key} {sides(a[1].strip(), b[1].strip())}")
            left, right = pattern.sub(b"", left), pattern.sub(b"", right)
    if left != right:
        yield from inside(case, _MANIFEST[0], left, right)


def _members(data: bytes) -> dict[tuple[str, int], Member]:
    found: dict[tuple[str, int], Member] = {}
    seen: dict[str, int] = {}
    room = _MOST_OF_ALL
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for info in archive.infolist()[:_MOST_MEMBERS]:
                number = seen[info.filename] = seen.get(info.filename, -1) + 1
                content = _content(archive, info, min(room, _MOST_OF_ONE))
                room -= len(content)
                found[info.filename, number] = Member(
                    time=_seconds(info), mode=info.external_attr >> 16, data=content
                )
    except _BROKEN:
        return {}
    return found


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo, room: int) -> bytes:
    try:
        with archive.open(info) as stream:
            return stream.read(room)
    except _BROKEN:
        return b""


def _seconds(info: zipfile.ZipInfo) -> int | None:
    try:
        return int(datetime(*info.date_time, tzinfo=UTC).timestamp())
    except ValueError:
        return None


FORENSIC: Forensic = _Zip()
