"""What the forensics are asked of each difference: its bytes, its runs, and what is beside it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Sequence
from functools import cached_property
from itertools import islice

from repaudit.forensics import Case, Clamp, Content, at_known_place
from repaudit.model.difference import Aspect, Difference, mtime
from repaudit.model.experiment import Level
from repaudit.model.text import SECOND, instant
from repaudit.stages.alone import Alone
from repaudit.stages.contents import Contents
from repaudit.stages.derive import MOST_FILES, Digests

_OCTAL = re.compile(r"[0-7]{3,5}")
_ALIKE = {Aspect.MODE, Aspect.OWNER}


class Cases:
    """The cases of one comparison; `left` and `right` are the levels of both runs, if any.

    `alone` has the bytes of files that one of two images alone has, for known places.
    """

    def __init__(
        self,
        differences: Sequence[Difference],
        contents: Contents,
        left: tuple[Level, ...],
        right: tuple[Level, ...],
        alone: Alone | None = None,
    ) -> None:
        self._alone = alone
        self._contents = contents
        self._levels = left, right
        self._files = _Files(differences, contents)
        some = (d for d in differences if d.aspect in _ALIKE)
        self._recut = {one.platform for one in differences if one.is_layer}
        self._clamped = _clamps(differences)
        self._alike = Counter(map(_kin, some))
        modes = (one for one in differences if one.aspect is Aspect.MODE and _runs(one.left))
        self._of_all_kinds = {_kin(one) for one in modes}

    def of(self, difference: Difference, line: str | None) -> Case:
        """Return the case of a difference that `line` brought about, if that is known."""
        kept = self._contents.get((difference.left, difference.right))
        sides: tuple[Content | None, Content | None]
        sides = kept.load() if kept and difference.aspect is Aspect.CONTENT else (None, None)
        if difference.aspect is Aspect.PRESENCE and self._alone and at_known_place(difference):
            content = self._alone.content(difference.place)
            sides = (None, content) if difference.left is None else (content, None)
        return Case(
            difference=difference,
            left=sides[0],
            right=sides[1],
            left_levels=self._levels[0],
            right_levels=self._levels[1],
            instruction=line,
            files=self._files,
            alike=self._alike_as(difference),
            recut=difference.platform in self._recut,
            clamped=self._clamped.get(difference.platform),
        )

    def _alike_as(self, difference: Difference) -> int:
        kin = _kin(difference)
        lone = difference.aspect is Aspect.MODE and kin not in self._of_all_kinds
        return 1 if lone else self._alike[kin]


def _kin(difference: Difference) -> Hashable:
    """Return what differences of modes, or of owners, have in common if they are of one kind.

    A build has one umask, which takes the same rights to read and write from files, programs and
    folders; files alone that nobody else may read may have been made so, whatever their number.
    """
    if difference.aspect is not Aspect.MODE:
        return (difference.within, difference.aspect, difference.left, difference.right)
    rights = map(_rights, (difference.left, difference.right))
    return (difference.platform, difference.aspect, *rights)


def _runs(mode: str | None) -> bool:
    """Whether it is the mode of a program or a folder."""
    return bool(mode and _OCTAL.fullmatch(mode) and int(mode, 8) & 0o100)


def _rights(mode: str | None) -> int | str | None:
    """Return what of a mode a umask takes; a text that is none stands for itself."""
    return int(mode, 8) & 0o066 if mode and _OCTAL.fullmatch(mode) else mode


def _clamps(differences: Sequence[Difference]) -> dict[str | None, Clamp]:
    """Return what the times of two images are clamped to, by platform, where they are.

    A clock gives an image another time than its files, which are made before it, and with a
    fraction. So they are clamped if `created` differs by whole seconds, files have the same two
    times, and none has times that the clamps would not have left.
    """
    found: dict[str | None, Clamp] = {}
    for one in differences:
        if (one.layer, one.path) == (None, "/config/created"):
            left, right = instant(one.left or ""), instant(one.right or "")
            if left is not None and right is not None and left % SECOND == right % SECOND == 0:
                found[one.platform] = Clamp(left, right)
    files = set[str | None]()
    for one in differences:
        clamp = found.get(one.platform)
        if one.aspect is Aspect.MTIME and one.path and clamp and one.left and one.right:
            times = mtime(one.left), mtime(one.right)
            if times == (clamp.left, clamp.right):
                files.add(one.platform)
            elif not clamp.explains(*times):
                del found[one.platform]
    return {platform: clamp for platform, clamp in found.items() if platform in files}


class _Files:
    """The files that differ, by the digests that both sides have of them."""

    def __init__(self, differences: Sequence[Difference], contents: Contents) -> None:
        self._differences = differences
        self._contents = contents

    def named(self, left: bytes, right: bytes) -> str | None:
        place = self._digests[0].of(left)
        return place[1] if place and place == self._digests[1].of(right) else None

    @cached_property
    def _digests(self) -> tuple[Digests, Digests]:
        content = (d for d in self._differences if d.aspect is Aspect.CONTENT)
        pairs = ((d.place, self._contents.get((d.left, d.right))) for d in content)
        kept = list(islice(((place, both) for place, both in pairs if both), MOST_FILES))
        return (
            Digests((place, both.left, both.left_size) for place, both in kept),
            Digests((place, both.right, both.right_size) for place, both in kept),
        )
