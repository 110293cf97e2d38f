"""Asking servers politely: one session, bounded answers, a cache, and `unknown` as an answer.

Retries are urllib3's: on a refused or broken connection, on 429 and on the errors of an overloaded
server, waiting as Retry-After says (RFC 9110, section 10.2.3) but never longer than a minute.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit, urlunsplit

import requests
from msgspec import Struct
from requests.adapters import HTTPAdapter
from urllib3 import Retry
from urllib3.exceptions import HTTPError, IncompleteRead, ProtocolError, ReadTimeoutError

from repaudit import __version__
from repaudit.host import clock
from repaudit.host.kept import Answers, Kept
from repaudit.model.errors import MalformedError, UnreachableError

_AGENT = f"repaudit/{__version__} (audits pins; one connection, cached)"
_BUSY = frozenset({429, 500, 502, 503, 504})
#: Seconds: to connect, between two pieces of an answer, and for the whole of a page.
_CONNECT, _READ, _WHOLE = 10.0, 30.0, 300.0
_PIECE = 1 << 16
#: Times in a row that a server may leave us without an answer before it is left alone.
_ENOUGH = 3
_UNCHANGED = "unchanged"
#: Bytes: of a page that is kept in memory, and of a file that is only hashed.
LARGEST_PAGE, LARGEST_FILE = 64 << 20, 2 << 30
Checked = TypeVar("Checked")


class Known(StrEnum):
    """What a server's answer tells. `unknown` is neither yes nor no: never ok, never vanished."""

    FOUND = "found"
    ABSENT = "absent"
    UNKNOWN = "unknown"


class Answer(Struct, frozen=True, kw_only=True):
    """What came of asking. `reason` says why it is unknown; `kind` is the media type."""

    known: Known
    data: bytes = b""
    kind: str = ""
    reason: str = ""


class Waiting(Struct, frozen=True, kw_only=True):
    """How long to be patient with a server that is busy: retries, and seconds."""

    retries: int = 4
    backoff: float = 0.5
    longest: int = 60
    read: float = _READ
    whole: float = _WHOLE


@dataclass
class Fetcher:
    """Asks servers, one request at a time. `cache` holds answers; None keeps none.

    `offline` makes every answer that the cache does not hold for ever unknown. `proxies` are by
    scheme; without them those of the environment count. `asked` counts the requests that went over
    the network, retries and redirects aside.
    """

    offline: bool = False
    cache: Path | None = None
    proxies: Mapping[str, str] = field(default_factory=dict)
    waiting: Waiting = field(default_factory=Waiting)
    asked: int = 0
    _fresh: set[str] = field(default_factory=set, repr=False)
    _silent: dict[str, int] = field(default_factory=dict, repr=False)
    _session: requests.Session | None = field(default=None, repr=False)

    def get(
        self, url: str, *, accept: str = "*/*", forever: bool = False, most: int = LARGEST_PAGE
    ) -> Answer:
        """Return what is at `url`, of at most `most` bytes; `forever` says that it never changes.

        Other answers are kept with their ETag, and asked for anew once in a run.
        """
        key = f"{url}\n{accept}"
        kept = self._answers.get(key)
        if kept and (forever or key in self._fresh):
            return _found(kept)
        data = bytearray()
        told, tag = self._read(url, {"Accept": accept} | _unless(kept), most, data.extend)
        if told.known is not Known.FOUND:
            return told
        self._fresh.add(key)
        if kept and told.kind == _UNCHANGED:
            return _found(kept)
        now = Kept(data=bytes(data), kind=told.kind, tag=tag)
        if forever or tag:
            self._answers.put(key, now)
        return _found(now)

    def need(self, url: str, *, most: int = LARGEST_PAGE) -> bytes | None:
        """Return the bytes that `get` finds, None where the server has none.

        Raises UnreachableError where that is not known.
        """
        return self._told(self.get(url, most=most))

    def verified(
        self, url: str, check: Callable[[bytes], Checked], *, most: int, name: str = ""
    ) -> Checked | None:
        """Return what `check` makes of what never changes, None where the server has none.

        `check` raises MalformedError where the bytes are wrong: they are kept once they have
        passed, and checked again each time. `name` says what they are, where several addresses
        have them. Raises UnreachableError where no answer, or no whole one, is to be had.
        """
        key = name or url
        kept = self._answers.get(key)
        if kept:
            with suppress(MalformedError):  # not what is wanted now: it is asked for again
                return check(kept.data)
        held = bytearray()
        if self._told(self._read(url, {}, most, held.extend)[0]) is None:
            return None
        checked = check(bytes(held))
        self._answers.put(key, Kept(data=bytes(held), kind=""))
        return checked

    def distilled(
        self, url: str, distil: Callable[[bytes], bytes], *, most: int, name: str
    ) -> bytes | None:
        """Like `verified`, but what `distil` makes of the bytes is kept under `name`, not they."""
        kept = self._answers.get(name)
        if kept:
            return kept.data
        held = bytearray()
        if self._told(self._read(url, {}, most, held.extend)[0]) is None:
            return None
        made = distil(bytes(held))
        self._answers.put(name, Kept(data=made, kind=""))
        return made

    def digests(self, url: str) -> Answer:
        """Return the hashes of a file, a line `ALGORITHM:HEX` each, as `data`.

        Nothing of the file itself is kept; where its ETag is as before, it is not sent again.
        """
        key = f"{url}\ndigests"
        kept = self._answers.get(key)
        hashes = [hashlib.new(name, usedforsecurity=False) for name in ("sha1", "sha256", "sha512")]

        def take(piece: bytes) -> None:
            for one in hashes:
                one.update(piece)

        answer, tag = self._read(url, _unless(kept), LARGEST_FILE, take)
        if answer.known is not Known.FOUND:
            return answer
        if kept and answer.kind == _UNCHANGED:
            return _found(kept)
        lines = "".join(f"{one.name}:{one.hexdigest()}\n" for one in hashes)
        now = Kept(data=lines.encode(), kind="digests", tag=tag)
        if tag:
            self._answers.put(key, now)
        return _found(now)

    @property
    def _answers(self) -> Answers:
        return Answers(self.cache)

    def _told(self, answer: Answer) -> bytes | None:
        if answer.known is Known.UNKNOWN:
            later = "leave out --offline" if self.offline else "try again later"
            raise UnreachableError(answer.reason, hint=f"{later}; nothing is known of it now")
        return answer.data if answer.known is Known.FOUND else None

    def _read(
        self,
        url: str,
        headers: dict[str, str],
        most: int,
        take: Callable[[bytes], object],
    ) -> tuple[Answer, str]:
        """Ask, hand each piece of the body to `take`, and return the answer without it."""
        if self.offline:
            return _unknown(f"{shown(url)} was not asked for: offline"), ""
        if url.partition("://")[0].lower() not in ("http", "https"):
            return _unknown(f"{shown(url)} is no http address"), ""
        host = url.partition("://")[2].partition("/")[0]
        if self._silent.get(host, 0) >= _ENOUGH:
            return _unknown(f"{shown(url)}: asked no more, as its server did not answer"), ""
        answer = self._heard(url, headers, most, take)
        silent = answer[0].known is Known.UNKNOWN
        self._silent[host] = self._silent.get(host, 0) + 1 if silent else 0
        return answer

    def _heard(
        self, url: str, headers: dict[str, str], most: int, take: Callable[[bytes], object]
    ) -> tuple[Answer, str]:
        try:
            with self._open(url, headers) as response:
                if response.status_code in (404, 410):
                    return Answer(known=Known.ABSENT), ""
                if response.status_code not in (200, 304):
                    return _unknown(f"{shown(url)} answers {response.status_code}"), ""
                for size, piece in _pieces(response, self.waiting.whole):
                    if size > most:
                        return _unknown(f"{shown(url)} has more than {most} bytes"), ""
                    take(piece)
                kind = response.headers.get("Content-Type", "")
                kind = _UNCHANGED if response.status_code == 304 else kind
                return Answer(known=Known.FOUND, kind=kind), response.headers.get("ETag", "")
        except (requests.RequestException, HTTPError, TimeoutError, ValueError) as error:
            return _unknown(f"{shown(url)}: {_cause(error)}"), ""

    @contextmanager
    def _open(self, url: str, headers: dict[str, str]) -> Iterator[requests.Response]:
        self._session = self._session or _session(self.waiting, self.proxies)
        self.asked += 1
        limits = (_CONNECT, self.waiting.read)
        with closing(
            self._session.get(url, headers=headers, stream=True, timeout=limits)
        ) as response:
            yield response


