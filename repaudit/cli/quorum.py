"""`repaudit quorum`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from repaudit.cli.attest import digest_option, read_bundles
from repaudit.host.keys import load_public
from repaudit.model.errors import UsageError
from repaudit.model.text import printable
from repaudit.stages.quorum import Quorum, Voice, hear

EXAMPLES = """Examples:

repaudit quorum ann.jsonl bob.jsonl --key ann.pub --key bob.pub

repaudit quorum *.jsonl --key ann.pub --key bob.pub --key eve.pub --threshold 2
"""


def quorum(
    bundles: Annotated[list[Path], typer.Argument(help="What attest wrote.", show_default=False)],
    key: Annotated[list[Path], typer.Option("--key", help="A rebuilder's public key; repeatable.")],
    threshold: Annotated[
        int | None,
        typer.Option("--threshold", min=2, help="How many must agree; all keys by default."),
    ] = None,
    subject: Annotated[
        str | None, typer.Option("--subject", help="The image that they must agree on.")
    ] = None,
) -> None:
    """Compare what independent rebuilders signed: whether k of n have the same image.

    0: they do. 1: somebody has another one. 3: too few have spoken, or a bundle does not verify.
    """
    keys = {found.id: found for found in map(load_public, key)}
    needed = threshold or len(keys)
    if not 2 <= needed <= len(keys):
        raise UsageError(
            f"{needed} of {len(keys)} different keys can never be a quorum",
            hint="name the keys of two rebuilders or more, and no more than them as --threshold",
        )
    files = [(str(path), read_bundles(path)) for path in bundles]
    found = hear(files, tuple(keys.values()), needed, digest_option(subject))
    _tell(found, len(keys))
    raise typer.Exit(found.verdict.exit_code)


def _tell(found: Quorum, keys: int) -> None:
    agree = sum(voice.digest == found.digest for voice in found.voices) if found.digest else 0
    said = f"{agree} of {keys} rebuilders have {found.digest}" if agree else "no quorum"
    typer.echo(f"{said}; {found.needed} are needed")
    for voice in found.voices:
        typer.echo(printable(f"  {_what(voice)}  {', '.join(voice.names)}  {voice.key.uri}"))


def _what(voice: Voice) -> str:
    if voice.digest is not None:
        return voice.digest
    if voice.verdicts == ("reproducible",):
        return "several images, each called reproducible"
    return " and ".join(voice.verdicts)
