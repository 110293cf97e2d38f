"""Pins that one look-up gives: digests of images, checksums of downloads, commits.

An image gets the digest that its registry serves for the tag, which stays; `ADD URL` the checksum
of what the URL serves now; a download of a RUN step, which no edit is sure of, an entry in
`repaudit.lock`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from packageurl import PackageURL

from repaudit.host.fetch import Answer, Known
from repaudit.host.images import manifest
from repaudit.host.resolvers import remote_commit
from repaudit.model.digest import sha256
from repaudit.model.errors import ToolFailedError, ToolMissingError
from repaudit.model.lock import Locked
from repaudit.model.pins import Edit, PinFinding, Severity
from repaudit.stages.writing import Left, Place, Wish

_IMAGES = frozenset({"IMG001", "IMG002", "IMG007"})
#: A reference as the distribution's grammar has it, without a digest, in full.
_REFERENCE = re.compile(
    r"(?:[a-zA-Z0-9.-]+(?::\d{1,5})?/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*(?::[\w][\w.-]{0,127})?"
)
_ADD = re.compile(rb"(?:\A|[\r\n])[ \t]*ADD[ \t]+\Z", re.IGNORECASE)
_URL = re.compile(r"https?://[^\s\"'$\\]+")
#: A repository's address and what is asked of it, as pip and as ADD write it.
_PIP_GIT = re.compile(r"git\+(?P<url>[a-z+]+://[^\s/#]+/[^\s#@;]+)(?P<at>@(?P<revision>[^\s#;]+))?")
_ADD_GIT = re.compile(r"(?P<url>https?://[^\s#?]+\.git)(?P<at>#(?P<revision>[^\s:]*))?(?=:|\Z)")
_CLONE_ENDS = re.compile(rb"[ \t]*(?:\Z|;|&&|\r?\n|\\\r?\n)")
_PLAIN = re.compile(r"[\w.,/:@%+=-]+", re.ASCII)
_HEAD = 200


def images(place: Place, wish: Wish) -> Iterator[Edit | Left]:
    """Yield an edit for each image that has a registry which serves it."""
    answers: dict[str, Answer] = {}
    for one in place.findings:
        reference = place.text(one)
        if one.id not in _IMAGES or not _REFERENCE.fullmatch(reference):
            continue
        if reference not in answers:
            answers[reference] = _inspected(reference, wish)
        answer, end = answers[reference], one.location.end or 0
        if answer.known is Known.FOUND:
            yield Edit(start=end, end=end, text=f"@{sha256(answer.data)}")
        else:
            yield _left(one, reference, answer.reason)


def _inspected(reference: str, wish: Wish) -> Answer:
    """Return an image's manifest or index, as its registry serves it."""
    if wish.fetcher.offline:
        return Answer(known=Known.UNKNOWN, reason="offline")
    try:
        return manifest(reference)
    except ToolMissingError as error:
        return Answer(known=Known.UNKNOWN, reason=error.message)


def _left(one: PinFinding, sought: str, why: str) -> Left:
    reason = f"not looked up: {why or 'it is not there'}"
    return Left(location=one.location, sought=sought, reason=reason)


def downloads(place: Place, wish: Wish) -> Iterator[Edit | Locked | Left]:
    """Yield the checksum of each download: an edit of ADD, an entry of the lock for what runs."""
    for one in place.findings:
        url = place.text(one)
        if one.id != "NET002" or one.severity is Severity.NOTE or not _URL.fullmatch(url):
            continue  # a note is of what the lock has already
        start = one.location.start or 0
        answer = wish.fetcher.digests(url)
        words = answer.data.decode().split() if answer.known is Known.FOUND else []
        digest = next((word for word in words if word.startswith("sha256:")), None)
        if digest is None:
            yield _left(one, url, answer.reason)
        elif _ADD.search(place.data[max(0, start - _HEAD) : start]):
            yield Edit(start=start, end=start, text=f"--checksum={digest} ")
        else:
            yield from _entry(one, wish, url, digest)


def _entry(one: PinFinding, wish: Wish, url: str, digest: str) -> Iterator[Locked]:
    for pin in wish.pins:
        if pin.location == one.location and _origin(pin.purl) == url:
            yield Locked(purl=pin.purl, kind=pin.kind, digests=(digest,), origin=url)
            return


def _origin(purl: str) -> str | None:
    qualifiers = PackageURL.from_string(purl).qualifiers
    return dict(qualifiers).get("download_url")


def commits(place: Place, wish: Wish) -> Iterator[Edit | Left]:
    """Yield an edit for each repository that is taken at a branch, a tag, or its newest commit."""
    for one in place.findings:
        text, start = place.text(one), one.location.start or 0
        if one.id == "GIT001" and text.lstrip().startswith("git "):
            yield from _clone(place, wish, one)
            continue
        forms = {"PY007": _PIP_GIT, "GIT001": _ADD_GIT}
        match = forms[one.id].search(text) if one.id in forms else None
        if match is None:
            continue
        commit = _commit(wish, one, match["url"], match["revision"] or "")
        if isinstance(commit, Left):
            yield commit
            continue
        mark = "@" if one.id == "PY007" else "#"
        at, end = match.span("at") if match["at"] else (match.end("url"), match.end("url"))
        yield Edit(
            start=start + len(text[:at].encode()),
            end=start + len(text[:end].encode()),
            text=mark + commit,
        )


def _clone(place: Place, wish: Wish, one: PinFinding) -> Iterator[Edit | Left]:
    """Have a clone check the commit out: only where all of the command is plain words."""
    end = one.location.end or 0
    words = place.text(one).split()
    if not all(_PLAIN.fullmatch(word) for word in words) or not _CLONE_ENDS.match(place.data, end):
        return
    values = {"-b": "", "--branch": ""}
    rest, shallow, at = [], False, 2
    while at < len(words):
        name, equals, value = words[at].partition("=")
        if name in values:
            values[name] = value if equals else "".join(words[at + 1 : at + 2])
            at += 0 if equals else 1
        elif name == "--depth":
            shallow = True
            at += 0 if equals else 1
        elif words[at] in ("-q", "--quiet", "--recursive", "--recurse-submodules"):
            pass
        elif words[at].startswith("-"):
            return
        else:
            rest.append(words[at])
        at += 1
    if words[:2] != ["git", "clone"] or not 1 <= len(rest) <= 2 or "://" not in rest[0]:
        return
    if shallow:
        reason = "a shallow clone has no commit but the newest: take --depth away first"
        yield Left(location=one.location, sought=rest[0], reason=reason)
        return
    commit = _commit(wish, one, rest[0], values["-b"] or values["--branch"])
    if isinstance(commit, Left):
        yield commit
        return
    folder = rest[1] if rest[1:] else rest[0].rstrip("/").rpartition("/")[2].removesuffix(".git")
    text = f" && git -C {shlex.quote(folder)} checkout -q {commit}"
    yield Edit(start=end, end=end, text=text)


def _commit(wish: Wish, one: PinFinding, url: str, revision: str) -> str | Left:
    if wish.fetcher.offline:
        return _left(one, url, "offline")
    try:
        return remote_commit(url, revision)
    except (ToolFailedError, ToolMissingError) as error:
        return _left(one, url, error.message)
