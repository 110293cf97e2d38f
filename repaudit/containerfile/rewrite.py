r"""Commands that write what varies, and the words that make each of them write the same.

Sources: the manuals of GNU coreutils, findutils, gzip, tar and binutils, of zip, wget and pip; for
the fallback of SOURCE_DATE_EPOCH <https://reproducible-builds.org/docs/source-date-epoch/>. A
rewriter yields nothing for a use that it does not know whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from repaudit.containerfile.edit import Splice
from repaudit.containerfile.shell import Command, Word

EPOCH = "SOURCE_DATE_EPOCH"
#: Where nobody gives an epoch, the build does as before.
_EPOCH = f"${{{EPOCH}:-$(date +%s)}}"
_FIXED_HOST = "localhost"
#: Letters of tar's old-style bundle that take the next argument.
_TAR_TAKES = frozenset("bCfFgHIKLNTVX")
#: `cf`, `cvzf`; `-cf`, `-zcf`, `--create`: what packs, and not what unpacks.
_TAR_OLD = re.compile("[vzjJapfhkPSWZ]*c[vzjJapfhkPSWZ]*")
_TAR_NEW = re.compile("-[vzjJaphkPSWZ]*c[A-Za-z]*|--create")
_GZIP_READS = re.compile(r"-[^-]*[dltnN].*|--(decompress|uncompress|list|test|no-name|name)")
_SAYS_WHICH_DATE = re.compile(r"-[A-Za-z]*[drfs].*|--(date|reference|file|set)(=.*)?")
_UNSORTED = re.compile("-[a-eg-zA-Z0-9]*U[a-eg-zA-Z0-9]*")
_ACTS = re.compile(r"-(exec|execdir|ok|okdir|delete|ls|fls|quit|print0|printf|fprint.*)")

Rewriter = Callable[[Command], Iterator[Splice]]


def _after(word: Word, text: str) -> Splice:
    return Splice(start=word.end, end=word.end, text=f" {text}")


def _epoch(command: Command) -> str:
    """Return `@EPOCH` as one word; quotes within backticks mean something else."""
    return f"@{_EPOCH}" if command.quoted else f'"@{_EPOCH}"'


def _date(command: Command) -> Iterator[Splice]:
    if command.name != "date" or EPOCH in command.stands_in:
        return
    for word in command.texts:
        if word is None:
            continue
        if not word.startswith(("-", "+")) or _SAYS_WHICH_DATE.fullmatch(word):
            return
    utc = "" if command.has("-u", "--utc", "--universal") else "-u "
    yield _after(command.words[0], f"{utc}-d {_epoch(command)}")


def _gzip(command: Command) -> Iterator[Splice]:
    reads = any(_GZIP_READS.fullmatch(text or "") for text in command.texts)
    if command.name in {"gzip", "pigz"} and not reads:
        yield _after(command.words[0], "-n")


def _tar(*options: str) -> Rewriter:
    known = {option.partition("=")[0] for option in options}

    def rewrite(command: Command) -> Iterator[Splice]:
        if command.name != "tar" or not command.arguments or command.has("-T", *known):
            return
        first = command.texts[0] or ""
        old = _TAR_OLD.fullmatch(first)
        if not old and not any(_TAR_NEW.fullmatch(text or "") for text in command.texts):
            return
        # An old-style bundle must come first, and what it takes next.
        at = 1 + sum(letter in _TAR_TAKES for letter in first) if old else 0
        if at >= len(command.words):
            return
        for option in options:
            yield _after(command.words[at], option.replace("EPOCH", _epoch(command)))

    return rewrite


def _ar(command: Command) -> Iterator[Splice]:
    if command.name == "ranlib" and not command.has("-D", "-U"):
        yield _after(command.words[0], "-D")
    bundle = command.texts[0] if command.name == "ar" and command.arguments else None
    if bundle and re.fullmatch("-?[a-zA-Z]*[rq][a-zA-Z]*", bundle) and not set("DU") & set(bundle):
        yield Splice(start=command.arguments[0].end, end=command.arguments[0].end, text="D")


def _hostname(command: Command) -> Iterator[Splice]:
    asks = {
        "hostname": {"-f", "-s", "--fqdn", "--long", "--short"},
        "uname": {"-n", "--nodename"},
    }.get(command.name)
    told = command.name == "hostname" or bool(command.arguments)
    if asks is not None and told and set(command.texts) <= asks and _whole(command):
        last = command.words[-1]
        yield Splice(start=command.words[0].start, end=last.end, text=f"echo {_FIXED_HOST}")


def _whole(command: Command) -> bool:
    """Whether nothing stands between the words but one space: no comment would be lost."""
    ends = [word.end + 1 for word in command.words[:-1]]
    return ends == [word.start for word in command.words[1:]]


def _env(command: Command) -> Iterator[Splice]:
    if command.name in {"env", "printenv"} and not command.arguments:
        word = command.words[0]
        path = "$PATH" if command.quoted else '"$PATH"'
        yield Splice(start=word.start, end=word.start, text=f"env -i PATH={path} ")


def _ls(command: Command) -> Iterator[Splice]:
    if command.name != "ls" or not _whole(command):
        return
    for word in command.arguments:
        text = word.text or ""
        if _UNSORTED.fullmatch(text):
            if command.start == command.words[0].start:
                yield Splice(start=command.start, end=command.start, text="LC_ALL=C ")
            rest = text.replace("U", "")
            alone = rest == "-"  # then the space before it goes as well
            yield Splice(start=word.start - alone, end=word.end, text="" if alone else rest)


def _find(command: Command) -> Iterator[Splice]:
    """Sort the names that find prints; what it does in its own order is left alone."""
    if command.name != "find" or command.behind is None or command.into == "sort":
        return
    if None in command.texts[1:]:
        return
    acts = [text for text in command.texts if text and _ACTS.fullmatch(text)]
    if acts == ["-print0"]:
        yield Splice(start=command.behind, end=command.behind, text=" | LC_ALL=C sort -z")
    elif not acts:
        yield Splice(start=command.behind, end=command.behind, text=" | LC_ALL=C sort")


def _wget(command: Command) -> Iterator[Splice]:
    if command.name == "wget" and not command.has("--no-hsts"):
        yield _after(command.words[0], "--no-hsts")


def _pip(command: Command) -> Iterator[Splice]:
    texts = command.texts
    if not re.fullmatch(r"pip[0-9.]*", command.name):
        named = re.fullmatch(r"python[0-9.]*", command.name) and texts[:2] == ("-m", "pip")
        if not named:
            return
    if "install" in texts and not command.has("--no-compile"):
        yield _after(command.arguments[texts.index("install")], "--no-compile")


#: By the name that causes.toml gives them.
REWRITERS: Mapping[str, Rewriter] = {
    "ar": _ar,
    "date": _date,
    "env": _env,
    "find": _find,
    "gzip": _gzip,
    "hostname": _hostname,
    "ls": _ls,
    "pip": _pip,
    "tar_order": _tar("--sort=name"),
    "tar_owner": _tar("--owner=0", "--group=0", "--numeric-owner"),
    "tar_times": _tar("--mtime=EPOCH", "--clamp-mtime"),
    "wget": _wget,
}
