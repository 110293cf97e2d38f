"""Where a file lay before `COPY --from` of an earlier stage brought it.

The rules are those of COPY in the Dockerfile reference: a folder's contents are copied, not the
folder; a file goes to the destination, or into it where that is a folder; names may be patterns.
"""

from __future__ import annotations

import fnmatch
import posixpath
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from msgspec import Struct

from repaudit.containerfile import words
from repaudit.containerfile.stages import Containerfile, Stage
from repaudit.containerfile.statement import Statement
from repaudit.containerfile.variables import Scope

_NOTHING: Mapping[str, str] = MappingProxyType({})


class Origin(Struct, frozen=True, kw_only=True):
    """A file of an earlier stage; `path` is as in a layer, and may hold a pattern of COPY."""

    stage: Stage
    path: str


def origins(
    containerfile: Containerfile, line: int, path: str, build_args: Mapping[str, str] = _NOTHING
) -> tuple[Origin, ...]:
    """Return where `path` may have lain before the COPY at `line` brought it, likeliest first.

    `path` is as in a layer. The text alone does not tell a file from a folder, so there may be
    several; there is none where the line copies from the context or an image, or where it hangs on
    a variable or a working directory that the Containerfile does not tell.
    """
    for stage in containerfile.stages(build_args):
        if stage.opening.line < line <= max((s.line for s in stage.statements), default=0):
            return tuple(_in_stage(containerfile, stage, line, path, build_args))
    return ()


def _in_stage(
    containerfile: Containerfile,
    stage: Stage,
    line: int,
    path: str,
    build_args: Mapping[str, str],
) -> Iterator[Origin]:
    folder: str | None = None
    for below in containerfile.chain(str(stage.index), build_args):
        folder = "/" if below.image == "scratch" else folder
        for statement, scope in containerfile.walk(below, build_args):
            if statement.keyword == "WORKDIR":
                folder = _joined(folder, scope.resolve(statement.arguments))
            if (below.index, statement.line, statement.keyword) != (stage.index, line, "COPY"):
                continue
            earlier = containerfile.earlier(
                scope.resolve(statement.flag("from") or ""), stage, build_args
            )
            for place in _sources(statement, scope, folder, path, containerfile.escape):
                if earlier is not None:
                    yield Origin(stage=earlier, path=place)


def _sources(
    statement: Statement, scope: Scope, folder: str | None, path: str, escape: str
) -> Iterator[str]:
    """Yield where in the other stage `path` may have lain."""
    written = statement.json or words.split(statement.arguments, escape) or ()
    *taken, destination = [scope.resolve(word) for word in written] or [None]
    target = _joined(folder, destination)
    if target is None:
        return
    within = _below(path, _plain(target))
    sources = [_plain(name) for name in taken if name is not None]
    if not within:
        yield from sources if within is not None else ()
        return
    # A pattern may mean files, which keep their names, or folders, which lose them.
    first = within.partition("/")[0]
    for source in sources:
        if fnmatch.fnmatchcase(first, posixpath.basename(source)):
            yield posixpath.join(posixpath.dirname(source), within)
    for source in sources:
        yield posixpath.join(source, within)


def _joined(folder: str | None, path: str | None) -> str | None:
    """Return `path` seen from `folder`, None where one of the two is needed and not known."""
    if path is None or (folder is None and not path.startswith("/")):
        return None
    return posixpath.join(folder or "/", path)


def _plain(path: str) -> str:
    """Return a path as a layer names it: relative to the root, without `.` and `..`."""
    return posixpath.normpath("/" + path).lstrip("/")


def _below(path: str, folder: str) -> str | None:
    """Return `path` relative to `folder`, empty for itself, None where it lies elsewhere."""
    if path == folder:
        return ""
    inside = path.startswith(folder + "/") or not folder
    return path[len(folder) :].lstrip("/") if inside else None
