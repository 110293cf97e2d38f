"""What git knows of a context, asked without running anything that the repository names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from repaudit.host import process
from repaudit.model.errors import UsageError
from repaudit.model.history import Source

#: A context may be a stranger's, and a repository's own configuration can name programs to run.
#: git's guard (safe.directory) stays on as well: a repository of another owner has no commits here.
TAME = (
    "--no-optional-locks",  # or else `git status` writes the index anew, in the user's folder
    *("-c", "safe.bareRepository=explicit", "-c", "core.fsmonitor=false", "-c", "core.pager=cat"),
    *("-c", "log.showSignature=false", "-c", "gpg.program=false", "-c", "protocol.allow=never"),
)
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
#: A line of `git blame --porcelain` that starts a line of the file.
_BLAMED = re.compile(r"([0-9a-f]{40,64}) \d+ (\d+)( \d+)?$")


def source(context: Path, without: Sequence[str] = ()) -> Source | None:
    """Return the commit of the repository that `context` is in, None where there is none.

    It is dirty if, in the context, anything is changed, or there and not ignored. Paths `without`,
    as from the context, do not count, nor what is below them.
    """
    commit = ask(context, "rev-parse", "--verify", "--end-of-options", "HEAD^{commit}")
    if commit is None or not _COMMIT.fullmatch(commit):
        return None
    status = ("status", "--porcelain", "--ignore-submodules=dirty", "--untracked-files=normal")
    left_out = (f":(exclude,literal){path}" for path in without)
    changed = ask(context, *_without_filters(context), *status, "--", ".", *left_out)
    return Source(commit=commit, dirty=changed != "")


def changed(context: Path, old: str, new: str, within: Sequence[Path]) -> tuple[str, ...]:
    """Return the paths, as from the repository's root, in which two commits differ.

    `within` bounds it to some files and folders; () is the whole tree. Submodules are paths.
    Raises UsageError where `context` is in no repository, or that has no such commits.
    """
    top = ask(context, "rev-parse", "--show-toplevel")
    if top is None:
        hint = "run it in the repository that both commits are of"
        raise UsageError(f"{context} is in no git repository", hint=hint)
    whole = []
    for name in (old, new):
        commit = ask(context, "rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}")
        if commit is None:
            hint = "name two commits of the repository, with all of its history: OLD..NEW"
            raise UsageError(f"no such commit in {context}: {name!r:.80}", hint=hint)
        whole.append(commit)
    words = ["diff-tree", "-r", "-z", "--name-only", "--no-renames", *whole]
    found = ask(
        Path(top), "--literal-pathspecs", *words, "--", *(str(path.absolute()) for path in within)
    )
    if found is None:
        hint = "--inputs names files and folders of the repository"
        raise UsageError(f"git cannot compare {old} and {new} here", hint=hint)
    return tuple(sorted(filter(None, found.split("\0"))))


def relative(path: Path) -> str | None:
    """Return a file's path as from the root of the repository that it is in, None for none."""
    top = ask(path.resolve().parent, "rev-parse", "--show-toplevel")
    return None if top is None else path.resolve().relative_to(Path(top).resolve()).as_posix()


def ignored(context: Path) -> tuple[str, ...]:
    """Return what lies in a context though git ignores it; a folder whole, with `/` at its end."""
    words = ("ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory")
    return tuple(sorted(filter(None, (ask(context, *words) or "").split("\0"))))


def submodules(context: Path, commit: str) -> tuple[tuple[str, str, str], ...]:
    """Return (path, commit, state) of each submodule that a commit of the repository pins.

    The state is `clean`, `changed` (another commit, or a work tree with more), or `absent`.
    """
    top = Path(ask(context, "rev-parse", "--show-toplevel") or context)
    listed = ask(top, "ls-tree", "-r", "-z", "--full-tree", commit) or ""
    entries = (entry.partition("\t") for entry in listed.split("\0") if entry)
    pinned = [(path, words.split()[2]) for words, _, path in entries if words.startswith("160000 ")]
    return tuple((path, pin, _state(top / path, pin)) for path, pin in sorted(pinned))


def gitlink(folder: Path, path: str) -> str | None:
    """Return the commit at which the index of a checkout has a submodule, None where it has none.

    `path` is as from `folder`. See git-ls-files(1), --stage.
    """
    if "\0" in path:
        return None
    listed = ask(folder, "--literal-pathspecs", "ls-files", "--stage", "-z", "--", path) or ""
    entries = [entry.partition("\t")[0].split() for entry in listed.split("\0") if entry]
    match entries:
        case [["160000", commit, "0"]]:
            return commit
        case _:
            return None


def _state(folder: Path, pinned: str) -> str:
    if ask(folder, "rev-parse", "--show-prefix") != "":  # not a root: git sees the parent's
        return "absent"
    return "clean" if source(folder) == Source(commit=pinned, dirty=False) else "changed"


def line_dates(context: Path, commit: str, path: str) -> dict[int, int]:
    """Return when each line of a file got its text, in seconds since 1970, by its number from 1.

    Lines that are older than a shallow clone reaches are left out; so are all where git fails.
    """
    shallow = ask(context, "rev-parse", "--is-shallow-repository") != "false"
    words = ["blame", "--porcelain", "--no-textconv", commit, "--", path]
    told = ask(context, *_without_filters(context), "-c", "blame.ignoreRevsFile=", *words) or ""
    lines: dict[int, str] = {}
    dates: dict[str, int] = {}
    oldest: set[str] = set()
    name = ""
    for line in told.split("\n"):
        if match := _BLAMED.match(line):
            name = match[1]
            lines[int(match[2])] = name
        elif line.startswith("committer-time "):
            dates[name] = int(line.split()[1])
        elif line == "boundary" and shallow:
            oldest.add(name)
    return {n: dates[c] for n, c in lines.items() if c in dates and c not in oldest}


def last_commit(context: Path) -> int | None:
    """Return the time, in seconds since 1970, of the last commit that touched `context`."""
    text = ask(context, "log", "-1", "--format=%ct", "--no-show-signature", "--", ".") or ""
    return int(text) if text.isascii() and text.isdigit() else None


def folder(context: Path) -> str | None:
    """Return the path of `context` in its work tree: "" for the root, None outside of one."""
    prefix = ask(context, "rev-parse", "--show-prefix")
    return None if prefix is None else prefix.removesuffix("/")


def ask(context: Path, *words: str) -> str | None:
    """Return what `git` says in a folder, None where it is not installed or fails."""
    if process.find_tool("git") is None:
        return None
    result = process.run(["git", *TAME, "-C", str(context), *words])
    return result.stdout.decode(errors="replace").strip() if result.status == 0 else None


def _without_filters(context: Path) -> tuple[str, ...]:
    """Return options that turn off the programs through which `git status` may read files."""
    pattern = r"^filter\..*\.(clean|smudge|process)$"
    named = ask(context, "config", "--local", "--name-only", "--get-regexp", pattern)
    return tuple(word for name in (named or "").splitlines() for word in ("-c", f"{name}="))
