"""Pins for people: a line a finding, as compilers and linters write them, and a summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from rich.text import Text

from repaudit.model.pins import PinFinding, PinsReport, PinsVerdict, Severity, Strength
from repaudit.model.text import printable

_TONES = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "blue"}
_COLOURS = {
    PinsVerdict.PINNED: "bold green",
    PinsVerdict.FLOATING: "bold red",
    PinsVerdict.INCONCLUSIVE: "bold yellow",
}


def pin_lines(report: PinsReport) -> Iterator[Text]:
    """Yield the lines of the whole document; none of them is wrapped."""
    for finding in report.findings:
        yield _finding(finding)
        if finding.fix:
            yield Text(f"    fix: {printable(finding.fix)}", style="dim")
    yield _summary(report)


def _finding(finding: PinFinding) -> Text:
    place = finding.location
    line = Text(f"{printable(place.path)}:{place.line}: ", style="bold")
    line.append(finding.id, style="bold default")
    line.append(f" {finding.severity}", style=f"not bold {_TONES[finding.severity]}")
    return line.append(f" {printable(finding.message)}", style="not bold default")


def _summary(report: PinsReport) -> Text:
    severities = Counter(finding.severity for finding in report.findings)
    strengths = Counter(pin.strength for pin in report.pins)
    found = ", ".join(_count(severities[one], one) for one in Severity if severities[one])
    held = ", ".join(f"{strengths[one]} {one}" for one in Strength if strengths[one])
    line = Text(report.verdict.value, style=_COLOURS[report.verdict])
    text = f"  {found or 'nothing falls short'}; {_count(len(report.pins), 'pin')}"
    text += f" ({held})" if held else ""
    return line.append(f"{text} in {_count(len(report.files), 'file')}", style="default not bold")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
