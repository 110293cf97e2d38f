"""Floor 6: parse, call, print, exit. One command a file."""

from repaudit.cli.app import main

__all__ = ["main"]
