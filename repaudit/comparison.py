"""The pipeline of `repaudit diff`, readable as prose: two references in, a report out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from repaudit.host import memory
from repaudit.host.scratch import cache_path, scratch
from repaudit.host.store import Store
from repaudit.model.difference import Aspect
from repaudit.model.errors import MalformedError
from repaudit.sources import Opened, open_image, without_place
from repaudit.stages.compare import Comparison, Merged, compare, count_unread
from repaudit.stages.reading import Reading, check_present, read_own

if TYPE_CHECKING:
    from repaudit.model.report import Report, View


class DiffRequest(Struct, frozen=True, kw_only=True):
    """What `repaudit diff` is asked; each field means what its option says."""

    left: str
    right: str
    semantic: bool = False
    diffoscope: bool = True


def compare_images(request: DiffRequest, phase: Callable[[str], None], jobs: int) -> Report:
    """Compare two images that exist already; nothing is known of how they were built.

    `phase` is told what is done next, `jobs` is how many files are looked into at a time.
    """
    memory.reuse()
    store = Store(cache_path("index"))
    with scratch() as folder:
        phase("opening the images")
        sides = [_opened(request.left, folder / "0"), _opened(request.right, folder / "1")]
        reading = Reading.below(folder, store, alone=True)
        phase("comparing")
        found = _compared(request, sides, reading)
        # What is needed from here on is loaded here: a thread that loads it while the layers are
        # read takes the interpreter's lock from those that read, and gains nothing.
        from repaudit.formats import FORMATS
        from repaudit.model.report import Ignored, LayerRecord, Report, Same, Subject, Verdict
        from repaudit.stages.alone import Alone
        from repaudit.stages.attribute import attribute
        from repaudit.stages.bytecode import awakened
        from repaudit.stages.contents import Library, with_details
        from repaudit.stages.findings import order
        from repaudit.stages.indexes import count_listed
        from repaudit.stages.packages import Sides
        from repaudit.stages.scene import Scene
        from repaudit.stages.selftest import refuse_if_blind
        from repaudit.stages.semantic import split
        from repaudit.stages.upgrades import package_claims

        differences = found.differences
        ignored: tuple[Ignored, ...] = ()
        contents = Library(reading.spool)
        merged = frozenset(one.platform for one in found.merged)
        both = Sides(opened=(sides[0], sides[1]), reading=reading, merged=merged)
        woken = awakened(differences, contents, both)
        if request.semantic:
            differences, ignored = split(differences, woken)
        if beside := count_listed(sides[0].listed, sides[1].listed):
            ignored += (Ignored(kind="packaging", count=beside),)
        alone = Alone(differences, found.alone, reading.spool, found.special)
        asleep = [one for one in differences if one.place not in woken]
        packages = package_claims(asleep, contents, alone, both)
        taken = packages.taken()
        differences = tuple(one for one in differences if one not in taken)
        files = sum(difference.aspect is Aspect.CONTENT for difference in differences)
        phase(f"looking into {files} files")
        if files:
            FORMATS.all()  # several threads that load them would wait for each other
        without = () if request.diffoscope else ("diffoscope",)
        differences = with_details(differences, contents, folder / "shown", jobs, without)
        scene = Scene(alone=alone, elsewhere=alone.elsewhere(), noted=packages.noted | woken)
        told = [*attribute(differences, contents, scene), *packages.findings()]
        findings = alone.shown(sorted(told, key=order))
        names = _names(request, sides)
        report = Report(
            verdict=Verdict.UNREPRODUCIBLE if findings else Verdict.REPRODUCIBLE,
            subject=Subject(left=names[0], right=names[1]),
            layers=LayerRecord.all_of(sides[0].images),
            findings=findings,
            views=tuple(map(_view, found.merged)),
            unread=count_unread(sides[0].images, sides[1].images),
            ignored=ignored,
            untold=found.untold,
            same=tuple(Same(platform=name, digest=digest) for name, digest in found.same),
        )
        return refuse_if_blind(report, folder / "selftest", store)


def _names(request: DiffRequest, sides: Sequence[Opened]) -> tuple[str, str]:
    """Return what the report calls both images: where they lie on this machine is not in it."""
    left, right = map(without_place, (request.left, request.right))
    if left != right or request.left == request.right:
        return left, right
    one, other = (side.images.digest for side in sides)
    return f"{left} ({one[:19]})", f"{right} ({other[:19]})"


def _compared(request: DiffRequest, sides: Sequence[Opened], reading: Reading) -> Comparison:
    named = ((request.left, sides[0]), (request.right, sides[1]))
    for reference, side in named:
        with _saying(reference):
            check_present(side)
    try:
        return compare(sides[0], sides[1], reading)
    except MalformedError:  # it is found while both are read, and which of them it is of is not
        for (reference, side), other in zip(named, reversed(sides), strict=True):
            with _saying(reference):
                read_own(side, other, reading)
        with _saying(f"comparing {request.left} and {request.right}"):
            raise


@contextmanager
def _saying(where: str) -> Iterator[None]:
    """Say of what is malformed where it is, unless that is said."""
    try:
        yield
    except MalformedError as error:
        if where in error.message:
            raise
        raise MalformedError(f"{where}: {error.message}", hint=error.hint) from error


def _view(merged: Merged) -> View:
    from repaudit.model.report import View

    left, right = merged.counts
    stand = "layer stands" if left == 1 else "layers stand"
    reason = f"{left} {stand} against {right}"
    return View(platform=merged.platform, view="merged file systems", reason=reason)


def _opened(reference: str, folder: Path) -> Opened:
    folder.mkdir()
    with _saying(reference):
        return open_image(reference, folder)
