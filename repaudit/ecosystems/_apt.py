"""apt's sources, in both forms, and the instants of snapshots (sources.list(5)).

The deb822 reader is our own: it needs the byte of each field, and the one library for the format
is under a licence that this package cannot take in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import urlsplit

from msgspec import Struct

from repaudit.ecosystems._catalogue import finding
from repaudit.ecosystems._purl import pin, purl
from repaudit.ecosystems.interface import Document
from repaudit.model.errors import MalformedError
from repaudit.model.pins import Edit, Location, Pin, PinFinding, Severity, Strength

#: The archive and the instant in an address of a snapshot service. In a script of sed, what it has
#: matched may stand for the archive.
SNAPSHOT = re.compile(
    r"[a-z+]+://(?P<host>snapshot[\w.-]*)/(?:archive/)?(?P<archive>[\w-]+|\\\d)/(?P<instant>[^/\s\"'\\]*)"
)
_INSTANT = re.compile(r"[0-9]{8}(?:T[0-9]{6}Z)?")
_ONE_LINE = re.compile(
    rb"[ \t]*(?P<type>deb|deb-src)[ \t]+(?:\[(?P<options>[^\]\r\n]*)\][ \t]*)?"
    rb"(?P<uri>[^\s\[]+)[ \t]+(?P<suite>\S+)(?P<components>[^\r\n#]*)(?:#[^\r\n]*)?\r?"
)
_FIELD = re.compile(rb"(?P<name>[!-9;-~]+):[ \t]*(?P<value>[^\r\n]*)\r?")
_LOCAL = frozenset({"cdrom", "file", "copy", "mirror+file"})
#: Paths under which a distribution's own archive is mirrored.
_DISTRIBUTIONS = frozenset({"debian", "debian-security", "ubuntu", "ubuntu-ports", "debian-ports"})
#: Those of Debian that its snapshot service keeps, by the last part of their path.
ARCHIVES = frozenset({"debian", "debian-security", "debian-backports", "debian-ports"})
#: Suites whose Release file says until when it is valid.
_EXPIRING = re.compile(
    r".*(-security|/updates|-updates|-backports.*|-proposed.*)|testing|unstable|sid"
)
_YES = frozenset({"yes", "true", "with", "on", "enable", "1"})
_NO = frozenset({"no", "false", "without", "off", "disable", "0"})


class Source(Struct, frozen=True, kw_only=True):
    """One source. `options` have lower-case names; `insert` is where Check-Valid-Until would go."""

    uris: tuple[tuple[str, Location], ...]
    suites: tuple[str, ...]
    components: tuple[str, ...]
    options: dict[str, str]
    insert: Edit | None = None


def instant(text: str, now: float) -> str | None:
    """Return what is wrong with the instant of a snapshot, None if it is one that is over."""
    if not _INSTANT.fullmatch(text):
        return f"{text[:40]!r} is no instant"
    form = "%Y%m%dT%H%M%SZ" if "T" in text else "%Y%m%d"
    try:
        when = datetime.strptime(text, form).replace(tzinfo=UTC)
    except ValueError:
        return f"there is no {text}"
    return f"{text} is yet to come" if when.timestamp() > now else None


def one_line(document: Document, start: int, end: int) -> Iterator[Source]:
    """Yield the sources of a `sources.list`; MalformedError names the line that is none."""
    at = start
    for line in document.data[start:end].split(b"\n"):
        stripped = line.strip()
        if stripped and not stripped.startswith(b"#"):
            match = _ONE_LINE.fullmatch(line)
            if match is None:
                raise malformed(document, at, "no source of apt: TYPE [OPTIONS] URI SUITE …")
            if match["type"] == b"deb":
                yield _from_line(document, match, at)
        at += len(line) + 1


def _from_line(document: Document, match: re.Match[bytes], at: int) -> Source:
    words = (word.partition("=") for word in _text(match["options"]).split())
    options = {name.lower().rstrip("+-"): value for name, _, value in words}
    where = document.at(at + match.start("uri"), at + match.end("uri"))
    if match["options"] is None:
        insert = at + match.end("type")
        edit = Edit(start=insert, end=insert, text=" [check-valid-until=no]")
    else:
        insert = at + match.end("options")
        edit = Edit(start=insert, end=insert, text=" check-valid-until=no")
    uri = (_text(match["uri"]), where)
    return Source(
        uris=(uri,),
        suites=(_text(match["suite"]),),
        components=tuple(_text(match["components"]).split()),
        options=options,
        insert=edit,
    )


def deb822(document: Document, start: int, end: int) -> Iterator[Source]:
    """Yield the sources of a `.sources` file; MalformedError names the line that is none."""
    fields: dict[str, list[tuple[str, int, int]]] = {}
    name, at = "", start
    for line in document.data[start:end].split(b"\n"):
        here, at = at, at + len(line) + 1
        match = _FIELD.fullmatch(line)
        if not line.strip():
            yield from _stanza(document, fields)
            fields, name = {}, ""
        elif line.startswith(b"#"):
            continue
        elif line[:1] in b" \t" and name:
            fields[name] += _pieces(line, here)
        elif match:
            name = _text(match["name"]).lower()
            if name in fields:
                raise malformed(document, here, f"a second {name}")
            fields[name] = _pieces(match["value"], here + match.start("value"))
        else:
            raise malformed(document, here, "no field of a source: NAME: VALUE")
    yield from _stanza(document, fields)


def _pieces(value: bytes, at: int) -> list[tuple[str, int, int]]:
    found = re.finditer(rb"\S+", value)
    return [(_text(match[0]), at + match.start(), at + match.end()) for match in found]


def _stanza(document: Document, fields: dict[str, list[tuple[str, int, int]]]) -> Iterator[Source]:
    if not fields:
        return
    words = {name: [text for text, _, _ in found] for name, found in fields.items()}
    uris = fields.get("uris", [])
    if "deb" not in words.get("types", []) or " ".join(words.get("enabled", [])).lower() in _NO:
        return
    insert = None
    if uris:
        line = document.data.find(b"\n", uris[-1][2])
        if line >= 0:
            insert = Edit(start=line + 1, end=line + 1, text="Check-Valid-Until: no\n")
    yield Source(
        uris=tuple((text, document.at(start, end)) for text, start, end in uris),
        suites=tuple(words.get("suites", [])),
        components=tuple(words.get("components", [])),
        options={name: " ".join(found) for name, found in words.items()},
        insert=insert,
    )


def audit_source(
    source: Source, *, now: float, lenient: bool = False
) -> Iterator[Pin | PinFinding]:
    """Yield the pins of a source and what it lacks; `lenient`: apt is told elsewhere not to mind
    that a Release file has run out.
    """  # noqa: D205 - one sentence
    for uri, where in source.uris:
        if uri.partition(":")[0] in _LOCAL:
            continue
        yield from _uri(source, uri, where, now)
        yield from _trust(source, uri, where)
        if SNAPSHOT.match(uri) and not lenient and _expires(source):
            yield finding("APT007", where, f"{uri}: its Release file runs out", edit=source.insert)


def _expires(source: Source) -> bool:
    asked = source.options.get("check-valid-until", "").lower()
    return asked not in _NO and any(_EXPIRING.fullmatch(suite) for suite in source.suites)


def _uri(source: Source, uri: str, where: Location, now: float) -> Iterator[Pin | PinFinding]:
    service = SNAPSHOT.match(uri)
    asked = source.options.get("snapshot", "").strip()
    stamp = service["instant"] if service else asked
    suite = " ".join(source.suites)
    if service or asked.lower() not in _YES | _NO | {""}:
        wrong = instant(stamp, now)
        yield _pin(uri, suite, where, Strength.FLOATING if wrong else Strength.LOCKED, stamp)
        if wrong:
            yield finding("APT004", where, f"{uri}: {wrong}")
        return
    yield _pin(uri, suite, where, Strength.FLOATING, None)
    if asked:
        yield finding("APT006", where, f"{uri}: Snapshot: {asked} names no instant")
    elif url_path(uri).strip("/") in _DISTRIBUTIONS:
        yield finding("APT001", where, f"{uri} {suite} is no snapshot")
    else:
        yield finding("APT014", where, f"{uri} {suite} is a third party's archive")


def snapshot_of(uri: str, at: str, service: str) -> str | None:
    """Return the address of an archive in the snapshot of `at`; None where no snapshot is known.

    `service` is host and path of what keeps Debian's archives; an address that is of a snapshot
    service already keeps its own.
    """
    found = SNAPSHOT.fullmatch(uri.rstrip("/"))
    if found:
        return uri[: found.start("instant")] + at + uri[found.end("instant") :]
    scheme = uri.partition("://")[0]
    archive = url_path(uri).strip("/").rpartition("/")[2]
    if scheme not in ("http", "https") or archive not in ARCHIVES:
        return None
    return f"{scheme}://{service}/{archive}/{at}/"


def url_path(uri: str) -> str:
    """Return the path of an address, nothing where it is none."""
    try:
        return urlsplit(uri).path
    except ValueError:
        return ""


def _trust(source: Source, uri: str, where: Location) -> Iterator[PinFinding]:
    for option in ("trusted", "allow-insecure", "allow-weak"):
        if source.options.get(option, "").lower() in _YES:
            yield finding("APT008", where, f"{uri}: {option}={source.options[option]}")
            return
    if uri.startswith("http:") and "signed-by" not in source.options:
        message = f"{uri}: over http, and any key that apt trusts may sign it"
        yield finding("APT008", where, message, severity=Severity.NOTE)


def _pin(uri: str, suite: str, where: Location, strength: Strength, stamp: str | None) -> Pin:
    name = url_path(uri).strip("/").rpartition("/")[2] or "archive"
    service = SNAPSHOT.match(uri)
    version = stamp if strength is Strength.LOCKED else None
    package = purl(
        "generic", service["archive"] if service else name, version, download_url=uri, suite=suite
    )
    return pin("apt-source", where, package, strength)


def malformed(document: Document, offset: int, message: str) -> MalformedError:
    """Return the error that says which line of `document` is wrong."""
    return MalformedError(
        f"{document.path}:{document.line(offset)}: {message}", hint="mend the line"
    )


def _text(data: bytes | None) -> str:
    return (data or b"").decode("utf-8", "surrogateescape")
