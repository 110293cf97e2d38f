"""The laws in factors/interface.py, for every factor through the registry."""

from __future__ import annotations

from itertools import combinations, permutations

import pytest
from msgspec.structs import replace

from repaudit.factors import FACTORS, Factor
from repaudit.factors.interface import HELPERS
from repaudit.host import machine as host
from repaudit.interposer import edit
from repaudit.interposer.main import _FLAGS
from repaudit.model.errors import UsageError
from repaudit.model.experiment import INTRINSIC, SETTABLE, Held, Level
from tests.fakes import MACHINE, machine

NAMES = FACTORS.names()
#: What a machine may lack, the factor that is held then, and a word of the reason.
LACKS = (
    ({"preload": None}, "time", "libfaketime"),
    ({"cpus": (3,)}, "cpus", "one CPU"),
    ({"loop": False}, "file_order", "file system"),
    ({"locales": None}, "locale", "locales"),
    ({"old_kernel": MACHINE.kernel}, "kernel", "UNAME26"),
    ({"old_kernel": ""}, "kernel", "UNAME26"),
)
#: No builder of ours shows its path to a step.
HELD_EVERYWHERE = {"build_path"}
#: Its values are POSIX zones: the name in them is its own canary, whatever the seed.
CANARIES_WITHOUT_SEED = {"timezone"}


def levels_of(factor: Factor, **lacks: object) -> tuple[Level, ...]:
    found = factor.levels(machine(**lacks))
    return () if isinstance(found, Held) else found


@pytest.fixture(params=NAMES)
def factor(request: pytest.FixtureRequest) -> Factor:
    return FACTORS.load(request.param)


def test_the_files_are_the_factors_that_can_be_set():
    assert sorted(SETTABLE) == list(NAMES)
    assert not set(SETTABLE) & set(INTRINSIC)
    with pytest.raises(UsageError, match="not one of the factors") as caught:
        FACTORS.load("weather")
    assert "umask" in caught.value.hint


def test_a_factor_is_called_as_its_file(factor: Factor):
    assert type(factor).__module__ == f"repaudit.factors.{factor.name}"
    assert factor.summary
    assert "\n" not in factor.summary


def test_a_machine_that_lacks_nothing_varies_every_factor(factor: Factor):
    found = factor.levels(MACHINE)

    assert isinstance(found, Held) == (factor.name in HELD_EVERYWHERE)
    if isinstance(found, Held):
        assert (found.factor, bool(found.reason)) == (factor.name, True)


def test_levels_are_two_at_least_and_tell_themselves_apart(factor: Factor):
    found = levels_of(factor)

    assert len(found) != 1
    assert {level.factor for level in found} <= {factor.name}
    assert len({level.name for level in found}) == len(found)
    assert len({level.value for level in found}) == len(found)


def test_the_control_is_the_first_level_and_no_canary_of_a_variant(factor: Factor):
    found = levels_of(factor)

    for variant in found[1:]:
        assert factor.edits(found[0], MACHINE) != factor.edits(variant, MACHINE)
        assert not set(found[0].canaries) & set(variant.canaries)


def test_edits_write_exactly_the_slots_at_every_level(factor: Factor):
    for level in levels_of(factor):
        written = [change.slot for change in factor.edits(level, MACHINE)]
        assert sorted(factor.slots) == sorted(written)


@pytest.mark.parametrize(("one", "other"), list(combinations(NAMES, 2)))
def test_no_two_factors_share_a_slot(one: str, other: str):
    assert not FACTORS.load(one).slots & FACTORS.load(other).slots


def test_canaries_of_two_levels_are_as_long_and_not_within_each_other(factor: Factor):
    marked = [level for level in levels_of(factor) if level.canaries]

    for left, right in permutations(marked, 2):
        assert list(map(len, left.canaries)) == list(map(len, right.canaries))
        assert not any(a in b for a in left.canaries for b in right.canaries)


def test_canaries_of_one_factor_are_not_those_of_another():
    told = [c for name in NAMES for level in levels_of(FACTORS.load(name)) for c in level.canaries]

    assert not any(a in b for a, b in permutations(told, 2))


def test_a_factor_is_pure(factor: Factor):
    assert factor.levels(MACHINE) == factor.levels(MACHINE)
    for level in levels_of(factor):
        assert factor.edits(level, MACHINE) == factor.edits(level, MACHINE)


def test_canaries_follow_the_seed_and_nothing_else_does(factor: Factor):
    for mine, yours in zip(levels_of(factor), levels_of(factor, seed="another"), strict=True):
        if mine.canaries and factor.name not in CANARIES_WITHOUT_SEED:
            assert mine.canaries != yours.canaries
            assert mine.name != yours.name
        else:
            assert mine == yours


@pytest.mark.parametrize("seed", ["", "another", "\0", "ä"])
def test_the_laws_of_canaries_hold_for_any_seed(factor: Factor, seed: str):
    lengths = {len(c) for level in levels_of(factor, seed=seed) for c in level.canaries}

    assert len(lengths) <= 1


@pytest.mark.parametrize(("lacks", "name", "word"), LACKS)
def test_a_factor_is_held_with_the_reason_where_the_machine_lacks_it(lacks, name, word):
    held = FACTORS.load(name).levels(machine(**lacks))

    assert isinstance(held, Held)
    assert held.factor == name
    assert word in held.reason


