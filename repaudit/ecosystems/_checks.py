"""Whether anything in a script checks what it has fetched, and stops where that is another."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Sequence
from math import inf

from msgspec import Struct

from repaudit.ecosystems._catalogue import finding
from repaudit.ecosystems._command import Command
from repaudit.ecosystems._fetches import MOVING, RUNNERS, TAKES, Fetch, fetches, host, last_part
from repaudit.ecosystems._guards import ERREXIT, Guards, guarded, guards
from repaudit.ecosystems._invocation import SHELLS, Invocation, Scene, base_name, unwrap
from repaudit.ecosystems._purl import pin, purl
from repaudit.model.pins import Pin, PinFinding, Strength

_SUMS = re.compile(
    r"g?(?:sha(?:224|256|384|512)|b2|sha|md5|sha1)sum|shasum|sha(?:256|512)|openssl|rhash|cksum"
)
_MOST_CHECKS = 100
#: What fails where a hash is not in what it reads, and what does nothing with a file's content.
_COMPARES = frozenset({"grep", "egrep", "fgrep"})
_HARMLESS = frozenset(
    "[ awk chmod chown cp cut du echo file grep head ls mkdir mv printf rm stat test touch".split()
)
_WEAK = frozenset({"md5sum", "sha1sum", "cksum"})
_HASH = re.compile(r"\b[0-9a-fA-F]{64}(?:[0-9a-fA-F]{32}(?:[0-9a-fA-F]{32})?)?\b")
_SIGNED = {
    "gpg": "--verify",
    "gpg2": "--verify",
    "gpgv": "",
    "minisign": "-V",
    "signify": "-V",
    "cosign": "verify-blob",
    "slsa-verifier": "verify-artifact",
}


class _Sum(Struct, frozen=True):
    """A command that compares files to hashes: the names that it is told, and if hashes as well.

    `lists` are files of hashes that it reads, and does not check. Where the two differ, `by`
    fails: that command, or what looks for the hash in what it says.
    """

    start: int
    names: set[str]
    told: bool
    by: Command
    lists: set[str]


class Checks:
    """What a script checks, by which means, after it was fetched."""

    def __init__(self, found: Sequence[Invocation], *, errexit: bool = False) -> None:
        self._guards: dict[int, Guards] = {}
        self._stops = [(-1, errexit), *_switches(found)]
        self._fetched = {name for one in found for fetch in fetches(one) for name in fetch.files}
        self._sums: dict[str, list[_Sum]] = {}
        self._signs: dict[str, list[int]] = {}
        self._uses: dict[str, list[int]] = {}
        for one in found:
            if _is_use(one):
                for name in {last_part(word.text) for word in one.command.words} & self._fetched:
                    insort(self._uses.setdefault(name, []), one.command.start)
            if _is_sum(one):
                self._take_sum(one)
            elif _is_signature(one):
                names = {last_part(text) for text in one.texts()}
                for name in names | {name.rpartition(".")[0] for name in names}:  # FILE.asc
                    self._signs.setdefault(name, []).append(one.command.start)

    def _take_sum(self, one: Invocation) -> None:
        told = _told(one)
        names = {last_part(word.strip("*()")) for text in told for word in text.split()}
        hashes = one.name not in _WEAK and any(_HASH.search(text) for text in told)
        by = _judge(one)
        if by is None:
            return
        lists = {last_part(text) for text in one.texts()} if _is_checking(one) else set()
        found = _Sum(one.command.start, names & self._fetched, hashes, by, lists & self._fetched)
        for name in found.names if one.name not in _WEAK else ():
            self._sums.setdefault(name, []).append(found)

    def hashed(self, fetch: Fetch) -> bool:
        """Whether a later command compares one of the files to a hash that was not downloaded.

        And what uses the file stands behind it, and does not run where it fails.
        """
        return any(
            (one.told or one.names <= fetch.files)
            and not one.lists & fetch.files
            and self._holds(one, fetch)
            for one in self._later(fetch)
        )

    def _holds(self, check: _Sum, fetch: Fetch) -> bool:
        since = fetch.command.start
        used = False
        for name in fetch.files:
            uses = self._uses.get(name, [])
            behind = bisect_right(uses, since)
            if behind == len(uses):
                continue
            if uses[behind] <= check.start or uses[-1] >= self._guarded(check.by, since):
                return False
            used = True
        return used or self._guarded(check.by, since) == inf

    def _guarded(self, command: Command, since: int) -> float:
        """Return up to which byte nothing runs where a command fails."""
        if command.node is None:
            return command.start
        offset = command.start - command.node.start_byte
        if id(command) not in self._guards:
            at = bisect_left(self._stops, (command.start, False))
            self._guards[id(command)] = guards(command.node, errexit=self._stops[at - 1][1])
        end = guarded(self._guards[id(command)], since - offset)
        if end == inf and command.outer is not None:
            return self._guarded(command.outer, since)
        return end + offset

    def signed(self, fetch: Fetch) -> bool:
        """Whether a later command checks a signature of the file, or of a list that names it."""
        names = {name for one in self._later(fetch) for name in one.names} | fetch.files
        start = fetch.command.start
        return any(self._signs[name][-1] > start for name in names if name in self._signs)

    def _later(self, fetch: Fetch) -> Iterator[_Sum]:
        """Yield the comparisons that name one of the files, the last ones first."""
        for name in sorted(fetch.files):
            for one in reversed(self._sums.get(name, [])[-_MOST_CHECKS:]):
                if one.start > fetch.command.start:
                    yield one


def _switches(found: Sequence[Invocation]) -> Iterator[tuple[int, bool]]:
    """Yield from which byte on `set -e` holds, or holds no more."""
    for one in found:
        texts = one.texts() if one.name == "set" else ()
        if any(map(ERREXIT.fullmatch, texts)):
            yield one.command.start, not any(text.startswith("+") for text in texts)


def _told(one: Invocation) -> list[str]:
    """Return all text that a command is given: arguments, standard input, and the pipe's."""
    words = [*one.command.words, *one.command.fed]
    for before in one.command.feeders():
        words += (*before.words, *before.fed)
    for after in one.command.readers():
        words += after.words
    inner = [word for outer in words for nested in outer.nested for word in nested.words]
    return [word.text for word in (*words, *inner)]


