"""Where a package of another version may have another file, whatever its list says.

A list is the image's own: who adds a file to a package adds it to the list. So a package accounts
for files that it has on both sides, and for new ones where it had such on the other side already,
and for none that decides what other programs or accounts do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from posixpath import dirname

from msgspec import Struct

from repaudit.model.deciding import shared, taken_whole


class Homes(Struct, frozen=True):
    """The folders in which a package has files, as its list on one side says.

    Each is there without the version too, which some are called by.
    """

    folders: frozenset[str]

    @classmethod
    def of(cls, listed: Mapping[str, str | None], version: str) -> Homes:
        """Return the folders of the files of which a list has a digest."""
        some = {dirname(path) for path, digest in listed.items() if digest is not None}
        return cls(frozenset(_both(some, version)))

    def hold(self, path: str, version: str) -> bool:
        """Whether a file that the package has in this version alone lies where it may."""
        if taken_whole(path):
            return False
        folder = dirname(path)
        if not self.folders.isdisjoint(_both([folder], version)):
            return True
        above = []
        while folder := dirname(folder):
            above.append(folder)
        own = (one for one in above if not shared(one))
        return not self.folders.isdisjoint(_both(own, version))


def _both(folders: Iterable[str], version: str) -> Iterator[str]:
    names = {version, version.rpartition(":")[2].rpartition("-")[0]} - {""}
    for folder in folders:
        yield folder
        for name in names:
            found = re.sub(rf"(?<![0-9.]){re.escape(name)}(?![0-9]|\.[0-9])", "\0", folder)
            if found != folder:
                yield found
