"""`repaudit report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from repaudit.cli import output
from repaudit.stages.keep import load

EXAMPLES = """Examples:

repaudit report audit/

repaudit report audit/ --format json=again.json
"""


def report(
    run: Annotated[Path, typer.Argument(help="A folder of --output, or its report.json.")],
    format_: Annotated[
        list[str] | None, typer.Option("--format", help="text, json, …; or NAME=FILE; repeatable.")
    ] = None,
) -> None:
    """Render a kept run again: the same bytes, and the same exit code."""
    formats = output.parse_formats(format_ or ())
    kept = load(run)
    output.emit(kept, formats)
    raise typer.Exit(kept.verdict.exit_code)
