"""The explaining experiment: its rows, and what they show of values that are made up."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repaudit.model.experiment import SETTABLE
from repaudit.stages.decode import explanations, shown
from repaudit.stages.design import rows

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
