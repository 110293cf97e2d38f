"""What an index serves over HTTP: politely, within bounds, and asked for once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from repaudit import __version__
from repaudit.host import clock
from repaudit.host.scratch import write
from repaudit.model.errors import MalformedError, UnreachableError

#: Statuses that mean: it is not there. All other failures leave open whether it is.
_GONE = frozenset({404, 410})
_BUSY = frozenset({429, 500, 502, 503, 504})
_CHUNK = 1 << 16
Checked = TypeVar("Checked")


class Client:
    """Gets files over one connection, one after the other.

    `folder` keeps for ever what does not change; `proxies` are by scheme. A server that asks for
    patience (Retry-After) gets it, `waits` seconds at the most each time; one that sends nothing
    for `silence` seconds, or takes more than `patience` for a file, is given up. Another try, of
    three, comes after `pause` seconds, then after twice as many.
    """

    def __init__(
        self,
        folder: Path,
        *,
        offline: bool = False,
        proxies: Mapping[str, str] | None = None,
        silence: float = 30,
        patience: float = 600,
        waits: int = 60,
        pause: float = 1,
    ) -> None:
        self._folder = folder
        self._offline = offline
        self._silence, self._patience = silence, patience
        self.requests = 0
        self._session = requests.Session()
        self._session.headers["User-Agent"] = f"repaudit/{__version__}"
        self._session.proxies.update(proxies or {})
        self._session.max_redirects = 5
        retry = Retry(
            total=3,
            backoff_factor=pause,
            status_forcelist=_BUSY,
            raise_on_status=False,
            retry_after_max=waits,
        )
        for scheme in ("http://", "https://"):
            adapter = HTTPAdapter(max_retries=retry, pool_maxsize=1, pool_block=True)
            self._session.mount(scheme, adapter)

    def get(self, url: str, *, most: int) -> bytes | None:
        """Return the file at `url`, at most `most` bytes; None where the server has none.

        Raises UnreachableError where no answer, or no whole one, is to be had.
        """
        if self._offline:
            raise UnreachableError(f"{url} was not asked for", hint="leave out --offline")
        return self._fetch(url, most)

    def keep(
        self, url: str, *, most: int, check: Callable[[bytes], Checked], name: str = ""
    ) -> Checked | None:
        """Like `get` for what never changes: what `check` makes of it; what passes is kept.

        `check` raises MalformedError where the bytes are wrong. They are kept under `name` where
        they have a better one than their address.
        """
        kept = self._folder / (name or hashlib.sha256(url.encode()).hexdigest())
        if kept.is_file():
            with suppress(MalformedError):  # damaged meanwhile: it is asked for again
                return check(kept.read_bytes())
        data = self.get(url, most=most)
        if data is None:
            return None
        checked = check(data)
        write(kept, data)
        return checked

    def _fetch(self, url: str, most: int) -> bytes | None:
        until = clock.ticks() + self._patience
        self.requests += 1
        try:
            with self._session.get(url, stream=True, timeout=self._silence) as answer:
                if answer.status_code in _GONE:
                    return None
                if answer.status_code != requests.codes.ok:
                    raise _unreachable(url, f"the server answers {answer.status_code}")
                parts: list[bytes] = []
                size = 0
                for part in answer.iter_content(_CHUNK):
                    size += len(part)
                    if size > most:
                        raise _unreachable(url, f"it is larger than {most} bytes")
                    if clock.ticks() > until:
                        raise _unreachable(url, f"not there after {self._patience:.0f} seconds")
                    parts.append(part)
        except requests.RequestException as error:
            raise _unreachable(url, type(error).__name__) from error
        return b"".join(parts)


def _unreachable(url: str, reason: str) -> UnreachableError:
    return UnreachableError(f"{url}: {reason}", hint="try again later; nothing is known of it now")
