"""`repaudit attest`: sign what a kept run bears out, and verify what others signed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from repaudit.attestations.bundle import MAX_BYTES
from repaudit.host import source_date
from repaudit.host.delivery import deliver
from repaudit.host.keys import SigningKey, load_public, load_signing
from repaudit.model.digest import parse_digest
from repaudit.model.errors import MalformedError, UsageError
from repaudit.model.text import printable
from repaudit.predicates import Source
from repaudit.stages.attest import Verified, attest, gather, verdict_of, verify

EXAMPLES = """Examples:

repaudit attest audit/ --key release.key --output audit.sigstore.jsonl

repaudit attest verify audit.sigstore.jsonl --key release.pub --subject sha256:7b93…

Keys are ECDSA P-256 or ed25519 in PEM, or a key service by its URI. The password of an encrypted
one is taken from REPAUDIT_KEY_PASSWORD.
"""
REGISTRY_EXAMPLES = """Examples:

repaudit attest attach audit.sigstore.jsonl registry.example/app@sha256:7b93…

repaudit attest find registry.example/app@sha256:7b93… --output found.jsonl
"""
_SOURCE = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*:[^\s@]+(?:@[^\s@]+)*)@([0-9a-f]{40}|[0-9a-f]{64})")


class _Group(TyperGroup):
    """`attest RUN` is short for `attest sign RUN`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - typer's own
        if args and args[0] not in {*self.commands, "-h", "--help"}:
            args = ["sign", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_Group,
    help="Sign what a kept run bears out (attest RUN …), and verify what others signed.",
    epilog=EXAMPLES,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


@app.command("sign", epilog=EXAMPLES)
def sign(
    run: Annotated[Path, typer.Argument(help="A folder of rebuild --output.", show_default=False)],
    key: Annotated[str, typer.Option("--key", help="The private key: FILE, awskms:…, hv:…")],
    public_key: Annotated[
        Path | None, typer.Option("--public-key", help="The public half of a key behind a URI.")
    ] = None,
    predicate: Annotated[
        list[str] | None, typer.Option("--predicate", help="Only these; see list predicates.")
    ] = None,
    source: Annotated[
        str | None, typer.Option("--source", help="Where the context is from: URI@COMMIT.")
    ] = None,
    signer: Annotated[
        str | None, typer.Option("--signer", help="A URI for who signs; else the key's own.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", help="The file to write, instead of stdout.")
    ] = None,
) -> None:
    """Sign what a kept run bears out: one Sigstore bundle a line."""
    signing = signing_key(key, public_key)
    evidence = gather(
        run,
        signer=signer or signing.public.uri,
        issued=source_date.issued(),
        source=source_option(source),
    )
    data = attest(evidence, predicate or (), signing)
    deliver(data, output)


def signing_key(reference: str, public: Path | None) -> SigningKey:
    """Load a key to sign with; warn of one that others may read."""
    signing = load_signing(reference, public)
    if signing.loose:
        typer.echo(f"warning: others may read {reference}: chmod 600 it", err=True)
    return signing


def source_option(text: str | None) -> Source | None:
    """Return what --source says; raise UsageError where it is no URI@COMMIT."""
    if text is None:
        return None
    match = _SOURCE.fullmatch(text)
    if match is None:
        raise UsageError(
            f"not a source: {text!r:.120}", hint="write git+https://example.org/app@COMMIT"
        )
    return Source(uri=match[1], commit=match[2])


@app.command("verify", epilog=EXAMPLES)
def verify_bundle(
    bundle: Annotated[Path, typer.Argument(help="A file of bundles.", show_default=False)],
    key: Annotated[Path, typer.Option("--key", help="The public key of who signed, in PEM.")],
    subject: Annotated[
        str | None, typer.Option("--subject", help="The image's digest: sha256:…")
    ] = None,
    predicate: Annotated[
        str | None, typer.Option("--predicate", help="Only this kind, by name or URI.")
    ] = None,
) -> None:
    """Verify signatures and subject; then the verdict that was signed is the exit code.

    1 as well: a signature that is not the key's, or another subject. 3: no bundle, or none that
    gives a verdict, unless another kind was asked for with --predicate.
    """
    found = verify(read_bundles(bundle), load_public(key), digest_option(subject), predicate)
    _tell(found)
    if found.verdict is None and found.exit_code:
        typer.echo(
            "no statement gives a verdict of reproducibility; for another kind: --predicate",
            err=True,
        )
    raise typer.Exit(found.exit_code)


def digest_option(text: str | None) -> str | None:
    """Return a digest of the command line; raise UsageError where it is none."""
    try:
        return None if text is None else parse_digest(text)
    except MalformedError as error:
        raise UsageError(
            error.message, hint="an image's digest is sha256: and 64 digits"
        ) from error


def read_bundles(path: Path) -> bytes:
    """Return a file's bytes, of one that is not too large to be a file of bundles."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"no bundle at {path}: {error.strerror}", hint="name the file") from error


def _tell(found: Verified) -> None:
    typer.echo(f"signed with {found.key.uri}")
    for one in found.statements:
        verdict = verdict_of(one)
        about = ", ".join(f"{subject.name}@{subject.digest}" for subject in one.subjects)
        typer.echo(printable(f"{one.predicate_type}{f'  {verdict}' if verdict else ''}"))
        typer.echo(printable(f"  of {about}"))


@app.command("attach", epilog=REGISTRY_EXAMPLES)
def attach(
    bundle: Annotated[Path, typer.Argument(help="A file of bundles.", show_default=False)],
    image: Annotated[str, typer.Argument(help="HOST/NAME@sha256:… in a registry.")],
) -> None:
    """Attach the statements about an image to it, in its registry; the image stays as it is."""
    from repaudit.stages import referrers  # what other commands need not wait for

    for digest in referrers.attach(image, read_bundles(bundle)):
        typer.echo(digest)


@app.command("find", epilog=REGISTRY_EXAMPLES)
def find(
    image: Annotated[str, typer.Argument(help="HOST/NAME@sha256:… in a registry.")],
    output: Annotated[
        Path | None, typer.Option("--output", help="The file to write, instead of stdout.")
    ] = None,
) -> None:
    """Fetch what is attached to an image: one bundle a line, which nothing has verified yet."""
    from repaudit.stages import referrers  # what other commands need not wait for

    deliver(referrers.find(image), output)
