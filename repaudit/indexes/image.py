"""Images by their digest: whether the registry still has them, and with which bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from packageurl import PackageURL

from repaudit.host.fetch import Answer, Fetcher, Known
from repaudit.host.images import manifest
from repaudit.indexes.interface import GONE, OTHER_BYTES, UNKNOWN, Index
from repaudit.model.installed import Installed
from repaudit.model.pins import Observation, Pin
from repaudit.model.text import printable


class _Image:
    name = "image"
    kind = "image"

    def knows(self, pin: Pin) -> bool:
        return bool(pin.digests and _repository(pin))

    def verify(self, pins: Iterable[Pin], fetcher: Fetcher) -> Iterator[Observation]:
        answers: dict[str, Answer] = {}
        for pin in sorted(pins, key=lambda one: one.purl):
            reference = f"{_repository(pin)}@{pin.digests[0]}"
            if reference not in answers:
                answers[reference] = manifest(reference)
            answer = answers[reference]
            if answer.known is Known.UNKNOWN:
                yield _seen(UNKNOWN, pin, f"{reference}: {printable(answer.reason)}")
            elif answer.known is Known.ABSENT:
                yield _seen(GONE, pin, f"{reference} is in its registry no more")
            elif not _has(answer.data, pin.digests[0]):
                yield _seen(OTHER_BYTES, pin, f"{reference} is served with other bytes")

    def prove(self, installed: Installed, pin: Pin, fetcher: Fetcher) -> Iterator[Observation]:
        yield from ()  # an image is no package in an image


def _repository(pin: Pin) -> str:
    return str(dict(PackageURL.from_string(pin.purl).qualifiers).get("repository_url", ""))


def _has(data: bytes, digest: str) -> bool:
    kind, _, value = digest.partition(":")
    return hashlib.new(kind, data).hexdigest() == value


def _seen(rule: str, pin: Pin, message: str) -> Observation:
    return Observation(rule=rule, message=message, location=pin.location)


INDEX: Index = _Image()
