"""What the runs make of clues: what chance hides, and whom the trace acquits."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from repaudit.model.finding import Clue, EvidenceKind
from repaudit.stages.clues import BY_ITSELF, Sourced, clocked, sharpened
from repaudit.stages.decode import Decoded, Followed

CHANCE = Decoded(
    followed=(), runs=10, differing=9, unmoved=1, settled=True, chance=True, baffling=False
)


def clue(
    *factors: str, kind: EvidenceKind = EvidenceKind.SIGNATURE, slug: str = BY_ITSELF
) -> Sourced:
    return Sourced("text", Clue(slug=slug, factors=factors, kind=kind, detail="seen"))


def blamed(found: list[Sourced]) -> set[tuple[str, ...]]:
    return {one.clue.factors for one in found}


def test_a_canary_counts_in_a_word_that_chance_changes_too() -> None:
    canary = clue("hostname", kind=EvidenceKind.CANARY)

    assert ("hostname",) in blamed(sharpened([canary], CHANCE, {"hostname"}))
    assert ("random",) in blamed(sharpened([canary], CHANCE, {"hostname"}))


def test_what_only_looked_so_does_not_count_there() -> None:
    assert blamed(sharpened([clue("hostname")], CHANCE, {"hostname"})) == {("random",)}


def test_without_chance_a_canary_is_overruled_by_the_runs() -> None:
    followed = Followed(factor="umask", where="", times=5, sure=True)
    settled = replace(CHANCE, chance=False, followed=(followed,))
    canary = clue("hostname", kind=EvidenceKind.CANARY)

    assert ("hostname",) not in blamed(sharpened([canary], settled, {"hostname", "umask"}))


def test_who_read_the_clock_alone_is_blamed_for_the_time() -> None:
    found = clocked([clue("random"), clue("umask")], CHANCE, ("clock",))

    assert [one.clue.factors for one in found] == [("time",), ("umask",)]
    assert found[0].clue.slug == "captures_build_date"


def test_the_name_of_a_temporary_file_stays_one() -> None:
    """Some programs make it of the clock's microseconds."""
    name = clue("random", slug="captures_temporary_path")
    assert clocked([name], CHANCE, ("clock",)) == [name]


@pytest.mark.parametrize("drawn", [(), ("clock", "random"), ("clock", "listing"), ("random",)])
def test_who_read_another_chance_as_well_is_not(drawn: tuple[str, ...]) -> None:
    assert clocked([clue("random")], CHANCE, drawn) == [clue("random")]


def test_nor_is_the_clock_where_random_bytes_are_shown_or_chance_does_not_strike() -> None:
    for decoded in (replace(CHANCE, drawn=True), replace(CHANCE, chance=False)):
        assert clocked([clue("random")], decoded, ("clock",)) == [clue("random")]


def test_what_takes_two_factors_says_so() -> None:
    alone = Followed(factor="cpus", where="", times=7, sure=True)

    assert alone.words(14) == "follows cpus in all 14 runs, 7 of which moved it"
    both = replace(alone, beside=("hostname",))
    assert (
        both.words(14)
        == "follows cpus, together with hostname, in all 14 runs, 7 of which moved it"
    )
