"""What stays open: a variant that fails by no level of ours, a factor that cannot move."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from repaudit.builders import Builder, Prepared
from repaudit.cli.progress import Silent
from repaudit.model.experiment import BuildRun, Failure, Outcome, PlannedRun
from repaudit.model.report import Report, Verdict
from repaudit.stages.breakage import StandIn, last_words, stand_in
from repaudit.stages.build import Bench
from repaudit.stages.plan import make_plan
from tests import images
from tests.fakes import MACHINE
from tests.live import GOLDEN, Shell
from tests.mirror import asking, mirror
from tests.scripted import explained

PLAN = make_plan(MACHINE, vary=("time", "umask", "cpus"), hold=(), builds=2)
BUSY = "E: Failed to fetch: 429 Too Many Requests"
EXPIRED = "curl: (60) SSL certificate problem: certificate has expired"


class Script:
    """A builder whose n-th build, counted from 0, fails with the line that `says` returns."""

    name, summary = "script", "a build that follows a script"

    def __init__(self, says: Callable[[int, frozenset[str]], str | None]) -> None:
        self._says = says
        self.made: list[frozenset[str]] = []

    def build(self, prepared: Prepared, run: PlannedRun, *_: object) -> BuildRun:
        levels = zip(PLAN.levels, run.levels, strict=True)
        moved = frozenset(level.factor for (first, *_), level in levels if level != first)
        line = self._says(len(self.made), moved)
        self.made.append(moved)
        if line is None:
            return BuildRun(planned=run, outcome=Outcome.BUILT)
        failure = Failure(instruction="STEP 2/2: RUN step", status=1, log=(line,))
        return BuildRun(planned=run, outcome=Outcome.FAILED, failure=failure)


def tried(
    folder: Path, says: Callable[[int, frozenset[str]], str | None]
) -> tuple[StandIn, Script]:
    """What stands in for the variant whose first build, number 0, fails."""
    script = Script(says)
    bench = Bench(
        builder=cast(Builder, script),
        prepared=cast(Prepared, None),
        plan=PLAN,
        folder=folder,
        jobs=1,
        progress=Silent(),
    )
    (failed,) = bench.make([PLAN.runs[1]], apart=0)
    return stand_in(bench, failed), script


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (["a", "b", "error: building at STEP 2"], "b"),
        (
            ["curl: (60) SSL certificate problem: unable to get local issuer", "No such package"],
            "No such package (before it: curl: (60) SSL certificate problem: unable to get local "
            "issuer)",
        ),
        (["checking the certificate", "No such package"], "No such package"),
        (["Could not resolve 'host'"], "Could not resolve 'host'"),
        ([], "no output"),
    ],
)
def test_the_last_words_are_the_reason(log: list[str], words: str) -> None:
    failure = Failure(instruction=None, status=1, log=tuple(log))
    run = BuildRun(planned=PLAN.runs[0], outcome=Outcome.FAILED, failure=failure)
    assert last_words(run) == words


def blamed(found: StandIn) -> list[str | None]:
    return [broken.factor for broken in found.breakages]


@pytest.mark.parametrize("factor", ["time", "umask", "cpus"])
def test_a_level_that_breaks_each_build_is_blamed(tmp_path: Path, factor: str):
    found, script = tried(tmp_path, lambda _, moved: "no" if factor in moved else None)

    assert blamed(found)[0] == factor
    assert found.unsteady is None
    assert found.runs[-1].outcome is Outcome.BUILT
    assert script.made.count(frozenset({factor})) >= 2  # once found, once repeated
    assert frozenset() in script.made  # beside the control


def test_two_levels_that_break_it_together_are_a_breakage_of_none(tmp_path: Path):
    found, _ = tried(tmp_path, lambda _, moved: "no" if {"time", "cpus"} <= moved else None)

    assert (blamed(found), found.unsteady) == ([None], None)


def test_one_failure_that_nothing_repeats_blames_nothing(tmp_path: Path):
    found, _ = tried(tmp_path, lambda number, _: BUSY if number == 0 else None)

    assert blamed(found) == []
    assert found.unsteady is found.runs[0]
    assert [run.outcome for run in found.runs] == [Outcome.FAILED, Outcome.BUILT]
    assert found.runs[1].planned.levels == PLAN.runs[1].levels  # so it can be compared


@pytest.mark.parametrize("last", range(1, 7))
def test_a_mirror_that_is_busy_for_a_while_blames_nothing(tmp_path: Path, last: int):
    found, _ = tried(tmp_path, lambda number, _: BUSY if number <= last else None)

    assert blamed(found) == []
    assert found.unsteady is not None


def test_a_build_that_fails_without_any_level_is_not_the_levels_doing(tmp_path: Path):
    found, _ = tried(tmp_path, lambda *_: BUSY)

    assert blamed(found) == []
    assert found.unsteady is not None
    assert found.unsteady.planned.levels == PLAN.runs[0].levels


def held_clock(report: Report) -> list[str]:
    return [held.reason for held in report.held if held.factor == "time"]


def test_a_clock_that_breaks_the_build_each_time_is_left_alone(tmp_path: Path):
    image = images.archive({"srv/a": b"a"})
    report = explained(lambda run: None if run.level("time") else image, tmp_path)

    assert held_clock(report) == ["the build fails where its programs are told the time: made up"]
    assert [run.outcome for run in report.runs] == [Outcome.BUILT] * 3


@pytest.mark.parametrize("passes", ["control-again-1", "control-again-2"])
def test_a_build_that_fails_by_chance_is_not_the_clocks_doing(passes: str, tmp_path: Path):
    """The one pair of builds looks like the clock's doing, and the other does not."""
    image = images.archive({"srv/a": b"a"})
    chance = {"control", "control-again-1", "control-again-2"} - {passes}
    report = explained(lambda run: None if run.name in chance else image, tmp_path)

    assert held_clock(report) == []
    assert report.verdict is Verdict.INCONCLUSIVE
    assert report.problems[0].message == "the control build failed: made up"


