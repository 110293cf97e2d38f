"""`repaudit doctor`."""

from __future__ import annotations

import os

import typer
from rich.console import Console
from rich.table import Table

from repaudit.host import machine
from repaudit.host.jail import Jail
from repaudit.host.scratch import scratch
from repaudit.model.errors import ToolFailedError
from repaudit.model.experiment import SETTABLE, Held


def doctor() -> None:
    """Say what this machine can vary, build and read, and what to install for the rest."""
    from repaudit.audit import this_machine  # what other commands need not wait for
    from repaudit.factors import FACTORS

    console = Console(highlight=False, markup=False)
    tools = machine.tools()
    _tracing(console)
    able = _root(console) and all(tool.path for tool in tools if tool.needed)
    table = Table("", "tool", "what for", "where", box=None, pad_edge=False)
    for tool in tools:
        mark = "ok" if tool.path else ("missing" if tool.needed else "absent")
        table.add_row(mark, tool.name, tool.purpose, tool.path or f"apt-get install {tool.package}")
    console.print(table)
    console.print()
    facts = this_machine("repaudit", None)
    table = Table("", "factor", "how", box=None, pad_edge=False)
    for name in SETTABLE:
        factor = FACTORS.load(name)
        levels = factor.levels(facts)
        if isinstance(levels, Held):
            table.add_row("held", name, levels.reason)
        else:
            table.add_row("varies", name, factor.summary)
    console.print(table)
    raise typer.Exit(0 if able else 3)


def _tracing(console: Console) -> None:
    reason = machine.untraceable()
    console.print("ok      tracing of steps" if reason is None else f"absent  tracing: {reason}")


def _root(console: Console) -> bool:
    try:
        with scratch() as folder, Jail(folder):
            console.print(f"ok      namespaces, as user {os.getuid()}")
    except ToolFailedError as error:
        console.print(f"missing namespaces: {error.message} ({error.hint})")
        return False
    return True
