"""Floor 6: parse, call, print, exit. One command a file."""

import gc

#: How many new objects make a collection of garbage; Python's own 700 are for small programs. To
#: look for garbage among all that is imported, again and again, takes a sixth of a start.
gc.set_threshold(100_000)

from repaudit.cli.app import main  # noqa: E402 - it is to be imported under that threshold

__all__ = ["main"]
