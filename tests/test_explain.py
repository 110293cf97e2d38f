"""The explaining experiment: its rows, and what they show of values that are made up."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repaudit.model.difference import Aspect, Difference
from repaudit.model.experiment import SETTABLE, PlannedRun, Role
from repaudit.model.report import Bound
from repaudit.stages.decode import explanations, shown
from repaudit.stages.design import rows
from repaudit.stages.explain import Observations
from repaudit.stages.settle import MOST_MORE

FACTORS = tuple(name for name in SETTABLE if name != "build_path")
seeds = st.text(max_size=8)


def runs(seed: str, factors: tuple[str, ...] = FACTORS) -> tuple[frozenset[str], ...]:
    """Control, replicate, the variant that moves all, and the rows: ten for twelve factors."""
    return (frozenset(), frozenset(), frozenset(factors), *rows(factors, seed))


@given(seeds)
def test_ten_runs_are_enough_and_each_factor_moves_and_rests_in_several(seed: str) -> None:
    moved = runs(seed)

    assert len(moved) == 10
    assert all(shown((name,), moved) for name in FACTORS)


@given(seeds)
def test_the_same_seed_gives_the_same_rows(seed: str) -> None:
    assert rows(FACTORS, seed) == rows(FACTORS, seed)


@given(seeds, st.sampled_from(FACTORS))
def test_one_factor_is_told_from_every_other_and_every_pair(seed: str, factor: str) -> None:
    moved = runs(seed)
    steady = [factor in run for run in moved]
    by_chance = [number if factor in run else 0 for number, run in enumerate(moved)]

    assert explanations(steady, moved, FACTORS) == ((factor,),)
    assert explanations(by_chance, moved, FACTORS) == ((factor,),)


@pytest.mark.parametrize("pair", list(combinations(FACTORS, 2)), ids="+".join)
def test_two_factors_that_both_leak_are_among_the_smallest_explanations(pair) -> None:
    moved = runs("repaudit")
    values = [tuple(name in run for name in pair) for run in moved]

    assert pair in explanations(values, moved, FACTORS)


def test_most_pairs_have_no_other_explanation() -> None:
    moved = runs("repaudit")
    pairs = list(combinations(FACTORS, 2))
    alone = [
        pair
        for pair in pairs
        if explanations([tuple(n in run for n in pair) for run in moved], moved, FACTORS) == (pair,)
    ]

    assert len(alone) >= 60
    assert len(pairs) == 66


@given(st.lists(st.integers(0, 3), min_size=10, max_size=10))
def test_nothing_is_explained_that_differs_in_the_replicate(values: list[int]) -> None:
    values[1] = values[0] + 1

    assert explanations(values, runs("repaudit"), FACTORS) == ()


@given(seeds, st.sets(st.sampled_from(FACTORS), min_size=1))
def test_fewer_factors_are_told_apart_as_well(seed: str, some: set[str]) -> None:
    factors = tuple(sorted(some))
    moved = runs(seed, factors)

    for factor in factors:
        assert explanations([factor in run for run in moved], moved, factors) == ((factor,),)


def test_what_moved_in_one_run_alone_is_not_shown() -> None:
    moved = (frozenset(), frozenset(), frozenset({"umask"}))

    assert explanations([0, 0, 1], moved, ("umask",)) == (("umask",),)
    assert not shown(("umask",), moved)


def observed(values: list[str | None], moved: tuple[frozenset[str], ...]) -> Observations:
    """Runs in which one mode has these values; None is the control's."""
    names = [f"run-{number}" for number in range(len(values))]
    runs = [PlannedRun(name=name, role=Role.VARIANT, levels=()) for name in names]
    seen = Observations(runs[0], real=0)
    for run, some, value in list(zip(runs, moved, values, strict=True))[1:]:
        one = Difference(layer=0, path="a", aspect=Aspect.MODE, left="0644", right=value)
        seen.add(run, some, [one] if value else [], {})
    return seen


def rows_of(*numbers: int) -> list[str | None]:
    return [("0600" if number in numbers else None) for number in range(10)]


def test_one_rare_difference_is_not_enough_to_blame_anything() -> None:
    moved = runs("repaudit")
    for rare in range(3, 10):
        seen = observed(rows_of(rare), moved)
        (decoded,) = seen.decode(FACTORS).values()
        assert not decoded.settled
        assert seen.doubts(FACTORS)


def test_what_follows_nothing_is_said_so_until_a_replicate_shows_chance() -> None:
    moved = runs("repaudit")
    values = next(
        values
        for values in map(rows_of, *zip(*combinations(range(3, 10), 2), strict=True))
        if not explanations(values, moved, FACTORS)
    )
    seen = observed(values, moved)
    (decoded,) = seen.decode(FACTORS).values()
    assert decoded.baffling
    assert seen.doubts(FACTORS) == [frozenset()]
    assert decoded.words(()).startswith("differs from the control in 2 of 9 other runs, and follow")

    seen = observed([*values, "0600"], (*moved, frozenset()))
    (decoded,) = seen.decode(FACTORS).values()
    assert not seen.doubts(FACTORS)
    assert (decoded.settled, decoded.chance, decoded.differing) == (True, True, 3)


def test_what_follows_a_factor_leaves_no_doubt() -> None:
    moved = runs("repaudit")
    seen = observed(["0600" if "umask" in some else None for some in moved], moved)

    assert not seen.doubts(FACTORS)
    (decoded,) = seen.decode(FACTORS).values()
    assert decoded.settled
    assert decoded.sure("umask")
    assert [(f.factor, f.times) for f in decoded.followed] == [
        ("umask", sum("umask" in some for some in moved))
    ]


@pytest.mark.parametrize("pair", list(combinations(FACTORS, 2)), ids="+".join)
def test_nothing_else_is_blamed_for_what_two_factors_make_together(pair) -> None:
    moved = runs("repaudit")
    for _ in range(MOST_MORE + 1):
        values = ["0600" if set(pair) <= some else None for some in moved]
        (decoded,) = observed(values, moved).decode(FACTORS).values()
        if decoded.settled:
            break
        moved = (*moved, *observed(values, moved).doubts(FACTORS)[:1])

    assert decoded.settled
    assert {one.factor for one in decoded.followed} == set(pair)


@given(st.integers(1, 500))
def test_the_bound_is_what_five_per_cent_leave(number: int) -> None:
    bound = Bound.of(number)

    assert (1 - bound.rate) ** number <= 0.05 + 1e-12
    assert (1 - bound.rate + 0.001) ** number > 0.05


@given(st.integers(2, 40), st.floats(0, 1))
def test_no_control_makes_the_bound_false(number: int, share: float) -> None:
    """Where two images are made by chance, whichever of them the control is."""
    bound = Bound.of(number - 1)

    for differ in (share, 1 - share):
        assert differ <= bound.rate or (1 - differ) ** (number - 1) <= 0.05 + 1e-12