@pytest.mark.parametrize(("lacks", "name", "word"), LACKS)
def test_what_one_factor_lacks_leaves_the_others_alone(lacks, name, word):
    for other in set(NAMES) - {name} - HELD_EVERYWHERE:
        assert not isinstance(FACTORS.load(other).levels(machine(**lacks)), Held)


def cpu_texts(level: int, **lacks: object) -> tuple[dict[str, str], dict[str, str]]:
    """The texts that the factor cpus brings along, and what it mounts where."""
    factor = FACTORS.load("cpus")
    edits = factor.edits(levels_of(factor, **lacks)[level], machine(**lacks))
    return tuple(
        {e.slot.removeprefix(kind): e.value for e in edits if e.slot.startswith(kind)}
        for kind in ("run:text/", "/mounts")
    )


def test_one_cpus_files_tell_of_the_cpu_that_the_step_may_run_on():
    """By its own number, else what has a table for each CPU would look beyond its end."""
    texts, mounts = cpu_texts(1, cpus=(2, 3))

    assert texts == {
        "cpuinfo": "processor\t: 2\nsiblings\t: 1\n\n",
        "stat": "cpu  1 2\ncpu2 1 2\nintr 7\nbtime 9\n",
        "cpu-list": "2\n",
    }
    assert set(mounts.values()) == set(texts)
    control, variant = levels_of(FACTORS.load("cpus"), cpus=(2, 3))
    assert (control.value, variant.value) == ("2,3", "2")


def test_all_cpus_are_told_of_by_the_kernel():
    assert set(cpu_texts(0)[1].values()) == {""}


def test_the_rest_of_what_a_processor_tells_stays():
    """What has no CPU's number is for all, and twelve is not one."""
    parts = "processor\t: 1\nmodel\t: x\n", "processor\t: 12\nmodel\t: x\n", "Hardware\t: y\n"
    files = (("/proc/cpuinfo", "\n".join(parts)), ("/proc/stat", "cpu  3 3\ncpu1 2\ncpu12 1\n"))
    texts, _ = cpu_texts(1, cpus=(1, 12), cpu_files=files)

    assert texts["cpuinfo"] == f"{parts[0]}\n{parts[2]}\n"
    assert texts["stat"] == "cpu  2\ncpu1 2\n"


@pytest.mark.parametrize("text", ["", "processor 0: version = 00\n", "processor\t: 7\n"])
def test_a_file_that_cannot_be_told_for_one_cpu_is_left_alone(text: str):
    _, mounts = cpu_texts(1, cpu_files=(("/proc/cpuinfo", text), ("/proc/stat", text)))

    assert set(mounts.values()) == {""}


def test_the_machine_reads_what_the_factor_mounts_over():
    there = dict(host.cpu_files())
    _, mounts = cpu_texts(1, cpu_files=tuple(there.items()), cpus=(host.cpus()[0], 9999))

    assert set(mounts) == set(there) == {path for path, name in mounts.items() if name}


def test_a_probe_that_saw_nothing_is_no_reading(factor: Factor):
    for level in levels_of(factor):
        assert factor.observe({}, level) is None
        assert factor.observe({"epoch": "", "root": "storage"}, level) is None


@pytest.mark.parametrize(
    ("shift", "later", "seen"),
    [
        (400, 0, "start+400d"),
        (400, 3_600, "start+400d"),
        (0, 0, "start"),  # a clock that was not moved is not at the level of a run that moves it
        (1, 7, "start"),  # though it is past midnight by then
        (399, 0, "start"),
        (500, 0, "start"),
    ],
)
def test_a_clock_is_moved_that_stands_at_its_level(shift: int, later: int, seen: str):
    control, ahead, *_ = levels_of(FACTORS.load("time"))
    epoch = {"epoch": str(MACHINE.start + shift * 86_400 + later)}

    assert FACTORS.load("time").observe(epoch, ahead) == seen
    assert FACTORS.load("time").observe(epoch, control) == "start"


@pytest.mark.parametrize("epoch", ["soon", "\u00b2", "9" * 5000, "-1", " 1"])
def test_what_is_no_time_is_not_seen(epoch: str):
    (control, *_) = levels_of(FACTORS.load("time"))
    assert FACTORS.load("time").observe({"epoch": epoch}, control) is None


def test_no_level_shows_the_clock_that_it_starts_at():
    for name in NAMES:
        mine, yours = (levels_of(FACTORS.load(name), start=n) for n in (1, 1_800_000_000))
        assert [level.name for level in mine] == [level.name for level in yours]
        assert [level.canaries for level in mine] == [level.canaries for level in yours]


def test_the_interposer_knows_every_slot_and_the_same_folder():
    """It imports nothing of the factors, so what both need is written twice."""
    flags = {
        slot.removeprefix("exec:personality/")
        for name in NAMES
        for slot in FACTORS.load(name).slots
        if slot.startswith("exec:personality/")
    }

    assert edit.HELPERS == HELPERS
    assert set(_FLAGS) == flags


def test_a_token_depends_on_the_seed_and_the_words_alone():
    tokens = {MACHINE.token(*words) for words in (("a",), ("b",), ("a", "b"), ("ab",))}

    assert len(tokens) == 4
    assert MACHINE.token("a") == replace(MACHINE, start=0, cpus=(9,)).token("a")
    assert MACHINE.token("a") != machine(seed="another").token("a")
