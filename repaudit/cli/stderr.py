"""Standard error, whoever reads it."""

from __future__ import annotations

import os
import sys


def watched() -> bool:
    """Whether it is a terminal; it may be closed."""
    return sys.stderr is not None and sys.stderr.isatty()


def say(line: str) -> None:
    """Write a line; that nobody reads it, or it takes none, is no reason to stop."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
    except OSError:
        unheard()


def unheard() -> None:
    """Let all that is still to be said go nowhere: in Python's buffer it would end in code 120."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
