"""What is pinned by its address and its hash: whether the address still serves those bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from packageurl import PackageURL

from repaudit.host.fetch import Fetcher, Known, shown
from repaudit.indexes.interface import GONE, OTHER_BYTES, UNKNOWN
from repaudit.model.installed import Installed
from repaudit.model.pins import Observation, Pin

#: What the answer has hashes of, and what can be believed.
_KINDS = ("sha512:", "sha256:")


class Downloads:
    """The index of a kind of pin whose package URL says `download_url`."""

    def __init__(self, kind: str) -> None:
        self.name = self.kind = kind

    def knows(self, pin: Pin) -> bool:
        """Whether a pin has an address, and a hash of a kind that is compared."""
        return bool(address(pin) and _locked(pin))

    def verify(self, pins: Iterable[Pin], fetcher: Fetcher) -> Iterator[Observation]:
        """Yield what is wrong with pins that it knows."""
        for pin in sorted(pins, key=lambda one: one.purl):
            yield from look_up(pin, address(pin), _locked(pin), fetcher)

    def prove(self, installed: Installed, pin: Pin, fetcher: Fetcher) -> Iterator[Observation]:
        """Yield nothing: no tie is made of a download."""
        yield from ()


def address(pin: Pin) -> str:
    """Return where a pin's package URL says that its bytes are, empty where it does not."""
    return str(dict(PackageURL.from_string(pin.purl).qualifiers).get("download_url", ""))


def _locked(pin: Pin) -> list[str]:
    return [one for one in pin.digests if one.startswith(_KINDS)]


def look_up(pin: Pin, url: str, locked: list[str], fetcher: Fetcher) -> Iterator[Observation]:
    """Yield whether an address serves other bytes than `locked`, or none, or gives no answer."""
    answer = fetcher.digests(url)
    if answer.known is Known.UNKNOWN:
        yield Observation(rule=UNKNOWN, message=answer.reason, location=pin.location)
    elif answer.known is Known.ABSENT:
        message = f"{shown(url)} is there no more"
        yield Observation(rule=GONE, message=message, location=pin.location)
    elif set(locked).isdisjoint(answer.data.decode().split()):
        message = f"{shown(url)} is locked as {locked[0]}, and serves other bytes"
        yield Observation(rule=OTHER_BYTES, message=message, location=pin.location)
