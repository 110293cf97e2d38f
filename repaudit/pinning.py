"""The pipelines of pins: hold them against indexes and images, and write them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from repaudit.containerfile.edit import unified
from repaudit.host import apt, clock
from repaudit.host.fetch import Fetcher, Waiting
from repaudit.host.scratch import cache, rewrite, scratch, write
from repaudit.host.tree import open_tree
from repaudit.model.errors import UndecidedError, UsageError
from repaudit.model.pins import Observation, PinsReport
from repaudit.oci.filesystem import merge
from repaudit.sources import open_image
from repaudit.stages.debian import Asked, of_packages, packages_report
from repaudit.stages.installed import Tie, absent, compare, locks_of
from repaudit.stages.pin import Written, write_pins
from repaudit.stages.pin_apt import parse_instant
from repaudit.stages.pinned import against_indexes, against_packages, joined, verified
from repaudit.stages.pins import audit_tree, unless_empty
from repaudit.stages.writing import Wish

#: Seconds: Packages indexes are large, and a snapshot service is slow.
_WHOLE_INDEX = 600.0


def verify_pins(paths: Sequence[Path], image: str | None, fetcher: Fetcher) -> PinsReport:
    """Hold what locks name against what the indexes serve and what an image has installed."""
    audited = audit_tree(open_tree(paths), clock.now())
    seen: list[Observation] = []
    ties: list[Tie] = []
    packages = None
    if image is not None:
        locks = locks_of(audited.pins)
        held = []
        with scratch() as folder:
            opened = open_image(image, folder)
            for one in opened.images.images:
                files = merge(opened.blobs, one)
                found, unproved = compare(locks, files)
                seen += found
                ties += unproved
                held.append(of_packages(files))
            packages = packages_report(held, _asked(fetcher))
        seen += against_packages(audited.pins, packages.pins)
        seen += absent(locks)
    seen += against_indexes(audited.pins, ties, fetcher)
    report = verified(audited, seen)
    return unless_empty(joined(report, packages) if packages else report)


def _asked(fetcher: Fetcher) -> Asked:
    settings = apt.settings()
    own = Fetcher(
        offline=fetcher.offline,
        cache=cache("snapshot"),
        proxies=settings.proxies,
        waiting=Waiting(whole=_WHOLE_INDEX),
    )
    return Asked(fetcher=own, settings=settings, now=clock.now())


class PinEdits(Struct, frozen=True, kw_only=True):
    """The edits that pin a tree: each file before and after, and what could not be looked up."""

    root: Path
    written: Written

    @property
    def diff(self) -> bytes:
        """The unified diff of all files, empty where there is nothing to do."""
        parts = (unified(one.before or b"", one.after, one.path) for one in self.written.changes)
        return b"".join(parts)

    def write(self) -> None:
        """Put the edited files in the place of the others, each whole or not at all.

        Raises UndecidedError, before anything is written, where one was changed meanwhile.
        """
        for one in self.written.changes:
            path = self.root / one.path
            found = path.read_bytes() if path.exists() else None
            if found != one.before:
                message = f"{one.path} was changed meanwhile: nothing is written"
                raise UndecidedError(message, hint="run it again")
        for one in self.written.changes:
            path = self.root / one.path
            if one.before is None:
                write(path, one.after)
            else:
                rewrite(path, one.after)


def pin_edits(
    paths: Sequence[Path], fetcher: Fetcher, at: str | None, *, versions: bool = False
) -> PinEdits:
    """Audit files and folders, look up what they name, and return the edits that pin it.

    `at` is the instant that things shall be of: UsageError where it is none, or not over.
    `versions` are asked of the Debian packages of that instant.
    """
    if versions and (at is None or fetcher.offline):
        raise UsageError(
            "--versions are looked up in a snapshot", hint="add --at INSTANT, leave out --offline"
        )
    now = clock.now()
    instant = None if at is None else parse_instant(at, now)
    tree = open_tree(paths)
    audited = unless_empty(audit_tree(tree, now))
    settings = apt.settings() if versions else None
    wish = Wish(
        tree=tree, pins=audited.pins, fetcher=fetcher, at=instant, versions=versions, apt=settings
    )
    return PinEdits(root=tree.root, written=write_pins(audited, wish, now))
