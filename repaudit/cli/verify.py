"""`repaudit verify`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from repaudit import audit
from repaudit.cli import output as out
from repaudit.cli.progress import progress
from repaudit.host import git
from repaudit.model.canonical import to_json
from repaudit.model.errors import UsageError
from repaudit.model.published import Built, Checked, Identity, Standing, VerifyResult
from repaudit.model.text import printable
from repaudit.reporters import Surface
from repaudit.stages.published import load_published
from repaudit.stages.verify import compare_releases
from repaudit.stages.verify import verify as against

EXAMPLES = """Examples:

repaudit verify BUILDING.md bazel-bin/shuffler/services/*/*_image

repaudit verify release.json app=docker://registry.example/app:1

repaudit verify nitro.pcrs --built measured.pcrs             digests that another tool took

repaudit verify BUILDING.md --since old/BUILDING.md --commits v0.7.0..v0.7.1

PUBLISHED is a BUILDING.md with a block of digests, a release's JSON, SHA256SUMS, nitro.pcrs, or a
list of names and digests. An image is called as its path ends, or by the NAME of NAME=IMAGE.
"""


def verify(
    published: Annotated[
        Path, typer.Argument(help="The file with the published digests.", show_default=False)
    ],
    images: Annotated[
        list[str] | None, typer.Argument(help="Built images, each as IMAGE or NAME=IMAGE.")
    ] = None,
    built: Annotated[
        Path | None, typer.Option(help="A file of built digests, in any form of PUBLISHED.")
    ] = None,
    since: Annotated[Path | None, typer.Option(help="What the release before published.")] = None,
    commits: Annotated[
        str | None, typer.Option(help="OLD..NEW: the commits of both releases.")
    ] = None,
    inputs: Annotated[
        list[Path] | None,
        typer.Option(help="A path of the source that images are made from; repeatable (all)."),
    ] = None,
    format_: Annotated[
        list[str] | None, typer.Option("--format", help="text or json; or NAME=FILE; repeatable.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Compare built images with the digests that were published, or a release with the last."""
    if sum((bool(images), built is not None, since is not None)) != 1:
        raise UsageError("nothing, or too much, to compare", hint="IMAGE…, or --built, or --since")
    if (since is None) != (commits is None) or (inputs and since is None):
        raise UsageError("--since and --commits OLD..NEW go together", hint="give both")
    formats = out.parse_formats(format_ or (), _known)
    digests = load_published(published)
    if since is not None:
        changed = _inputs(published, commits or "", inputs or [])
        result = compare_releases(load_published(since), digests, changed)
    elif built is not None:
        result = against(digests, list(_listed(load_published(built))))
    else:
        with progress(quiet=quiet, verbose=False) as listener:
            references = [_named(image) for image in images or ()]
            result = audit.verify_images(digests, references, listener)

    def shown(name: str, surface: Surface) -> bytes:
        return to_json(result) if name == "json" else _text(result)

    out.emit_as(formats, shown)
    raise typer.Exit(0 if result.verified else 1)


def _known(name: str) -> None:
    if name not in {"text", "json"}:
        raise UsageError(f"{name!r} is not a format of verify", hint="there are: json, text")


def _named(image: str) -> tuple[str, str]:
    """Return the name and the reference of an image; a path that is there is no NAME=IMAGE."""
    name, equals, reference = image.partition("=")
    if equals and name and reference and not Path(image).exists():
        return name, reference
    path = image.removesuffix("/").removesuffix("/index.json")
    return path.removeprefix("./"), path


def _listed(digests: dict[str, str]) -> Iterator[Built]:
    for name, digest in digests.items():
        yield Built(name=name, identities=(Identity(kind="listed", digest=digest),))


def _inputs(published: Path, commits: str, within: list[Path]) -> tuple[str, ...]:
    """Return the inputs that changed: the file that holds the digests is none of them.

    They are asked of its repository or, where it lies in none, of that of the working directory.
    """
    old, dots, new = commits.partition("..")
    if not (old and dots and new):
        raise UsageError(f"not two commits: {commits!r:.80}", hint="--commits OLD..NEW")
    for path in within:
        if not path.exists():
            raise UsageError(f"no such input: {path}", hint="--inputs names files and folders")
    own = git.relative(published)
    where = published.resolve().parent if own is not None else Path.cwd()
    found = git.changed(where, old, new, within)
    return tuple(path for path in found if path != own)


def _text(result: VerifyResult) -> bytes:
    lines = [line for image in result.images for line in _lines(image, result)]
    if result.inputs is not None:
        lines.append(f"{len(result.inputs)} inputs changed between the releases")
    lines.append("verified" if result.verified else "not verified")
    text = "".join(f"{printable(line)}\n" for line in lines)
    return text.encode("utf-8", "backslashreplace")


def _lines(image: Checked, result: VerifyResult) -> Iterator[str]:
    releases = result.inputs is not None
    before, now = ("before", "now") if releases else ("published", "built")
    yield f"{'alarm' if image.alarm else image.standing.value:8} {image.name}"
    if image.standing is Standing.SAME:
        yield f"         {image.published}" + (f" ({image.kind})" if image.kind else "")
        return
    yield f"         {before:9} {image.published or 'not'}"
    yield f"         {now:9} {image.built or 'not'}" + (f" ({image.kind})" if image.kind else "")
    if image.alarm:
        yield "         no input changed, so it is the build that did"
