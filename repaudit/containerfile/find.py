"""Which file holds the build instructions of a context."""

from __future__ import annotations

from pathlib import Path

from repaudit.model.errors import UsageError

_NAMES = ("Containerfile", "Dockerfile")


def find(context: Path, given: Path | None = None) -> Path:
    """Return the file that `given` names, or else the Containerfile or Dockerfile in `context`.

    As in `buildah build --file`, a relative `given` is looked up from the working directory, then
    from the context.

    Raises:
        UsageError: there is no such file, or it is not a regular file.

    """
    if given is not None:
        return _given(context, given)
    for path in (context / name for name in _NAMES):
        if path.exists():
            return _regular(path)
    if not context.is_dir():
        raise UsageError(f"{context} is not a folder", hint="name the folder to build from")
    raise UsageError(
        f"{context} holds neither {' nor '.join(_NAMES)}",
        hint="name the file with --file; for gate, as `file` in a list of images",
    )


def _given(context: Path, given: Path) -> Path:
    for path in (given, context / given):
        if path.exists():
            return _regular(path)
    found = [name for name in _NAMES if (context / name).is_file()]
    hint = f"leave --file out to use {context / found[0]}" if found else "check the name"
    also = "" if given.is_absolute() else f", nor is {context / given}"
    raise UsageError(f"{given} does not exist{also}", hint=hint)


def _regular(path: Path) -> Path:
    if not path.is_file():
        raise UsageError(f"{path} is not a file", hint="name the Containerfile itself")
    return path
