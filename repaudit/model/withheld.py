"""What no report shows: private keys and password hashes, since reports are kept and published.

What is said in their place holds their digests, so that a difference stays one. Public keys and
certificates are shown. Forms: RFC 7468 and RFC 1421 (PEM), PROTOCOL.key of OpenSSH, RFC 9580
(OpenPGP's armour), age's identities, crypt(5), shadow(5).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import AnyStr, NamedTuple

from repaudit.model.digest import sha256

#: What begins with it is said of something that is not shown.
WITHHELD = "(not shown"
_PLACE = f"{WITHHELD})"
#: From one line of a block to the next, also where it stands in a string or a comment.
_BREAK = r"""[ \t"'+,;]*+(?:\\+[rn]|\\?[\r\n])(?:[\s"'+#>*|]|\\+[rn])*+"""
_LABEL = r"[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
_HEADER = r"(?:Proc-Type|DEK-Info|Version|Comment|Hash|Charset|MessageID): [ -\[\]-~]{0,200}"
_BLOCK = (
    rf"-----BEGIN {_LABEL}"
    rf"(?:{_BREAK}(?:{_HEADER}|[A-Za-z0-9+/=]++)(?=[ \t]*(?:[\"'<\\\r\n]|\Z)))++"
    rf"(?:{_BREAK}-----END {_LABEL})?"
)
_AGE = r"AGE-SECRET-KEY-(?:[A-Z]+-)?1[A-Z0-9]{40,}"
_H = "[./A-Za-z0-9]"
_HASH = (
    rf"\$(?:(?:1|apr1)\${_H}{{1,8}}\${_H}{{22}}"
    rf"|(?:5|6|sm3)\$(?:rounds=\d{{1,9}}\$)?{_H}{{1,16}}\${_H}{{43}}(?:{_H}{{43}})?"
    rf"|2[abxy]?\$\d\d\${_H}{{53}}"
    rf"|(?:7|g?y)\$(?:{_H}{{1,64}}\$)?{_H}{{0,86}}\${_H}{{43}}"
    rf"|sha1\$\d{{1,9}}\${_H}{{1,64}}\${_H}{{28}}"
    r"|argon2(?:i|d|id)\$[a-z0-9=,$]{1,60}\$[A-Za-z0-9+/]{8,88}\$[A-Za-z0-9+/]{16,88}"
    rf")(?!{_H})"
)
#: A line's nine fields, of which the second is a hash: `{}` says what it begins with.
_FIELD = (
    r"(?m)(?P<before>^[^\s:]{{1,64}}:!{{0,2}}){}[\"-)+-9;-~]{{13,}}"
    r"(?=:\d{{0,9}}:(?:\d{{0,9}}:){{5}})"
)
_FIELDS = (":::", ":99999:")


class _Kind(NamedTuple):
    """What is withheld, but for what is named `before`; `signs`: one stands in each such text."""

    word: str
    form: re.Pattern[str]
    signs: tuple[str, ...]


KEY, PASSWORD = "a private key", "a password hash"
_SALTED = (
    _Kind(PASSWORD, re.compile(rf"(?P<before>){_HASH}", re.ASCII), ("$",)),
    _Kind(PASSWORD, re.compile(_FIELD.format(r"(?=\$)"), re.ASCII), _FIELDS),
)
_OTHERS = (
    _Kind(KEY, re.compile(rf"(?P<before>){_BLOCK}", re.ASCII), ("PRIVATE KEY",)),
    _Kind(KEY, re.compile(rf"(?P<before>){_AGE}", re.ASCII), ("AGE-SECRET-KEY-",)),
    _Kind(PASSWORD, re.compile(_FIELD.format(r"(?!\$)"), re.ASCII), _FIELDS),
)


def withheld(text: AnyStr) -> AnyStr:
    """Return a text in which it is said what is not shown, with its length and its digest.

    It must be whole: what begins before it is not known for what it is.
    """
    if isinstance(text, bytes):  # what is withheld is ASCII, whatever stands around it
        return withheld(text.decode("latin-1")).encode("latin-1")
    return _replaced(text, (*_OTHERS, *_SALTED), lambda said, _: said)


def covered(data: bytes) -> bytes:
    """Return what is withheld of `data`, with as many bytes."""

    def put(said: str, size: int) -> str:
        return said.ljust(size)[:size]

    return _replaced(data.decode("latin-1"), (*_OTHERS, *_SALTED), put).encode("latin-1")


def apart(text: str) -> tuple[str, tuple[str, ...]]:
    """Return a text without what is withheld, and what is said of each, one kind after the other.

    Salted hashes stay: they are words, of which it can be told how they differ.
    """
    told: list[str] = []

    def place(said: str, _: int) -> str:
        told.append(said)
        return _PLACE

    return _replaced(text, _OTHERS, place), tuple(told)


def _replaced(text: str, kinds: Iterable[_Kind], put: Callable[[str, int], str]) -> str:
    for kind in kinds:
        if any(sign in text for sign in kind.signs):
            text = kind.form.sub(partial(_said, kind.word, put), text)
    return text


def _said(word: str, put: Callable[[str, int], str], hit: re.Match[str]) -> str:
    secret = hit[0].removeprefix(hit["before"])
    said = f"{WITHHELD}: {word}, {len(secret)} bytes, {sha256(secret.encode('ascii'))})"
    return hit["before"] + put(said, len(secret))
