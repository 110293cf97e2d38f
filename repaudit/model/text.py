"""Text from an image, made fit to be shown."""

from __future__ import annotations

from functools import lru_cache


def printable(text: str) -> str:
    """Return `text` with what is not printable escaped: it would speak to a terminal instead.

    Control characters, bidirectional overrides and bytes that are no UTF-8 are among them.
    """
    return text if text.isprintable() else "".join(map(_shown, text))


@lru_cache(maxsize=1_000)
def _shown(character: str) -> str:
    return character if character.isprintable() else repr(character)[1:-1]


def raw(text: str) -> bytes:
    """Return the bytes that `text` was decoded from: surrogate escapes become their byte again.

    A lone surrogate that stands for no byte (JSON can hold one) becomes its three bytes.
    """
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
