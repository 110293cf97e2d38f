"""The gate's answer for a person: image by image, what counts first."""

from __future__ import annotations

import io
from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from repaudit.model.gate import Change, GateResult, Judgement, Point, State
from repaudit.model.history import Light
from repaudit.model.text import printable
from repaudit.reporters import Surface

_COLOURS = {
    Light.GREEN: "bold green",
    Light.RED: "bold red",
    Light.INCONCLUSIVE: "bold yellow",
}
_SHORT = 12


def render(result: GateResult, surface: Surface) -> bytes:
    """Return the whole text; the same result and surface give the same bytes."""
    out = io.StringIO()
    console = Console(
        file=out,
        width=surface.columns,
        force_terminal=surface.colour,
        color_system="standard" if surface.colour else None,
        no_color=not surface.colour,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=True,
        legacy_windows=False,
        _environ={},  # nothing of the environment may change the bytes
    )
    for judgement in result.images:
        console.print(_title(judgement))
        for line in _lines(judgement):
            console.print(Text(f"  {printable(line)}"))
    for warning in result.warnings:
        console.print(Text(f"warning: {printable(warning)}"))
    return out.getvalue().encode("utf-8", "backslashreplace")


def _title(judgement: Judgement) -> Text:
    title = Text(judgement.light.value, style=_COLOURS[judgement.light])
    rest = f"  {judgement.image}"
    if judgement.source is not None:
        rest += f" at {_commit(Point(sequence=None, source=judgement.source))}"
    if judgement.last_green is not None:
        rest += f", last green: {_point(judgement.last_green)}"
    return title.append(printable(rest), style="default not bold")


def _lines(judgement: Judgement) -> Iterator[str]:
    for problem in judgement.problems:
        yield f"problem  {problem.message}"
        yield f"         way out: {problem.hint}"
    for change in judgement.changes:
        yield f"{_word(change):8} {change.cause} {change.finding}  {change.place}"
        yield from (f"         {line}" for line in _details(change))
    for note in judgement.notes:
        yield f"note     {note}"


def _word(change: Change) -> str:
    if change.excuse is None or change.state is State.GONE:
        return change.state.value
    return "allowed" if change.excuse.by == "allow" else "known"


def _details(change: Change) -> Iterator[str]:
    if change.excuse is not None and change.excuse.until is not None:
        yield f"until {change.excuse.until}, {change.excuse.owner}: {change.excuse.reason}"
    yield from change.notes
    if change.flaky is not None:
        times = f"{change.flaky.seen} of {change.flaky.nights} nights since it was first there"
        yield f"flaky: seen on {times}"
    counts = change.excuse is None and change.state is not State.GONE
    if change.came is not None and counts:
        after, by = change.came.after, change.came.by
        yield f"came after {_point(after)}, by {_point(by)}"
        if after.source == by.source and after.source is not None and not after.source.dirty:
            yield "both are the same commit: what changed is not in the source"
    if change.remedy and counts:
        yield f"fix: {change.remedy}"


def _point(point: Point) -> str:
    name = "tonight" if point.sequence is None else f"result {point.sequence}"
    return f"{name} ({_commit(point)})"


def _commit(point: Point) -> str:
    if point.source is None:
        return "commit not known"
    return point.source.commit[:_SHORT] + (" and more: dirty tree" if point.source.dirty else "")
