"""git repositories that a build takes in, by clone or by reference."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from repaudit.ecosystems._catalogue import finding
from repaudit.ecosystems._invocation import Arguments, Invocation, Scene, arguments
from repaudit.ecosystems._purl import COMMIT, pin, purl
from repaudit.model.pins import Location, Pin, PinFinding, Strength

_CLONE = """-b --branch --depth -o --origin -c --config --reference --reference-if-able --template
--separate-git-dir -j --jobs --filter --shallow-since --shallow-exclude -u --upload-pack -C
--server-option --recurse-submodules --revision"""


def audit_clones(scene: Scene, found: Sequence[Invocation]) -> Iterator[Pin | PinFinding]:
    """Yield the pins of clones; a later checkout of a commit fixes the clone before it."""
    clone: tuple[Invocation, Arguments] | None = None
    steps: list[Invocation] = []
    for one in found:
        if one.name != "git":
            continue
        given = arguments(one.arguments, _CLONE)
        words = [word.text for word in given.rest[:2]]
        if words == ["submodule", "update"] and given.has("--remote"):
            message = "git submodule update --remote takes the newest commit of each branch"
            fix = "git submodule update --init: the tree has the commits"
            yield finding("GIT001", scene.of(one.command), message, fix=fix)
        if not given.rest or given.rest[0].text != "clone":
            steps.append(one)
            continue
        if clone is not None:
            yield from _clone(scene, *clone, steps)
        clone, steps = (one, given), []
    if clone is not None:
        yield from _clone(scene, *clone, steps)


def _clone(
    scene: Scene, one: Invocation, given: Arguments, following: Sequence[Invocation]
) -> Iterator[Pin | PinFinding]:
    address = given.rest[1] if len(given.rest) > 1 else None
    if address is None or not re.search(r"://|^[\w.-]+@[\w.-]+:|\$", address.text):
        return  # a folder of this machine
    revision = [word.text for word in given.values("--revision")]
    steps = ("checkout", "reset", "switch", "fetch")
    revision += [
        text
        for other in following
        if set(steps) & set(other.texts())
        for text in other.texts()
        if COMMIT.fullmatch(text)
    ]
    fixed = next((text for text in revision if COMMIT.fullmatch(text)), None)
    yield from audit_repository(
        address.text,
        fixed or " ".join(word.text for word in given.values("-b", "--branch")),
        scene.of(one.command),
        said="git clone",
    )


def audit_repository(
    address: str, revision: str, where: Location, *, said: str
) -> Iterator[Pin | PinFinding]:
    """Yield the pin of a git repository at `revision`, and what it lacks."""
    fixed = bool(COMMIT.fullmatch(revision))
    name = address.rstrip("/").rpartition("/")[2].removesuffix(".git") or "repository"
    package = purl("generic", name, revision if fixed else None, vcs_url=f"git+{address}")
    yield pin("git", where, package, Strength.LOCKED if fixed else Strength.FLOATING)
    if not fixed:
        shown = f"at {revision[:80]}, which is no commit" if revision else "at its newest"
        fix = (
            "write # and the 40 digits of the commit behind the address" if said == "ADD" else None
        )
        yield finding("GIT001", where, f"{said} {address[:200]} {shown}", fix=fix)
