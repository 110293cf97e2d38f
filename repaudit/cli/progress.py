"""Progress on stderr: live on a terminal, one line an event elsewhere, silent when asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from repaudit.cli.stderr import say, watched
from repaudit.host import clock
from repaudit.model.text import printable

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Silent:
    """Says nothing."""

    def run_began(self, run: str) -> None:
        """Hear that a run starts."""

    def run_says(self, run: str, line: str) -> None:
        """Hear a line that a run printed."""

    def run_ended(self, run: str, outcome: str) -> None:
        """Hear how a run ended."""

    def phase(self, name: str) -> None:
        """Hear what the audit does now."""


class Lines(Silent):
    """Says each event in a line, after the seconds since the start; `verbose` adds the builds'."""

    def __init__(self, *, verbose: bool) -> None:
        self._verbose = verbose
        self._start = clock.ticks()

    def run_began(self, run: str) -> None:
        """Say that a run starts."""
        self._say(f"building {run}")

    def run_says(self, run: str, line: str) -> None:
        """Say what a run printed."""
        if self._verbose:
            self._say(f"{run}: {printable(line)}")

    def run_ended(self, run: str, outcome: str) -> None:
        """Say how a run ended."""
        self._say(f"{run} {outcome}")

    def phase(self, name: str) -> None:
        """Say what the audit does now."""
        self._say(name)

    def _say(self, text: str) -> None:
        say(f"[{clock.ticks() - self._start:6.1f} s] {text}")


class Live(Silent):
    """Shows a line for each run and phase under way, with its elapsed time."""

    def __init__(self, display: Progress) -> None:
        self._display = display
        self._tasks: dict[str, TaskID] = {}
        self._lock = threading.Lock()
        self._phase: TaskID | None = None

    def run_began(self, run: str) -> None:
        """Show a new line."""
        with self._lock:
            self._tasks[run] = self._display.add_task(f"building {run}", says="")

    def run_says(self, run: str, line: str) -> None:
        """Show the step that the run is at."""
        if "STEP " in line:
            self._display.update(self._tasks[run], says=printable(line)[:70])

    def run_ended(self, run: str, outcome: str) -> None:
        """Stop the run's clock."""
        self._display.update(self._tasks[run], total=1, completed=1, says=outcome)

    def phase(self, name: str) -> None:
        """Stop the last phase's clock and start the next one's."""
        if self._phase is not None:
            self._display.update(self._phase, total=1, completed=1)
        self._phase = self._display.add_task(name, total=None, says="")


@contextmanager
def progress(*, quiet: bool, verbose: bool) -> Iterator[Silent]:
    """Yield who shows the progress."""
    if quiet:
        yield Silent()
        return
    if verbose or not watched():
        yield Lines(verbose=verbose)
    else:
        from rich.progress import (  # what goes elsewhere need not wait for
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
        )

        from repaudit.cli.terminal import Stderr

        columns = (
            SpinnerColumn(finished_text=" "),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False),
            TextColumn("{task.fields[says]}", markup=False, style="dim"),
        )
        with Progress(*columns, console=Stderr(), transient=True) as display:
            yield Live(display)
