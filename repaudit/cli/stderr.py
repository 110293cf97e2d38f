"""Standard error, whoever reads it."""

from __future__ import annotations

import os
import sys

from rich.console import Console


class Stderr(Console):
    """Writes to standard error; that nobody reads it is no reason to stop, nor an answer."""

    def __init__(self) -> None:
        super().__init__(stderr=True, highlight=False, markup=False, soft_wrap=True)

    def on_broken_pipe(self) -> None:
        """Say no more; rich would exit with 1, which means a difference here."""
        self.quiet = True
        # What is still in Python's buffer would end in exit code 120.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
