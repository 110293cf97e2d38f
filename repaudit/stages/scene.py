"""What is known beside the differences of two images: their runs, and who wrote what."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache, cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from msgspec import Struct, field

from repaudit.model.difference import Aspect, Difference, Place
from repaudit.model.experiment import INTRINSIC, Level
from repaudit.model.finding import Instruction
from repaudit.stages.decode import Decoded

if TYPE_CHECKING:
    from repaudit.stages.alone import Alone
    from repaudit.stages.provenance import Author, Provenance

_WRITES_NO_BYTES = {"chmod", "chown", "chgrp", "chattr", "setfacl", "setcap", "mv", "set", "cd"}


class Scene(Struct, frozen=True, kw_only=True, dict=True):
    """What is known beside the differences.

    `left` and `right` are the levels of both runs (empty for two existing images), `runs` their
    names, `instructions` the line behind each layer, None where it is not certain. `decoded` is
    what a designed experiment showed of each place, `provenance` what a traced run showed, where
    there was one. `told` are places of which other pairs of runs told all that is to be told. Of
    two existing images, `alone` is what one of them alone has, `elsewhere` the other names of those
    files, `noted` what else in the image says against a file.
    """

    left: tuple[Level, ...] = ()
    right: tuple[Level, ...] = ()
    runs: tuple[str, ...] = ()
    instructions: tuple[Instruction | None, ...] = ()
    decoded: Mapping[Place, Decoded] = field(default_factory=dict)
    provenance: Provenance | None = None
    told: Collection[Place] = ()
    alone: Alone | None = None
    elsewhere: Mapping[Place, str] = field(default_factory=dict)
    noted: Mapping[Place, str] = field(default_factory=dict)

    def instruction(self, difference: Difference) -> Instruction | None:
        """Return the line that wrote what differs."""
        author = self.author(difference)
        return author.instruction if author else self._layers(difference)

    def author(self, difference: Difference) -> Author | None:
        """Return who wrote what differs, where a traced run shows it."""
        line = self._layers(difference)
        if line is None or self.provenance is None:
            return None
        return self.provenance.author(difference, line)

    def left_alone(self, difference: Difference) -> bool:
        """Whether the line behind a layer did not write the file that is in it.

        A traced run shows it. Without one, the line's words do, where it does nothing but change
        modes, owners and the like.
        """
        line = self._layers(difference)
        if line is None:
            return False
        told = self.provenance.left_alone(difference, line) if self.provenance else None
        return _changes_attributes(line.text) if told is None else told

    def _layers(self, difference: Difference) -> Instruction | None:
        """Return the line behind the layer that holds what differs."""
        layer = difference.layer
        if layer is None or layer >= len(self.instructions):
            return None
        return self.instructions[layer]

    def folder(self, difference: Difference) -> str:
        """Return the folder of what differs; of two images the outermost of one of them alone."""
        if self.alone is not None and difference.aspect is Aspect.PRESENCE:
            return self.alone.folder(difference.within, difference.path)
        return str(PurePosixPath(difference.path).parent)

    def folders(self, difference: Difference, other: str) -> tuple[str, ...]:
        """Return the folders of one that has the path `other` on the other side, sorted.

        A folder of one image alone stands for all of it that has the same name in the other one.
        """
        both = difference.path, other
        if self.alone is not None:
            found = [self.alone.folder(difference.within, path) for path in both]
            names = {path.removeprefix(name) for path, name in zip(both, found, strict=True)}
            if len(names) == 1:
                return tuple(sorted(found))
        return tuple(sorted(str(PurePosixPath(path).parent) for path in both))

    @cached_property
    def apart(self) -> frozenset[str]:
        """The factors in which these two runs differ."""
        levels = set(self.left).symmetric_difference(self.right)
        return frozenset(level.factor for level in levels)

    def moved(self, factor: str) -> bool:
        """Whether a factor could make these two runs differ."""
        if factor in INTRINSIC or factor == "time" or not self.left:
            return True  # time passes and chance strikes in every run
        return factor in self.apart


@cache
def _changes_attributes(line: str) -> bool:
    from repaudit.containerfile.shell import runs_only  # two images have no lines

    keyword, _, step = line.partition(" ")
    return keyword == "RUN" and runs_only(step, _WRITES_NO_BYTES)
