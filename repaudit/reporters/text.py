"""The report for a person at a terminal: the verdict with its scope, then cause by cause."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from repaudit.model.difference import Aspect, Difference
from repaudit.model.finding import Confidence, Finding, Fix
from repaudit.model.report import Report, Verdict
from repaudit.model.text import printable
from repaudit.reporters._ranks import summary
from repaudit.reporters._terminal import terminal
from repaudit.reporters._words import (
    COPIED,
    Naming,
    about,
    blame,
    change,
    conclusion,
    copied,
    cut,
    naming,
    scope,
    seen,
    subject,
    tried,
    written_by,
)
from repaudit.reporters.interface import PinsReporter, Surface

if TYPE_CHECKING:
    from repaudit.model.pins import PinsReport

_COLOURS = {
    Verdict.REPRODUCIBLE: "bold green",
    Verdict.UNREPRODUCIBLE: "bold red",
    Verdict.INCONCLUSIVE: "bold yellow",
}
_TONES = {
    Confidence.DEMONSTRATED: "red",
    Confidence.INDICATED: "yellow",
    Confidence.UNEXPLAINED: "magenta",
}
_MOST_FILES = 8
_MOST_DETAIL = 12
_MOST_EVIDENCE = 3
_MANY_LINES = 3


class _Text:
    name = "text"
    summary = "the report for people"

    def render(self, report: Report, surface: Surface) -> bytes:
        out = io.StringIO()
        console = terminal(out, surface, wrapped=True)
        _header(console, report)
        shown: set[Difference] = set()
        call = naming(report)
        _summary(console, report, call)
        groups = _widespread(report.findings)
        apart = {finding.id for group in groups for finding in group}
        single = [finding for finding in report.findings if finding.id not in apart]
        for place, findings in groupby(single, key=_place):
            _heading(console, place)
            for finding in findings:
                _finding(console, finding, shown, call)
        for group in groups:
            _spread(console, group)
        _footer(console, report)
        return _bytes(out)

    def render_pins(self, report: PinsReport, surface: Surface) -> bytes:
        from repaudit.reporters._pins import pin_lines  # what shows none need not wait

        out = io.StringIO()
        console = terminal(out, surface, wrapped=True)
        for line in pin_lines(report):
            console.print(line, soft_wrap=True)
        return _bytes(out)


def _bytes(out: io.StringIO) -> bytes:
    lines = (line.rstrip() for line in out.getvalue().splitlines())
    return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")


def _header(console: Console, report: Report) -> None:
    title = Text(report.verdict.value, style=_COLOURS[report.verdict])
    title.append(printable(f"  {subject(report)}"), style="default not bold")
    console.print(title)
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column()
    for name, value in scope(report):
        table.add_row(name, Text(printable(value)))
    if table.row_count:
        console.print(Padding(table, (0, 0, 0, 2)))


def _summary(console: Console, report: Report, call: Naming) -> None:
    lines = summary(report, call)
    if not lines:
        return
    _footer(console, report)
    table = Table.grid(padding=(0, 2))
    for justify in ("right", "right", "left"):
        table.add_column(no_wrap=True, justify=justify)
    table.add_column()
    table.add_row("findings", "places", "cause", "", style="dim")
    for line in lines:
        numbers = str(line.findings), str(line.places)
        told = Text(cut(line.told, 160), no_wrap=True, overflow="ellipsis")
        table.add_row(*numbers, Text(printable(line.cause)), told)
    console.print(Padding(table, (0, 0, 0, 2)))


def _widespread(findings: Sequence[Finding]) -> list[list[Finding]]:
    """Return findings of one cause at many lines, without a content to show: each told once."""
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        shows = any(d.aspect is Aspect.CONTENT for d in finding.differences)
        if finding.instruction and finding.factors and not shows and finding.differences:
            groups.setdefault(finding.cause.slug, []).append(finding)
    return [group for _, group in sorted(groups.items()) if len(group) >= _MANY_LINES]


def _heading(console: Console, text: str) -> None:
    console.print()
    console.print(Text(text, style="bold underline"))


def _spread(console: Console, findings: Sequence[Finding]) -> None:
    _heading(console, f"on {len(findings)} lines")
    console.print(Padding(_title(findings[0], ""), (0, 0, 0, 2)))
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="dim", min_width=7)
    for _ in range(3):
        table.add_column()
    for number, finding in enumerate(findings):
        where = finding.instruction
        files = [d.path for d in finding.differences]
        more = f" and {len(files) - 2} more" if len(files) > 2 else ""
        table.add_row(
            "" if number else "lines",
            cut(f"{where.file}:{where.line}", 60) if where else "",
            Text(cut(", ".join(files[:2]), 60) + more + _outcome(finding)),
            Text(printable(finding.id), style="dim"),
        )
    console.print(Padding(table, (0, 0, 0, 4)))
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="dim", min_width=7)
    table.add_column()
    for name, value in _reasons(findings[0]):
        table.add_row(name, value)
    console.print(Padding(table, (0, 0, 0, 4)))


def _outcome(finding: Finding) -> str:
    return f" (fix: {finding.fix.outcome})" if finding.fix and finding.fix.outcome else ""


def _place(finding: Finding) -> str:
    """Return the heading that a finding stands under; unexplained ones come first, apart."""
    first = "unexplained · " if finding.confidence is Confidence.UNEXPLAINED else ""
    if finding.instruction is None:
        return f"{first}the image as a whole"
    where = finding.instruction
    return first + cut(f"{where.file}:{where.line}  {where.text}", 160)


def _finding(console: Console, finding: Finding, shown: set[Difference], call: Naming) -> None:
    console.print(Padding(_title(finding, finding.id), (0, 0, 0, 2)))
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="dim", min_width=7)
    table.add_column()
    for name, value in _rows(finding, shown, call):
        table.add_row(name, value)
    console.print(Padding(table, (0, 0, 0, 4)))


def _title(finding: Finding, identity: str) -> Text:
    title = Text(printable(blame(finding)), style=_TONES[finding.confidence])
    title.append(printable(f"  {finding.cause.title}"), style="bold default")
    name = printable(f"  {finding.cause.slug} {identity}".rstrip())
    title.append(name, style="dim default")
    return title


def _rows(finding: Finding, shown: set[Difference], call: Naming) -> Iterator[tuple[str, Text]]:
    yield from _differences(finding.differences, shown, call)
    yield from _reasons(finding)
    yield from _edit(finding.fix)


def _reasons(finding: Finding) -> Iterator[tuple[str, Text]]:
    if copied(finding):
        yield "note", Text(COPIED)
    if wrote := written_by(finding):
        yield "by", Text(cut(wrote, 160))
    for detail in seen(finding)[:_MOST_EVIDENCE]:
        yield "seen", Text(printable(detail))
    yield "fix", Text(printable(finding.cause.remedy))


def _edit(fix: Fix | None) -> Iterator[tuple[str, Text]]:
    """Yield the lines that a fix changes, and what came of it."""
    if fix is None:
        return
    if fix.edit:
        text = Text()
        for line in fix.edit.rstrip("\n").split("\n")[2:]:
            if line[:1] in "-+":
                tone = "red" if line[:1] == "-" else "green"
                text.append("\n" if text else "").append(cut(line, 300), style=tone)
        yield "edit", text
    if told := tried(fix):
        yield "tried" if fix.outcome else "", Text(printable(told))


def _differences(
    differences: Sequence[Difference], shown: set[Difference], call: Naming
) -> Iterator[tuple[str, Text]]:
    total = len(differences)
    label = f"{total} files" if total > 1 else "file"
    for difference in differences[:_MOST_FILES]:
        yield label, _difference(difference, call(difference), again=difference in shown)
        shown.add(difference)
        label = ""
    if total > _MOST_FILES:
        yield "", Text(f"… and {total - _MOST_FILES} more (all in --format json)")


def _difference(difference: Difference, name: str, *, again: bool) -> Text:
    text = Text(printable(name))
    text.append(f"  {about(difference)}", style="cyan")
    if difference.detail and not again and not difference.derived_from:
        lines = difference.detail.rstrip("\n").split("\n")
        for line in lines[:_MOST_DETAIL]:
            tone = {"-": "red", "+": "green"}.get(line[:1], "dim")
            text.append(f"\n  {cut(line, 160)}", style=tone)
        if len(lines) > _MOST_DETAIL:
            text.append("\n  …", style="dim")
    elif difference.detail and not difference.derived_from:
        text.append(" (shown above)", style="dim")
    elif told := change(difference):
        text.append(f" {printable(told)}")
    return text


def _footer(console: Console, report: Report) -> None:
    for number, sentence in enumerate(conclusion(report)):
        if not number:
            console.print()
        console.print(sentence)


REPORTER: PinsReporter = _Text()