def _is_sum(one: Invocation) -> bool:
    if not _SUMS.fullmatch(one.name):
        return False
    return _is_checking(one) or any(_HASH.search(text) for text in _told(one))


def _judge(one: Invocation) -> Command | None:
    """Return the command that fails where the hash is another, None where none does."""
    last = [one.command, *one.command.readers()][-1]
    if last.words and base_name(last.words[0].text) in _COMPARES:
        return last
    return one.command if _is_checking(one) else None


def _is_checking(one: Invocation) -> bool:
    return one.name != "openssl" and any(
        re.fullmatch(r"-[a-z]*c[a-z]*|--check", word) for word in one.texts()
    )


def _is_use(one: Invocation) -> bool:
    """Whether a program may take what is in the files that it is told."""
    harmless = one.name in _HARMLESS or one.name in TAKES
    return not (harmless or _SUMS.fullmatch(one.name) or _is_signature(one))


def _is_signature(one: Invocation) -> bool:
    wanted = _SIGNED.get(one.name)
    return wanted is not None and (not wanted or wanted in one.texts())


def audit_fetch(scene: Scene, fetch: Fetch, checks: Checks) -> Iterator[Pin | PinFinding]:
    """Yield the pin of a download and what it lacks."""
    where, address = scene.of(fetch.address), fetch.address.text
    runner = _runner(fetch.command)
    hashed = runner is None and checks.hashed(fetch)
    moving = bool(MOVING.search(address))
    strength = Strength.HASHED if hashed else Strength.FLOATING if moving else Strength.VERSIONED
    name = last_part(address.partition("?")[0]) or host(address)
    yield pin("http", where, purl("generic", name, download_url=address), strength)
    if hashed:
        return
    shown = f"{fetch.command.words[0].text} {address[:200]}"
    if runner:
        yield finding("NET001", scene.of(fetch.command), f"{shown} is run by {runner}")
    elif moving:
        yield finding("NET003", where, shown)
    elif checks.signed(fetch):
        yield finding("NET006", where, shown)
    else:
        http = ", over http" if address.startswith("http:") else ""
        yield finding("NET002", where, f"{shown} is checked by no sha256{http}")


def _runner(command: Command) -> str | None:
    """Return the program that a download is piped into for execution."""
    for after in command.readers():
        found = unwrap(after)
        if found and found.name in RUNNERS and _runs_input(found):
            return found.name
    return None


def _runs_input(found: Invocation) -> bool:
    """Whether an interpreter runs what it reads: it is given no program of its own."""
    texts = found.texts()
    if found.name not in SHELLS:
        return not texts or texts[0] == "-"
    if "-c" in texts:
        return False
    return "-s" in texts or all(text.startswith("-") for text in texts)
