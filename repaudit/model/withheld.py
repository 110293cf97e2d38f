"""What no report shows: private keys and password hashes, since reports are kept and published.

What is said in their place holds their digests, so that a difference stays one. Public keys and
certificates are shown. Forms: RFC 7468 and RFC 1421 (PEM), PROTOCOL.key of OpenSSH, RFC 9580
(OpenPGP's armour), age's identities, wg(8), PuTTY's manual (C.3), RFC 7518 (JWK); crypt(5) and
crypt(3) of old in shadow(5), gshadow(5) and passwd(5), RFC 2307, RFC 5803 as PostgreSQL writes it,
MySQL, and what passlib, Django and Werkzeug make.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import zip_longest
from typing import AnyStr, NamedTuple

from repaudit.model.digest import sha256

#: What begins with it is said of something that is not shown.
WITHHELD = "(not shown"
_PLACE = f"{WITHHELD})"
#: From one line of a block to the next, also where it stands in a string or a comment.
_BREAK = r"""[ \t"'+,;]*+(?:\\+[rn]|\\?[\r\n])(?:[\s"'+#>*|]|\\+[rn])*+"""
_LABEL = r"[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
_HEADER = r"(?:Proc-Type|DEK-Info|Version|Comment|Hash|Charset|MessageID): [ -\[\]-~]{0,200}"
_EOL = r"(?=[ \t]*(?:[\"'<\\\r\n]|\Z))"
_LINE = rf"{_BREAK}[A-Za-z0-9+/=]++{_EOL}"
_MARK = re.compile(rf"-----(BEGIN|END) {_LABEL}")
#: A key is no longer, and has a line of it: a text about keys may name where one begins and ends.
_LONGEST, _SOME = 1 << 16, re.compile(r"[A-Za-z0-9+/]{16}")
#: Its lines, whatever stands between them: where its end was cut off; and backwards, its beginning.
_REST = r"(?:[\x00-\x7f]{0,12}?[A-Za-z0-9+/=]{16,}+)"
_OPEN = re.compile(rf"(?:{_BREAK}{_HEADER}{_EOL}|{_LINE}|{_REST})++")
_TAIL = re.compile(rf"(?:[^A-Za-z0-9+/=\x80-\U0010ffff]{{1,12}}[A-Za-z0-9+/=]{{4,}}+)?{_REST}++")
#: What base64 makes of these words, wherever in a text they stand.
_WORDS = b"PRIVATE KEY"
_PACKED = tuple(
    b64encode(bytes(before) + _WORDS).decode()[
        -(-8 * before // 6) : 8 * (before + len(_WORDS)) // 6
    ]
    for before in range(3)
)
_RUN = re.compile(rf"[A-Za-z0-9+/]{{40,}}+(?:={{0,2}}{_LINE})*+={{0,2}}")
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
    r"(?P<before>(?<=[^\s:]):!{{0,2}}){}[\"-(+-9;-~]{{13,}}"
    r"(?=:\d{{0,9}}:(?:\d{{0,9}}:){{5}})"
)
_FIELDS = (":::", ":99999:")
#: The seven fields of a user, and the four of a group.
_USER = r"(?P<before>(?<=[^\s:]):!{0,2})[!-(*-9;-~]{13,}+(?=:\d{1,10}:\d{1,10}:[^:\n]*:/)"
_GROUP = (
    rf"(?P<before>(?<=[^\s:]):!{{0,2}})(?=[./0-9a-z]*[A-Z]){_H}{{13}}"
    r"(?=:[\w.,-]*:[\w.,-]*(?:[\s\"'\\]|\Z))"
)
_B64 = "[A-Za-z0-9+/=]"
_SCHEME = r"\{(?:S?MD5|S?SHA(?:-?\d{3})?|CRYPT|PBKDF2[A-Z0-9-]*|ARGON2)\}"
_RFC2307 = rf"(?P<before>{_SCHEME})[A-Za-z0-9+/=.,$_-]{{13,}}"
_LDIF = rf"(?P<before>userPassword:: ){_B64}{{13,}}"
_SCRAM = rf"(?P<before>)SCRAM-SHA-\d{{1,3}}\$\d{{1,9}}:{_B64}{{4,}}\${_B64}{{16,}}:{_B64}{{16,}}"
_PHC = (
    r"(?P<before>)\$(?!argon2)[a-z][a-z0-9-]{1,31}\$"
    rf"(?:(?:[a-z]{{1,8}}=\d{{1,9}}[,$]){{1,8}}|\d{{1,9}}\$){_H}{{4,88}}\${_H[:-1]}+]{{16,}}"
)
_DERIVED = (
    r"(?P<before>)(?:pbkdf2|scrypt)[_:][\w:]{1,40}\$(?:\d{1,9}\$)?[^\s$]{1,64}\$"
    rf"{_B64}{{20,}}"
)
_MYSQL = r"(?P<before>)\*[0-9A-F]{40}(?![0-9A-F])"
_WIREGUARD = rf"(?P<before>(?:Private|Preshared)Key[ \t]*=[ \t]*){_B64}{{44}}"
_PUTTY = rf"(?P<before>Private-Lines: \d{{1,4}})(?:{_LINE})++"
_JWK = (
    r"(?P<before>\"(?:d|p|q|dp|dq|qi|k)\\{0,9}\"\s{0,9}:\s{0,9}\\{0,9}\")"
    r"[A-Za-z0-9_-]{22,}+(?=[\\\"])"
)


#: From where to where in a text.
_Span = tuple[int, int]


class _Kind(NamedTuple):
    """What is withheld; `signs`: one stands in each text that holds some."""

    word: str
    find: Callable[[str], Iterable[_Span]]
    signs: tuple[str, ...]


def _form(pattern: str) -> Callable[[str], Iterator[_Span]]:
    """Return what finds a pattern, but for what is named `before` in it."""
    form = re.compile(pattern, re.ASCII)
    return lambda text: ((hit.end("before"), hit.end()) for hit in form.finditer(text))


def _blocks(text: str) -> Iterator[_Span]:
    """Yield where keys are: from where one begins to where it ends, whatever is between the lines.

    Of one that was cut off, its lines.
    """
    floor, marks = 0, list(_MARK.finditer(text))
    for mark, after in zip_longest(marks, marks[1:]):
        start, end = mark.span()
        if mark[1] == "BEGIN":
            ceiling = after.start() if after else len(text)
            if after and after[1] == "END" and _whole(text[end:ceiling]):
                floor = after.end()
                yield start, floor
            elif hit := _OPEN.match(text, end, ceiling):
                floor = hit.end()
                yield start, floor
        elif start >= floor:
            if hit := _TAIL.match(text[max(floor, start - _LONGEST) : start][::-1]):
                yield start - hit.end(), end
        floor = max(floor, end)


def _whole(body: str) -> bool:
    return len(body) <= _LONGEST and body.isascii() and _SOME.search(body) is not None


def _packed(text: str) -> Iterator[_Span]:
    """Yield where there is base64 of a key."""
    for run in _RUN.finditer(text):
        if any(sign in run[0] for sign in _PACKED):
            yield run.span()


KEY, PASSWORD = "a private key", "a password hash"
_SALTED = (
    _Kind(PASSWORD, _form(rf"(?P<before>){_HASH}"), ("$",)),
    _Kind(PASSWORD, _form(_FIELD.format(r"(?=\$)")), _FIELDS),
)
_OTHERS = (
    _Kind(KEY, _blocks, ("PRIVATE KEY",)),
    _Kind(KEY, _packed, _PACKED),
    _Kind(KEY, _form(rf"(?P<before>){_AGE}"), ("AGE-SECRET-KEY-",)),
    _Kind(KEY, _form(_WIREGUARD), ("PrivateKey", "PresharedKey")),
    _Kind(KEY, _form(_PUTTY), ("Private-Lines: ",)),
    _Kind(KEY, _form(_JWK), ("kty",)),
    _Kind(PASSWORD, _form(_FIELD.format(r"(?!\$)")), _FIELDS),
    _Kind(PASSWORD, _form(_USER), (":/",)),
    _Kind(PASSWORD, _form(_GROUP), (":",)),
    _Kind(PASSWORD, _form(_RFC2307), ("}",)),
    _Kind(PASSWORD, _form(_LDIF), ("userPassword:: ",)),
    _Kind(PASSWORD, _form(_SCRAM), ("SCRAM-SHA-",)),
    _Kind(PASSWORD, _form(_PHC), ("$",)),
    _Kind(PASSWORD, _form(_DERIVED), ("pbkdf2", "scrypt")),
    _Kind(PASSWORD, _form(_MYSQL), ("*",)),
)
#: Keys in UTF-16, of either order, have one of these.
_WIDE, _WIDE_SIGN = re.compile(r"(?:[\t\n\r -~]\0){64,}[\t\n\r -~]?"), "\0".join("PRIVATE KEY")


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
            pieces, at = list[str](), 0
            for start, end in kind.find(text):
                pieces += text[at:start], _said(kind.word, put, text[start:end])
                at = end
            text = "".join([*pieces, text[at:]])
    return _WIDE.sub(partial(_narrow, kinds, put), text) if _WIDE_SIGN in text else text


def _narrow(kinds: Iterable[_Kind], put: Callable[[str, int], str], hit: re.Match[str]) -> str:
    wide = "\0".join(_replaced(hit[0][::2], kinds, put))
    return wide + "\0" * hit[0].endswith("\0")


def _said(word: str, put: Callable[[str, int], str], secret: str) -> str:
    said = f"{WITHHELD}: {word}, {len(secret)} bytes, {sha256(secret.encode('ascii'))})"
    return put(said, len(secret))
