"""The pipeline of `repaudit diff`, readable as prose: two references in, a report out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from repaudit.host import memory
from repaudit.host.scratch import cache_path, scratch
from repaudit.host.store import Store
from repaudit.model.errors import MalformedError
from repaudit.model.report import Report, Subject, Verdict
from repaudit.sources import Opened, open_image
from repaudit.stages.attribute import Scene, attribute
from repaudit.stages.compare import compare
from repaudit.stages.contents import contents_of, with_details
from repaudit.stages.reading import Reading
from repaudit.stages.selftest import refuse_if_blind


def compare_images(left: str, right: str, phase: Callable[[str], None], jobs: int) -> Report:
    """Compare two images that exist already; nothing is known of how they were built.

    `phase` is told what is done next, `jobs` is how many files are looked into at a time.
    """
    memory.reuse()
    with scratch() as folder:
        phase("opening the images")
        sides = [_opened(left, folder / "0"), _opened(right, folder / "1")]
        store = Store(cache_path("index"))
        reading = Reading.below(folder, store)
        try:
            phase("comparing")
            found = compare(sides[0], sides[1], reading)
        except MalformedError as error:  # it is found while both sides are read
            message = f"comparing {left} and {right}: {error.message}"
            raise MalformedError(message, hint=error.hint) from error
        contents = contents_of(found, reading.spool)
        phase(f"looking into {len(contents)} files")
        differences = with_details(found.differences, contents, jobs)
        findings = attribute(differences, contents, Scene())
        verdict = Verdict.UNREPRODUCIBLE if findings else Verdict.REPRODUCIBLE
        subject = Subject(left=left, right=right)
        report = Report(verdict=verdict, subject=subject, findings=findings)
        return refuse_if_blind(report, folder / "selftest", store)


def _opened(reference: str, folder: Path) -> Opened:
    folder.mkdir()
    return open_image(reference, folder)
