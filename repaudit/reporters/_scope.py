"""What a report is about, in words: what was built, varied and held."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from repaudit.model.report import Report


def scope(report: Report) -> Iterator[tuple[str, str]]:
    """Yield the rows of a report's head, each with its name."""
    if report.subject.command:
        yield "built by", shlex.join(report.subject.command)
    if report.runs:
        built = ", ".join(f"{run.name} {(run.image or run.outcome)[:19]}" for run in report.runs)
        yield "runs", built
        yield "varied", " ".join(report.varied) or "nothing"
    grouped: dict[str, list[str]] = {}
    for held in report.held:
        grouped.setdefault(held.reason, []).append(held.factor)
    for reason, factors in grouped.items():
        yield "held", f"{' '.join(factors)}: {reason}"
    for limit in report.limits:
        yield "limit", f"{limit.factor}: {limit.reason}"
    for view in report.views:
        yield "view", f"{view.platform}: {view.view}, as {view.reason}"
    if report.ignored:
        yield "ignored", ", ".join(f"{some.count} {some.kind}" for some in report.ignored)
    for problem in report.problems:
        yield "problem", problem.message
        if problem.hint:
            yield "way out", problem.hint
