"""Floor 6: parse, call, print, exit. One command a file."""

import gc
from typing import NoReturn

#: How many new objects make a collection of garbage; Python's own 700 are for small programs. To
#: look for garbage among all that is imported, again and again, takes a sixth of a start.
_OBJECTS = 100_000


def main() -> NoReturn:
    """Run the command line and exit; the program is loaded under the threshold, too."""
    gc.set_threshold(_OBJECTS)
    from repaudit.cli import app

    app.main()


__all__ = ["main"]
