"""The comparison proves itself: a fault of each class is planted, and must be told for what it is.

A comparison that is blind to one kind of file would call images equal that are not, and no user
could notice. So nothing is called reproducible by code that has not passed this.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from repaudit.host.code import fingerprint
from repaudit.host.store import Store
from repaudit.model.difference import Aspect, Difference
from repaudit.model.report import Problem, Report, Verdict
from repaudit.sources import Opened
from repaudit.stages.compare import compare
from repaudit.stages.reading import Reading

if TYPE_CHECKING:
    from repaudit.stages.faults import Plan

#: How two images are compared, as the selftest wants it.
Compare = Callable[[Opened, Opened], tuple[Difference, ...]]
#: What a fault brings along at the same place: another kind of file has another link.
_BESIDE = {Aspect.KIND: {Aspect.LINK, Aspect.MODE}, Aspect.COMPRESSION: set(Aspect)}


class Fault(Struct, frozen=True, kw_only=True):
    """A fault that was planted: its class, what it is, and where and how it must be told.

    `aspect` is None for what is planted to be found equal.
    """

    kind: str
    name: str
    path: str
    aspect: Aspect | None
    caught: bool


def selftest(folder: Path, comparing: Compare | None = None) -> tuple[Fault, ...]:
    """Plant every fault and tell which were caught; `folder` is ours to fill."""
    from repaudit.stages.faults import plans  # once for a state of the code, so not each time

    comparing = comparing or (lambda a, b: compare(a, b, Reading.below(folder)).differences)
    return tuple(
        Fault(
            kind=plan.kind,
            name=plan.name,
            path=plan.path,
            aspect=plan.aspect,
            caught=_caught(plan, comparing(plan.left, plan.right)),
        )
        for plan in plans()
    )


def refuse_if_blind(
    report: Report, folder: Path, store: Store, comparing: Compare | None = None
) -> Report:
    """Return the report; of a comparison that is blind it says so, and never `reproducible`.

    What differs differs all the same, but findings that a gate excuses may not be all there are.
    The selftest is made once for a state of the code; `store` remembers that it was passed.
    """
    if report.verdict is Verdict.INCONCLUSIVE:
        return report
    name = f"selftest-{fingerprint()}"
    if _passed(store, name):
        return report
    missed = [fault for fault in selftest(folder, comparing) if not fault.caught]
    if not missed:
        folder.mkdir(parents=True, exist_ok=True)
        mark = folder / "passed"
        mark.write_text(name)
        store.put(mark, name)
        return report
    words = ", ".join(f"{fault.kind}: {fault.name}" for fault in missed)
    problem = Problem(
        message=f"the comparison is blind to what was planted: {words}",
        hint="this is a fault of repaudit: please report it, with `repaudit selftest`",
    )
    same = report.verdict is Verdict.REPRODUCIBLE
    verdict = Verdict.INCONCLUSIVE if same else report.verdict
    return replace(report, verdict=verdict, problems=(*report.problems, problem))


def _passed(store: Store, name: str) -> bool:
    try:
        return store.path(name).read_text() == name
    except (OSError, ValueError):
        return False


def _caught(plan: Plan, found: tuple[Difference, ...]) -> bool:
    if plan.aspect is None:
        return not found
    places = {(difference.path, difference.aspect) for difference in found}
    others = {aspect for path, aspect in places if path == plan.path} - {plan.aspect}
    return (plan.path, plan.aspect) in places and not others - _BESIDE.get(plan.aspect, set())
