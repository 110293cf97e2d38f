"""Runs that start from what was the same before, from the command line to the report."""

from __future__ import annotations

import json
from typing import Any

import pytest

from repaudit.model.experiment import Role
from repaudit.stages.experiment import records
from repaudit.stages.plan import make_plan
from tests.fakes import MACHINE, built
from tests.live import GOLDEN, Shell

SAME = "RUN umask 022 && echo same > /srv/same"
ALSO = "RUN umask 022 && echo also > /srv/also"
HOST = "RUN umask 022 && hostname > /srv/host"
WORDS = ("--timestamp=1700000000", "--quiet", "--vary=hostname,umask,file_order")


def rebuilt(shell: Shell, lines: list[str], *words: str) -> dict[str, Any]:
    context = shell.context("\n".join([f"FROM {GOLDEN}", *lines, ""]))
    done = shell("rebuild", *WORDS, *words, "--format=json", str(context))
    assert done.status == 1, done.stderr
    assert shell.scratch == []
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def skipped(report: dict[str, Any], what: str = "runs") -> dict[str, int]:
    return {run["name"]: run["skipped"] for run in report[what]}


@pytest.mark.live
def test_rows_start_from_the_layers_that_never_differed(shell: Shell) -> None:
    report = rebuilt(shell, [SAME, ALSO, HOST], "--explain")
    *first, last = report["runs"][:3]
    (finding,) = (f for f in report["findings"] if f["instruction"])

    assert [run["role"] for run in (*first, last)] == ["control", "replicate", "variant"]
    rows = skipped(report)
    assert [rows.pop(run["name"]) for run in (*first, last)] == [0, 0, 0]
    assert set(rows.values()) == {2}
    assert report["bound"]["runs"] == 2  # the rows are no witnesses of the first steps
    assert finding["instruction"]["line"] == 4
    assert finding["factors"] == [{"factor": "hostname", "confidence": "demonstrated"}]


@pytest.mark.live
def test_rows_execute_all_behind_the_first_layer_that_differs(shell: Shell) -> None:
    report = rebuilt(shell, [HOST, SAME, ALSO], "--explain")

    assert set(skipped(report).values()) == {0}
    assert report["bound"]["runs"] == len(report["runs"]) - 1


@pytest.mark.live
def test_where_two_steps_have_the_same_words_all_are_executed(shell: Shell) -> None:
    report = rebuilt(shell, [SAME, HOST, f"{HOST}  "], "--explain")
    assert set(skipped(report).values()) == {0}


@pytest.mark.live
def test_a_fix_that_breaks_a_step_that_reads_what_it_mends_is_no_good(shell: Shell) -> None:
    """A step that binds another stage is executed again, as its own words do not tell all."""
    reads = "RUN --mount=type=bind,from=a,source=/srv,target=/mnt ! grep -q localhost /mnt/host"
    lines = [HOST, f"FROM {GOLDEN}", reads, "COPY --from=a /srv/host /srv/host", "LABEL x=y"]
    context = shell.context("\n".join([f"FROM {GOLDEN} AS a", *lines, ""]))
    done = shell("rebuild", *WORDS, "--try-fixes", "--format=json", str(context))
    fixes = [f["fix"] for f in json.loads(done.stdout)["findings"] if f["fix"]]

    assert {fix["outcome"] for fix in fixes if fix["edit"]} == {"breaks"}


@pytest.mark.live
def test_a_fix_is_tried_from_there_too(shell: Shell) -> None:
    report = rebuilt(shell, [SAME, HOST, ALSO], "--try-fixes")
    (finding,) = (f for f in report["findings"] if f["fix"] and f["fix"]["edit"])

    assert finding["fix"]["outcome"] == "gone"
    assert set(skipped(report).values()) == {0}
    assert set(skipped(report, "trial").values()) == {1}


def test_a_run_that_was_built_says_how_many_steps_it_skipped() -> None:
    plan = make_plan(MACHINE, vary=(), hold=(), builds=3)
    control, replicate, variant = (
        built(planned, steps=steps) for planned, steps in zip(plan.runs, (3, 3, 1), strict=True)
    )
    told = records([control, replicate, variant])

    assert [(run.role, run.skipped) for run in told] == [
        (Role.CONTROL, 0),
        (Role.REPLICATE, 0),
        (Role.VARIANT, 2),
    ]
