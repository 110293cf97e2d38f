"""apt's sources, taken from a Debian snapshot: where they are written, or else in the base image.

The addresses are plain ones, of which every apt is able, and of http where those before were: apt
trusts signatures, and base images hold no certificates.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from repaudit import containerfile as cf
from repaudit.containerfile.edit import insert_before
from repaudit.ecosystems import ECOSYSTEMS, floating, snapshot_of
from repaudit.model.errors import MalformedError, UsageError
from repaudit.model.pins import Edit, PinFinding
from repaudit.stages.writing import Left, Place, Wish

_SOURCES = frozenset({"APT001", "APT004", "APT006"})
_COMMANDS = frozenset({"APT002", "APT003", "APT009"})
_SERVICE = "snapshot.debian.org/archive"
#: Seconds after which no run of the service is yet to be filled.
_SETTLED = 86_400.0
_APT = re.compile(r"\bapt(?:-get|itude)?\b")
_FORM = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(?:T(\d\d):?(\d\d):?(\d\d)Z)?")
#: What a base image's sources become, in both forms. Its suites, components and keys stay. Debian's
#: hosts are known by their domain: a path `/debian/` is found with anybody.
_REWRITE = (
    r"RUN sed -i -E 's#^URIs[[:blank:]]*:[[:blank:]]*https?://([a-z0-9-]+\.)*debian\.org/"
    r"(debian(-security)?)/?[[:space:]]*$#URIs: http://{service}/\2/{at}/\n"
    r"Check-Valid-Until: no#I; s#^[[:blank:]]*(deb(-src)?)[[:blank:]]+(\[([^]]*)\][[:blank:]]+)?"
    r"https?://([a-z0-9-]+\.)*debian\.org/(debian(-security)?)/?[[:blank:]]#"
    r"\1 [check-valid-until=no \4] http://{service}/\6/{at}/ #'"
    r" $(find /etc/apt/ -name '*.sources' -o -name '*.list')"
    # The build stops at every other line of a .list, for apt reads more forms than one, and at each
    # address of a .sources, be it on a continuation line: what is no snapshot's must not go on.
    r" && ! grep -RhvE --include='*.list' '^[[:space:]]*(#|$|deb(-src)?[[:space:]]+"
    r"(\[[^]]*\][[:space:]]+)?https?://{service}/[a-z-]+/[0-9]{{8}}T[0-9]{{6}}Z/?[[:space:]])'"
    r" /etc/apt/"
    r" && ! grep -RhiE --include='*.sources' '^uris[[:space:]]*:|^[[:blank:]].*:[/[]' /etc/apt/"
    r" | grep -vE '^URIs:[[:blank:]]*https?://{service}/[a-z-]+/[0-9]{{8}}T[0-9]{{6}}Z/?"
    r"[[:space:]]*$'"
)


def parse_instant(text: str, now: float) -> str:
    """Return an instant as snapshot services write it: YYYYMMDDTHHMMSSZ; a day is its beginning.

    ISO 8601 in UTC is read, with and without separators. Raises UsageError for what is none, and
    for what is not over for a day: what a mirror takes in meanwhile may yet belong to it.
    """
    hint = "write --at YYYYMMDDTHHMMSSZ, or a day as YYYY-MM-DD; both are UTC"
    match = _FORM.fullmatch(text)
    if match is None:
        raise UsageError(f"--at: {text!r:.60} is no instant", hint=hint)
    year, month, day, *clock = (part or "00" for part in match.groups())
    canonical = f"{year}{month}{day}T{''.join(clock)}Z"
    wrong = floating(canonical, now)
    if wrong is None and floating(canonical, now - _SETTLED):
        wrong = f"{canonical} is not over for a day yet"
    if wrong:
        raise UsageError(f"--at: {wrong}", hint=hint)
    return canonical


def snapshots(place: Place, wish: Wish) -> Iterator[Edit | Left]:
    """Yield the edits that take a file's sources of apt from the snapshot of `wish.at`."""
    if wish.at is None:
        return
    for one in place.findings:
        uri = place.text(one)
        if one.id in _SOURCES and uri:
            changed = snapshot_of(uri, wish.at, _SERVICE)
            start, end = one.location.start or 0, one.location.end or 0
            if changed:
                yield Edit(start=start, end=end, text=changed)
    asked = [one for one in place.findings if one.id in _COMMANDS | _SOURCES]
    if any(one.id in _COMMANDS for one in asked) and ECOSYSTEMS.load("containerfile").claims(
        place.path, place.data[:4096]
    ):
        yield from _in_base(place, asked, wish.at)


def _in_base(place: Place, asked: list[PinFinding], at: str) -> Iterator[Edit | Left]:
    """Yield a step before the first use of apt in each stage that takes its base's sources."""
    try:
        parsed = cf.parse(place.data, name=place.path)
    except MalformedError:
        return
    stages = parsed.stages()
    done: set[int] = set()
    for stage in stages:
        if stage.parent in done:
            done.add(stage.index)
            continue
        flagged = [
            finding
            for finding in asked
            for step in stage.statements
            if step.line <= finding.location.line <= step.end_line
        ]
        if not flagged or any(one.id in _SOURCES for one in flagged):
            continue  # a stage that writes sources of its own has them edited
        reason = _hindrance(stage)
        steps = [s for s in stage.statements if s.keyword == "RUN" and _APT.search(s.text)]
        if reason or not steps:
            sought = "apt's sources of the base image"
            why = reason or "no step of its own runs apt"
            yield Left(location=flagged[0].location, sought=sought, reason=why)
            continue
        done.add(stage.index)
        line = _REWRITE.format(service=_SERVICE, at=at)
        put = insert_before(parsed, steps[0], line)
        yield Edit(start=put.start, end=put.end, text=put.text)


def _hindrance(stage: cf.Stage) -> str | None:
    """Return why no step may be put into a stage, None where one may."""
    if "ubuntu" in (stage.image or ""):
        return "Ubuntu has another snapshot service: write its sources into the file"
    for statement in stage.statements:
        if statement.keyword == "RUN" and _APT.search(statement.text):
            return None
        if statement.keyword == "SHELL":
            return "another SHELL is set before"
        if statement.keyword == "USER" and statement.arguments not in ("root", "0", "0:0"):
            return f"the step runs as USER {statement.arguments[:40]}"
    return None
