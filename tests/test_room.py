"""A file system that takes no more: what was found stands, and the user hears which one it is."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from repaudit import containerfile as cf
from repaudit.host.scratch import filling, scratch
from repaudit.model.canonical import to_json
from repaudit.model.errors import ScratchError, SourceError
from repaudit.model.experiment import BuildRun, PlannedRun
from repaudit.model.finding import Confidence, FixOutcome
from repaudit.model.report import Report, Verdict
from repaudit.stages.fix import propose
from repaudit.stages.trial import Trial
from tests import images, scripted
from tests.live import GOLDEN, Shell

MORE = "set TMPDIR to a folder with more room"


def no_room() -> bytes:
    Path("/dev/full").write_bytes(b"a log")
    return b""


def no_answer() -> bytes:
    raise SourceError("the registry gives no answer", hint="wait")


def is_fixed(run: PlannedRun) -> bool:
    return run.name.startswith("fixed-")


def by_umask(run: PlannedRun) -> bytes:
    """A file whose mode follows the umask, as long as nothing is fixed."""
    level = run.level("umask")
    moved = level is not None and level.name != "0022" and not is_fixed(run)
    return images.tar(images.member(b"srv/a", b"x", mode=0o600 if moved else 0o644))


def tried(layer: scripted.Layer, folder: Path) -> tuple[Report, Report, list[BuildRun]]:
    """Return the report before and after the fixes were tried, and the runs made for that."""
    bench = scripted.bench(layer, folder)
    report, runs = scripted.experiment(bench)
    fixes = propose(cf.parse(scripted.TEXT, name="Containerfile"), report.findings)
    report = replace(report, findings=fixes.shown_in(report.findings))
    return report, *Trial(bench=bench, fixes=fixes, runs=runs).judge(report)


def outcomes(report: Report) -> list[FixOutcome | None]:
    return [finding.fix.outcome for finding in report.findings if finding.fix]


def test_a_trial_that_is_made_leaves_no_problem(tmp_path: Path) -> None:
    before, after, made = tried(by_umask, tmp_path)

    assert outcomes(before) == [None]
    assert outcomes(after) == [FixOutcome.GONE]
    assert after.problems == before.problems
    assert after.trial
    assert made


@pytest.mark.parametrize(
    ("fault", "words", "hint"),
    [
        (no_room, "cannot write below …: No space left on device", MORE),
        (no_answer, "the registry gives no answer", "wait"),
    ],
)
def test_what_was_found_stands_where_the_fixes_cannot_be_tried(
    fault: Callable[[], bytes], words: str, hint: str, tmp_path: Path
) -> None:
    before, after, made = tried(lambda run: fault() if is_fixed(run) else by_umask(run), tmp_path)

    assert after.verdict is before.verdict is Verdict.UNREPRODUCIBLE
    assert outcomes(after) == [FixOutcome.UNTRIED]
    assert [finding.fix and finding.fix.reason for finding in after.findings] == [words]
    *others, last = after.problems
    assert tuple(others) == before.problems
    assert (last.message, last.hint) == (f"the fixes could not be tried: {words}", hint)
    assert after.findings[0].confidence is Confidence.DEMONSTRATED
    assert (after.trial, made) == ((), [])


def test_a_fault_of_ours_is_none_of_the_disk(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), filling(tmp_path):
        (tmp_path / "none").read_bytes()


def test_scratch_space_without_room_names_its_folder() -> None:
    with pytest.raises(ScratchError) as told, scratch() as folder:
        no_room()
    assert told.value.message == f"cannot write below {folder}: No space left on device"
    assert told.value.hint == MORE
    assert not folder.exists()


def test_fix_does_not_say_that_there_is_nothing_to_do(shell: Shell) -> None:
    _, report, _ = tried(lambda run: no_room() if is_fixed(run) else by_umask(run), shell.cwd)
    (shell.cwd / "Containerfile").write_bytes(scripted.TEXT)
    (shell.cwd / "report.json").write_bytes(to_json(report))

    done = shell("fix", "--write", "--file=Containerfile", "report.json")
    assert (done.status, done.stdout) == (3, b"")
    assert "the fixes could not be tried: cannot write below" in done.stderr
    assert (shell.cwd / "Containerfile").read_bytes() == scripted.TEXT


@pytest.fixture
def full(shell: Shell) -> Iterator[Shell]:
    """A shell whose scratch root has room for one page."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", shell.tmp], check=True)
    yield shell
    subprocess.run(["umount", shell.tmp], check=True)


@pytest.mark.live
def test_a_full_disk_is_told_as_such(full: Shell) -> None:
    context = full.context(f"FROM {GOLDEN}\n" + "# a long one\n" * 1000)
    done = full("rebuild", str(context))

    assert done.status == 3
    assert done.error.startswith(f"cannot write below {full.tmp}/")
    assert done.error.endswith(": No space left on device")
    assert done.way_out == MORE
