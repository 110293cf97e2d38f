"""Where reports go: stdout, or the file behind `--format NAME=FILE`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from repaudit.host import delivery
from repaudit.model.errors import UsageError
from repaudit.reporters import REPORTERS, PinsReporter, Surface

if TYPE_CHECKING:
    from repaudit.model.pins import PinsReport
    from repaudit.model.report import Report

_COLUMNS = 100
#: What has rich take any file for a terminal.
_FORCING = frozenset({"FORCE_COLOR", "TTY_COMPATIBLE"})
_Formats = Sequence[tuple[str, Path | None]]


def parse_formats(
    values: Sequence[str], known: Callable[[str], object] = REPORTERS.check
) -> tuple[tuple[str, Path | None], ...]:
    """Return (format, file or None for stdout) pairs; raise UsageError for what is wrong.

    `known` raises it for a format that is none.
    """
    formats = []
    for value in values or ("text",):
        name, _, file = value.partition("=")
        known(name)
        path = Path(file) if file else None
        delivery.check(path)
        formats.append((name, path))
    if sum(path is None for _, path in formats) > 1:
        raise UsageError(
            "two reports for one standard output", hint="give one a file: --format json=FILE"
        )
    return tuple(formats)


def parse_pins_formats(values: Sequence[str]) -> tuple[tuple[str, Path | None], ...]:
    """Like `parse_formats`, for the reporters that can show pins."""
    formats = parse_formats(values)
    for name, _ in formats:
        _pins_reporter(name)
    return formats


def _pins_reporter(name: str) -> PinsReporter:
    reporter = REPORTERS.load(name)
    if isinstance(reporter, PinsReporter):
        return reporter
    able = (one.name for one in REPORTERS.all() if isinstance(one, PinsReporter))
    raise UsageError(f"{name} does not show pins", hint="there are: " + ", ".join(able))


def emit(report: Report, formats: _Formats) -> None:
    """Write the report in each format; the exit code is the caller's."""
    emit_as(formats, lambda name, surface: REPORTERS.load(name).render(report, surface))


def emit_pins(report: PinsReport, formats: _Formats) -> None:
    """Write an answer about pins in each format; the exit code is the caller's."""
    emit_as(formats, lambda name, surface: _pins_reporter(name).render_pins(report, surface))


def emit_as(formats: _Formats, render: Callable[[str, Surface], bytes]) -> None:
    """Write what `render` makes for each format: files first, then standard output."""
    for name, path in formats:
        if path is not None:
            delivery.deliver(render(name, Surface()), path)
    for name, path in formats:
        if path is None:
            delivery.deliver(render(name, _surface()))


def _surface() -> Surface:
    shown = sys.stdout is not None and sys.stdout.isatty()
    if not shown and not os.environ.keys() & _FORCING:
        return Surface(columns=_COLUMNS)
    from rich.console import Console  # what goes elsewhere need not wait for

    console = Console()
    if not console.is_terminal:
        return Surface(columns=_COLUMNS)
    colour = console.color_system is not None and not console.no_color
    return Surface(columns=console.width, colour=colour)
