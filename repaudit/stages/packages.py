"""Packages that two images have in other versions, as values, and the layers that tell of them."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from repaudit.model.difference import Difference
from repaudit.model.errors import MalformedError, SourceError
from repaudit.model.image import Layer
from repaudit.oci.listing import Listing
from repaudit.sources import Opened
from repaudit.stages.alone import SIDES
from repaudit.stages.reading import Reading

#: What a package's list says of its files: `algorithm:hex`, None where it says no more than that.
Listed = Mapping[str, str | None]
#: So much is shown of a name or a version.
_LONGEST = 80


class Package(Struct, frozen=True, kw_only=True):
    """A package that both images have in other versions, or one image alone (None: not there).

    `root` is the folder or the record that it lies in, where that may be one of many; of Debian's
    the architecture is in the name. `files` are those of each side, by path. `layers` are the
    layers that its record speaks of, by the number that differences have; None means all. `said`
    is what is told of it, where that is not its name and versions. `digests` says that its list
    says what files hold.
    """

    kind: str
    name: str
    versions: tuple[str | None, str | None]
    files: tuple[Listed, Listed]
    root: str = ""
    platform: str | None = None
    layers: range | None = None
    said: str = ""
    digests: bool = True

    @property
    def record(self) -> str:
        """What is the same of all packages that one record names."""
        return f"{self.platform} {self.layers.start if self.layers else None} {self.kind}"

    @property
    def key(self) -> str:
        """What tells it from all other packages."""
        return f"{self.record} {self.name}\0{self.root}"

    @property
    def both(self) -> bool:
        """Whether both images have it."""
        return None not in self.versions

    @property
    def words(self) -> str:
        """What it is called, and its versions."""
        if self.said:
            return self.said
        name, root = self.name[:_LONGEST], self.root.rstrip("/")[:_LONGEST]
        where = f" in {root}" if root else ""
        before, after = (one and one[:_LONGEST] for one in self.versions)
        if before is not None and after is not None:
            return f"{name} {before} -> {after}{where}"
        return f"{name} {before or after}{where} on the {SIDES[before is None]} alone"

    def speaks_of(self, one: Difference) -> bool:
        """Whether its record is of the layer that a difference is in."""
        return one.platform == self.platform and (self.layers is None or one.layer in self.layers)


class Sides(Struct, frozen=True, kw_only=True):
    """Both images, how they were read, and the platforms whose layers do not correspond."""

    opened: tuple[Opened, Opened]
    reading: Reading
    merged: frozenset[str]

    def layers(self, side: int, one: Difference) -> tuple[Layer, ...]:
        """Return the layers of an image that lie up to a difference's, base first."""
        named = self.opened[side].images.named
        layers = named[self._platform(one)].layers
        return layers if self.are_merged(one) else layers[: (one.layer or 0) + 1]

    def scope(self, one: Difference) -> range | None:
        """Return the layer that a difference is in, None where layers do not correspond."""
        return None if self.are_merged(one) else range(one.layer or 0, (one.layer or 0) + 1)

    def listing(self, side: int, layer: Layer) -> Listing | None:
        """Return what is in a layer, which is read if it was not; None where it cannot be."""
        try:
            return self.reading.shelf.read_each([(self.opened[side].blobs, layer)])[0]
        except (MalformedError, SourceError):
            return None  # it is the same on both sides, or the comparison had read it

    def are_merged(self, one: Difference) -> bool:
        """Whether a difference is one of two merged file systems."""
        return self._platform(one) in self.merged

    def _platform(self, one: Difference) -> str:
        return one.platform or next(iter(self.opened[0].images.named))
