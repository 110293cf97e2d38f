"""Standard error, drawn on by rich."""

from __future__ import annotations

from rich.console import Console

from repaudit.cli.stderr import unheard


class Stderr(Console):
    """Writes to standard error; that nobody reads it is no reason to stop, nor an answer."""

    def __init__(self) -> None:
        super().__init__(stderr=True, highlight=False, markup=False, soft_wrap=True)

    def on_broken_pipe(self) -> None:
        """Say no more; rich would exit with 1, which means a difference here."""
        self.quiet = True
        unheard()
