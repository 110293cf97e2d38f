"""What is written for people: styled text on a surface, as the same bytes each time."""

from __future__ import annotations

import io

from rich.console import Console

from repaudit.reporters.interface import Surface


def terminal(out: io.StringIO, surface: Surface, *, wrapped: bool) -> Console:
    """Return a console that writes to `out`; where it is `wrapped`, no line is wider than it."""
    return Console(
        file=out,
        width=surface.columns,
        force_terminal=surface.colour,
        color_system="standard" if surface.colour else None,
        no_color=not surface.colour,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=not wrapped,
        legacy_windows=False,
        _environ={},  # nothing of the environment may change the bytes
    )
