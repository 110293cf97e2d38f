"""pip, uv and pipx on a command line."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec.structs import replace

from repaudit.ecosystems._catalogue import finding
from repaudit.ecosystems._command import Word
from repaudit.ecosystems._invocation import Arguments, Invocation, Scene, arguments
from repaudit.ecosystems._purl import digests
from repaudit.ecosystems._requirements import FILE_NAME, ask, audit_requirement
from repaudit.model.pins import Pin, PinFinding, Severity

NAMES = frozenset({"pip", "uv", "uvx", "pipx"})
_TAKES = """-r --requirement --requirements -c --constraint --constraints -e --editable -t --target
--prefix --root --src -i --index-url --extra-index-url -f --find-links --index --default-index
--trusted-host --only-binary --no-binary --platform --python-version --implementation --abi
--progress-bar --cache-dir --timeout --retries --proxy --cert --client-cert --log --python -p
--config-settings -C --global-option --upgrade-strategy --root-user-action --report --exists-action
--exclude-newer --uploaded-prior-to --keyring-provider --break-system-packages-for --hash --with
--from --spec --pip-args --suffix --group --link-mode --extra --use-feature --use-deprecated
--no-build-package --no-binary-package --only-binary-package -P --upgrade-package --resolution"""
_HASHES = re.compile(rb"--hash[= ]")
_OTHERS = ("--extra-index-url", "--trusted-host", "--find-links", "-f")


def audit(scene: Scene, found: Invocation) -> Iterator[Pin | PinFinding]:
    """Yield what an installer of Python packages installs and what it lacks."""
    given = arguments(found.arguments, _TAKES)
    verbs = [word.text for word in given.rest[:2]]
    if found.name == "pip" and verbs[:1] in (["install"], ["download"], ["wheel"]):
        yield from _install(scene, found, given, given.rest[1:])
    elif found.name == "uv" and verbs in (["pip", "install"], ["pip", "sync"]):
        files = given.rest[2:] if verbs[1] == "sync" else ()
        yield from _install(scene, found, given, () if files else given.rest[2:], files)
    elif found.name == "uv" and verbs[:1] == ["sync"]:
        if not given.has("--frozen", "--locked"):
            message = "uv sync renews the lock where it no longer fits"
            yield finding("LNG001", scene.of(found.command), message, fix="uv sync --locked")
    elif (found.name, *verbs[:1]) == ("pipx", "install") or found.name == "uvx":
        words = given.values("--from") or given.rest[1 if found.name == "pipx" else 0 :][:1]
        yield from _tools(scene, words)
    elif found.name == "uv" and verbs in (["tool", "install"], ["tool", "run"]):
        yield from _tools(scene, given.values("--from") or given.rest[2:3])


def _tools(scene: Scene, words: tuple[Word, ...]) -> Iterator[Pin | PinFinding]:
    for word in words:
        plain = word.text.replace("@", "==", 1) if "://" not in word.text else word.text
        yield from _one(scene, replace(word, text=plain), installer=False)


def _install(
    scene: Scene,
    found: Invocation,
    given: Arguments,
    names: tuple[Word, ...],
    files: tuple[Word, ...] = (),
) -> Iterator[Pin | PinFinding]:
    upgrade = given.has("-U", "--upgrade")
    for word in names:
        yield from _one(scene, word, installer=upgrade)
        asked = ask(word.text)
        if asked and asked.local and not given.has("--no-deps", "--no-index"):
            yield from _project(scene, word, given)
    for word in given.values("-e", "--editable"):
        asked = ask(word.text)
        if asked and asked.local and not given.has("--no-deps"):
            yield from _project(scene, word, given)
        elif asked and not asked.local:
            yield from _one(scene, word, installer=False)
    yield from _indexes(scene, given)
    required = (*given.values("-r", "--requirement", "--requirements"), *files)
    if found.through_xargs and not names and not required:
        yield finding("PY001", scene.of(found.command), "pip installs what xargs reads")
    for word in required:
        yield from _file(scene, word, given)
    if required and not given.has("--only-binary", "--no-build", "--no-deps"):
        yield finding("PY006", scene.of(found.command), f"{found.name} may build from source")


def _one(scene: Scene, word: Word, *, installer: bool) -> Iterator[Pin | PinFinding]:
    asked = ask(word.text)
    if asked is None or ("$" in word.text and not word.known):
        message = f"{word.text[:100]}: no exact version can be read out of this"
        yield finding("PY001", scene.of(word), message)
        return
    hashes = digests(word.text.partition("#")[2])
    yield from audit_requirement(
        asked, word.text[:200], hashes, scene.of(word), installer=installer
    )


def _project(scene: Scene, word: Word, given: Arguments) -> Iterator[PinFinding]:
    """Tell of a path: what that project asks for is looked up at the index, unless told not to."""
    if word.text.endswith((".whl", ".zip", ".gz", ".bz2")) or given.has("-c", "--constraint"):
        return
    message = f"pip install {word.text[:100]} looks up what the project depends on"
    fix = "install a lock with hashes first, then the project with --no-deps"
    yield finding("PY001", scene.of(word), message, fix=fix, severity=Severity.WARNING)


def _indexes(scene: Scene, given: Arguments) -> Iterator[PinFinding]:
    for name, value, _ in given.options:
        if value is None:
            continue
        plain = name in ("-i", "--index-url", "--index", "--default-index")
        remote = "://" in value.text or name == "--trusted-host"
        if (name in _OTHERS and remote) or (plain and value.text.startswith("http:")):
            yield finding("PY008", scene.of(value), f"{name} {value.text[:200]}")


def _file(scene: Scene, word: Word, given: Arguments) -> Iterator[PinFinding]:
    """Tell of a requirements file that no audit of its own judges."""
    if given.has("--require-hashes"):
        return
    data = scene.held(word.text)
    if data is None:
        message = f"{word.text[:100]} is not to be found, so its hashes could not be seen"
        yield finding("PAR001", scene.of(word), message, fix="pip install --require-hashes -r …")
    elif not _HASHES.search(data) and not FILE_NAME.search(word.text):
        yield finding("PY002", scene.of(word), f"{word.text[:100]} has no hashes")
