"""Read the digests that a project publishes, in the forms in which projects do.

Known are the lines that ODP's BUILDING.md holds in a fenced block (`PATH/index.json: "digest":
"sha256:…"`), SHA256SUMS (sha256sum(1), plain and `--tag`), `nitro.pcrs` (`HEX PCR0`), a list of
`NAME DIGEST` or `NAME@DIGEST`, and JSON: a GitHub release with its assets and notes, the
measurements of nitro-cli, or an object of names and digests. A line of such a form that does not
parse is refused: a digest that is left out would never be missed.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from repaudit.model.digest import parse_digest
from repaudit.model.errors import MalformedError, UsageError

_MOST_BYTES = 1 << 20
_HINT = "give a BUILDING.md with a block of digests, a release's JSON, SHA256SUMS, or a list"
_DIGEST = r"(?P<digest>(?:sha(?:256|384|512):)?[0-9a-fA-F]{64,128})"
#: What was to be one, and may have lost a digit.
_NEARLY = r"(?P<digest>sha(?:256|384|512):[^\s\"]*|[0-9a-fA-F]{48,})"


def _forms(digest: str) -> tuple[re.Pattern[str], ...]:
    return tuple(
        re.compile(pattern)
        for pattern in (
            rf'(?P<name>\S+?)/index\.json:\s*"digest":\s*"{digest}",?',
            rf"SHA(?:256|384|512) \((?P<name>[^()]+)\) = {digest}",
            rf"{digest} [ *]?(?P<name>\S.*)",
            rf"(?P<name>\S+)@{digest}",
            rf"(?P<name>\S+?):?\s+{digest}",
        )
    )


_LINES, _NEARLY_LINES = _forms(_DIGEST), _forms(_NEARLY)
_BY_LENGTH = {64: "sha256", 96: "sha384", 128: "sha512"}


def load_published(path: Path) -> dict[str, str]:
    """Return the digests that a file holds, by the name of what they are of.

    Raises UsageError where it cannot be read, and MalformedError where it holds none, one that is
    no digest, or two of one name.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", hint=_HINT) from error
    try:
        if len(data) > _MOST_BYTES:
            raise MalformedError(f"more than {_MOST_BYTES} bytes", hint=_HINT)
        return _unique(_read(data.decode("utf-8"), markdown=path.suffix.lower() == ".md"))
    except UnicodeDecodeError as error:
        raise MalformedError(f"{path}: not UTF-8", hint=_HINT) from error
    except MalformedError as error:
        raise MalformedError(f"{path}: {error.message}", hint=error.hint) from error


def _read(text: str, *, markdown: bool) -> Iterator[tuple[str, str]]:
    if text.lstrip().startswith(("{", "[")):
        return _json(text)
    return _blocks(text) if markdown else _lines(text.splitlines(), 1)


def _unique(found: Iterable[tuple[str, str]]) -> dict[str, str]:
    digests: dict[str, str] = {}
    for name, digest in found:
        if digests.setdefault(name, digest) != digest:
            raise MalformedError(f"two digests of {name}", hint=_HINT)
    if not digests:
        raise MalformedError("no digest is published in it", hint=_HINT)
    return digests


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """Yield what the code blocks of Markdown hold.

    One in which no line looks like a name and a digest, be it a damaged one, is about other things.
    """
    from markdown_it import MarkdownIt  # what most commands need not wait for

    for token in MarkdownIt("commonmark").parse(text):
        if token.type not in {"fence", "code_block"}:
            continue
        lines = token.content.splitlines()
        if any(form.fullmatch(line.strip()) for line in lines for form in _NEARLY_LINES):
            first = (token.map or [0])[0] + (2 if token.type == "fence" else 1)
            yield from _lines(lines, first)


def _lines(lines: Iterable[str], first: int) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(map(str.strip, lines), start=first):
        if not line or line.startswith(("#", "$ ")):
            continue
        found = _parsed(line)
        if found is None:
            raise MalformedError(f"line {number} holds no name and digest: {line:.80}", hint=_HINT)
        yield found


def _parsed(line: str) -> tuple[str, str] | None:
    for pattern in _LINES:
        match = pattern.fullmatch(line)
        if match:
            digest = _digest(match["digest"])
            return (match["name"].removeprefix("./"), digest) if digest else None
    return None


def _digest(text: str) -> str | None:
    """Return a digest with its algorithm, which bare hex has by its length; None if it is none."""
    algorithm = _BY_LENGTH.get(len(text))
    whole = f"{algorithm}:{text}" if algorithm and ":" not in text else text
    try:
        return parse_digest(whole.lower())
    except MalformedError:
        return None


def _json(text: str) -> Iterator[tuple[str, str]]:
    try:
        plain = json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"not JSON: {error}", hint=_HINT) from error
    if not isinstance(plain, dict):
        yield from _entries(plain)
        return
    known = [name for name in ("assets", "images") if isinstance(plain.get(name), list)][:1]
    if known == ["assets"]:
        notes = plain.get("body")
        told = list(_blocks(notes)) if isinstance(notes, str) else []
        found = told or _entries(plain["assets"])  # what the notes list is what counts
    elif known:
        found = _entries(plain["images"])
    elif "Measurements" in plain:
        measured = plain["Measurements"]
        known, found = ["Measurements"], _members(measured if isinstance(measured, dict) else {})
    else:
        yield from _members(plain)
        return
    _must_not(name for name, value in plain.items() if name not in known and _is_digest(value))
    yield from found


def _object(members: list[tuple[str, object]]) -> dict[str, object]:
    for name, count in Counter(name for name, _ in members).items():
        if count > 1:
            raise MalformedError(f"two members called {name!r:.80}", hint=_HINT)
    return dict(members)


def _entries(entries: list[object]) -> Iterator[tuple[str, str]]:
    """Yield the names and digests of a list, in which each entry must have both."""
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise MalformedError(f"an entry without a name: {entry!r:.80}", hint=_HINT)
        yield entry["name"], _must(entry["name"], entry.get("digest"))


def _members(members: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield the members that are digests; beside PCRs stand a commit, versions and times."""
    measured = {name: value for name, value in members.items() if re.fullmatch(r"PCR\d+", name)}
    if measured:
        others = ((name, value) for name, value in members.items() if name not in measured)
        _must_not(n for n, value in others if n.lower().startswith("pcr") or _is_digest(value))
    for name, value in (measured or members).items():
        yield name, _must(name, value)


def _must_not(left_out: Iterable[str]) -> None:
    for name in left_out:
        raise MalformedError(f"{name!r:.80}: a digest where none is known to stand", hint=_HINT)


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and _digest(value) is not None


def _must(name: str, value: object) -> str:
    digest = _digest(value) if isinstance(value, str) else None
    if digest is None:
        raise MalformedError(f"{name}: not a digest: {value!r:.90}", hint=_HINT)
    return digest
