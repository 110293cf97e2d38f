"""Containerfiles and Dockerfiles: images, downloads, and what RUN steps install."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

from msgspec import Struct, field

from repaudit import containerfile as cf
from repaudit.containerfile.stages import outside, sources
from repaudit.containerfile.variables import Scope
from repaudit.containerfile.words import split, unquote
from repaudit.ecosystems import _run
from repaudit.ecosystems._catalogue import finding
from repaudit.ecosystems._command import Word
from repaudit.ecosystems._fetches import MOVING
from repaudit.ecosystems._guards import ERREXIT
from repaudit.ecosystems._images import audit_image, reference
from repaudit.ecosystems._invocation import SHELLS, Scene, base_name, invocations
from repaudit.ecosystems._purl import COMMIT, digests, pin, purl, strong
from repaudit.ecosystems._repositories import audit_repository
from repaudit.ecosystems._scripts import (
    audit_apt_text,
    audit_commands,
    audit_script,
    read_script,
    sets_snapshot,
    speaks_of_snapshot,
)
from repaudit.ecosystems.interface import Document, Ecosystem
from repaudit.model.errors import MalformedError
from repaudit.model.pins import Location, Pin, PinFinding, Strength

_NAME = re.compile(
    r"(?:dockerfile|containerfile)(?:[.-].+)?|.+\.(?:dockerfile|containerfile)",
    re.IGNORECASE | re.DOTALL,
)
#: What is rendered, or read by something else, before it is a Containerfile.
_OTHER = (
    ".dockerignore",
    ".containerignore",
    ".j2",
    ".jinja",
    ".tmpl",
    ".template",
    ".tpl",
    ".erb",
)
_GIT = re.compile(r"(?:git|ssh)://.*|git@[\w.-]+:.*|https?://[^?#]+\.git(?:[?#].*)?", re.DOTALL)
_FROM = re.compile(rb"^[ \t]*FROM[ \t]", re.IGNORECASE | re.MULTILINE)
_NO_EXPIRY = re.compile(rb"check-valid-until[\"'\s=:]+(?:no|false|0)", re.IGNORECASE)
_INDEXES = frozenset(
    {"PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "PIP_FIND_LINKS", "UV_EXTRA_INDEX_URL"}
)
#: Official images whose apt sources are a snapshot already.
_SNAPSHOT_BASE = "debian/snapshot"


class _State(Struct):
    """What the statements so far have made of a stage."""

    snapshot: bool = False
    shell: bool = True
    errexit: bool = False
    copied: list[str] = field(default_factory=list)


class _Containerfile:
    name = "containerfile"
    summary = "Containerfiles and Dockerfiles: images, downloads, packages of RUN steps"

    def claims(self, path: str, head: bytes) -> bool:
        name = path.rpartition("/")[2]
        return bool(_NAME.fullmatch(name)) and not name.lower().endswith(_OTHER)

    def audit(self, document: Document) -> Iterator[Pin | PinFinding]:
        fragment = not _FROM.search(document.data)
        try:
            parsed = cf.parse(document.data, name=document.path, fragment=fragment)
        except MalformedError as error:
            if b"{{" in document.data:
                message = "a template: what is made of it was not read"
                yield finding("PAR001", document.on(error.line or 1), message)
                return
            message = re.sub(r"^.*?:\d+: ", "", error.message, count=1)
            raise MalformedError(message, hint=error.hint, line=error.line) from error
        if fragment:
            message = "there is no FROM: what this is put behind was not read"
            yield finding("PAR001", document.on(1), message)
        yield from _syntax(document, parsed)
        yield from _Reader(document, parsed).read()


def _syntax(document: Document, parsed: cf.Containerfile) -> Iterator[Pin | PinFinding]:
    image = dict(parsed.directives).get("syntax", "").partition(" ")[0]
    if image:
        start = document.data.find(image.encode())
        where = document.at(max(0, start), max(0, start) + len(image.encode()))
        yield from audit_image(image, where, said="# syntax=")


class _Reader:
    def __init__(self, document: Document, parsed: cf.Containerfile) -> None:
        self._document = document
        self._parsed = parsed
        self._stages = parsed.stages()
        self._states: list[_State] = []
        self._lenient = bool(_NO_EXPIRY.search(document.data))

    def read(self) -> Iterator[Pin | PinFinding]:
        for stage, statement, scope in self._parsed.walk_all():
            if statement is stage.opening:
                yield from self._from(stage)
            else:
                yield from self._statement(stage, statement, scope)

    def _from(self, stage: cf.Stage) -> Iterator[Pin | PinFinding]:
        state = _State()
        self._states.append(state)
        if stage.parent is not None:
            state.snapshot = self._states[stage.parent].snapshot
            return
        where = self._locate(stage.opening, stage.base)
        if stage.image is None:
            yield finding("IMG006", where, f"FROM {stage.base}: nothing gives the variable a value")
        elif stage.image != "scratch":
            named = reference(stage.image)
            state.snapshot = bool(named and named.name.removeprefix("docker.io/") == _SNAPSHOT_BASE)
            yield from audit_image(stage.image, where, said="FROM")

    def _statement(
        self, stage: cf.Stage, statement: cf.Statement, scope: Scope
    ) -> Iterator[Pin | PinFinding]:
        state = self._states[stage.index]
        plain = statement.trigger or statement
        yield from self._images(stage, statement, plain, scope)
        match plain.keyword:
            case "ADD" | "COPY":
                yield from self._copy(statement, plain, scope, state)
            case "RUN" if state.shell or plain.json is not None:
                yield from self._run(statement, plain, scope, state)
            case "SHELL":
                words = plain.json or ("sh",)
                state.shell = base_name(words[0]) in SHELLS
                state.errexit = any(map(ERREXIT.fullmatch, words[1:]))
            case "ENV" | "ARG":
                yield from self._environment(statement, plain)
            case _:
                pass

    def _images(
        self, stage: cf.Stage, statement: cf.Statement, plain: cf.Statement, scope: Scope
    ) -> Iterator[Pin | PinFinding]:
        for raw in sources(plain):
            said = f"{plain.keyword} from"
            where = self._locate(statement, raw)
            image = scope.resolve(raw)
            if image is None:
                yield finding("IMG006", where, f"{said} {raw}: nothing gives the variable a value")
            elif image and outside(image, self._stages[: stage.index]):
                yield from audit_image(image, where, said=said)

    def _environment(self, statement: cf.Statement, plain: cf.Statement) -> Iterator[PinFinding]:
        for word in split(plain.arguments, self._parsed.escape) or ():
            name, _, value = word.partition("=")
            if name in _INDEXES and value:
                yield finding(
                    "PY008", self._locate(statement, word), f"{plain.keyword} {word[:200]}"
                )

    def _copy(
        self, statement: cf.Statement, plain: cf.Statement, scope: Scope, state: _State
    ) -> Iterator[Pin | PinFinding]:
        words = plain.json or split(plain.arguments, self._parsed.escape) or ()
        target = words[-1] if words else ""
        for raw in words[:-1]:
            text = raw if plain.json else scope.resolve(raw)
            state.copied.append(text or raw)
            if plain.keyword == "ADD":
                yield from self._add(statement, plain, raw, text)
        if target.startswith("/etc/apt"):
            yield from self._apt(plain, target, words[:-1], state)

    def _add(
        self, statement: cf.Statement, plain: cf.Statement, raw: str, text: str | None
    ) -> Iterator[Pin | PinFinding]:
        address = unquote(text or raw, self._parsed.escape)
        where = self._locate(statement, raw)
        if _GIT.fullmatch(address):
            revision = self._revision(plain, address)
            yield from audit_repository(address, revision, where, said="ADD")
        elif address.startswith(("http://", "https://")):
            found = digests(plain.flag("checksum") or "")
            hashed = strong(found)
            name = address.partition("?")[0].rstrip("/").rpartition("/")[2] or "download"
            moving = bool(MOVING.search(address))
            strength = (
                Strength.HASHED if hashed else Strength.FLOATING if moving else Strength.VERSIONED
            )
            yield pin("http", where, purl("generic", name, download_url=address), strength, found)
            if not hashed:
                fix = f"ADD --checksum=sha256:DIGEST {address[:200]}"
                message = f"ADD {address[:200]} is checked by no sha256"
                yield finding("NET003" if moving else "NET002", where, message, fix=fix)
        elif text is None:
            yield finding("PAR001", where, f"ADD {raw[:200]}: nothing gives the variable a value")

    def _revision(self, plain: cf.Statement, address: str) -> str:
        """Return the commit that fixes a repository, or else the name that is asked for."""
        try:
            parts = urlsplit(address)
            query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        except ValueError:
            return ""
        asked = parts.fragment.partition(":")[0]
        named = (plain.flag("checksum"), query.get("checksum"), query.get("commit"), asked)
        fixed = next((text for text in named if text and COMMIT.fullmatch(text)), None)
        return fixed or asked or query.get("ref") or query.get("tag") or query.get("branch") or ""

    def _apt(
        self, plain: cf.Statement, target: str, copied: tuple[str, ...], state: _State
    ) -> Iterator[Pin | PinFinding]:
        for heredoc in plain.heredocs:
            body = heredoc.body
            word = Word(
                text=body,
                known=True,
                start=heredoc.start,
                end=heredoc.start + len(body),
                plain=body.isascii(),
            )
            state.snapshot |= speaks_of_snapshot(body, self._document.now)
            name = target if "." in target.rpartition("/")[2] else heredoc.name
            yield from audit_apt_text(self._scene(state), word, name, lenient=self._lenient)
        for source in copied if not plain.flag("from") else ():
            data = self._document.read(self._document.beside(source)) or b""
            text = data[: 1 << 20].decode(errors="replace")
            state.snapshot |= speaks_of_snapshot(text, self._document.now)

    def _scene(self, state: _State, fixed: tuple[int, int] | None = None) -> Scene:
        def held(name: str) -> bytes | None:
            last = name.rstrip("/").rpartition("/")[2]
            near = [name] if not name.startswith("/") else []
            near += [source for source in state.copied if source.rpartition("/")[2] == last]
            near += [f"{source}/{last}" for source in state.copied[:50]]
            found = (self._document.read(self._document.beside(path)) for path in (*near, last))
            return next((data for data in found if data is not None), None)

        return Scene(
            document=self._document,
            snapshot=state.snapshot,
            errexit=state.errexit,
            fixed=fixed,
            held=held,
        )

    def _run(
        self, statement: cf.Statement, plain: cf.Statement, scope: Scope, state: _State
    ) -> Iterator[Pin | PinFinding]:
        fixed = (statement.start, statement.end)
        found = _run.exec_form(plain)
        if found is not None:
            scene = self._scene(state, fixed)
            ran = tuple(invocations((found.command,)))
            yield from audit_commands(scene, ran, lenient=self._lenient)
            state.snapshot |= any(sets_snapshot(scene, one) for one in ran)
            return
        for text in _run.shell_texts(self._document.data, statement, self._parsed.escape):
            script = read_script(text.data, scope.values, text.origin)
            scene = self._scene(state)
            yield from audit_script(scene, script, lenient=self._lenient)
            state.snapshot |= any(sets_snapshot(scene, one) for one in script.found)

    def _locate(self, statement: cf.Statement, raw: str) -> Location:
        """Return where `raw` stands in a statement, the whole statement if that is not plain."""
        data, sought = self._document.data, raw.encode()
        first = data.find(sought, statement.start, statement.end) if sought else -1
        if first < 0 or data.find(sought, first + 1, statement.end) >= 0:
            found = self._document.at(statement.start, statement.end)
            return Location(path=found.path, line=found.line, end_line=found.end_line)
        return self._document.at(first, first + len(sought))


ECOSYSTEM: Ecosystem = _Containerfile()
