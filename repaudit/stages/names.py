"""Names that each run gives anew, by its clock or by chance: they are one file, not many."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from repaudit.forensics import Blanked, without_clock
from repaudit.stages.regions import Clocks, Region, stamped, whole

#: Names beyond as many stand for themselves.
_MOST = 2_000
#: A name without a year, or the seconds since 1970, tells no time.
_DIGITS = re.compile(r"\d{4}")


class Names:
    """The names that some runs have and some have not: for each, which runs have it."""

    def __init__(self, names: Mapping[str, Sequence[bool]], clocks: Clocks) -> None:
        self._names = names
        self._clocks = clocks
        #: What each run's names are without the time that they tell, and how each tells it.
        self._rests: list[dict[str, Blanked]] = [{} for _ in clocks.steps]
        for name in [name for name in sorted(names) if _DIGITS.search(name)][:_MOST]:
            for number, has in enumerate(names[name]):
                if has and (read := self._read(name, number)).manners:
                    self._rests[number].setdefault(read.rest, read)
        #: What each run alone has, by folder.
        self._lone: dict[str, list[list[str]]] = {}
        for name, runs in names.items():
            if sum(runs) == 1:
                folder = str(PurePosixPath(name).parent)
                lone = self._lone.setdefault(folder, [[] for _ in clocks.steps])
                lone[runs.index(True)].append(name)

    def regions(self, name: str) -> tuple[Region, ...]:
        """Return the regions of a name, where each run has another one in its place.

        None come back where that is not so: then the name stands for itself.
        """
        has = self._names[name]
        if True not in has:
            return ()
        return self._dated(name, has) or self._drawn(name, has)

    def _drawn(self, name: str, has: Sequence[bool]) -> tuple[Region, ...]:
        """Return the region of a name where each run alone has as many names in its folder."""
        lone = self._lone.get(str(PurePosixPath(name).parent)) if sum(has) == 1 else None
        if lone is None or len(set(map(len, lone))) > 1:
            return ()
        return (whole([tuple(names) for names in lone]),)

    def _dated(self, name: str, has: Sequence[bool]) -> tuple[Region, ...]:
        """Return the regions of a name where each run has one that only tells another time."""
        rest = self._read(name, has.index(True)).rest
        alike = [known.get(rest) for known in self._rests]
        if any(one is None for one in alike):
            return ()
        return stamped([one.manners for one in alike if one], self._clocks)

    def _read(self, name: str, number: int) -> Blanked:
        return without_clock(name, self._clocks.of(number))
