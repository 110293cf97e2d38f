"""Downloads in a script, and whether anything in it checks what came."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from repaudit.ecosystems._catalogue import finding
from repaudit.ecosystems._command import Command, Word
from repaudit.ecosystems._invocation import (
    SHELLS,
    Arguments,
    Invocation,
    Scene,
    arguments,
    base_name,
    unwrap,
)
from repaudit.ecosystems._purl import pin, purl
from repaudit.model.pins import Pin, PinFinding, Strength

_TAKES = {
    "curl": """-o --output -H --header -d --data --data-raw --data-binary --data-urlencode -F --form
-X --request -u --user -A --user-agent -e --referer -b --cookie -c --cookie-jar -m --max-time -T
--upload-file -w --write-out -x --proxy -K --config -C --continue-at -r --range -E --cert -z -Y -y
--time-cond --key --cacert --capath --retry --retry-delay --retry-max-time --connect-timeout
--output-dir --resolve --url --tls-max --ciphers --create-file-mode --limit-rate --max-redirs
--interface --max-filesize --proto --proto-redir --dns-servers --stderr --trace --noproxy""",
    "wget": """-O --output-document -o --output-file -a --append-output -P --directory-prefix -U -e
--execute -T --timeout -t --tries -w --wait -i --input-file --header --user-agent --user --password
--post-data --post-file --body-data --method --ca-certificate --certificate --private-key -A -R -D
-l --level -X -I -Q --quota --limit-rate --no-proxy-for --waitretry --read-timeout
--connect-timeout --dns-timeout --progress --bind-address --secure-protocol""",
    "aria2c": "-o --out -d --dir -x -s -j -k --checksum --header",
}
_SENDS = (
    *("-d", "--data", "--data-raw", "--data-binary", "--data-urlencode", "-F", "--form", "-T"),
    *("--upload-file", "-I", "--head", "--post-data", "--post-file", "--body-data", "--spider"),
)
_RUNNERS = SHELLS | {"python", "perl", "ruby", "node", "php", "source", ".", "eval"}
_HERE = re.compile(r"(?:localhost|127(?:\.\d{1,3}){3}|\[?::1\]?|0\.0\.0\.0)", re.IGNORECASE)
_SUMS = re.compile(
    r"g?(?:sha(?:224|256|384|512)|b2|sha|md5|sha1)sum|shasum|sha(?:256|512)|openssl|rhash|cksum"
)
_MOST_CHECKS = 100
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
MOVING = re.compile(
    r"/(?:latest|nightly|HEAD|(?:refs/heads/)?(?:master|main|trunk|develop))(?:[/.?#-]|$)|[-_]latest\."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """One address that is fetched, and the names of the file that it lands in."""

    address: Word
    command: Command
    files: frozenset[str]


def fetches(found: Invocation) -> Iterator[Fetch]:
    """Yield what a program downloads; requests that send, and this host's own, are no downloads."""
    if found.name not in _TAKES:
        return
    given = arguments(found.arguments, _TAKES[found.name])
    words = [*given.values("--url"), *(word for word in given.rest if _is_address(word.text))]
    method = [word.text.upper() for word in given.values("-X", "--request", "--method")]
    if given.has(*_SENDS) or any(name not in ("GET",) for name in method):
        return
    if found.name == "aria2c" and given.has("--checksum"):
        return
    for index, word in enumerate(words):
        if not _HERE.fullmatch(_host(word.text)):
            files = _files(found, given, word.text, index)
            yield Fetch(address=word, command=found.command, files=files)


def _is_address(text: str) -> bool:
    return "://" in text or text.startswith("$") or bool(re.match(r"[\w-]+(\.[\w-]+)+/", text))


def _host(address: str) -> str:
    try:
        return urlsplit(address if "://" in address else f"//{address}").hostname or ""
    except ValueError:
        return ""


def _files(found: Invocation, given: Arguments, address: str, index: int) -> frozenset[str]:
    outputs = (
        given.values("-o", "--output")
        if found.name == "curl"
        else given.values("-O", "--output-document", "--out")
    )
    if outputs:
        names = [outputs[min(index, len(outputs) - 1)].text]
    elif found.name == "curl" and not given.has("-O", "--remote-name", "--remote-name-all", "-J"):
        names = found.command.into
    else:
        names = [unquote(address.partition("?")[0].partition("#")[0])]
    return frozenset(_last(name) for name in names) - {"", "-"}


def _last(name: str) -> str:
    return name.rstrip("/").rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class _Sum:
    """A command that compares files to hashes: the names that it is told, and if hashes as well."""

    start: int
    names: set[str]
    told: bool


class Checks:
    """What a script checks, by which means, after it was fetched."""

    def __init__(self, found: Sequence[Invocation]) -> None:
        self._fetched = {name for one in found for fetch in fetches(one) for name in fetch.files}
        self._sums: dict[str, list[_Sum]] = {}
        self._signs: dict[str, list[int]] = {}
        for one in found:
            if _is_sum(one):
                self._take_sum(one)
            elif _is_signature(one):
                names = {_last(text) for text in one.texts()}
                for name in names | {name.rpartition(".")[0] for name in names}:  # FILE.asc
                    self._signs.setdefault(name, []).append(one.command.start)

    def _take_sum(self, one: Invocation) -> None:
        told = _told(one)
        names = {_last(word.lstrip("*")) for text in told for word in text.split()}
        hashes = one.name not in _WEAK and any(_HASH.search(text) for text in told)
        found = _Sum(one.command.start, names & self._fetched, hashes)
        for name in found.names if one.name not in _WEAK else ():
            self._sums.setdefault(name, []).append(found)

    def hashed(self, fetch: Fetch) -> bool:
        """Whether a later command compares one of the files to a hash that was not downloaded."""
        return any(one.told or one.names <= fetch.files for one in self._later(fetch))

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


def _told(one: Invocation) -> list[str]:
    """Return all text that a command is given: arguments, standard input, and the pipe's."""
    told = [word.text for word in one.command.words] + [word.text for word in one.command.fed]
    for before in one.command.feeders():
        told += [word.text for word in (*before.words, *before.fed)]
    for after in one.command.readers():
        told += [word.text for word in after.words]
    return told


def _is_sum(one: Invocation) -> bool:
    if not _SUMS.fullmatch(one.name):
        return False
    words = one.texts()
    checking = one.name != "openssl" and any(
        re.fullmatch(r"-[a-z]*c[a-z]*|--check", word) for word in words
    )
    return checking or any(_HASH.search(text) for text in _told(one))


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
    name = _last(address.partition("?")[0]) or _host(address)
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
        if found and found.name in _RUNNERS and _runs_input(found):
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


def executed(found: Invocation) -> Iterator[Command]:
    """Yield the downloads whose output is a script of this command: `sh -c "$(curl …)"`."""
    if found.name not in _RUNNERS:
        return
    for word in found.command.words:
        yield from (
            one for one in word.nested if one.words and base_name(one.words[0].text) in _TAKES
        )
