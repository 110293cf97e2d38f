"""Text from an image, made fit to be shown."""

from __future__ import annotations

import re
from functools import lru_cache

_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,12})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


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


def raw(text: str) -> bytes:
    """Return the bytes that `text` was decoded from: surrogate escapes become their byte again.

    A lone surrogate that stands for no byte (JSON can hold one) becomes its three bytes.
    """
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
