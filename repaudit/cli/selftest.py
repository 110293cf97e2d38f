"""`repaudit selftest`."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from repaudit.host.scratch import scratch

if TYPE_CHECKING:
    from repaudit.stages.selftest import Fault

_SCHEMA = "repaudit-selftest/1"


class Format(StrEnum):
    """How the answer is shown."""

    TEXT = "text"
    JSON = "json"


def run(
    format_: Annotated[Format, typer.Option("--format", help="text or json.")] = Format.TEXT,
) -> None:
    """Plant a fault of each class in an image, and show that the comparison catches it."""
    from repaudit.stages.selftest import selftest  # what other commands need not wait for

    with scratch() as folder:
        faults = selftest(folder)
    sound = all(fault.caught for fault in faults)
    if format_ is Format.JSON:
        typer.echo(_json(faults, sound=sound))
    else:
        _table(faults, sound=sound)
    raise typer.Exit(0 if sound else 3)


def _json(faults: tuple[Fault, ...], *, sound: bool) -> str:
    rows = [
        {
            "class": fault.kind,
            "fault": fault.name,
            "path": fault.path,
            "aspect": fault.aspect and fault.aspect.value,
            "caught": fault.caught,
        }
        for fault in faults
    ]
    answer = {"schema": _SCHEMA, "verdict": "sound" if sound else "blind", "faults": rows}
    return json.dumps(answer, indent=2, sort_keys=True)


def _table(faults: tuple[Fault, ...], *, sound: bool) -> None:
    console = Console(highlight=False, markup=False, soft_wrap=True)
    table = Table("class", "fault", "told as", "", box=None, pad_edge=False)
    for fault in faults:
        told = fault.aspect.value if fault.aspect else "no difference"
        table.add_row(fault.kind, fault.name, told, "caught" if fault.caught else "MISSED")
    console.print(table)
    console.print()
    missed = sum(not fault.caught for fault in faults)
    words = f"{len(faults)} planted, {missed} missed"
    console.print(words if sound else f"{words}: nothing may be called reproducible")
