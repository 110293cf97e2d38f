"""Write pins: the edits that findings carry, and those that a look-up gives; nothing else.

An image gets the digest that its registry serves for the tag, which stays; `ADD URL` the checksum
of what the URL serves now. A place is edited only where the bytes that stand there are, to the
last one, what was looked up.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from repaudit.host import process
from repaudit.host.fetch import Fetcher, Known
from repaudit.host.tree import Tree
from repaudit.model.pins import Edit, PinFinding
from repaudit.model.text import printable

_IMAGES = frozenset({"IMG001", "IMG002", "IMG007"})
#: A reference as the distribution's grammar has it, without a digest, in full.
_REFERENCE = re.compile(
    r"(?:[a-zA-Z0-9.-]+(?::\d{1,5})?/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*(?::[\w][\w.-]{0,127})?"
)
_ADD = re.compile(rb"(?:\A|[\r\n])[ \t]*ADD[ \t]+\Z", re.IGNORECASE)
_URL = re.compile(rb"https?://[^\s\"'$\\]+")
_PATIENCE = 120.0
_HEAD = 200
_LARGEST = 256 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A file before and after its edits; `path` is relative to the tree."""

    path: str
    before: bytes
    after: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What is to be written, and the findings whose look-up gave no answer, with the reason."""

    changes: tuple[Change, ...]
    unknown: tuple[str, ...]


def write_pins(tree: Tree, findings: Sequence[PinFinding], fetcher: Fetcher) -> Written:
    """Return the files with their edits made. Of two edits that overlap the first is made."""
    lookup = _Lookup(fetcher)
    places: dict[str, list[PinFinding]] = defaultdict(list)
    for finding in findings:
        if finding.location.start is not None:
            places[finding.location.path].append(finding)
    changes = []
    for path, found in sorted(places.items()):
        before = tree.read(path, _LARGEST)
        if before is None:
            continue
        edits = [edit for one in found for edit in lookup.edits(one, before)]
        after = _edited(before, edits)
        if after != before:
            changes.append(Change(path=path, before=before, after=after))
    return Written(changes=tuple(changes), unknown=tuple(lookup.unknown))


def _edited(before: bytes, edits: Sequence[Edit]) -> bytes:
    pieces, at = [], 0
    for edit in sorted(edits, key=lambda one: (one.start, one.end)):
        if at <= edit.start <= edit.end <= len(before):
            pieces += [before[at : edit.start], edit.text.encode()]
            at = edit.end
    return b"".join([*pieces, before[at:]])


class _Lookup:
    """Looks each image and each URL up once."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher
        self._digests: dict[str, str | None] = {}
        self.unknown: list[str] = []

    def edits(self, finding: PinFinding, data: bytes) -> Iterator[Edit]:
        place = finding.location
        start, end = place.start or 0, place.end or 0
        text = data[start:end]
        if finding.edit is not None:
            yield finding.edit
        elif finding.id in _IMAGES:
            reference = text.decode("utf-8", "replace")
            digest = self._image(reference, finding) if _REFERENCE.fullmatch(reference) else None
            if digest:
                yield Edit(start=end, end=end, text=f"@{digest}")
        elif finding.id == "NET002" and _ADD.search(data[max(0, start - _HEAD) : start]):
            digest = self._file(text.decode(), finding) if _URL.fullmatch(text) else None
            if digest:
                yield Edit(start=start, end=start, text=f"--checksum={digest} ")

    def _image(self, reference: str, finding: PinFinding) -> str | None:
        if reference not in self._digests:
            self._digests[reference] = self._inspected(reference)
        return self._known(reference, finding)

    def _inspected(self, reference: str) -> str | None:
        """Return the digest of an image's manifest or index, as its registry serves it."""
        if self._fetcher.offline:
            return None
        skopeo = process.require("skopeo", "skopeo")
        argv = [skopeo, "inspect", "--raw", f"docker://{reference}"]
        result = process.run(argv, timeout=_PATIENCE)
        return "sha256:" + hashlib.sha256(result.stdout).hexdigest() if result.status == 0 else None

    def _file(self, url: str, finding: PinFinding) -> str | None:
        if url not in self._digests:
            answer = self._fetcher.digests(url)
            words = answer.data.decode().split() if answer.known is Known.FOUND else []
            self._digests[url] = next((one for one in words if one.startswith("sha256:")), None)
        return self._known(url, finding)

    def _known(self, sought: str, finding: PinFinding) -> str | None:
        digest = self._digests[sought]
        if digest is None:
            place = finding.location
            self.unknown.append(printable(f"{place.path}:{place.line}: {sought}: not looked up"))
        return digest
