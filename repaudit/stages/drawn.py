"""What is made of random bytes, as two runs show that draw the same ones (interposer/plant.py).

A place counts if each run has a value of its own there, the traced one as well, and those two runs
have one. Tracing makes some races always end alike: then the traced run has their value, and
nothing is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import PurePosixPath

from repaudit.model.difference import Aspect, Difference, Place, Within

_Run = Mapping[Place, Difference]


class Drawn:
    """The places at which random bytes are all that chance has a part in."""

    def __init__(
        self,
        runs: Sequence[_Run],
        traced: Iterable[Difference],
        planted: tuple[Iterable[Difference], Iterable[Difference]],
    ) -> None:
        """Take how each run differs from the control, which is the first of them."""
        more = ({difference.place: difference for difference in some} for some in planted)
        self._runs = (*runs, {difference.place: difference for difference in traced}, *more)
        self._known = {place: d for run in self._runs for place, d in run.items()}
        self._in = cache(self._names)
        self._folders: dict[tuple[Within, str], list[Place]] = {}
        for place in self._known:
            if place[2] == Aspect.PRESENCE:
                folder = str(PurePosixPath(place[1]).parent)
                self._folders.setdefault((place[0], folder), []).append(place)

    def __contains__(self, place: object) -> bool:
        """Whether a place follows the bytes that were drawn."""
        if place not in self._known:
            return False
        difference = self._known[place]
        if difference.aspect is Aspect.PRESENCE:
            values: Sequence[object] = self._in(difference.within, self._top(difference))
        else:
            values = [self._value(run, difference.place) for run in self._runs]
        *others, one, again = values
        return one == again and len({*others, one}) == len(values) - 1

    def _value(self, run: _Run, place: Place) -> str | None:
        return run[place].right if place in run else self._known[place].left

    def _top(self, difference: Difference) -> str:
        """Return the folder in which the name stands, or that of a folder above it, that is new."""
        path = PurePosixPath(difference.path)
        while (difference.within, str(path.parent), Aspect.PRESENCE.value) in self._known:
            path = path.parent
        return str(path.parent)

    def _names(self, layer: Within, folder: str) -> list[frozenset[str]]:
        """Return the names in a folder that not all runs have there, for each run."""
        places = self._folders[layer, folder]
        return [
            frozenset(p[1] for p in places if self._value(run, p) is not None) for run in self._runs
        ]
