"""`repaudit pins`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from repaudit import audit as pipelines
from repaudit.cli import output
from repaudit.host.scratch import cache

EXAMPLES = """A folder, a git checkout, or single files:

repaudit pins audit .

repaudit pins audit Containerfile requirements.txt --format json=pins.json
"""

pins = typer.Typer(
    help="What a build depends on: find what is not pinned, and prove what is.",
    no_args_is_help=True,
    add_completion=False,
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


VERIFY_EXAMPLES = """Locks against the indexes, and an image, named as `repaudit diff` does:

repaudit pins verify . --image oci-archive.tar

repaudit pins verify requirements.txt --image containers-storage:localhost/app:1
"""


@pins.command("verify", epilog=VERIFY_EXAMPLES)
def verify(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Files and folders.", show_default="this folder")
    ] = None,
    image: Annotated[
        str | None, typer.Option("--image", help="The image that was built from these locks.")
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask no index, and say what was not looked up.")
    ] = False,
    format_: Annotated[
        list[str] | None, typer.Option("--format", help="text, json, …; or NAME=FILE; repeatable.")
    ] = None,
) -> None:
    """Hold locks against what the indexes serve, and what an image really contains.

    What `pins audit` finds stays told. Exit code 3: nothing falls short, and something could not be
    looked up.
    """
    from repaudit import pinning  # what other commands need not wait for
    from repaudit.host.fetch import Fetcher

    formats = output.parse_pins_formats(format_ or ())
    fetcher = Fetcher(offline=offline, cache=cache("indexes"))
    report = pinning.verify_pins(paths or [Path()], image, fetcher)
    output.emit_pins(report, formats)
    raise typer.Exit(report.verdict.exit_code)


WRITE_EXAMPLES = """Show what would be written, then write it:

repaudit pins write . --at 2026-03-01 --diff

repaudit pins write . --at 20260301T000000Z
"""
_UNMADE, _UNKNOWN = 1, 3


@pins.command("write", epilog=WRITE_EXAMPLES)
def write(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Files and folders.", show_default="this folder")
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="INSTANT",
            help="Take apt's sources from the Debian snapshot of then, and no Python package that "
            "was uploaded later: YYYYMMDDTHHMMSSZ or YYYY-MM-DD, in UTC.",
        ),
    ] = None,
    versions: Annotated[
        bool,
        typer.Option(
            "--versions",
            help="Write the versions of Debian packages as well, and all that apt would fetch with "
            "them into repaudit.lock; needs --at.",
        ),
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Show the edits as a unified diff; write nothing.")
    ] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Make only the edits that need no look-up.")
    ] = False,
) -> None:
    """Write the pins that can be written, and nothing but the pins.

    Digests of images, checksums of ADD, commits of repositories, hashes of requirements (with uv),
    apt's sources from a snapshot (with --at), the lock of a pom.xml (with maven-lockfile). What has
    no place of its own goes into repaudit.lock, which `pins verify` compares.

    Exit code 1: there are edits that --diff has shown and nobody has made. 3: something could not
    be read or looked up, or stands where no edit is sure of it, and was left as it is.
    """
    from repaudit import pinning  # what other commands need not wait for
    from repaudit.host.fetch import Fetcher

    fetcher = Fetcher(offline=offline)
    edits = pinning.pin_edits(paths or [Path()], fetcher, at, versions=versions)
    if diff:
        sys.stdout.buffer.write(edits.diff)
        sys.stdout.buffer.flush()
    else:
        edits.write()
    for line in edits.written.unknown:
        typer.echo(line, err=True)
    if edits.written.unknown:
        raise typer.Exit(_UNKNOWN)
    raise typer.Exit(_UNMADE if diff and edits.diff else 0)
