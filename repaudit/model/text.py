"""Text from an image, made fit to be shown."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,12})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
#: In the unit of instants.
SECOND = 10**12
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def printable(text: str) -> str:
    """Return `text` with what is not printable escaped: it would speak to a terminal instead.

    Control characters, bidirectional overrides and bytes that are no UTF-8 are among them.
    """
    return text if text.isprintable() else "".join(map(_shown, text))


@lru_cache(maxsize=1_000)
def _shown(character: str) -> str:
    return character if character.isprintable() else repr(character)[1:-1]


def is_time(text: str) -> bool:
    """Whether a text is a date and a time (RFC 3339, 5.6), as `created` of an image must be."""
    return _TIME.fullmatch(text) is not None


def instant(text: str) -> int | None:
    """Return a time as picoseconds since 1970; None for what is no time."""
    if not is_time(text):
        return None
    fraction = re.match(r"\.(\d+)", text[19:])
    digits = fraction[1] if fraction else ""
    zone = text[19:].removeprefix(f".{digits}")
    try:
        whole = datetime.fromisoformat((text[:19] + zone).upper()) - _EPOCH
    except (ValueError, OverflowError):
        return None
    return whole // timedelta(seconds=1) * SECOND + int(digits.ljust(12, "0"))


def raw(text: str) -> bytes:
    """Return the bytes that `text` was decoded from: surrogate escapes become their byte again.

    A lone surrogate that stands for no byte (JSON can hold one) becomes its three bytes.
    """
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
