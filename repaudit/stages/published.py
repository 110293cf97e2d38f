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
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from repaudit.model.digest import parse_digest
from repaudit.model.errors import MalformedError, UsageError

_MOST_BYTES = 1 << 20
_HINT = "give a BUILDING.md with a block of digests, a release's JSON, SHA256SUMS, or a list"
_DIGEST = r"(?P<digest>(?:sha(?:256|384|512):)?[0-9a-fA-F]{64,128})"
_LINES = tuple(
    re.compile(pattern)
    for pattern in (
        rf'(?P<name>\S+?)/index\.json:\s*"digest":\s*"{_DIGEST}",?',
        rf"SHA(?:256|384|512) \((?P<name>[^()]+)\) = {_DIGEST}",
        rf"{_DIGEST} [ *]?(?P<name>\S.*)",
        rf"(?P<name>\S+)@{_DIGEST}",
        rf"(?P<name>\S+?):?\s+{_DIGEST}",
    )
)
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
    """Yield what the code blocks of Markdown hold; one without any digest is about other things."""
    from markdown_it import MarkdownIt  # what most commands need not wait for

    for token in MarkdownIt("commonmark").parse(text):
        if token.type not in {"fence", "code_block"}:
            continue
        lines = token.content.splitlines()
        if any(_parsed(line.strip()) for line in lines):
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
        plain = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"not JSON: {error}", hint=_HINT) from error
    if isinstance(plain, dict) and isinstance(plain.get("assets"), list):
        notes = plain.get("body")
        told = list(_blocks(notes)) if isinstance(notes, str) else []
        yield from told or _entries(plain["assets"])  # what the notes list is what counts
    elif isinstance(plain, dict) and isinstance(plain.get("images"), list):
        yield from _entries(plain["images"])
    elif isinstance(plain, dict):
        measured = plain.get("Measurements", plain)
        yield from _members(measured if isinstance(measured, dict) else {})
    else:
        yield from _entries(plain)


def _entries(entries: list[object]) -> Iterator[tuple[str, str]]:
    """Yield the names and digests of a list; a release's asset of old has none, and is passed."""
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise MalformedError(f"an entry without a name: {entry!r:.80}", hint=_HINT)
        if entry.get("digest") is not None:
            yield entry["name"], _must(entry["name"], entry["digest"])


def _members(members: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield the members that are digests; beside PCRs stand a commit, versions and times."""
    measured = {name: value for name, value in members.items() if re.fullmatch(r"PCR\d+", name)}
    for name, value in (measured or members).items():
        yield name, _must(name, value)


def _must(name: str, value: object) -> str:
    digest = _digest(value) if isinstance(value, str) else None
    if digest is None:
        raise MalformedError(f"{name}: not a digest: {value!r:.90}", hint=_HINT)
    return digest
