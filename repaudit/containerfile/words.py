"""Words, flags and JSON arrays within one logical line, split as BuildKit splits them.

Sources: BuildKit's frontend/dockerfile/parser and frontend/dockerfile/shell, observed through the
package `dockerfile`, against which the tests compare.
"""

from __future__ import annotations

import json
import re
from typing import NoReturn

#: What Go's unicode.IsSpace calls a space; str.strip() alone would take four separators more.
SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
_BETWEEN = re.compile(r"[\t\v\f\r ]+")
_HEREDOC = re.compile(r"\d*<<(-?)([^<]+)", re.DOTALL)
_DECODER = json.JSONDecoder(parse_constant=lambda word: _refuse(word))


def _refuse(word: str) -> NoReturn:
    raise ValueError(word)


def keyword(text: str) -> tuple[str, str]:
    """Split a logical line into its keyword, in upper case, and the rest."""
    parts = _BETWEEN.split(text.strip(SPACE), maxsplit=1)
    return parts[0].upper(), parts[1].strip(SPACE) if len(parts) > 1 else ""


def flags(rest: str) -> tuple[tuple[tuple[str, str], ...], str]:
    """Take the leading `--name=value` words off `rest`; return them and what is left."""
    found: list[tuple[str, str]] = []
    at = 0
    while True:
        while at < len(rest) and rest[at] in SPACE:
            at += 1
        if not rest.startswith("--", at):
            break
        word, at = _flag(rest, at)
        if word == "--":
            break
        name, _, value = word[2:].partition("=")
        found.append((name, value))
    return tuple(found), rest[at:].strip(SPACE)


def _flag(rest: str, at: int) -> tuple[str, int]:
    """Return the word that begins at `at`, without its quotes and escapes, and its end."""
    word, quote = "", ""
    while at < len(rest) and (quote or rest[at] not in SPACE):
        mark = rest[at]
        if mark == "\\":
            at += 1
            word += rest[at : at + 1]
        elif mark == quote:
            quote = ""
        elif not quote and mark in "'\"":
            quote = mark
        else:
            word += mark
        at += 1
    return word, min(at, len(rest))


def split(text: str, escape: str = "\\") -> tuple[str, ...] | None:
    """Split `text` at spaces outside quotes, keeping quotes and escapes; None if one is open."""
    words: list[str] = []
    word, quote, at = "", "", 0
    while at < len(text):
        mark = text[at]
        if mark == escape and quote != "'":
            word += text[at : at + 2]
            at += 2
            continue
        if quote:
            quote = "" if mark == quote else quote
        elif mark in "'\"":
            quote = mark
        if not quote and mark in SPACE:
            words += [word] if word else []
            word = ""
        else:
            word += mark
        at += 1
    words += [word] if word else []
    return None if quote else tuple(words)


def unquote(word: str, escape: str = "\\") -> str:
    """Return `word` without the quotes and escapes that a shell would take away."""
    plain, quote, at = "", "", 0
    while at < len(word):
        mark = word[at]
        if mark == escape and quote != "'" and at + 1 < len(word):
            at += 1
            plain += word[at] if not quote or word[at] in f'"${escape}' else mark + word[at]
        elif mark == quote:
            quote = ""
        elif not quote and mark in "'\"":
            quote = mark
        else:
            plain += mark
        at += 1
    return plain


def heredocs(text: str) -> tuple[tuple[str, bool, bool], ...]:
    """Return (name, whether to expand, whether to chomp tabs) of each heredoc that `text` opens."""
    if "<<" not in text:
        return ()
    found = []
    for word in split(text) or ():
        match = _HEREDOC.fullmatch(word)
        if match:
            name = unquote(match[2])
            found.append((name, name == match[2], bool(match[1])))
    return tuple(found)


def array(rest: str) -> tuple[str, ...] | None:
    """Return the JSON array that `rest` begins with, or None where it is not one.

    What follows the array is ignored, as BuildKit does.

    Raises:
        ValueError: it is an array, but of other things than strings.

    """
    if not rest.startswith("["):
        return None
    try:
        value, _ = _DECODER.raw_decode(rest)
    except (ValueError, RecursionError):
        return None
    if not all(isinstance(item, str) for item in value):
        raise ValueError(rest)
    return tuple(value)
