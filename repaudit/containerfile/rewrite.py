r"""Commands that write what varies, and the words that make each of them write the same.

Sources: the manuals of GNU coreutils, findutils, gzip, tar and binutils, of zip, wget and pip; for
the fallback of SOURCE_DATE_EPOCH <https://reproducible-builds.org/docs/source-date-epoch/>. A
rewriter yields nothing for a use that it does not know whole.
"""

from __future__ import annotations

import re
import shlex
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
#: The format that records when a file was read and changed last as well.
_TAR_POSIX = re.compile("--posix|(--format=|-H)(pax|posix)")
_GZIP_READS = re.compile(r"-[^-]*[dltnN].*|--(decompress|uncompress|list|test|no-name|name)")
_SAYS_WHICH_DATE = re.compile(r"-[A-Za-z]*[drfs].*|--(date|reference|file|set)(=.*)?")
_ZIP_OPTIONS = re.compile("-[0-9qrX]+")
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


def _tar(*options: str, posix: str | None = None) -> Rewriter:
    """Add options to a tar that packs, and `posix` to one that writes the posix format."""
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
        if posix and any(_TAR_POSIX.fullmatch(text or "") for text in command.texts):
            yield _after(command.words[at], posix)

    return rewrite


def _ar(command: Command) -> Iterator[Splice]:
    if command.name == "ranlib" and not command.has("-D"):
        undone = [word for word in command.arguments if word.text == "-U"]
        for word in undone:
            yield Splice(start=word.start, end=word.end, text="-D")
        if not undone:
            yield _after(command.words[0], "-D")
    bundle = command.texts[0] if command.name == "ar" and command.arguments else None
    if bundle and re.fullmatch("-?[a-zA-Z]*[rq][a-zA-Z]*", bundle) and "D" not in bundle:
        word = command.arguments[0]
        # `u` goes by the times that `D` leaves out; binutils warns, and takes every file.
        yield Splice(start=word.start, end=word.end, text=re.sub("[uU]", "", bundle) + "D")


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
            if "LC_ALL" not in command.assigned:
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


def _zip(command: Command) -> tuple[list[Word], list[Word]] | None:
    """Return the options of a plain `zip [OPTIONS] ARCHIVE INPUT…`, and the inputs."""
    known = command.name == "zip" and None not in command.texts and _whole(command)
    options = [word for word in command.arguments if (word.text or "").startswith("-")]
    names = [word for word in command.arguments if word not in options]
    plain = all(_ZIP_OPTIONS.fullmatch(word.text or "") for word in options)
    return (options, names[1:]) if known and plain and len(names) > 1 else None


def _zip_times(command: Command) -> Iterator[Splice]:
    """Set back the inputs that are newer than the epoch: zip writes their times, in local time.

    The braces keep both commands one, whatever stands around them.
    """
    parts = _zip(command)
    if parts is None or "-newermt" in command.group:
        return
    options, inputs = parts
    epoch = _epoch(command)
    names = shlex.join(word.text or "" for word in inputs)
    zone = "" if "TZ" in command.assigned else "TZ=UTC "
    touch = f"find {names} -newermt {epoch} -exec touch -hd {epoch} {{}} +"
    yield Splice(start=command.start, end=command.start, text=f"{{ {touch} && {zone}")
    if not any("X" in (word.text or "") for word in options):
        yield _after(command.words[0], "-X")
    yield Splice(start=command.words[-1].end, end=command.words[-1].end, text="; }")


def _zip_order(command: Command) -> Iterator[Splice]:
    """Give zip the sorted names instead of the folder."""
    parts = _zip(command)
    recursive = [word for word in parts[0] if "r" in (word.text or "")] if parts else []
    if parts is None or len(recursive) != 1 or recursive[0].start > parts[1][0].start:
        return
    word, inputs = recursive[0], parts[1]
    names = shlex.join(one.text or "" for one in inputs)
    yield Splice(start=command.start, end=command.start, text=f"find {names} | LC_ALL=C sort | ")
    rest = (word.text or "").replace("r", "")
    alone = rest == "-"  # then the space before it goes as well
    yield Splice(start=word.start - alone, end=word.end, text="" if alone else rest)
    yield Splice(start=inputs[0].start, end=inputs[-1].end, text="-@")


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


def _printed(rewriter: Rewriter) -> Rewriter:
    """Leave alone what prints to nobody: that is not what reached a file."""

    def rewrite(command: Command) -> Iterator[Splice]:
        if not command.unheard:
            yield from rewriter(command)

    return rewrite


#: By the name that causes.toml gives them.
REWRITERS: Mapping[str, Rewriter] = {
    "ar": _ar,
    "date": _printed(_date),
    "env": _printed(_env),
    "find": _printed(_find),
    "gzip": _gzip,
    "hostname": _printed(_hostname),
    "ls": _printed(_ls),
    "pip": _pip,
    "tar_order": _tar("--sort=name"),
    "tar_owner": _tar("--owner=0", "--group=0", "--numeric-owner"),
    "tar_times": _tar(
        "--mtime=EPOCH", "--clamp-mtime", posix="--pax-option=delete=atime,delete=ctime"
    ),
    "wget": _wget,
    "zip_order": _zip_order,
    "zip_times": _zip_times,
}
