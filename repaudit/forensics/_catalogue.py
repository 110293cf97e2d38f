"""The catalogue of causes, `causes.toml`, as values. It ships with the package."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from msgspec import Struct

from repaudit.model.difference import Aspect
from repaudit.model.finding import Cause

_DEFAULT_ASPECTS = ("content", "presence")
_GENERAL = {
    "time": "captures_build_date",
    "timezone": "captures_timezone",
    "locale": "captures_locale",
    "umask": "different_due_to_umask",
    "hostname": "captures_hostname",
    "user": "captures_user_name",
    "home": "captures_home_dir",
    "environment": "captures_environment",
    "build_path": "captures_build_path",
    "file_order": "random_order_of_directory_entries",
    "cpus": "captures_cpu_count",
    "kernel": "captures_kernel_version",
    "aslr": "captures_memory_address",
}


class Change(StrEnum):
    """How a fix changes a Containerfile; the word is the key in causes.toml.

    `argument` declares a build argument before the step. `begin` puts a command before the step's
    own, `export` a variable, and `append` a command behind them. `rewrite` names a rewriter.
    """

    ARGUMENT = "argument"
    BEGIN = "begin"
    EXPORT = "export"
    REWRITE = "rewrite"
    APPEND = "append"


class Mend(Struct, frozen=True, kw_only=True):
    """One change of a fix. In an `append`, `{paths}` stands for the files of the finding.

    `unless` are words which, in a later step, say that it still needs what is taken away; one that
    begins with a slash means all paths below. `where` are texts of which the step must hold one;
    an `argument` without them goes with the fix's other changes, if there are any.
    """

    change: Change
    text: str
    unless: tuple[str, ...] = ()
    where: tuple[str, ...] = ()


class Record(Struct, frozen=True, kw_only=True):
    """A cause, the factors that bring it about, where it is known to show, and what mends it.

    `text` says that the file there is text, `trust` that it decides whom a container trusts, so
    that a place alone tells nothing of two images of which nothing is known. `gone` says that the
    remedy does away with the file, `whole` that nothing of it is left to be explained. `fix` is the
    remedy as an edit of the Containerfile, empty where a person has to choose.
    """

    cause: Cause
    factors: tuple[str, ...]
    paths: tuple[str, ...]
    aspects: frozenset[Aspect]
    gone: bool
    text: bool = False
    trust: bool = False
    whole: bool = False
    fix: tuple[Mend, ...] = ()


def cause(slug: str) -> Cause:
    """Return the cause called `slug`; a slug that is not in the catalogue is a KeyError."""
    return record(slug).cause


def leaves_nothing(slug: str) -> bool:
    """Whether the remedy of a cause does away with the file that shows it."""
    return record(slug).gone


def fix_of(slug: str) -> tuple[Mend, ...]:
    """Return the remedy of a cause as changes of the Containerfile, none where it has no such."""
    return record(slug).fix


def general_cause(factor: str) -> Cause:
    """Return the cause that says no more than that something follows `factor`."""
    return cause(_GENERAL[factor])


def causes() -> tuple[Cause, ...]:
    """Return every cause, sorted by slug."""
    return tuple(record.cause for record in records())


@cache
def record(slug: str) -> Record:
    """Return the whole record of the cause called `slug`."""
    return _record(tomllib.loads(_tables()[slug]))


def records() -> tuple[Record, ...]:
    """Return every record, sorted by slug."""
    return tuple(map(record, _tables()))


@cache
def _tables() -> dict[str, str]:
    """Return each cause's table as text, by its slug, sorted: to parse all takes a while."""
    _, *tables = Path(__file__).with_name("causes.toml").read_text("utf-8").split("[[cause]]\n")
    return dict(sorted((table.split('"', 2)[1], table) for table in tables))


def known_at(path: str, aspect: Aspect) -> Iterator[tuple[Record, str]]:
    """Yield each record whose cause is known to show there, with the glob that says so."""
    last = None
    for start, end, glob, record in _places(aspect):  # for every file that differs: few steps
        if path.startswith(start) and path.endswith(end) and record is not last:
            if _pattern(glob).fullmatch(path):
                last = record
                yield record, glob


@cache
def _places(aspect: Aspect) -> tuple[tuple[str, str, str, Record], ...]:
    """Return how the paths of each glob for an aspect begin and end, the glob and its record."""
    some = (record(slug) for slug, table in _tables().items() if "\npaths = " in table)
    return tuple(
        (*_ends(glob), glob, one) for one in some if aspect in one.aspects for glob in one.paths
    )


def _record(table: dict[str, Any]) -> Record:
    return Record(
        cause=Cause(
            slug=table["slug"],
            title=table["title"],
            remedy=table["remedy"],
            reference=table.get("reference"),
        ),
        factors=tuple(table["factors"]),
        paths=tuple(table.get("paths", ())),
        aspects=frozenset(Aspect(name) for name in table.get("aspects", _DEFAULT_ASPECTS)),
        gone=table.get("gone", False),
        text=table.get("text", False),
        trust=table.get("trust", False),
        whole=table.get("whole", False),
        fix=tuple(map(_mend, table.get("fix", ()))),
    )


def _mend(table: dict[str, Any]) -> Mend:
    (change,) = table.keys() & set(Change)
    return Mend(
        change=Change(change),
        text=table[change],
        unless=tuple(table.get("unless", ())),
        where=tuple(table.get("where", ())),
    )


def _ends(glob: str) -> tuple[str, str]:
    """Return how all paths of a glob begin and end: few patterns need be compiled then."""
    words = re.split(r"[*?]|\[[^]]+\]", glob)
    return words[0], words[-1].lstrip("/") if len(words) > 1 else glob


@cache
def _pattern(glob: str) -> re.Pattern[str]:
    # pathlib's match knows `**` from Python 3.13 on only, so the globs are translated here.
    # A leading or inner `**` stands for any number of folders, none included; a last one for
    # everything below.
    parts = glob.split("/")
    pieces = []
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if part == "**":
            pieces.append(".+" if last else "(?:[^/]+/)*")
        else:
            pieces.append(_name(part) + ("" if last else "/"))
    return re.compile("".join(pieces), re.DOTALL)


def _name(part: str) -> str:
    # fnmatch's wildcards cross slashes; within one name they must not.
    wild = {"*": "[^/]*", "?": "[^/]"}
    words = re.split(r"(\*|\?|\[[^]]+\])", part)
    return "".join(
        wild.get(word, word if word.startswith("[") else re.escape(word)) for word in words
    )
