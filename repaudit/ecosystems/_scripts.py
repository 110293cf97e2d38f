"""Audit shell text: what its commands take in, and the sources that it writes for apt."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from repaudit.ecosystems import _apt, _apt_commands, _python_commands, _unread
from repaudit.ecosystems._catalogue import finding
from repaudit.ecosystems._checks import Checks, audit_fetch
from repaudit.ecosystems._command import Word
from repaudit.ecosystems._fetches import executed, fetches
from repaudit.ecosystems._invocation import Invocation, Scene, invocations
from repaudit.ecosystems._repositories import audit_clones
from repaudit.ecosystems._shell import parse
from repaudit.ecosystems._tools import TOOLS
from repaudit.ecosystems.interface import Document
from repaudit.model.errors import MalformedError
from repaudit.model.pins import Pin, PinFinding

_SOURCES = re.compile(r"/etc/apt/sources\.list(?:\.d/[^/\s]+\.(?:list|sources))?")
#: Programs that write standard input, or their arguments, to files that they name.
_WRITERS = frozenset({"tee"})
_SNAPSHOT_TOOL = "repro-sources-list"
_STRICT = re.compile(rb"#![^\n]*sh[ \t]+-[a-z]*e")
_NO_EXPIRY = re.compile(rb"check-valid-until[\"'\s=:]+(?:no|false|0)", re.IGNORECASE)


class Reading(Struct, frozen=True):
    """What a script runs, its bytes that are no shell, and if apt is told to take old lists.

    `errexit` says that its first line asks the shell to end where a command fails.
    """

    found: tuple[Invocation, ...]
    holes: tuple[tuple[int, int], ...]
    lenient: bool
    errexit: bool


def read_script(text: bytes, values: Mapping[str, str], origin: int = 0) -> Reading:
    """Return what `text` runs; it stands `origin` bytes into the document.

    Raises:
        MalformedError: it cannot be read.

    """
    script = parse(text, values, origin)
    found = tuple(invocations(script.commands))
    lenient, errexit = bool(_NO_EXPIRY.search(text)), bool(_STRICT.match(text))
    return Reading(found, script.holes, lenient=lenient, errexit=errexit)


def audit_script(
    scene: Scene, script: Reading, *, lenient: bool = False
) -> Iterator[Pin | PinFinding]:
    """Yield what the commands of a script take in, and what of it falls short."""
    here = replace(scene, errexit=scene.errexit or script.errexit)
    yield from audit_commands(here, script.found, lenient=lenient or script.lenient)
    if script.holes:
        start, end = script.holes[0]
        more = f", and {len(script.holes) - 1} more" if len(script.holes) > 1 else ""
        yield finding("PAR001", scene.at(start, end), f"this could not be read as shell{more}")


def audit_commands(
    scene: Scene, found: Sequence[Invocation], *, lenient: bool = False
) -> Iterator[Pin | PinFinding]:
    """Yield what programs take in, and what of it falls short."""
    checks = Checks(found, errexit=scene.errexit)
    run = {id(one) for outer in found for one in executed(outer)}
    from_here = next((one.command.start for one in found if sets_snapshot(scene, one)), None)
    for one in found:
        covered = from_here is not None and from_here <= one.command.start
        here = replace(scene, snapshot=scene.snapshot or covered)
        yield from _audit_one(here, one)
        for fetch in fetches(one):
            if id(one.command) in run:
                message = f"{' '.join(word.text for word in one.command.words)[:200]} is run"
                yield finding("NET001", scene.of(one.command), message)
            else:
                yield from audit_fetch(here, fetch, checks)
        yield from _written(here, one, lenient=lenient)
    yield from audit_clones(scene, found)


def _audit_one(scene: Scene, one: Invocation) -> Iterator[Pin | PinFinding]:
    if one.name in _apt_commands.NAMES:
        yield from _apt_commands.audit(scene, one)
    elif one.name in _python_commands.NAMES:
        yield from _python_commands.audit(scene, one)
    elif one.name in TOOLS:
        yield from TOOLS[one.name](scene, one)
    else:
        yield from _unread.audit(scene, one)


def _targets(one: Invocation) -> list[str]:
    words = list(one.texts()) if one.name in _WRITERS else []
    return [name for name in (*one.command.into, *words) if _SOURCES.fullmatch(name)]


def sets_snapshot(scene: Scene, one: Invocation) -> bool:
    """Say whether a command takes apt's sources from a snapshot."""
    if _SNAPSHOT_TOOL in " ".join(word.text for word in one.command.words[:3]):
        return True
    text = " ".join(word.text for word in (*one.command.words, *_content(one)))
    edits = one.name in ("sed", "perl") and "/etc/apt/" in text
    if not (edits or _targets(one)):
        return False
    return speaks_of_snapshot(text, scene.document.now)


def speaks_of_snapshot(text: str, now: float) -> bool:
    """Say whether a text has the address of a snapshot that is over."""
    return any(
        _apt.instant(match["instant"], now) is None for match in _apt.SNAPSHOT.finditer(text)
    )


def _content(one: Invocation) -> list[Word]:
    """Return the text that a command writes, or is piped, in the order in which it would appear."""
    words = list(one.command.fed)
    source = one.command
    for before in one.command.feeders():
        words += before.fed
        source = before
    if source.words and source.words[0].text in ("echo", "printf"):
        words += source.words[1:]
    return words


def _written(scene: Scene, one: Invocation, *, lenient: bool) -> Iterator[Pin | PinFinding]:
    """Yield what sources that a command writes for apt lack."""
    for target in _targets(one)[:1]:
        for word in _content(one):
            yield from audit_apt_text(scene, word, target, lenient=lenient)


def audit_apt_text(
    scene: Scene, word: Word, name: str, *, lenient: bool
) -> Iterator[Pin | PinFinding]:
    """Yield what the sources in a text of the script lack; `name` says which form they have."""
    plain = word.text.replace("\\n", "\n").encode()
    inner = Document(path=scene.document.path, data=plain)
    reader = _apt.deb822 if name.endswith(".sources") else _apt.one_line
    try:
        sources = list(reader(inner, 0, len(plain)))
    except MalformedError:
        if word.text.lstrip().startswith("deb "):
            message = f"{name} is written with a source that could not be read"
            yield finding("PAR001", scene.of(word), message)
        return
    for source in sources:
        for item in _apt.audit_source(source, now=scene.document.now, lenient=lenient):
            yield _placed(scene, word, item)


def _placed(scene: Scene, word: Word, item: Pin | PinFinding) -> Pin | PinFinding:
    """Move an item from the text to where the word stands; an edit goes along if offsets hold."""
    place = item.location
    if word.plain and scene.fixed is None and place.start is not None and place.end is not None:
        where = scene.at(word.start + place.start, word.start + place.end)
        if isinstance(item, PinFinding) and item.edit:
            moved = replace(
                item.edit, start=word.start + item.edit.start, end=word.start + item.edit.end
            )
            return replace(item, location=where, edit=moved)
        return replace(item, location=where)
    if isinstance(item, PinFinding):
        return replace(item, location=scene.of(word), edit=None)
    return replace(item, location=scene.of(word))
