"""Judge one image's report: what counts, what does not, and what changed since it was green."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from repaudit.model.gate import Change, Excuse, Judgement, State
from repaudit.model.history import Light, Night, Seen, Source, seen
from repaudit.model.report import Report, Verdict
from repaudit.model.text import printable
from repaudit.stages.allow import Rules
from repaudit.stages.trend import Trend, last_green, point, told, trends

_ORDER = list(State)


def judge(
    image: str, report: Report, source: Source | None, past: Sequence[Seen] | None, rules: Rules
) -> tuple[Judgement, Night]:
    """Return the judgement on one image, and the night to be kept.

    `past` is the oldest first, () where there is none yet, and None where nobody keeps it.
    """
    said = {finding.id: rules.excuse(image, finding) for finding in report.findings}
    excused = tuple(sorted(id_ for id_, (excuse, _) in said.items() if excuse))
    light = _light(report, len(said) - len(excused))
    night = Night(image=image, light=light, source=source, excused=excused, report=report)
    tonight = seen(0, night)
    before = past or ()
    green = last_green(before)
    remedies = {printable(f.id): f.cause.remedy for f in report.findings}
    excuses = {printable(id_): (excuse, notes) for id_, (excuse, notes) in said.items()}
    changes = (
        _change(trend, remedies.get(trend.finding.id), *excuses.get(trend.finding.id, (None, ())))
        for trend in trends(before, tonight)
    )
    judgement = Judgement(
        image=image,
        light=light,
        verdict=report.verdict,
        source=source,
        last_green=point(green) if green else None,
        changes=tuple(sorted(changes, key=_order)),
        nights=told(before, tonight),
        problems=report.problems,
        notes=tuple(_notes(report, green, before)) if past is not None else (),
    )
    return judgement, night


def _light(report: Report, counting: int) -> Light:
    """Return the light.

    Findings that do not count do not make a good audit of one that varied nothing, or that left
    open something that was asked.
    """
    unexplained = report.verdict is Verdict.UNREPRODUCIBLE and not report.findings
    if counting or unexplained:
        return Light.RED
    rebuilt_for_nothing = report.subject.left is None and not report.varied
    if report.verdict is Verdict.INCONCLUSIVE or report.problems or rebuilt_for_nothing:
        return Light.INCONCLUSIVE
    return Light.GREEN


def _change(
    trend: Trend, remedy: str | None, excuse: Excuse | None, notes: tuple[str, ...]
) -> Change:
    return Change(
        finding=trend.finding.id,
        cause=trend.finding.cause,
        place=trend.finding.place,
        remedy=remedy,
        state=trend.state,
        excuse=excuse,
        flaky=trend.flaky,
        came=trend.came,
        notes=notes,
    )


def _order(change: Change) -> tuple[int, int, str, str, str]:
    """Put what counts first; then new, same, gone."""
    counts = change.state is not State.GONE and change.excuse is None
    state = _ORDER.index(change.state)
    return (0 if counts else 1, state, change.cause, change.place, change.finding)


def _notes(report: Report, green: Seen | None, past: Sequence[Seen]) -> Iterator[str]:
    if green is None:
        yield "never green yet: compared with the night before" if past else "the first night"
        return
    less = sorted(set(green.varied) - set(report.varied))
    if less:
        yield f"not varied now, but on the last green night: {', '.join(map(printable, less))}"


def lies_in(history: Path | None, contexts: Sequence[tuple[str, Path]]) -> Iterator[str]:
    """Yield what is to be said of a history that lies in a context: each night would change it."""
    for image, context in contexts:
        if history is not None and history.resolve().is_relative_to(context.resolve()):
            yield f"the history lies in the context of {image}, and changes it every night"
