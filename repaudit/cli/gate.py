"""`repaudit gate`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from repaudit import audit
from repaudit.cli import output as out
from repaudit.cli import settings
from repaudit.cli._gate_text import render
from repaudit.cli.progress import progress
from repaudit.cli.rebuild import request_of
from repaudit.host import clock, delivery
from repaudit.model.canonical import to_json
from repaudit.model.errors import UsageError
from repaudit.reporters import Surface
from repaudit.reporters._gate import gate_page
from repaudit.stages.allow import Rules, load_allowances, load_baseline, read_toml
from repaudit.stages.keep import REPORT, is_ours

EXAMPLES = """Examples:

repaudit gate .                                              one image, built now

repaudit gate audit/ --allow repaudit-allow.toml             one that `rebuild --output` kept

repaudit gate images.toml --history ../nights/               many, against the last green night

repaudit gate images.toml --history ../nights/ --format html=gate.html    with the trend, to look at

repaudit gate images.toml --save-baseline baseline.json      to begin with what is there …

repaudit gate images.toml --baseline baseline.json --fail-on new       … and count what is new

In a list of images each [[image]] has a name, and a context or a kept run. Beside a context may
stand the options of `rebuild`: file, target, build-arg, explain, vary, hold, timestamp …
"""
_LIST = "each [[image]] has a name and a context, or a name and a run"
_Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")]


class FailOn(StrEnum):
    """What makes the gate fail."""

    ANY = "any"
    NEW = "new"


class _Image(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """One entry of a list; paths are as from the list, the rest as the options of `rebuild`."""

    name: _Name
    context: str | None = None
    run: str | None = None
    file: str | None = None
    target: str | None = None
    build_arg: list[str] | None = None
    builder: str | None = None
    builds: Annotated[int, msgspec.Meta(ge=2)] | None = None
    explain: bool | None = None
    vary: list[str] | None = None
    hold: list[str] | None = None
    timestamp: str | int | None = None
    jobs: Annotated[int, msgspec.Meta(ge=1)] | None = None
    seed: str | None = None


class _List(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    image: list[_Image]


def gate(
    target: Annotated[
        Path,
        typer.Argument(
            help="A context, a kept run, its report, or a TOML list of images.", show_default=False
        ),
    ],
    allow: Annotated[
        Path | None, typer.Option(help="TOML: what does not count, with reason, owner and end.")
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option(help="What was there when the gate was put up.")
    ] = None,
    fail_on: Annotated[
        FailOn, typer.Option("--fail-on", help="Any finding, or what is not in the baseline.")
    ] = FailOn.ANY,
    save_baseline: Annotated[
        Path | None, typer.Option("--save-baseline", help="Write what is there now to this file.")
    ] = None,
    history: Annotated[Path | None, typer.Option(help="The folder that keeps the nights.")] = None,
    output: Annotated[
        Path | None, typer.Option(help="Keep each image's run in this folder, below its name.")
    ] = None,
    format_: Annotated[
        list[str] | None,
        typer.Option("--format", help="text, json, html; or NAME=FILE; repeatable."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="The builds' own output.")
    ] = False,
) -> None:
    """Pass or fail images: what counts, what is new since the last green night, which commits."""
    if (fail_on is FailOn.NEW) != (baseline is not None):
        raise UsageError("--fail-on new and --baseline FILE go together", hint="give both")
    formats = out.parse_formats(format_ or (), _known)
    if save_baseline is not None:
        delivery.check(save_baseline)
    rules = Rules(
        today=clock.today(),
        allow=load_allowances(allow) if allow else (),
        baseline=load_baseline(baseline) if baseline else None,
    )
    request = audit.GateRequest(
        images=_images(target, output), rules=rules, history=history, listed=_is_list(target)
    )
    with progress(quiet=quiet, verbose=verbose) as listener:
        result, found = audit.gate(request, listener)
    if save_baseline is not None:
        delivery.deliver(found, save_baseline)

    def shown(name: str, surface: Surface) -> bytes:
        if name == "html":
            return gate_page(result)
        return to_json(result) if name == "json" else render(result, surface)

    out.emit_as(formats, shown)
    raise typer.Exit(result.light.exit_code)


def _known(name: str) -> None:
    if name not in {"text", "json", "html"}:
        hint = "there are: html, json, text; for others: repaudit report RUN --format NAME"
        raise UsageError(f"{name!r} is not a format of the gate", hint=hint)


def _is_list(target: Path) -> bool:
    return target.suffix == ".toml"


def _images(target: Path, output: Path | None) -> tuple[audit.Watched, ...]:
    if _is_list(target):
        entries = read_toml(target, _List, _LIST).image
        images = tuple(_watched(entry, target, output) for entry in entries)
    else:
        name = target.resolve().name
        run = target.is_file() or (target / REPORT).is_file() or is_ours(target)
        images = (_kept(name, target) if run else _built(name, target, {}, output),)
    names = [image.name for image in images]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or not names:
        said = f"{twice[0]} is there twice" if twice else "there is no image"
        raise UsageError(f"{target}: {said}", hint=_LIST)
    return images


def _watched(entry: _Image, file: Path, output: Path | None) -> audit.Watched:
    given = msgspec.to_builtins(entry)
    chosen = {key: value for key, value in given.items() if value is not None}
    name, context, run = (chosen.pop(key, None) for key in ("name", "context", "run"))
    if (context is None) == (run is None) or (run is not None and chosen):
        raise UsageError(f"{file}: {name} is neither a context nor a kept run alone", hint=_LIST)
    if run is not None:
        return _kept(name, file.parent / run)
    if "file" in chosen:
        chosen["file"] = file.parent / chosen["file"]
    return _built(name, file.parent / context, chosen, output)


def _kept(name: str, run: Path) -> audit.Watched:
    if not run.exists():
        raise UsageError(f"no such run: {run}", hint="keep one with: repaudit rebuild --output DIR")
    return audit.Watched(name=name, audit=run)


def _built(name: str, context: Path, chosen: dict[str, Any], output: Path | None) -> audit.Watched:
    if not context.is_dir():
        raise UsageError(f"no such folder: {context}", hint="give a context, a run, or a list")
    kept = {} if output is None else {"output": output / name}
    asked = settings.load(context) | chosen | kept
    return audit.Watched(name=name, audit=request_of(context, asked))
