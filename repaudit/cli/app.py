"""The command line: commands are put together, errors become words and exit codes."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from types import FrameType
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.text import Text

from repaudit import __version__
from repaudit.cli import (
    attest,
    diff,
    doctor,
    fix,
    gate,
    listing,
    pins,
    quorum,
    rebuild,
    reference_values,
    report,
    selftest,
    sign_off,
    verify,
)
from repaudit.host import process
from repaudit.model.errors import RepauditError
from repaudit.model.text import printable

_INTERRUPTED = 130

app = typer.Typer(
    name="repaudit",
    help="Is this container image reproducible, and if not, why not?",
    epilog="Exit codes: 0 reproducible, 1 differences, 2 wrong usage, 3 could not tell.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("rebuild", epilog=rebuild.EXAMPLES)(rebuild.rebuild)
app.command("diff", epilog=diff.EXAMPLES)(diff.diff)
app.command("report", epilog=report.EXAMPLES)(report.report)
app.command("fix", epilog=fix.EXAMPLES)(fix.fix)
app.add_typer(pins.pins, name="pins")
app.command("selftest")(selftest.run)
app.command("gate", epilog=gate.EXAMPLES)(gate.gate)
app.command("verify", epilog=verify.EXAMPLES)(verify.verify)
app.add_typer(attest.app, name="attest")
app.command("sign-off", epilog=sign_off.EXAMPLES)(sign_off.sign_off)
app.command("quorum", epilog=quorum.EXAMPLES)(quorum.quorum)
app.command("reference-values", epilog=reference_values.EXAMPLES)(reference_values.reference_values)
app.command("doctor")(doctor.doctor)
app.command("list")(listing.listing)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"repaudit {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Take the options that every command has."""


def _say(error: RepauditError) -> None:
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    console.print(Text("error: ", style="bold red").append(printable(error.message), style="none"))
    for line in filter(None, [error.hint]):
        console.print(Text("  way out: ", style="bold").append(printable(line), style="none"))


class _Interrupted(BaseException):
    """A signal asks us to end; not a KeyboardInterrupt, which typer would take for its own."""


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise _Interrupted


def main() -> NoReturn:
    """Run the command line and exit."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    # The caller's umask must not close to a step's user what the step needs of us.
    os.umask(0o022)
    # rich takes the width of characters from here; a report has the same bytes everywhere.
    os.environ["UNICODE_VERSION"] = "latest"
    try:
        app()
    except RepauditError as error:
        _say(error)
        sys.exit(error.exit_code)
    except _Interrupted:
        process.stop_all()
        Console(stderr=True).print("interrupted")
        sys.exit(_INTERRUPTED)
    except Exception as error:  # a fault of ours is no answer about the image
        traceback.print_exc()
        hint = "this is a fault of repaudit: please report it, with the lines above"
        _say(RepauditError(f"{type(error).__name__}: {error}", hint=hint))
        sys.exit(RepauditError.exit_code)
    sys.exit(0)