def _session(waiting: Waiting, proxies: Mapping[str, str]) -> requests.Session:
    session = requests.Session()
    session.max_redirects = 5
    session.headers["User-Agent"] = _AGENT
    session.proxies.update(proxies)
    retry = Retry(
        total=waiting.retries,
        backoff_factor=waiting.backoff,
        backoff_max=waiting.longest,
        retry_after_max=waiting.longest,
        status_forcelist=_BUSY,
        raise_on_status=False,
    )
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(pool_connections=4, pool_maxsize=1, max_retries=retry))
    return session


def _pieces(response: requests.Response, whole: float) -> Iterator[tuple[int, bytes]]:
    """Yield the bytes read so far and the next piece, until the time for the whole is over."""
    until = clock.ticks() + whole
    size = 0
    # As much as there is, not as much as asked: a server that drips must not hold us.
    while piece := response.raw.read1(_PIECE, decode_content=True):
        size += len(piece)
        yield size, piece
        if clock.ticks() > until:
            raise TimeoutError(f"no end after {whole:g} seconds")


def _unless(kept: Kept | None) -> dict[str, str]:
    """Return the header that asks only for what is not as it was kept."""
    return {"If-None-Match": kept.tag} if kept and kept.tag else {}


def _found(kept: Kept) -> Answer:
    return Answer(known=Known.FOUND, data=kept.data, kind=kept.kind)


def _unknown(reason: str) -> Answer:
    return Answer(known=Known.UNKNOWN, reason=reason)


def _cause(error: Exception) -> str:
    """Return a short reason that is the same again: no addresses of objects, no credentials."""
    if isinstance(error, requests.ConnectTimeout | requests.ReadTimeout):
        return "no answer in time"
    if isinstance(error, IncompleteRead | ProtocolError):
        return "the answer was cut off"
    if isinstance(error, ReadTimeoutError):
        return "no answer in time"
    if isinstance(error, requests.exceptions.RetryError):
        return "too busy"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted"
    if isinstance(error, requests.ConnectionError):
        return "no connection, or it broke"
    return str(error) if isinstance(error, TimeoutError) else type(error).__name__


def shown(url: str) -> str:
    """Return an address without user and password."""
    try:
        parts = urlsplit(url)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=""))[:300]
    except ValueError:
        return "an address that is none"
