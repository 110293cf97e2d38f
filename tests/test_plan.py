"""The plan: every choice is made once, and what a probe did not see move was not varied."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from repaudit.factors import FACTORS
from repaudit.model.errors import UsageError
from repaudit.model.experiment import INTRINSIC, SETTABLE, Held, PlannedRun, Role
from repaudit.stages.plan import NOT_ASKED, Effect, Plan, edits, effect, make_plan
from tests.fakes import MACHINE, built, machine, reading

#: What a probe sees of each factor, at the control and at the variant.
SEEN = {
    "time": ("epoch", "1700000000", "1734560000"),
    "timezone": ("zone", "+0000", "+1400"),
    "locale": ("month", "January", "jaanuar"),
    "umask": ("umask", "0022", "0002"),
    "hostname": ("hostname", "host-a", "host-b"),
    "user": ("user", "root", "user-a"),
    "home": ("home", "/root", "/dev/.repaudit/home/a"),
    "environment": ("environment", "env-a", "env-b"),
    "file_order": ("file_order", "a,b", "b,a"),
    "cpus": ("cpus", "4", "1"),
    "kernel": ("kernel", "6.1.0", "2.6.61"),
    "aslr": ("aslr", "off", "on"),
}
#: The kernel's files that tell of CPUs, which the probes see too.
CPU_FILES = sorted(path for path, _ in MACHINE.cpu_files)
VARIABLE = tuple(name for name in SETTABLE if name in SEEN)


def plan_of(*vary: str, hold: tuple[str, ...] = (), builds: int = 2, **lacks: Any) -> Plan:
    return make_plan(machine(**lacks), vary=vary, hold=hold, builds=builds)


def reasons(held: tuple[Held, ...]) -> dict[str, str]:
    return {one.factor: one.reason for one in held}


def seen(side: int, *, but: Mapping[str, str | None] | None = None) -> tuple[tuple[str, str], ...]:
    """What a probe sees in the control (0) or the variant (1), but for some readings."""
    values = {name: (value, other)[side] for name, value, other in SEEN.values()}
    told = values | dict.fromkeys(CPU_FILES, ("4", "1")[side]) | dict(but or {})
    return reading(**{name: value for name, value in told.items() if value is not None})


def judged(plan: Plan, *, left: Any = None, right: Any = None, **variant: Any) -> Effect:
    control, other = plan.runs[0], plan.runs[-1]
    return effect(plan, built(control, left or seen(0)), built(other, right or seen(1), **variant))


# The runs.


def test_the_same_seed_gives_the_same_plan():
    assert plan_of(builds=4) == plan_of(builds=4)
    assert plan_of() != plan_of(seed="another")


def test_a_plan_has_a_control_and_a_variant_that_moves_everything():
    plan = plan_of()
    control, variant = plan.runs

    assert (control.name, control.role) == ("control", Role.CONTROL)
    assert (variant.name, variant.role) == ("variant", Role.VARIANT)
    assert plan.moved == VARIABLE
    for levels in plan.levels:
        factor = levels[0].factor
        assert (control.level(factor), variant.level(factor)) == levels[:2]


@pytest.mark.parametrize(
    ("builds", "names"),
    [
        (2, ["control", "variant"]),
        (3, ["control", "replicate", "variant"]),
        (4, ["control", "replicate", "variant", "variant-2"]),
        (6, ["control", "replicate", "variant", "variant-2", "variant-3", "variant-4"]),
    ],
)
def test_from_three_builds_on_there_is_a_replicate(builds: int, names: list[str]):
    runs = plan_of(builds=builds).runs

    assert [run.name for run in runs] == names
    assert [run.levels for run in runs[1:2]] == [runs["replicate" not in names].levels]


def test_a_replicate_moves_nothing():
    control, replicate, variant = plan_of(builds=3).runs

    assert replicate.role is Role.REPLICATE
    assert replicate.levels == control.levels != variant.levels


@pytest.mark.parametrize("builds", [1, 0, -1])
def test_one_build_says_nothing(builds: int):
    with pytest.raises(UsageError, match="one build") as caught:
        plan_of(builds=builds)

    assert (caught.value.exit_code, "--builds" in caught.value.hint) == (2, True)


@pytest.mark.parametrize("name", ["weather", "", "TIME", "interface", "../time"])
@pytest.mark.parametrize("option", ["vary", "hold"])
def test_an_unknown_factor_is_refused_with_all_that_there_are(option: str, name: str):
    with pytest.raises(UsageError, match="no such factor") as caught:
        plan_of(name) if option == "vary" else plan_of(hold=(name,))

    assert caught.value.exit_code == 2
    assert all(factor in caught.value.hint for factor in SETTABLE)


@pytest.mark.parametrize("name", INTRINSIC)
@pytest.mark.parametrize("option", ["vary", "hold"])
def test_what_nobody_can_set_is_refused_with_what_shows_it(option: str, name: str):
    with pytest.raises(UsageError, match="can be set") as caught:
        plan_of(name) if option == "vary" else plan_of(hold=(name,))

    assert "replicate" in caught.value.hint


def test_only_what_is_asked_for_varies():
    plan = plan_of("umask", "time")

    assert (plan.moved, plan.asked) == (("time", "umask"), ("umask", "time"))
    assert reasons(plan.held)["locale"] == NOT_ASKED
    assert set(reasons(plan.held)) == set(SETTABLE) - {"time", "umask"}


def test_all_but_what_is_held_varies():
    plan = plan_of(hold=("umask",))

    assert set(plan.moved) == set(VARIABLE) - {"umask"}
    assert reasons(plan.held)["umask"] == NOT_ASKED


def test_what_is_asked_for_and_held_is_refused():
    with pytest.raises(UsageError, match="umask is to be varied and to be held"):
        plan_of("umask", "time", hold=("umask",))


def test_a_held_factor_is_at_its_control_in_every_run():
    control, variant = plan_of("time").runs

    assert control.level("umask") == variant.level("umask") is not None
    assert control.level("time") != variant.level("time")


def test_what_the_machine_lacks_is_held_for_that_reason_and_has_no_level():
    plan = plan_of("time", preload=None)

    assert reasons(plan.held)["time"] == "libfaketime is not installed"
    assert (plan.moved, plan.runs[0].level("time")) == ((), None)


def test_every_factor_is_moved_or_held_and_named_once():
    for plan in (plan_of(), plan_of("umask"), plan_of(hold=("umask",), cpus=(1,))):
        named = [*plan.moved, *reasons(plan.held)]
        assert sorted(named) == sorted(SETTABLE)
        assert len(plan.held) == len(reasons(plan.held))


def test_a_run_of_ones_own_moves_what_it_is_told_and_nothing_else():
    plan = plan_of()
    run = plan.variant("search-1", {"time": 2, "umask": 1})

    moved = {level.factor for level in run.levels if level != plan.runs[0].level(level.factor)}
    assert moved == {"time", "umask"}
    assert run.level("time") == {ls[0].factor: ls for ls in plan.levels}["time"][2]


def test_the_edits_of_a_run_are_those_of_its_levels():
    run = plan_of().runs[1]

    assert edits(run, MACHINE) == {
        level.factor: FACTORS.load(level.factor).edits(level, MACHINE) for level in run.levels
    }


# What was varied in fact.


def test_a_factor_that_a_probe_saw_move_was_varied():
    found = judged(plan_of())

    assert found.varied == VARIABLE
    assert reasons(found.held) == reasons(plan_of().held)


@pytest.mark.parametrize("factor", VARIABLE)
def test_a_factor_that_no_probe_saw_move_was_not_varied(factor: str):
    name, value, _ = SEEN[factor]
    found = judged(plan_of(), right=seen(1, but={name: value}))

    assert factor not in found.varied
    assert "did not take effect" in reasons(found.held)[factor]
    assert len(found.varied) == len(VARIABLE) - 1


@pytest.mark.parametrize("side", [0, 1])
def test_a_factor_that_no_probe_could_see_is_not_said_to_have_moved(side: int):
    sides = [seen(n, but={"month": None} if n == side else None) for n in (0, 1)]
    found = judged(plan_of(), left=sides[0], right=sides[1])

    assert "locale" not in found.varied
    assert "locale" in reasons(found.held)


def test_a_factor_unseen_in_both_runs_says_so():
    sides = [seen(n, but={"month": None}) for n in (0, 1)]
    found = judged(plan_of(), left=sides[0], right=sides[1])

    assert reasons(found.held)["locale"] == "no probe could see it in this image"


def test_what_one_run_did_not_see_is_not_said_of_both():
    found = judged(plan_of(), right=seen(1, but={"month": None}))

    assert "both runs" not in reasons(found.held)["locale"]


def test_no_reason_holds_a_clock():
    days = ("1700000000", "1800000000")
    plan = plan_of("time")
    told = {
        reasons(effect(plan, *(built(run, reading(epoch=day)) for run in plan.runs)).held)["time"]
        for day in days
    }

    assert len(told) == 1


def test_a_factor_that_the_image_refuses_is_held_for_the_images_reason():
    found = judged(
        plan_of(),
        right=seen(1, but={"zone": "+0000"}),
        refused={"timezone": "the image sets TZ itself"},
    )

    assert reasons(found.held)["timezone"] == "the image sets TZ itself"


def test_a_factor_refused_in_one_step_is_varied_within_a_limit():
    found = judged(plan_of(), steps=2, refused={"umask": "the reason"})

    assert "umask" in found.varied
    assert reasons(found.limits)["umask"] == "not in every step: the reason"


def test_without_a_run_step_nothing_saw_a_factor():
    plan = plan_of()
    control, variant = (built(run, steps=0) for run in plan.runs)
    found = effect(plan, control, variant)

    assert found.varied == ()
    told = {name: reasons(found.held)[name] for name in VARIABLE}
    assert set(told.values()) == {"no RUN step was executed, so nothing saw it"}


def test_the_storages_order_is_seen_without_a_run_step():
    plan = plan_of()
    sides = [
        built(run, reading("storage", file_order=order), steps=0)
        for run, order in zip(plan.runs, ("a,b", "b,a"), strict=True)
    ]

    assert effect(plan, *sides).varied == ("file_order",)


def test_one_probe_that_saw_it_move_is_enough():
    plan = plan_of("umask")
    sides = [
        built(run, reading("1", umask="0022"), reading("2", umask=value))
        for run, value in zip(plan.runs, ("0022", "0002"), strict=True)
    ]

    assert effect(plan, *sides).varied == ("umask",)


@pytest.mark.parametrize("right", [(), (reading("2"),)])
def test_a_root_in_which_one_run_saw_nothing_is_a_limit(right: tuple[Any, ...]):
    plan = plan_of("umask")
    order = reading("storage", file_order="a,b")
    left = (reading("1", umask="0022"), reading("2", umask="0022"))
    one = built(plan.runs[0], order, *left)
    other = built(plan.runs[1], order, reading("1", umask="0002"), *right)
    found = effect(plan, one, other)

    assert found.varied == ("umask",)
    assert "no probe saw it move" in reasons(found.limits)["umask"]
    whole = built(plan.runs[1], order, reading("1", umask="0002"), reading("2", umask="0002"))
    assert effect(plan, one, whole).limits == ()


def test_a_clock_that_was_not_moved_is_held_also_over_midnight():
    plan = plan_of("time")
    midnight = (MACHINE.start // 86_400 + 1) * 86_400
    sides = [
        built(run, reading(epoch=str(epoch)))
        for run, epoch in zip(plan.runs, (midnight - 1, midnight + 2), strict=True)
    ]
    found = effect(plan, *sides)

    assert found.varied == ()
    assert "did not take effect" in reasons(found.held)["time"]


def test_what_kept_the_real_clock_is_a_limit_and_said_once():
    plan = plan_of("time", "umask")
    sides = [
        replace(built(run, seen(side)), unmoved=("a 32-bit program",))
        for side, run in enumerate(plan.runs)
    ]
    told = [limit.reason for limit in effect(plan, *sides).limits if limit.factor == "time"]
    assert told.count("a 32-bit program") == 1

    held = plan_of("umask")
    sides = [replace(run, planned=plan) for run, plan in zip(sides, held.runs, strict=True)]
    assert effect(held, *sides).limits == ()


def test_probes_of_different_roots_are_not_compared():
    """A step that the variant did not reach must not make a held factor look varied."""
    plan = plan_of("home")
    control = built(plan.runs[0], reading("1-0-", home="/root"), reading("1-7-", home="/srv"))
    variant = built(plan.runs[1], reading("1-7-", home="/srv"))

    assert effect(plan, control, variant).varied == ()


def test_a_variant_that_went_back_to_the_control_did_not_vary():
    plan = plan_of()
    back = plan.variant("variant-0", dict.fromkeys(plan.moved, 1) | {"umask": 0})
    found = effect(plan, built(plan.runs[0], seen(0)), built(back, seen(1)))

    assert "umask" not in found.varied
    assert reasons(found.held)["umask"] == "the build breaks when umask is varied"


def test_what_was_varied_within_bounds_says_which():
    limits = reasons(judged(plan_of()).limits)

    assert "statically linked" in limits["time"]
    assert "base image" in limits["file_order"]
    assert "/sys/devices/system" in limits["cpus"]
    assert "/proc/version" in limits["kernel"]
    assert set(limits) == {"time", "file_order", "cpus", "kernel"}
    assert judged(plan_of("umask")).limits == ()


@pytest.mark.parametrize("file", CPU_FILES)
@pytest.mark.parametrize("value", ["4", None])
def test_a_file_that_told_of_all_cpus_in_both_runs_is_a_limit(file: str, value: str | None):
    sides = [seen(side, but={file: value}) for side in (0, 1)]
    found = judged(plan_of("cpus"), left=sides[0], right=sides[1])

    assert found.varied == ("cpus",)
    assert f"{file} told the same in both runs" in [limit.reason for limit in found.limits]
    assert len(judged(plan_of("cpus")).limits) == len(found.limits) - 1


@pytest.mark.parametrize(
    ("days", "kept"), [((0, 400), False), ((0, 1), True), ((None, None), True), ((0, None), True)]
)
def test_a_static_program_that_kept_the_clock_is_a_limit(
    days: tuple[int | None, int | None], kept: bool
):
    plan = plan_of("time")
    saw = [
        {"epoch": str(MACHINE.start + day * 86_400)}
        | ({"static-epoch": str(MACHINE.start + own * 86_400)} if own is not None else {})
        for day, own in zip((0, 400), days, strict=True)
    ]
    runs = [built(run, reading(**told)) for run, told in zip(plan.runs, saw, strict=True)]
    found = effect(plan, *runs)

    assert found.varied == ("time",)
    assert ("statically linked" in reasons(found.limits)["time"]) is kept


def test_every_factor_ends_varied_or_held_with_a_reason():
    for found in (
        judged(plan_of()),
        judged(plan_of("umask")),
        judged(plan_of(), right=seen(0)),
        judged(plan_of(loop=False), refused={"time": "x"}),
    ):
        held = reasons(found.held)
        assert sorted([*found.varied, *held]) == sorted(SETTABLE)
        assert all(held.values())
        assert [one.factor for one in found.held] == [n for n in SETTABLE if n in held]


def test_a_run_knows_the_levels_that_it_has():
    assert PlannedRun(name="x", role=Role.VARIANT, levels=()).level("time") is None
