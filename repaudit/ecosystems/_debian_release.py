"""A suite's Release file (its signed text), and which suites an image takes packages from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from msgspec import Struct

from repaudit.ecosystems import _apt
from repaudit.ecosystems._debian import fields_of
from repaudit.ecosystems.interface import document
from repaudit.model.errors import MalformedError

_LINE = re.compile(rb"([0-9a-f]{64})[ \t]+([0-9]{1,12})[ \t]+(\S{1,1024})")
_CODENAME = re.compile(r"^VERSION_CODENAME=[\"']?([a-z]{1,40})[\"']?$", re.MULTILINE)
_VERSION_ID = re.compile(r"^VERSION_ID=[\"']?([0-9.]{1,20})[\"']?$", re.MULTILINE)
_ID = re.compile(r"^ID=[\"']?([a-z]{1,40})[\"']?$", re.MULTILINE)
#: What may stand in an address: an image chooses it, and it shall lead nowhere else.
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(?:[./][A-Za-z0-9_-]+)*")
#: Each costs requests; real images have some ten.
_MOST_SUITES = 64
_INSTANT = "%Y%m%dT%H%M%SZ"


class Release(Struct, frozen=True, kw_only=True):
    """The indexes of a suite: by path, the SHA-256 in hex and the size in bytes.

    `names` are what the suite calls itself; it holds from `date` to `until`, where it has an end.
    """

    files: Mapping[str, tuple[str, int]]
    names: frozenset[str]
    date: datetime
    until: datetime | None
    by_hash: bool

    def called(self, suite: str) -> bool:
        """Whether it is that suite's: by all of the name, or by what stands before /updates."""
        return not self.names.isdisjoint((suite, suite.removesuffix("/updates")))


class Suite(Struct, frozen=True, kw_only=True, order=True):
    """A component of a suite of an archive; `instant` is that of the snapshot it is taken from."""

    archive: str
    suite: str
    component: str
    instant: str | None = None


def release(text: bytes, name: str) -> Release:
    """Return what a Release file says; raise MalformedError, calling it `name`, if it is none."""
    fields = fields_of(text.replace(b"\r\n", b"\n").strip(b"\n"))
    found = (_LINE.fullmatch(line) for line in fields.get(b"sha256", b"").split(b"\n"))
    files = {
        match[3].decode(errors="replace"): (match[1].decode(), int(match[2]))
        for match in found
        if match
    }
    date = _time(fields, b"date", name)
    if date is None:
        raise MalformedError(f"{name}: a Release file without a date")
    if not files:
        raise MalformedError(f"{name}: a Release file without SHA-256 sums")
    called = (fields.get(key, b"").decode(errors="replace") for key in (b"suite", b"codename"))
    return Release(
        files=files,
        names=frozenset(called) - {""},
        date=date,
        until=_time(fields, b"valid-until", name),
        by_hash=fields.get(b"acquire-by-hash", b"").lower() == b"yes",
    )


def _time(fields: Mapping[bytes, bytes], key: bytes, name: str) -> datetime | None:
    if key not in fields:
        return None
    try:
        found = parsedate_to_datetime(fields[key].decode(errors="replace"))
    except ValueError as error:
        raise MalformedError(f"{name}: {key.decode()} is no time") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def stamp(when: datetime) -> str:
    """Return a time as snapshot services write it: YYYYMMDDTHHMMSSZ."""
    return when.astimezone(UTC).strftime(_INSTANT)


def canonical(instant: str) -> bool:
    """Whether it is a time as snapshot services write it."""
    try:
        return datetime.strptime(instant, _INSTANT).strftime(_INSTANT) == instant  # noqa: DTZ007
    except ValueError:
        return False


def floating(instant: str, now: float) -> str | None:
    """Return why a snapshot of that instant is not fixed, None if it is."""
    return _apt.instant(instant, now)


def suites(files: Mapping[str, bytes]) -> tuple[tuple[Suite, ...], tuple[str, ...]]:
    """Return the suites of Debian that an image's own apt sources name, and all other addresses.

    An image without any has those of the release that its os-release names. Raises MalformedError
    for sources that cannot be read.
    """
    found: set[Suite] = set()
    others: set[str] = set()
    for source in _sources(files):
        asked = source.options.get("snapshot", "").strip()
        for uri, _ in source.uris:
            service = _apt.SNAPSHOT.match(uri)
            path = _apt.url_path(uri).strip("/")
            archive = service["archive"] if service else path.rpartition("/")[2]
            if archive not in _apt.ARCHIVES:
                others.add(uri)
                continue
            instant = service["instant"] if service else (asked if asked[:1].isdigit() else None)
            found.update(
                Suite(archive=archive, suite=suite, component=component, instant=instant)
                for suite in source.suites
                for component in source.components
                if _WORD.fullmatch(suite) and _WORD.fullmatch(component)
            )
    if not found and not others:
        found.update(_usual(files))
    if len(found) > _MOST_SUITES:
        raise MalformedError(f"apt's sources name more than {_MOST_SUITES} suites")
    return tuple(sorted(found, key=str)), tuple(sorted(others))


def _sources(files: Mapping[str, bytes]) -> Iterator[_apt.Source]:
    for path, raw in files.items():
        if path == "etc/apt/sources.list" or path.startswith("etc/apt/sources.list.d/"):
            file = document(path, raw)
            reader = _apt.deb822 if path.endswith(".sources") else _apt.one_line
            if path.endswith((".sources", ".list")):
                yield from reader(file, 0, len(file.data))


def _usual(files: Mapping[str, bytes]) -> Iterable[Suite]:
    name = _CODENAME.search(_os_release(files))
    if name is None:
        return
    for archive, suite in (
        ("debian", name[1]),
        ("debian", f"{name[1]}-updates"),
        ("debian-security", f"{name[1]}-security"),
    ):
        yield Suite(archive=archive, suite=suite, component="main")


def distribution(files: Mapping[str, bytes]) -> str | None:
    """Return the release as package URLs name it: debian-12."""
    text = _os_release(files)
    name, version = _ID.search(text), _VERSION_ID.search(text)
    return f"{name[1]}-{version[1]}" if name and version else None


def _os_release(files: Mapping[str, bytes]) -> str:
    data = files.get("etc/os-release") or files.get("usr/lib/os-release") or b""
    return data.decode(errors="replace")
