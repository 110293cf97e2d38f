"""Plan the experiment: every choice is made here, none while a run is under way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from repaudit.factors import FACTORS, Machine
from repaudit.model.errors import UsageError
from repaudit.model.experiment import (
    INTRINSIC,
    SETTABLE,
    BuildRun,
    Edit,
    Held,
    Level,
    PlannedRun,
    Role,
)

NOT_ASKED = "held on request"
Reading = dict[str, str]


class Plan(Struct, frozen=True, kw_only=True):
    """The runs to make, and the factors held from the start.

    `levels` are all levels of every factor that has some here, control first. `asked` are the
    factors that were named with `--vary`: if one of them cannot be varied, the answer is open.
    """

    machine: Machine
    runs: tuple[PlannedRun, ...]
    held: tuple[Held, ...]
    levels: tuple[tuple[Level, ...], ...]
    asked: tuple[str, ...]

    @property
    def moved(self) -> tuple[str, ...]:
        """The factors that the variant moves."""
        out = {held.factor for held in self.held}
        return tuple(levels[0].factor for levels in self.levels if levels[0].factor not in out)

    def variant(
        self, name: str, moved: Mapping[str, int], *, role: Role = Role.VARIANT
    ) -> PlannedRun:
        """Return a run with the named factors at their n-th level and all others at control."""
        return PlannedRun(
            name=name,
            role=role,
            levels=tuple(levels[moved.get(levels[0].factor, 0)] for levels in self.levels),
        )

    def without(self, factor: str, reason: str) -> Plan:
        """Return the plan that leaves a factor alone, in the control too."""
        runs = tuple(
            replace(run, levels=tuple(level for level in run.levels if level.factor != factor))
            for run in self.runs
        )
        others = tuple(held for held in self.held if held.factor != factor)
        levels = tuple(levels for levels in self.levels if levels[0].factor != factor)
        held = (*others, Held(factor=factor, reason=reason))
        return replace(self, runs=runs, held=held, levels=levels)


def make_plan(machine: Machine, *, vary: Sequence[str], hold: Sequence[str], builds: int) -> Plan:
    """Return the runs: control and variant, from three builds on a replicate, then more variants.

    Raises UsageError for a factor that does not exist and for fewer than two builds.
    """
    _check(vary)
    _check(hold)
    if both := [name for name in vary if name in hold]:
        raise UsageError(
            f"{both[0]} is to be varied and to be held", hint="name it once: --vary or --hold"
        )
    if builds < 2:
        raise UsageError("one build says nothing", hint="--builds takes two or more")
    held, levels = [], []
    for name in SETTABLE:
        found = FACTORS.load(name).levels(machine)
        if isinstance(found, Held):
            held.append(found)
            continue
        levels.append(found)
        if (vary and name not in vary) or name in hold:
            held.append(Held(factor=name, reason=NOT_ASKED))
    plan = Plan(machine=machine, runs=(), held=tuple(held), levels=tuple(levels), asked=tuple(vary))
    moved = dict.fromkeys(plan.moved, 1)
    names = ["control", *(["replicate"] if builds > 2 else []), "variant"]
    names += [f"variant-{number}" for number in range(2, builds - 1)]
    roles = {"control": Role.CONTROL, "replicate": Role.REPLICATE}
    runs = (
        plan.variant(name, {} if name in roles else moved, role=roles.get(name, Role.VARIANT))
        for name in names
    )
    return replace(plan, runs=tuple(runs))


def _check(names: Sequence[str]) -> None:
    for name in names:
        if name in INTRINSIC:
            raise UsageError(
                f"{name} is not a factor that can be set",
                hint="compare two runs with nothing varied instead: --builds 3 adds a replicate",
            )
        if name not in SETTABLE:
            raise UsageError(f"no such factor: {name}", hint="there are: " + ", ".join(SETTABLE))


def edits(run: PlannedRun, machine: Machine) -> dict[str, tuple[Edit, ...]]:
    """Return each factor's edits for a run."""
    return {level.factor: FACTORS.load(level.factor).edits(level, machine) for level in run.levels}


class Effect(Struct, frozen=True, kw_only=True):
    """Which factors were varied in fact, which were not, and where a varied one has a bound."""

    varied: tuple[str, ...]
    held: tuple[Held, ...]
    limits: tuple[Held, ...]