@pytest.mark.parametrize("fails", ["control-bare-1", "control-bare-2"])
def test_a_build_that_fails_without_the_clock_too_is_not_the_clocks_doing(
    fails: str, tmp_path: Path
):
    image = images.archive({"srv/a": b"a"})
    report = explained(
        lambda run: None if run.level("time") or run.name == fails else image, tmp_path
    )

    assert held_clock(report) == []
    assert report.problems[0].message == "the control build failed: made up"


def test_a_certificate_that_ran_out_is_a_limit_and_no_finding(tmp_path: Path):
    found, script = tried(tmp_path, lambda number, _: EXPIRED if number == 0 else None)

    assert (blamed(found), found.unsteady) == ([], None)
    assert [limit.factor for limit in found.limits] == ["time"]
    assert len(script.made) == 2


# With real builds.


def audited(folder: Path, storage: dict[str, str], busy: Callable[[list[str]], bool]) -> Any:
    shell = Shell(folder, storage)
    with mirror(busy) as port:
        done = shell(
            *("rebuild", "--quiet", "--timestamp=0", "--vary=umask", "--format=json"),
            str(shell.context(asking(port))),
        )
    return done.status, json.loads(done.stdout)


@pytest.mark.live
def test_a_mirror_that_is_busy_once_leaves_the_answer_open(
    tmp_path: Path, golden_storage: dict[str, str]
) -> None:
    status, report = audited(
        tmp_path,
        golden_storage,
        lambda asked: asked[-1] == "0002" and asked.count("0002") == 1,
    )

    assert (status, report["verdict"], report["findings"]) == (3, "inconclusive", [])
    (problem,) = report["problems"]
    assert "Containerfile:2" in problem["message"]
    assert problem["message"].endswith("passed in another at the same levels: 429")
    assert [run["outcome"] for run in report["runs"]] == ["built", "failed", "built"]


@pytest.mark.live
def test_a_mirror_that_will_not_serve_a_level_is_the_levels_doing(
    tmp_path: Path, golden_storage: dict[str, str]
) -> None:
    status, report = audited(tmp_path, golden_storage, lambda asked: asked[-1] == "0002")

    assert (status, report["verdict"]) == (1, "unreproducible")
    (finding,) = report["findings"]
    assert finding["cause"]["slug"] == "build_breaks_when_varied"
    assert finding["factors"] == [{"factor": "umask", "confidence": "indicated"}]


@pytest.mark.live
def test_what_was_asked_and_could_not_be_varied_is_told_beside_what_differs(
    tmp_path: Path, golden_storage: dict[str, str]
) -> None:
    shell = Shell(tmp_path, golden_storage)
    words = ("rebuild", "--quiet", "--timestamp=0", "--format=json")
    context = str(shell.context(f"FROM {GOLDEN}\nRUN touch /srv/file\n"))
    asked = shell(*words, "--vary=umask,build_path", context)
    alone = shell(*words, "--vary=umask", context)

    assert (asked.status, alone.status) == (1, 1)
    (problem,) = json.loads(asked.stdout)["problems"]
    assert problem["message"].startswith("build_path was asked for and could not be varied: ")
    assert json.loads(alone.stdout)["problems"] == []
