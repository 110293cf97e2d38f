"""Which programs of a step feed which others, by who has the two ends of a pipe when it starts.

An end that no program has belongs to the one that started the program at the other end: a shell
reads what `$(date)` prints, and writes what it echoes into `| tee`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class Pipes:
    """The pipes of a step, each with the programs that write to it and those that read from it."""

    def __init__(self) -> None:
        self._writers: dict[str, set[int]] = {}
        self._readers: dict[str, set[int]] = {}
        #: What the first program starts with leads out of the step: it is the builder's log.
        self._log: set[str] = set()

    def starts(self, program: int, inputs: Iterable[str], outputs: Iterable[str]) -> None:
        """Note what a program has for its standard input, and for its output and error."""
        for ends, side in ((inputs, self._readers), (outputs, self._writers)):
            for end in ends:
                if program == 0:
                    self._log.add(end)
                elif end.startswith("pipe:"):
                    side.setdefault(end, set()).add(program)

    def fed(self, parents: Sequence[int | None]) -> dict[int, set[int]]:
        """Return, for each program that others feed, those others."""

        def started(some: set[int]) -> set[int]:
            return {parent for one in some if (parent := parents[one]) is not None}

        found: dict[int, set[int]] = {}
        for end in (self._writers.keys() | self._readers.keys()) - self._log:
            writers, readers = (side.get(end, set()) for side in (self._writers, self._readers))
            for reader in readers or started(writers):
                found.setdefault(reader, set()).update((writers or started(readers)) - {reader})
        return found
