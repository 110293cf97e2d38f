"""How two images differ, one value per aspect."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from repaudit.model.text import SECOND

#: The layer in which something differs, with its platform where several images are compared.
Within = int | None | tuple[str, int | None]
#: Where something differs, whatever its values: layer, path, aspect.
Place = tuple[Within, str, str]


class Aspect(StrEnum):
    """What about a file or an image differs."""

    PRESENCE = "presence"
    KIND = "kind"
    CONTENT = "content"
    MODE = "mode"
    OWNER = "owner"
    MTIME = "mtime"
    LINK = "link"
    XATTR = "xattr"
    ORDER = "order"
    CONFIG = "config"
    HISTORY = "history"
    ANNOTATION = "annotation"
    COMPRESSION = "compression"


def mtime(text: str) -> int:
    """Return the instant that the readable form of a difference of times stands for."""
    whole, _, fraction = text.partition(".")
    rest = int(fraction.ljust(12, "0")) if fraction else 0
    return int(whole) * SECOND + (-rest if text.startswith("-") else rest)


class Process(Struct, frozen=True, kw_only=True):
    """A process of a build step that was traced; the paths are in the image."""

    argv: tuple[str, ...]
    executable: str
    cwd: str


class Difference(Struct, frozen=True, kw_only=True):
    """One aspect of one place in which two images differ.

    `layer` counts from 0 at the base and is None for what is not in a layer; then `path` is a
    JSON pointer into the config, manifest or index. What an index lists has the number there that
    it has on the left, if it is there. `platform` says of which image it is, None where there is
    but one. `left` and `right` are readable forms of both sides, None where a side has nothing.
    `detail` shows the difference itself (a unified diff, diffoscope's answer), bounded, when there
    is one. `derived_from` names the files whose digests or bytes are all that differs here, or that
    were read for this one, which has no cause of its own. `process` is the one that wrote it, where
    a run was traced and not one process wrote all of a finding.
    """

    layer: int | None
    path: str
    aspect: Aspect
    left: str | None
    right: str | None
    detail: str | None = None
    derived_from: tuple[str, ...] = ()
    process: Process | None = None
    platform: str | None = None

    @property
    def within(self) -> Within:
        """In which layer of which image it is."""
        return (self.platform, self.layer) if self.platform else self.layer

    @property
    def is_layer(self) -> bool:
        """Whether it is that only one side has a layer."""
        return self.aspect is Aspect.PRESENCE and self.layer is not None and not self.path

    @property
    def place(self) -> Place:
        """Where it is, whatever its values."""
        return (self.within, self.path, self.aspect._value_)

    @property
    def key(self) -> tuple[str, int, str, str, str, str]:
        """A total order that depends on nothing but the values."""
        layer = -1 if self.layer is None else self.layer
        sides = (self.left or "", self.right or "")
        return (self.platform or "", layer, self.path, self.aspect.value, *sides)
