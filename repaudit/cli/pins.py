"""`repaudit pins`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from repaudit import audit as pipelines
from repaudit.cli import output

EXAMPLES = """A folder, a git checkout, or single files:

repaudit pins audit .

repaudit pins audit Containerfile requirements.txt --format json=pins.json
"""

pins = typer.Typer(
    help="What a build depends on: find what is not pinned.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@pins.command("audit", epilog=EXAMPLES)
def audit(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Files and folders.", show_default="this folder")
    ] = None,
    format_: Annotated[
        list[str] | None, typer.Option("--format", help="text, json, …; or NAME=FILE; repeatable.")
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no index; audit never does.")] = (
        False
    ),
) -> None:
    """Find what floats: images, packages, downloads and locks that fix nothing."""
    formats = output.parse_pins_formats(format_ or ())
    report = pipelines.audit_pins(paths or [Path()])
    output.emit_pins(report, formats)
    raise typer.Exit(report.verdict.exit_code)
