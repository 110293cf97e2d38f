"""The command line: commands are put together, errors become words and exit codes."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from repaudit import __version__
from repaudit.model.errors import RepauditError
from repaudit.model.text import printable

EXAMPLES = """Examples:

repaudit rebuild --explain .      what differs, by factor and line

repaudit diff docker://registry.example/app:1 oci-archive:app.tar

repaudit pins audit .             what is taken in unpinned

Exit codes: 0 reproducible, 1 differences, 2 wrong usage, 3 could not tell.
"""
_INTERRUPTED = 130

#: The commands, and the function or group of each in its module.
_COMMANDS = {
    "rebuild": "rebuild",
    "diff": "diff",
    "report": "report",
    "fix": "fix",
    "pins": "pins",
    "selftest": "run",
    "gate": "gate",
    "verify": "verify",
    "attest": "app",
    "sign-off": "sign_off",
    "quorum": "quorum",
    "reference-values": "reference_values",
    "doctor": "doctor",
    "list": "listing",
}
_MODULES = {"list": "listing"}


class _Commands(Mapping[str, Any]):
    """The commands by name; one is imported when it is asked for: all take half a second."""

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - typer's own
        attribute = _COMMANDS[name]
        module = import_module(f"repaudit.cli.{_MODULES.get(name, name.replace('-', '_'))}")
        found = getattr(module, attribute)
        if not isinstance(found, typer.Typer):
            alone = typer.Typer(add_completion=False, rich_markup_mode=None)
            alone.command(name, epilog=getattr(module, "EXAMPLES", None))(found)
            found = alone
        command = typer.main.get_command(found)
        command.name = name
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(_COMMANDS)

    def __len__(self) -> int:
        return len(_COMMANDS)


class _Group(TyperGroup):
    def __init__(self, **rest: Any) -> None:  # noqa: ANN401 - typer's own
        super().__init__(**rest | {"commands": _Commands()})


app = typer.Typer(
    cls=_Group,
    name="repaudit",
    help="Is this container image reproducible, and if not, why not?",
    epilog=EXAMPLES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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
    from rich.text import Text  # what goes well need not wait for

    from repaudit.cli.terminal import Stderr

    console = Stderr()
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
        from repaudit.host import process

        process.stop_all()
        typer.echo("interrupted", err=True)
        sys.exit(_INTERRUPTED)
    except Exception as error:  # a fault of ours is no answer about the image
        import traceback

        traceback.print_exc()
        hint = "this is a fault of repaudit: please report it, with the lines above"
        _say(RepauditError(f"{type(error).__name__}: {error}", hint=hint))
        sys.exit(RepauditError.exit_code)
    finally:
        # Python looks for garbage once more when it ends: a tenth of a comparison that is known.
        gc.freeze()
    sys.exit(0)
