"""apt-get, apt and what adds archives, on a command line."""

from __future__ import annotations

import re
from collections.abc import Iterator

from repaudit.ecosystems import _apt
from repaudit.ecosystems._catalogue import finding
from repaudit.ecosystems._command import Word
from repaudit.ecosystems._invocation import Arguments, Invocation, Scene, arguments
from repaudit.ecosystems._purl import pin, purl
from repaudit.model.pins import Edit, Pin, PinFinding, Strength

NAMES = frozenset({"apt-get", "apt", "aptitude", "add-apt-repository", "apt-add-repository"})
_TAKES = "-o --option -c --config-file -t --target-release --default-release -S --snapshot -a"
_UPGRADES = frozenset({"upgrade", "dist-upgrade", "full-upgrade", "safe-upgrade"})
_UNSAFE = ("--allow-unauthenticated", "--force-yes", "--allow-insecure-repositories")
_UNSAFE_OPTION = re.compile(
    r"(?:apt::get::allowunauthenticated|acquire::allow(?:insecure|weak|downgradetoinsecure)"
    r"repositories)=(?:true|1|yes)|acquire::https?::(?:[\w.-]+::)?verify-(?:peer|host)=(?:false|0|no)",
    re.IGNORECASE,
)


def audit(scene: Scene, found: Invocation) -> Iterator[Pin | PinFinding]:
    """Yield what a command of apt installs and what it lacks."""
    if found.name.endswith("repository"):
        what = " ".join(found.texts())[:80]
        yield finding("APT014", scene.of(found.command), f"{found.name} {what}")
        return
    given = arguments(found.arguments, _TAKES)
    yield from _unsafe(scene, found, given)
    if not given.rest:
        return
    verb, names = given.rest[0], given.rest[1:]
    snapshot = scene.snapshot or _asked(given, scene.document.now)
    if verb.text == "update":
        yield from _update(scene, found, given, verb)
    elif verb.text in _UPGRADES and not snapshot:
        yield finding("APT009", scene.of(found.command), f"{found.name} {verb.text}")
    elif verb.text in ("install", "satisfy", "build-dep"):
        yield from _install(scene, found, names, snapshot=snapshot)


def _asked(given: Arguments, now: float) -> bool:
    stamps = [word.text for word in given.values("-S", "--snapshot")]
    stamps += [
        word.text.partition("=")[2]
        for word in given.values("-o", "--option")
        if word.text.lower().startswith("apt::snapshot=")
    ]
    return any(_apt.instant(stamp, now) is None for stamp in stamps)


def _unsafe(scene: Scene, found: Invocation, given: Arguments) -> Iterator[PinFinding]:
    for name, value, word in given.options:
        if name in _UNSAFE or (value and _UNSAFE_OPTION.fullmatch(value.text)):
            shown = value.text if value else name
            yield finding("APT008", scene.of(value or word), f"{found.name} {shown}")


def _update(scene: Scene, found: Invocation, given: Arguments, verb: Word) -> Iterator[PinFinding]:
    if found.name == "apt-get" and not given.has("--error-on", "-eany"):
        edit = Edit(start=verb.end, end=verb.end, text=" --error-on=any") if verb.plain else None
        yield finding("APT015", scene.of(found.command), "apt-get update", edit=edit)


def _install(
    scene: Scene, found: Invocation, names: tuple[Word, ...], *, snapshot: bool
) -> Iterator[Pin | PinFinding]:
    loose: list[str] = []
    versioned: list[str] = []
    for word in names:
        if word.text.startswith((".", "/", "~")) or word.text.endswith(".deb"):
            continue  # a file: where it came from is judged there
        name, equals, version = word.text.partition("=")
        name = name.partition("/")[0].rstrip("+-") or word.text
        fixed = bool(equals and version) and "*" not in version and "$" not in version
        strength = (
            Strength.LOCKED if snapshot else Strength.VERSIONED if fixed else Strength.FLOATING
        )
        package = purl("deb", name, version if fixed else None)
        yield pin("deb", scene.of(word), package, strength)
        (versioned if fixed else loose).append(word.text)
    if snapshot:
        return
    if loose or found.through_xargs:
        shown = _shown(loose) if loose else "what xargs reads"
        yield finding("APT002", scene.of(found.command), f"{found.name} installs {shown}")
    elif versioned:
        yield finding(
            "APT003", scene.of(found.command), f"{found.name} installs {_shown(versioned)}"
        )


def _shown(names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return " ".join(name[:60] for name in names[:5]) + more
