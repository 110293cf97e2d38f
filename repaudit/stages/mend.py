"""One step of a Containerfile and the fix of a finding: what to change in its text."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence

from repaudit import containerfile as cf
from repaudit.containerfile.edit import Splice, append, begin
from repaudit.containerfile.rewrite import REWRITERS
from repaudit.containerfile.shell import Script, script
from repaudit.forensics import Change, Mend, fix_of
from repaudit.model.finding import Finding

NO_SHELL = "the step is not plain shell text, so it is left alone"
NOTHING = "the step does not call, by name, what this fix would change"
_MOST_PATHS = 12
_USER = re.compile("[a-z_][a-z0-9_-]*")


class NoEditError(Exception):
    """There is no safe edit; the message says why."""


class Step:
    """One step that is to be mended."""

    def __init__(
        self, file: cf.Containerfile, stage: cf.Stage, statement: cf.Statement, finding: Finding
    ) -> None:
        self._file = file
        self._stage = stage
        self._statement = statement
        self._finding = finding
        self._mends = fix_of(finding.cause.slug)

    def splices(self) -> Iterator[Splice]:
        """Yield what to change in the step's own text."""
        mends = [mend for mend in self._mends if mend.change is not Change.ARGUMENT]
        text = script(self._file, self._statement)
        if mends and text is None:
            raise NoEditError(NO_SHELL)
        for mend in mends:
            if text and self._concerns(mend):
                yield from self._splices(mend, text)

    def declared(self, splices: Sequence[Splice]) -> Iterator[tuple[int, cf.Statement, str]]:
        """Yield the arguments that must be declared: alone, or for the sake of the splices."""
        alone = all(mend.change is Change.ARGUMENT for mend in self._mends)
        for mend in self._mends:
            if mend.change is not Change.ARGUMENT or self._has(mend.text):
                continue
            if self._concerns(mend) if mend.where else alone or splices:
                yield self._stage.index, self._statement, mend.text

    def _concerns(self, mend: Mend) -> bool:
        return not mend.where or any(word in self._statement.arguments for word in mend.where)

    def _has(self, name: str) -> bool:
        """Whether the stage sets a variable above the step."""
        return any(
            name in re.split(r"[\s=]+", statement.arguments)
            for statement in self._stage.statements
            if statement.keyword in {"ARG", "ENV"} and statement.start < self._statement.start
        )

    def _splices(self, mend: Mend, text: Script) -> Iterator[Splice]:
        match mend.change:
            case Change.REWRITE:
                for command in text.commands:
                    yield from REWRITERS[mend.text](command)
            case Change.BEGIN:
                if mend.text not in text.text:
                    yield self._sure(begin(text, mend.text))
            case Change.EXPORT:
                assigned = self._filled(mend.text)
                if assigned not in text.exports:
                    yield self._sure(begin(text, f"export {assigned}"))
            case Change.APPEND:
                last = self._filled(mend.text)
                if last not in text.text:
                    self._check_unused(mend, last)
                    yield self._sure(append(text, last))
            case Change.ARGUMENT:
                pass

    def _sure(self, found: Splice | None) -> Splice:
        if found is None:
            raise NoEditError(NO_SHELL)
        return found

    def _filled(self, text: str) -> str:
        """Put in what depends on the finding or on the step's user."""
        paths = sorted({f"/{d.path}" for d in self._finding.differences})
        if "{paths}" in text and len(paths) > _MOST_PATHS:
            raise NoEditError(f"there are {len(paths)} files to name")
        user = self._user()
        if "{home}" in text and user != "root":
            raise NoEditError(f"the home of the user {user!r} is not known here")
        if "{user}" in text and not _USER.fullmatch(user):
            raise NoEditError(f"the name of the user {user!r} is not known here")
        known = {"paths": shlex.join(paths), "user": user, "home": "/root"}
        return re.sub(r"\{(\w+)\}", lambda match: known[match[1]], text)

    def _user(self) -> str:
        stages = self._file.stages()
        stage: cf.Stage | None = self._stage
        while stage is not None:
            above = [
                s.arguments.partition(":")[0]
                for s in stage.statements
                if s.keyword == "USER" and s.start < self._statement.start
            ]
            if above:
                return "root" if above[-1] == "0" else above[-1]
            stage = None if stage.parent is None else stages[stage.parent]
        return "root"

    def _check_unused(self, mend: Mend, command: str) -> None:
        """Refuse to take away what a mount brings in, or what a later step still needs."""
        for path in _paths(command):
            for target in _targets(self._statement):
                if f"{path}/".startswith(f"{target}/") or f"{target}/".startswith(f"{path}/"):
                    raise NoEditError(f"the step mounts {target}")
        for later in self._file.statements:
            used = set(re.split(r"[\s;&|()=,\"']+", later.text))
            if later.start <= self._statement.start or "update" in used:
                continue
            if any(_names(word, used) for word in mend.unless):
                raise NoEditError(f"line {later.line} may need what it would take away")


def _paths(command: str) -> list[str]:
    """Return the absolute paths that a command names, up to the first wildcard."""
    words = (word.replace("~", "/root", 1) for word in command.split())
    return [word.partition("*")[0].rstrip("/") for word in words if word.startswith("/")]


def _targets(statement: cf.Statement) -> Iterator[str]:
    for name, value in statement.flags:
        if name == "mount":
            for option in value.split(","):
                key, _, target = option.partition("=")
                if key in {"target", "dst", "destination"}:
                    yield target.rstrip("/")


def _names(word: str, used: set[str]) -> bool:
    if word.startswith("/"):
        return any(other == word or other.startswith(f"{word}/") for other in used)
    return word in used
