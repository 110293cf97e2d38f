"""Locks of Maven projects, made by maven-lockfile: every artifact that is resolved, with its hash.

See github.com/chains-project/maven-lockfile. The plugin runs in a copy of the poms.
"""

from __future__ import annotations

from collections.abc import Iterator

from repaudit.host.resolvers import maven_locks
from repaudit.model.errors import ToolFailedError, ToolMissingError
from repaudit.stages.writing import Added, Left, Place, Wish


def maven(place: Place, wish: Wish) -> Iterator[Added | Left]:
    """Yield the lock of a pom.xml that has none, and of its modules."""
    asked = [one for one in place.findings if one.id == "JV003"]
    if not asked or place.path.rpartition("/")[2] != "pom.xml":
        return
    if wish.fetcher.offline:
        yield Left(location=asked[0].location, sought=place.path)
        return
    poms = [path for path in wish.tree.files if path.rpartition("/")[2] == "pom.xml"]
    try:
        locks = maven_locks(wish.tree.root, poms, place.path)
    except (ToolFailedError, ToolMissingError) as error:
        yield Left(location=asked[0].location, sought=place.path, reason=error.message)
        return
    for path, data in locks.items():
        if wish.tree.read(path) is None:  # a module that has a lock keeps it
            yield Added(path=path, data=data)
