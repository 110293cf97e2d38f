"""`repaudit fix`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from repaudit import audit
from repaudit.cli import settings
from repaudit.cli.progress import progress
from repaudit.cli.rebuild import check_context, request_of
from repaudit.model.finding import FixOutcome
from repaudit.model.report import Verdict
from repaudit.model.text import printable
from repaudit.stages.keep import is_run

EXAMPLES = """Examples:

repaudit fix .                     audit, try the fixes, and show the edits that mend something

repaudit fix --write .             make them

repaudit fix --write audit/        make those of a run that `rebuild --output audit/` kept
"""
_UNMADE = 1
_TOLD = set(FixOutcome) - {FixOutcome.GONE}


def fix(
    place: Annotated[
        Path, typer.Argument(metavar="CONTEXT|RUN", help="A build context, or a kept run.")
    ] = Path(),
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="Containerfile or Dockerfile.")
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Make the edits in the file.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Show the edits of the Containerfile that mend its findings, as a unified diff.

    Left out is what was tried and breaks the build, changes nothing, or is not needed. Exit code 1:
    there are edits that are not made yet. 3: the audit could not tell, or none of the fixes could
    be tried, so there may be something to mend.
    """
    if is_run(place):
        edits = audit.fixes_of_run(place, file)
    else:
        check_context(place)
        chosen = settings.load(place) | {"try-fixes": True} | ({"file": file} if file else {})
        with progress(quiet=quiet, verbose=False) as listener:
            edits = audit.fixes_of_context(request_of(place, chosen), listener)
    sys.stdout.buffer.write(edits.diff)
    sys.stdout.buffer.flush()
    for finding in edits.report.findings:
        tried = finding.fix
        if tried and tried.outcome in _TOLD:
            where = f"{edits.name}:{tried.line}"
            told = f"{where}: {finding.cause.slug}: {tried.outcome}: {tried.reason}"
            typer.echo(printable(told), err=True)
    verdict = edits.report.verdict
    outcomes = {one.fix.outcome for one in edits.report.findings if one.fix and one.fix.edit}
    if verdict is Verdict.INCONCLUSIVE or outcomes == {FixOutcome.UNTRIED}:
        for problem in edits.report.problems:
            typer.echo(printable(f"{verdict}: {problem.message}"), err=True)
        raise typer.Exit(Verdict.INCONCLUSIVE.exit_code)
    if write and edits.diff:
        edits.write()
    raise typer.Exit(_UNMADE if edits.diff and not write else 0)
