"""What one of two images alone has: its bytes, its first lines, and its name on the other side.

A file may have another name there and decide another thing, so that it stays unexplained.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from repaudit.forensics import Content
from repaudit.forensics.text import decoded
from repaudit.model.difference import Aspect, Difference, Place, Within
from repaudit.model.finding import Finding
from repaudit.model.withheld import withheld
from repaudit.oci.spool import Spool
from repaudit.stages.contents import MOST_SHOWN
from repaudit.stages.derive import LEAST_BYTES

SIDES = ("left", "right")
#: What is read of a file to show its first lines, and what is shown, in bytes and in lines.
_MOST_READ, _MOST_BYTES, _MOST_LINES = 1 << 16, 4096, 12
#: Some bytes, by the platform and their digest.
_Bytes = tuple[str | None, str]


class Alone:
    """What one of two images alone has, by place: the digest of a file, "" of a folder.

    `special` are those that have more than usual rights or attributes (true), or are not root's.
    """

    def __init__(
        self,
        differences: Iterable[Difference],
        digests: Mapping[Place, str],
        spool: Spool,
        special: Mapping[Place, bool],
    ) -> None:
        self._differences = [one for one in differences if one.place in digests]
        self._digests = digests
        self._spool = spool
        self._special = special
        #: As far as it was asked for, by folder; each would climb all the way again.
        self._outermost: dict[tuple[Within, str], str] = {}

    def is_plain(self, place: Place, *, of_root: bool) -> bool:
        """Whether what is there has the usual rights and no attributes, and maybe is root's."""
        return not (self._special[place] or of_root) if place in self._special else True

    def digest(self, place: Place) -> str | None:
        """Return the sha256 digest of a file, "" for a folder, None where it is not known."""
        return self._digests.get(place)

    def folder(self, within: Within, path: str) -> str:
        """Return the outermost folder, at or around `path`, of one image alone; else its own."""
        passed, folder = [], path if self._is_folder(within, path) else _above(path)
        while (within, folder) not in self._outermost and self._is_folder(within, folder):
            passed.append(folder)
            folder = _above(folder)
        known = self._outermost.get((within, folder)) or (passed or [folder])[-1]
        self._outermost |= {(within, each): known for each in passed}
        return known

    def _is_folder(self, within: Within, path: str) -> bool:
        return self._digests.get((within, path, Aspect.PRESENCE.value)) == ""

    def content(self, place: Place) -> Content | None:
        """Return the bytes of a file, a folder's none, and None where they were not kept."""
        digest = self._digests.get(place)
        if digest == "":
            return Content(data=b"", size=0)
        kept = self._spool.find(digest)
        return Content(data=kept.source.read_bytes(), size=kept.size) if kept else None

    def elsewhere(self) -> dict[Place, str]:
        """Return, of each file whose bytes the other side alone has at another path, that path."""
        sides: tuple[dict[_Bytes, str], dict[_Bytes, str]] = ({}, {})
        some = {d.place: d for d in self._differences if self._long(d)}
        for place, one in some.items():
            sides[_side(one)].setdefault((one.platform, self._digests[place]), one.path)
        both = sides[0].keys() & sides[1].keys()
        named = ((place, one, (one.platform, self._digests[place])) for place, one in some.items())
        return {place: sides[1 - _side(one)][of] for place, one, of in named if of in both}

    def _long(self, one: Difference) -> bool:
        kept = self._spool.find(self._digests.get(one.place))
        return kept is not None and kept.size >= LEAST_BYTES

    def shown(self, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        """Return findings with what the first MOST_SHOWN such files hold, or where else that is."""
        room, known = MOST_SHOWN, self.elsewhere()
        shown = []
        for finding in findings:
            told = []
            for one in finding.differences:
                if room and one.place in self._digests:
                    room -= 1
                    one = replace(one, detail=self._told(one, known.get(one.place)))
                told.append(one)
            shown.append(replace(finding, differences=tuple(told)))
        return tuple(shown)

    def _told(self, one: Difference, other: str | None) -> str | None:
        side = _side(one)
        told = [f"only on the {SIDES[side]}", *([one.detail] if one.detail else [])]
        if other is not None:
            return "\n".join([*told, f"the same bytes are at {other} on the {SIDES[1 - side]}"])
        content = self.content(one.place)
        data = withheld(content.data[:_MOST_READ])[:_MOST_BYTES] if content else b""
        text = decoded(data, cut=True)
        if not text:
            return one.detail
        lines = text.splitlines()[:_MOST_LINES]
        return "\n".join([*told, *(f"{'-+'[side]}{line}" for line in lines)])


def _above(path: str) -> str:
    return path.rpartition("/")[0] or "."


def _side(one: Difference) -> int:
    return 1 if one.left is None else 0
