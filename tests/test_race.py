"""Races: what differs in some runs, and follows nothing."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from repaudit.model.difference import Aspect, Difference
from repaudit.model.experiment import SETTABLE, PlannedRun, Role
from repaudit.model.finding import Confidence
from repaudit.model.report import Verdict
from repaudit.stages.design import rows
from repaudit.stages.explain import Observations
from repaudit.stages.settle import MOST_MORE
from tests import images
from tests.scripted import explained

FACTORS = tuple(name for name in SETTABLE if name != "build_path")
RUN = PlannedRun(name="run", role=Role.VARIANT, levels=())


def file(text: bytes) -> bytes:
    return images.archive({"srv/a": text})


@pytest.mark.parametrize("rare", ["replicate", "variant"])
def test_what_differs_in_one_run_is_never_called_reproducible(rare: str, tmp_path: Path) -> None:
    report = explained(lambda run: file(b"b" if run.name == rare else b"a"), tmp_path)

    assert report.verdict is Verdict.UNREPRODUCIBLE
    (finding,) = report.findings
    assert [d.path for d in finding.differences] == ["srv/a"]
    assert {s.factor for s in finding.factors} <= {"random", "concurrency"}
    assert "1 of" in " ".join(evidence.detail for evidence in finding.evidence)
    assert report.bound


def test_a_race_that_looks_like_two_factors_is_looked_at_again(tmp_path: Path) -> None:
    """Two runs that differ follow one pair of factors or another; chance does that easily."""
    report = explained(
        lambda run: file(b"b" if run.name in {"variant", "row-1"} else b"a"), tmp_path
    )

    assert report.verdict is Verdict.UNREPRODUCIBLE
    assert Confidence.DEMONSTRATED not in {s.confidence for f in report.findings for s in f.factors}


def test_what_follows_nothing_beside_what_is_random_is_not_looked_for(tmp_path: Path) -> None:
    def layer(run: PlannedRun) -> bytes:
        rare = run.name in {"row-1", "row-3", "row-4"}
        return file(f"{run.name} is random\n\n{'b' if rare else 'a'}\n".encode())

    report = explained(layer, tmp_path)

    assert [f.cause.slug for f in report.findings] == ["differs_without_variation"]
    assert len(report.runs) <= 10


def test_names_that_each_run_draws_are_one_finding_without_a_design_too(tmp_path: Path) -> None:
    def drawn(run: PlannedRun) -> bytes:
        return images.archive({f"srv/f{run.name}": b""})

    report = explained(drawn, tmp_path, explain=False)
    (finding,) = report.findings
    assert len(report.runs) == 3
    assert finding.cause.slug == "differs_without_variation"
    assert len(finding.differences) == 3
    told = [one.detail for one in finding.evidence]
    assert "each of 3 runs has another name in its place, whatever it moved" in told


def test_what_three_runs_do_not_show_to_be_chance_is_unexplained(tmp_path: Path) -> None:
    def moved(run: PlannedRun) -> bytes:
        return file(b"b" if run.name == "variant" else b"a")

    report = explained(moved, tmp_path, explain=False)
    assert [f.cause.slug for f in report.findings] == ["unexplained"]
    assert "--explain" in report.findings[0].cause.remedy


def test_nobody_is_sent_to_where_he_came_from(tmp_path: Path) -> None:
    values = {"variant": b"b", "row-1": b"c", "row-2": b"b", "row-5": b"d"}
    report = explained(lambda run: file(values.get(run.name, b"a")), tmp_path)

    (finding,) = report.findings
    assert finding.cause.slug == "unexplained"
    assert "--explain" not in finding.cause.remedy


def settled(draw: Callable[[frozenset[str]], str], seed: str) -> tuple[Observations, int]:
    """Make up runs, each with the value that `draw` gives it, as the experiment asks for them."""
    seen = Observations(RUN, real=0)
    control = draw(frozenset())
    made = 1

    def add(some: frozenset[str]) -> None:
        nonlocal made
        made += 1
        value = draw(some)
        one = Difference(layer=0, path="a", aspect=Aspect.MODE, left=control, right=value)
        seen.add(RUN, some, [one] if value != control else [], {})

    add(frozenset())
    add(frozenset(FACTORS))
    left = list(rows(FACTORS, seed))
    while left and not seen.settled(FACTORS):
        left.remove(best := seen.best(FACTORS, left))
        add(best)
    most = made + MOST_MORE
    while made < most and (doubts := seen.doubts(FACTORS)):
        add(doubts[0])
    return seen, made


@pytest.mark.parametrize("minority", [0.1, 0.3, 0.5])
def test_a_race_is_hardly_ever_blamed_on_a_factor(minority: float) -> None:
    chance = random.Random(1)
    blamed = differing = 0
    for number in range(600):
        seen, _ = settled(lambda _: "ab"[chance.random() < minority], str(number))
        for decoded in seen.decode(FACTORS).values():
            differing += 1
            blamed += any(one.sure for one in decoded.followed)

    assert differing > 50
    assert blamed <= 0.05 * differing


def test_the_same_runs_show_a_factor_beyond_doubt() -> None:
    for number, factor in enumerate(FACTORS * 4):
        seen, made = settled(lambda some, f=factor: "ab"[f in some], str(number))  # type: ignore[misc]
        (decoded,) = seen.decode(FACTORS).values()
        assert [one.factor for one in decoded.followed if one.sure] == [factor]
        assert made <= 10


def test_words_of_chance_are_hardly_ever_blamed_on_a_factor(tmp_path: Path) -> None:
    """Of many words that are drawn from a few, some are the same in just the runs of a factor."""
    chance = random.Random(2)
    for number in range(20):
        folder = tmp_path / str(number)
        folder.mkdir()
        report = explained(
            lambda _: file(",".join(chance.choices("abcdefghijklmno", k=30)).encode()), folder
        )
        factors = {s.factor: s.confidence for f in report.findings for s in f.factors}
        named = {name for name in factors if name not in {"random", "concurrency"}}
        assert Confidence.DEMONSTRATED not in {factors[name] for name in named}, number
