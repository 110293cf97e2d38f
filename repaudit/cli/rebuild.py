"""`repaudit rebuild`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from msgspec.structs import replace

from repaudit import audit
from repaudit.cli import output as out
from repaudit.cli import settings
from repaudit.cli.progress import progress
from repaudit.host.scratch import check_folder
from repaudit.model.errors import UsageError

EXAMPLES = """Examples:

repaudit rebuild .                            two builds, everything varied

repaudit rebuild --vary umask,time .          only these factors

repaudit rebuild --hold kernel --format json=report.json --output audit/ .

repaudit rebuild --explain .                  up to ten builds: which factor it is, shown

repaudit rebuild --try-fixes .                build again with the fixes: are they enough?

repaudit rebuild --timestamp none .           as a bare build makes the image
"""

_Context = Annotated[Path, typer.Argument(help="The build context.", show_default=False)]
_Names = list[str] | None


def rebuild(
    context: _Context = Path(),
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="Containerfile or Dockerfile.")
    ] = None,
    twice: Annotated[bool, typer.Option("--twice", help="Two builds (the default).")] = False,
    builds: Annotated[
        int | None, typer.Option(help="This many builds; from three on, one repeats the control.")
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Up to ten builds, to show which factor it is.")
    ] = False,
    try_fixes: Annotated[
        bool,
        typer.Option("--try-fixes", help="Build again with the fixes in a copy; are they enough?"),
    ] = False,
    vary: Annotated[_Names, typer.Option(help="Vary only these factors (F[,F…]).")] = None,
    hold: Annotated[_Names, typer.Option(help="Vary all but these factors (F[,F…]).")] = None,
    builder: Annotated[str | None, typer.Option(help="The image build tool.")] = None,
    build_arg: Annotated[_Names, typer.Option(help="K=V, or K for its value here.")] = None,
    secret: Annotated[
        _Names, typer.Option(help="id=NAME,src=FILE, as the builder takes it.")
    ] = None,
    target: Annotated[str | None, typer.Option(help="The stage to build.")] = None,
    timestamp: Annotated[
        str | None,
        typer.Option(help="auto (SOURCE_DATE_EPOCH, last commit, 0), none, or an epoch."),
    ] = None,
    jobs: Annotated[int | None, typer.Option(help="Builds side by side (CPUs).", min=1)] = None,
    seed: Annotated[str | None, typer.Option(help="What the canaries are made from.")] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Keep images, logs, journal and report in this folder; replaces what an earlier "
            "run kept there."
        ),
    ] = None,
    format_: Annotated[
        _Names,
        typer.Option(
            "--format",
            help="text (the default), json, …; or NAME=FILE; repeatable. Given at all, nothing but "
            "what is named is written.",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="The builds' own output.")
    ] = False,
) -> None:
    """Build an image under varied environments; say whether it is reproducible, and why not."""
    check_context(context)
    if twice and builds not in {None, 2}:
        raise UsageError("--twice and --builds disagree", hint="give one of them")
    given = {
        "file": file,
        "builds": builds,
        "vary": vary,
        "hold": hold,
        "builder": builder,
        "build-arg": build_arg,
        "secret": secret,
        "target": target,
        "timestamp": timestamp,
        "jobs": jobs,
        "seed": seed,
        "output": output,
        "explain": explain,
        "try-fixes": try_fixes,
        "format": format_,
    }
    chosen = settings.load(context) | {
        k: v for k, v in given.items() if v is not None and v is not False and v != []
    }
    formats = out.parse_formats(chosen.get("format", ()))
    files = tuple(path for _, path in formats if path is not None)
    request = replace(request_of(context, chosen), reports=files)
    with progress(quiet=quiet, verbose=verbose) as listener:
        report = audit.rebuild(request, listener)
    out.emit(report, formats)
    raise typer.Exit(report.verdict.exit_code)


def check_context(context: Path) -> None:
    """Raise UsageError for what is no folder."""
    if context.is_file():
        raise UsageError(
            f"{context} is a file, and CONTEXT is the folder to build",
            hint=f"repaudit rebuild --file {context} {context.parent}",
        )
    if not context.is_dir():
        raise UsageError(f"no such folder: {context}", hint="CONTEXT is the folder to build")


def request_of(context: Path, chosen: dict[str, Any]) -> audit.RebuildRequest:
    """Return what settings and flags, by the names of the long options, ask for."""
    keep = chosen.get("output")
    if keep is not None:
        _check_folder(Path(keep))
    return audit.RebuildRequest(
        context=context,
        file=Path(chosen["file"]) if "file" in chosen else None,
        vary=_names("--vary", chosen.get("vary", ())),
        hold=_names("--hold", chosen.get("hold", ())),
        builds=chosen.get("builds", 2),
        builder=chosen.get("builder", "buildah"),
        build_args=_arguments(chosen.get("build-arg", ())),
        secrets=tuple(map(_secret, chosen.get("secret", ()))),
        target=chosen.get("target"),
        timestamp=str(chosen.get("timestamp", "auto")),
        jobs=chosen.get("jobs"),
        seed=chosen.get("seed", "repaudit"),
        output=Path(keep) if keep is not None else None,
        explain=chosen.get("explain", False),
        try_fixes=chosen.get("try-fixes", False),
    )


def _names(option: str, values: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    words = (word.strip() for value in values for word in value.split(","))
    names = tuple(dict.fromkeys(word for word in words if word))
    if values and not names:  # an empty variable of a script, most likely
        raise UsageError(f"{option} names no factor", hint="leave it out to vary all of them")
    return names


def _arguments(values: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Return build arguments as buildah-build(1) takes them: a name that is not set here has none.

    The last word on a name counts, also where that is none.
    """
    found: dict[str, str | None] = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not name:
            raise UsageError(f"not a build argument: {value!r}", hint="--build-arg NAME=VALUE")
        found[name] = text if equals else os.environ.get(name)
    return tuple((name, text) for name, text in found.items() if text is not None)


def _secret(value: str) -> str:
    """Return a secret with its file's whole path: the build runs in another folder.

    Raises UsageError for what buildah-build(1) would refuse when it comes to the step.
    """
    words = [word.partition("=") for word in value.split(",")]
    given = {name: text for name, _, text in words}
    file = given.get("src", given.get("source"))
    if not given.get("id") or (file is not None and not Path(file).is_file()):
        said = "no such file" if given.get("id") else "it has no id"
        raise UsageError(f"not a secret: {value!r}: {said}", hint="--secret id=NAME,src=FILE")
    return ",".join(
        f"{name}={Path(text).absolute()}" if name in {"src", "source"} else f"{name}{equals}{text}"
        for name, equals, text in words
    )


def _check_folder(path: Path) -> None:
    """Complain before the builds, not after."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"cannot write to {path}: {error.strerror}", hint="name a folder that can be written"
        ) from error
    check_folder(path)
