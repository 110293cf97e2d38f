"""The gate's answer for a person: image by image, what counts first."""

from __future__ import annotations

import io
from collections.abc import Iterator

from rich.text import Text

from repaudit.model.gate import GateResult, Judgement
from repaudit.model.history import Light
from repaudit.model.text import printable
from repaudit.reporters import Surface
from repaudit.reporters._gate import commit, details, point, word
from repaudit.reporters._terminal import terminal

_COLOURS = {
    Light.GREEN: "bold green",
    Light.RED: "bold red",
    Light.INCONCLUSIVE: "bold yellow",
}


def render(result: GateResult, surface: Surface) -> bytes:
    """Return the whole text; the same result and surface give the same bytes."""
    out = io.StringIO()
    console = terminal(out, surface, wrapped=False)
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
        rest += f" at {commit(judgement.source)}"
    if judgement.last_green is not None:
        rest += f", last green: {point(judgement.last_green)}"
    return title.append(printable(rest), style="default not bold")


def _lines(judgement: Judgement) -> Iterator[str]:
    for problem in judgement.problems:
        yield f"problem  {problem.message}"
        yield f"         way out: {problem.hint}"
    for change in judgement.changes:
        yield f"{word(change):8} {change.cause} {change.finding}  {change.place}"
        yield from (f"         {line}" for line in details(change))
    for note in judgement.notes:
        yield f"note     {note}"
