"""Requirements files: versions and hashes of all that they ask for, as uv resolves them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from msgspec import Struct
from packageurl import PackageURL
from packaging.utils import canonicalize_name

from repaudit.ecosystems import ECOSYSTEMS
from repaudit.host.resolvers import compile_requirements
from repaudit.model.errors import ToolFailedError, ToolMissingError
from repaudit.model.pins import Edit
from repaudit.stages.writing import Added, Left, Place, Wish

_LOOSE = frozenset({"PY001", "PY002"})
#: NAME[EXTRAS] SPECIFIERS ; MARKER, on one line: what a version can be written into.
_REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)(?P<extras>\s*\[[^\]\r\n]*\])?"
    r"(?P<bounds>\s*\(?[<>=!~][^;@\r\n\\]*)?(?P<marker>\s*;[^\r\n\\]*)?"
)
_ENTRY = re.compile(
    r"(?P<name>[\w.-]+)(?:\[[^\]]*\])?==(?P<version>\S+)(?P<marker> ; [^\\\n]*[^\\\n ])?"
    r"(?P<hashes>(?: \\\n    --hash=\S+)*)"
)
_INCLUDES = re.compile(rb"^[ \t]*(?:-r|--requirement)[ \t=]*([^\s#]+)", re.MULTILINE)
_HASH = re.compile(r"--hash=(\S+)")
_MOST_INCLUDED = 50
_UNSURE = "left as it is: write NAME==VERSION and its hashes on a line of its own"


class _Resolved(Struct, frozen=True):
    version: str
    marker: str
    hashes: tuple[str, ...]


def requirements(place: Place, wish: Wish) -> Iterator[Edit | Added | Left]:
    """Yield the edits that lock a requirements file, with what is missing behind its last line.

    A `.in` file stays; its lock is the .txt beside it.
    """
    asked = [one for one in place.findings if one.id in _LOOSE and place.text(one)]
    if not asked or not ECOSYSTEMS.load("requirements").claims(place.path, b""):
        return
    if wish.fetcher.offline:
        yield Left(location=asked[0].location, sought=place.path)
        return
    try:
        lock = compile_requirements(wish.tree.root / place.path, _rfc3339(wish.at))
    except (ToolFailedError, ToolMissingError) as error:
        yield Left(location=asked[0].location, sought=place.path, reason=error.message)
        return
    if place.path.endswith(".in"):
        yield Added(path=place.path.removesuffix(".in") + ".txt", data=lock)
        return
    yield from _edits(place, wish, lock.decode())


def _rfc3339(at: str | None) -> str | None:
    """Return an instant as uv takes it."""
    if at is None:
        return None
    return f"{at[:4]}-{at[4:6]}-{at[6:8]}T{at[9:11]}:{at[11:13]}:{at[13:15]}Z"


def _edits(place: Place, wish: Wish, lock: str) -> Iterator[Edit | Left]:
    several: dict[str, list[_Resolved]] = {}
    for entry in _ENTRY.finditer(lock):
        hashes = tuple(_HASH.findall(entry["hashes"]))
        one = _Resolved(entry["version"], entry["marker"] or "", hashes)
        several.setdefault(canonicalize_name(entry["name"]), []).append(one)
    ends = "\r\n" if b"\r\n" in place.data else "\n"
    for finding in place.findings:
        if finding.id not in _LOOSE:
            continue
        match = _REQUIREMENT.fullmatch(place.text(finding))
        if match is None:
            yield Left(location=finding.location, sought=finding.message, reason=_UNSURE)
            continue
        found = several.get(canonicalize_name(match["name"]), [])
        if len(found) != 1:  # none for this platform, or another one for each
            reason = f"{len(found)} versions fit: write one line for each"
            yield Left(location=finding.location, sought=match["name"], reason=reason)
            continue
        start = finding.location.start or 0
        base = match["name"] + (match["extras"] or "")
        marker = (match["marker"] or "").rstrip()
        marker = f" {marker.strip()}" if marker else ""
        text = f"{base}=={found[0].version}{marker}{_options(found[0].hashes, ends)}"
        yield Edit(start=start, end=start + len(place.text(finding).encode()), text=text)
    yield from _missing(place, _named(place, wish), several, ends)


def _options(hashes: tuple[str, ...], ends: str) -> str:
    return "".join(f" \\{ends}    --hash={one}" for one in hashes)


def _named(place: Place, wish: Wish) -> frozenset[str]:
    """Return the packages that a file names, or one that it includes."""
    paths, waiting = {place.path}, [(place.path, place.data)]
    while waiting and len(paths) < _MOST_INCLUDED:
        path, data = waiting.pop()
        for match in _INCLUDES.finditer(data):
            folder = path.rpartition("/")[0]
            other = "/".join(filter(None, (folder, match[1].decode(errors="replace"))))
            if other not in paths and (inner := wish.tree.read(other)) is not None:
                paths.add(other)
                waiting.append((other, inner))
    return frozenset(
        PackageURL.from_string(pin.purl).name
        for pin in wish.pins
        if pin.kind == "pypi" and pin.location.path in paths
    )


def _missing(
    place: Place, named: frozenset[str], several: Mapping[str, list[_Resolved]], ends: str
) -> Iterator[Edit]:
    """Yield the lines of what is needed and not named: without them pip refuses the whole file."""
    lines = [
        f"{name}=={one.version}{one.marker}{_options(one.hashes, ends)}{ends}"
        for name, found in sorted(several.items())
        for one in found
        if name not in named
    ]
    if lines:
        end = len(place.data)
        joint = "" if place.data.endswith(b"\n") or not place.data else ends
        yield Edit(start=end, end=end, text=joint + "".join(lines))