def effect(plan: Plan, control: BuildRun, variant: BuildRun) -> Effect:
    """Judge by the probes of two runs which of the plan's factors moved in this image.

    A factor counts as varied when some probe saw other values in the two runs; what did not move
    is held, with the reason, and never said to have no effect.
    """
    varied, held, limits = [], list(plan.held), []
    for name in plan.moved:
        level, other = control.planned.level(name), variant.planned.level(name)
        if level is None or other is None or level == other:
            held.append(Held(factor=name, reason=_no_level(name)))
            continue
        factor = FACTORS.load(name)
        seen = [
            (factor.observe(left, level), factor.observe(right, other))
            for left, right in _paired(control, variant)
        ]
        reasons = [dict(step.refused)[name] for step in variant.steps if name in dict(step.refused)]
        if any(a != b for a, b in seen if a is not None and b is not None):
            varied.append(name)
            if reasons:
                limits.append(Held(factor=name, reason=f"not in every step: {reasons[0]}"))
            elif name == "file_order" and not control.steps:
                reason = "no RUN step was executed: the builder alone saw it"
                limits.append(Held(factor=name, reason=reason))
            elif name != "file_order" and any(a == b or None in (a, b) for a, b in seen[1:]):
                reason = "in some of the root file systems or users no probe saw it move"
                limits.append(Held(factor=name, reason=reason))
        else:
            held.append(Held(factor=name, reason=_reason(reasons, control, seen)))
    bounds = _BOUNDS if _all_clocks_moved(control, variant) else {**_BOUNDS, "time": _PRELOAD_ALONE}
    limits.extend(Held(factor=name, reason=bounds[name]) for name in varied if name in bounds)
    if "cpus" in varied and (same := _told_of_all_cpus(control, variant)):
        limits.append(Held(factor="cpus", reason=f"{', '.join(same)} told the same in both runs"))
    if "time" in varied:
        told = dict.fromkeys((*control.unmoved, *variant.unmoved))
        limits.extend(Held(factor="time", reason=reason) for reason in sorted(told))
    order = {name: number for number, name in enumerate(SETTABLE)}
    held.sort(key=lambda h: order[h.factor])
    return Effect(varied=tuple(varied), held=tuple(held), limits=tuple(limits))


def _paired(control: BuildRun, variant: BuildRun) -> Iterator[tuple[Reading, Reading]]:
    """Yield what both runs' probes saw in the same kind of root; nothing where one met none."""
    sides = [{seen["root"]: seen for seen in map(dict, run.readings)} for run in (control, variant)]
    for root in {**sides[0], **sides[1]}:
        yield sides[0].get(root, {}), sides[1].get(root, {})


def _all_clocks_moved(control: BuildRun, variant: BuildRun) -> bool:
    """Tell whether each probe saw the clock of a static program at its level as well."""
    factor = FACTORS.load("time")
    level, other = control.planned.level("time"), variant.planned.level("time")
    if level is None or other is None:
        return False
    seen = [
        [
            factor.observe({"epoch": reading.get("static-epoch", "")}, at)
            for reading, at in zip(pair, (level, other), strict=True)
        ]
        for pair in _paired(control, variant)
        if any("static-epoch" in reading for reading in pair)
    ]
    return bool(seen) and all(None not in pair and pair[0] != pair[1] for pair in seen)


def _told_of_all_cpus(control: BuildRun, variant: BuildRun) -> list[str]:
    """Return the kernel's files that a probe saw unmoved where it saw the affinity."""
    pairs = [pair for pair in _paired(control, variant) if all("cpus" in seen for seen in pair)]
    slots = sorted(FACTORS.load("cpus").slots)
    files = [slot.removeprefix("/mounts") for slot in slots if slot.startswith("/mounts")]
    return [file for file in files if any(a.get(file) == b.get(file) for a, b in pairs)]


_BOUNDS = {
    "time": "the times of files that a step wrote kept the real clock; between two runs it differs "
    "by seconds",
    "file_order": "directories of the base image, or that several layers fill, kept their order",
    "cpus": "the folders of single CPUs below /sys/devices/system, other tables of /proc "
    "(interrupts, softirqs) and the processor itself (cpuid) told of all CPUs",
    "kernel": "/proc/version, /proc/sys/kernel and what uname -v says were the real kernel's",
}
_PRELOAD_ALONE = (
    "programs that are statically linked or 32-bit kept the real clock, and so did the times of "
    "files that a step wrote; between two runs it differs by seconds"
)


def _no_level(name: str) -> str:
    return f"the build breaks when {name} is varied"


def _reason(
    reasons: Sequence[str], control: BuildRun, seen: Sequence[tuple[str | None, str | None]]
) -> str:
    if not control.steps:
        return "no RUN step was executed, so nothing saw it"
    if reasons:
        return reasons[0]
    if not any(a is not None and b is not None for a, b in seen):
        return "no probe could see it in this image"
    return "the level did not take effect: a step saw the same in both runs"
