"""Where a package of another version may have another file, whatever its list says.

A list is the image's own: who adds a file to a package adds it to the list. So a package accounts
for files that it has on both sides, and for new ones where it had such on the other side already,
and for none that decides what other programs or accounts do. Where programs look for what they load
or run, a new file has to be beside one whose name differs from its own in numbers alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from posixpath import dirname

from msgspec import Struct

from repaudit.model.deciding import looked_into, shared, taken_whole
from repaudit.stages.packages import Listed

_NUMBER = re.compile(r"[0-9]+")


class Homes(Struct, frozen=True):
    """The folders in which a package has files, as its list on one side says.

    Each is there without the version too, which some are called by. `names` are those of
    its files, without the numbers in them.
    """

    package: str
    folders: frozenset[str]
    names: frozenset[str]

    @classmethod
    def of(cls, name: str, version: str, listed: Listed) -> Homes:
        """Return the folders of the files of which a list has a digest."""
        some = [path for path, digest in listed.items() if digest is not None]
        return cls(
            package=name,
            folders=frozenset(_both({dirname(path) for path in some}, version)),
            names=frozenset(_NUMBER.sub("0", path) for path in some),
        )

    def hold(self, path: str, version: str) -> bool:
        """Whether a file that the package has in this version alone lies where it may."""
        if taken_whole(path):
            return False
        if looked_into(path, self.package):
            return _NUMBER.sub("0", path) in self.names
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
