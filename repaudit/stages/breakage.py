"""Stand in for a variant that does not build: find the level that breaks it, and take that back.

A build may also fail by itself: a mirror is busy, a race is lost. So one failure blames nothing.
What seems to break the build is built once more, beside the control, and both must show it again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from repaudit.model.experiment import BuildRun, Held, Outcome, Role
from repaudit.stages.build import Bench
from repaudit.stages.plan import Plan

_TELLS_NOTHING = re.compile(
    r"(?i)(\[\d+/\d+\] )?STEP \d|error: building at STEP|error building at STEP|time="
    r"|while running runtime|exit status \d|subprocess exited"
)
#: What network clients say when a certificate or a signed list ran out by the moved clock. It is
#: true of the fake clock alone: by then the server has a new one.
_NOT_REACHED = re.compile(
    r"(?i)certificate verify failed|certificate problem|unable to get local issuer"
    r"|could(n't| not) resolve|temporary failure (in name resolution|resolving)|network is unreach"
    r"|connection (refused|timed out|reset)|too many requests|no space left on device"
)
_RAN_OUT = re.compile(
    r"certificate problem: certificate has expired|certificate verify failed|CERT_HAS_EXPIRED"
    r"|CERTIFICATE_VERIFY_FAILED|x509: certificate has expired or is not yet valid"
    r"|CertificateExpiredException|The certificate has expired|certificate is not yet activated"
    r"|Release file for .* (is expired|is not valid yet)",
)


class Breakage(Struct, frozen=True, kw_only=True):
    """A level that breaks a build that the control's levels let pass.

    `factor` is None when no single factor does it alone; `run` is the failed run that shows it.
    """

    factor: str | None
    run: BuildRun


class StandIn(Struct, frozen=True, kw_only=True):
    """What stands in for a variant that failed: the last of `runs`, if that was built.

    `unsteady` is a run that failed although another passed at the same levels: then nothing can be
    said of what the levels do.
    """

    runs: tuple[BuildRun, ...]
    breakages: tuple[Breakage, ...]
    limits: tuple[Held, ...]
    unsteady: BuildRun | None


def stand_in(bench: Bench, failed: BuildRun) -> StandIn:
    """Take one breaking level after the other back, until a variant passes."""
    plan = bench.plan
    breakages: list[Breakage] = []
    limits: list[Held] = []
    moved = dict.fromkeys(plan.moved, 1)
    while failed.outcome is Outcome.FAILED and moved:
        ran_out = next((line for line in _log(failed) if _RAN_OUT.search(line)), None)
        if ran_out and moved.get("time") == 1:
            factor = "time"
            reason = "something signed had run out 400 days ahead, so it was less"
            limits.append(Held(factor="time", reason=f"{reason}: {_short(ran_out)}"))
        else:
            bench.progress.phase("finding the level that breaks the build")
            broken = _find(bench, failed, moved)
            control, again = _repeated(bench, broken.run)
            contradicted = _contradicted(broken.run, control, again)
            if contradicted:
                whole = again.planned.levels == failed.planned.levels
                runs = (failed, again) if whole else (failed,)
                return _answer(runs, breakages, limits, contradicted)
            breakages.append(broken)
            if broken.factor is None:
                break
            factor = broken.factor
        moved = _taken_back(plan, moved, factor)
        name = f"{failed.planned.name}-less-{factor}"
        failed = bench.make([plan.variant(name, moved)])[0]
    return _answer((failed,), breakages, limits, None)


def _answer(
    runs: tuple[BuildRun, ...],
    breakages: Sequence[Breakage],
    limits: Sequence[Held],
    unsteady: BuildRun | None,
) -> StandIn:
    return StandIn(runs=runs, breakages=tuple(breakages), limits=tuple(limits), unsteady=unsteady)


def _find(bench: Bench, failed: BuildRun, moved: Mapping[str, int]) -> Breakage:
    """Halve the factors that `failed` moves until one is left that breaks the build alone.

    `moved` holds the number of the level of each.
    """
    suspects = [name for name in bench.plan.moved if name in moved]
    proof = failed
    alone = False

    def attempt(names: Sequence[str]) -> BuildRun:
        name = f"{failed.planned.name}-only-{len(names)}-{names[0]}"
        return bench.make([bench.plan.variant(name, {n: moved[n] for n in names})])[0]

    while len(suspects) > 1:
        half = suspects[: len(suspects) // 2]
        trial = attempt(half)
        if trial.outcome is Outcome.FAILED:
            suspects, proof, alone = half, trial, len(half) == 1
        else:
            suspects, alone = suspects[len(half) :], False
    if not alone:
        proof = attempt(suspects)
    if proof.outcome is Outcome.FAILED:
        return Breakage(factor=suspects[0], run=proof)
    return Breakage(factor=None, run=failed)


def _repeated(bench: Bench, failed: BuildRun) -> tuple[BuildRun, BuildRun]:
    """Build the control, and what failed, once more."""
    name = failed.planned.name
    bench.progress.phase(f"seeing whether {name} fails again")
    control = bench.plan.variant(f"{name}-control", {}, role=Role.REPLICATE)
    beside = replace(failed.planned, name=f"{name}-again")
    made = bench.make([control, beside], apart=0)  # the two are not compared
    return made[0], made[1]


def _contradicted(failed: BuildRun, control: BuildRun, again: BuildRun) -> BuildRun | None:
    """Return the failure that another run at the same levels contradicts, None for none."""
    if control.outcome is Outcome.FAILED:
        return control
    return failed if again.outcome is Outcome.BUILT else None


def _taken_back(plan: Plan, moved: Mapping[str, int], factor: str) -> dict[str, int]:
    """Return the levels with `factor` at its next variant, or at control after the last."""
    levels = next(some for some in plan.levels if some[0].factor == factor)
    number = moved[factor] + 1
    rest = {name: level for name, level in moved.items() if name != factor}
    return rest | ({factor: number} if number < len(levels) else {})


def _log(run: BuildRun) -> tuple[str, ...]:
    return run.failure.log if run.failure else ()


def last_words(run: BuildRun) -> str:
    """Return the lines of the log that say why, not just that, the build failed.

    That is the last one, after the last one that tells of a certificate or a name that could not
    be looked up: what clients say at the end, that nothing was found, follows from that.
    """
    lines = [line.strip() for line in _log(run) if line.strip()]
    telling = [line for line in lines if not _TELLS_NOTHING.match(line)]
    last = (telling or lines or ["no output"])[-1]
    before = next((line for line in reversed(telling) if _NOT_REACHED.search(line)), last)
    return _short(last) if before == last else f"{_short(last)} (before it: {_short(before)})"


def _short(text: str) -> str:
    return text if len(text) <= 200 else text[:199] + "…"
