"""`repaudit diff`."""

from __future__ import annotations

from typing import Annotated

import typer

from repaudit.cli import output
from repaudit.cli.progress import progress
from repaudit.host import machine

EXAMPLES = """An image is an OCI layout folder (DIR, or DIR:TAG for one of several), an OCI or
docker archive, or whatever skopeo knows:

repaudit diff build-1/ build-2/

repaudit diff left.tar right.tar --format json

repaudit diff docker://registry.example/app:1 app.tar --semantic
"""


def diff(
    left: Annotated[str, typer.Argument(help="An image.", show_default=False)],
    right: Annotated[str, typer.Argument(help="Another image.", show_default=False)],
    format_: Annotated[
        list[str] | None, typer.Option("--format", help="text, json, …; or NAME=FILE; repeatable.")
    ] = None,
    semantic: Annotated[
        bool,
        typer.Option(
            "--semantic",
            help="Leave out what does not change what the image does (times of files and images, "
            "order, history, names, tar format), and say how much of each.",
        ),
    ] = False,
    no_diffoscope: Annotated[
        bool, typer.Option("--no-diffoscope", help="Do not ask diffoscope, even if it is here.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Compare two images that exist already, down to the bytes of their files."""
    from repaudit.comparison import (  # what other commands need not wait for
        DiffRequest,
        compare_images,
    )

    formats = output.parse_formats(format_ or ())
    with progress(quiet=quiet, verbose=False) as listener:
        request = DiffRequest(
            left=left, right=right, semantic=semantic, diffoscope=not no_diffoscope
        )
        report = compare_images(request, listener.phase, len(machine.cpus()))
    output.emit(report, formats)
    raise typer.Exit(report.verdict.exit_code)
