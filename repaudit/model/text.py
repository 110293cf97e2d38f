"""Text from an image, made fit to be shown."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return `text` with what is not printable escaped: it would speak to a terminal instead.

    Control characters, bidirectional overrides and bytes that are no UTF-8 are among them.
    """
    return text if text.isprintable() else "".join(map(_shown, text))


def _shown(character: str) -> str:
    return character if character.isprintable() else repr(character)[1:-1]
