"""Downloads in a script: what is fetched, and into which files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from repaudit.ecosystems._command import Command, Word
from repaudit.ecosystems._invocation import (
    SHELLS,
    Arguments,
    Invocation,
    arguments,
    base_name,
)

TAKES = {
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
RUNNERS = SHELLS | {"python", "perl", "ruby", "node", "php", "source", ".", "eval"}
_HERE = re.compile(r"(?:localhost|127(?:\.\d{1,3}){3}|\[?::1\]?|0\.0\.0\.0)", re.IGNORECASE)
MOVING = re.compile(
    r"/(?:latest|nightly|HEAD|(?:refs/heads/)?(?:master|main|trunk|develop))(?:[/.?#-]|$)|[-_]latest\."
)


class Fetch(Struct, frozen=True, kw_only=True):
    """One address that is fetched, and the names of the file that it lands in."""

    address: Word
    command: Command
    files: frozenset[str]


def fetches(found: Invocation) -> Iterator[Fetch]:
    """Yield what a program downloads; requests that send, and this host's own, are no downloads."""
    if found.name not in TAKES:
        return
    given = arguments(found.arguments, TAKES[found.name])
    words = [*given.values("--url"), *(word for word in given.rest if _is_address(word.text))]
    method = [word.text.upper() for word in given.values("-X", "--request", "--method")]
    if given.has(*_SENDS) or any(name not in ("GET",) for name in method):
        return
    if found.name == "aria2c" and given.has("--checksum"):
        return
    for index, word in enumerate(words):
        if not _HERE.fullmatch(host(word.text)):
            files = _files(found, given, word.text, index)
            yield Fetch(address=word, command=found.command, files=files)


def _is_address(text: str) -> bool:
    return "://" in text or text.startswith("$") or bool(re.match(r"[\w-]+(\.[\w-]+)+/", text))


def host(address: str) -> str:
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
    return frozenset(last_part(name) for name in names) - {"", "-"}


def last_part(name: str) -> str:
    return name.rstrip("/").rpartition("/")[2]


def executed(found: Invocation) -> Iterator[Command]:
    """Yield the downloads whose output is a script of this command: `sh -c "$(curl …)"`."""
    if found.name not in RUNNERS:
        return
    for word in found.command.words:
        yield from (
            one for one in word.nested if one.words and base_name(one.words[0].text) in TAKES
        )
