"""The report: everything that repaudit has to say about an image, without a clock or a host."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum
from itertools import zip_longest

from msgspec import Struct

from repaudit.model.experiment import Held, Outcome, Role
from repaudit.model.finding import Finding, Instruction
from repaudit.model.image import ImageSet

SCHEMA = "repaudit-report/1"


class Verdict(StrEnum):
    """The answer. `inconclusive` is an answer of its own, never folded into yes or no."""

    REPRODUCIBLE = "reproducible"
    UNREPRODUCIBLE = "unreproducible"
    INCONCLUSIVE = "inconclusive"

    @property
    def exit_code(self) -> int:
        """The process exit code that stands for this verdict."""
        return {"reproducible": 0, "unreproducible": 1, "inconclusive": 3}[self.value]


class Subject(Struct, frozen=True, kw_only=True):
    """What was audited. `timestamp` is the epoch that the builder clamped to, None for none.

    `command` is what makes the control's image without repaudit, in the folder of the context.
    `folder` is where the context lies in its git work tree: "" for the root, None outside of one.

    For a comparison of two images that exist, `left` and `right` name them and the rest is None.
    """

    context: str | None = None
    folder: str | None = None
    containerfile: str | None = None
    builder: str | None = None
    timestamp: int | None = None
    command: tuple[str, ...] | None = None
    left: str | None = None
    right: str | None = None


class RunRecord(Struct, frozen=True, kw_only=True):
    """One run as the report shows it: the level of each factor by name, and the image's digest.

    `skipped` counts the RUN steps that it did not execute: in all runs before they had made the
    same layers, and it started from those.
    """

    name: str
    role: Role
    levels: dict[str, str]
    outcome: Outcome
    image: str | None
    skipped: int = 0


class LayerRecord(Struct, frozen=True, kw_only=True):
    """One layer of the control's image, or of the left one. `index` counts from 0 at the base.

    `size` is in bytes, as the manifest says. `instruction` is the line that made it, None for the
    base's layers and where it is not certain.
    """

    index: int
    size: int
    instruction: Instruction | None

    @classmethod
    def all_of(
        cls, images: ImageSet, instructions: Sequence[Instruction | None] = ()
    ) -> tuple[LayerRecord, ...]:
        """Return the layers of one image, each with its line; none where there are several."""
        if len(images.images) != 1:
            return ()
        layers = images.images[0].layers
        return tuple(
            cls(index=layer.index, size=layer.descriptor.size, instruction=line)
            for layer, line in zip_longest(layers, instructions[: len(layers)])
        )


class Bound(Struct, frozen=True, kw_only=True):
    """What runs that agree with the control leave open: chance, in the share `rate` of builds.

    If a greater share of builds differed from the control's image, one of `runs` other runs would
    have shown it, with 95 % confidence. It is 1 - 0.05 ** (1 / runs), for runs that do not depend
    on each other, rounded up to a thousandth. The control itself is not among them: it agrees with
    itself whatever chance does.
    """

    runs: int
    rate: float

    @classmethod
    def of(cls, runs: int) -> Bound:
        """Return the bound that `runs` runs beside the control give."""
        return cls(runs=runs, rate=math.ceil(1000 * (1 - 0.05 ** (1 / runs))) / 1000)


class Problem(Struct, frozen=True, kw_only=True):
    """Something that kept repaudit from telling, with the way out."""

    message: str
    hint: str


class View(Struct, frozen=True, kw_only=True):
    """How a platform's images were compared, where that was not layer by layer, and why."""

    platform: str
    view: str
    reason: str


class Same(Struct, frozen=True, kw_only=True):
    """An image that is the same on both sides, by its digest, though the indexes are not."""

    platform: str
    digest: str


class Ignored(Struct, frozen=True, kw_only=True):
    """How many differences of a class are in no finding: so asked, or no part of an image."""

    kind: str
    count: int


class Report(Struct, frozen=True, kw_only=True):
    """The whole answer; `repaudit-report/1`.

    `held` are factors that were not varied; `limits` are bounds within varied ones (a program
    that kept the real clock, say). `bound` is what the runs cannot show of places in which they
    agree. `layers` is empty where there are several platforms, whose layers have the same numbers.
    `problems` is what was asked and could not be told; where nothing differs, it is why a verdict
    is inconclusive. `trial` are the runs in which the findings' fixes were tried. `views` are the
    platforms that were compared as merged file systems, and `ignored` is what stands in no finding
    though it differs. `unread` counts the layers of two images that were not compared, as they have
    the same digest on both sides, and `untold` says what else of them was not compared.
    `same` are the images of two indexes that do not differ.
    """

    schema: str = SCHEMA
    verdict: Verdict
    subject: Subject
    varied: tuple[str, ...] = ()
    held: tuple[Held, ...] = ()
    limits: tuple[Held, ...] = ()
    runs: tuple[RunRecord, ...] = ()
    bound: Bound | None = None
    layers: tuple[LayerRecord, ...] = ()
    findings: tuple[Finding, ...] = ()
    problems: tuple[Problem, ...] = ()
    trial: tuple[RunRecord, ...] = ()
    views: tuple[View, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    unread: int = 0
    untold: tuple[str, ...] = ()
    same: tuple[Same, ...] = ()
