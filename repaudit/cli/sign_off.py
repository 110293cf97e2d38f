"""`repaudit sign-off`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from repaudit.cli.attest import signing_key, source_option
from repaudit.host import clock, source_date
from repaudit.host.delivery import deliver
from repaudit.host.scratch import scratch, write_folder
from repaudit.model.errors import UsageError
from repaudit.model.text import printable
from repaudit.stages.allow import Rules, load_allowances
from repaudit.stages.attest import gather
from repaudit.stages.sign_off import SignOffRequest, collect, run_at
from repaudit.stages.sign_off_files import as_files, as_tar

EXAMPLES = """Examples:

repaudit sign-off audit/ --output sign-off/ --key release.key

repaudit sign-off audit/ --output app.tar --image docker://registry.example/app:1

repaudit sign-off audit/ --output sign-off/ --allow repaudit-allow.toml      with what is accepted

repaudit sign-off audit/ --output sign-off/ --published release.json --name app

Then, with nothing of repaudit: sha256sum --check SHA256SUMS, and sh reproduce.sh.
"""


def sign_off(
    run: Annotated[Path, typer.Argument(help="A folder of rebuild --output.", show_default=False)],
    output: Annotated[
        Path, typer.Option("--output", help="A new folder, or an archive whose name ends in .tar.")
    ],
    key: Annotated[
        str | None, typer.Option("--key", help="The private key: FILE, awskms:…, hv:…")
    ] = None,
    public_key: Annotated[
        Path | None, typer.Option("--public-key", help="The public half of a key behind a URI.")
    ] = None,
    signer: Annotated[
        str | None, typer.Option("--signer", help="A URI for who signs; else the key's own.")
    ] = None,
    image: Annotated[
        str | None,
        typer.Option("--image", help="The image as it is released; see list sources."),
    ] = None,
    published: Annotated[
        Path | None, typer.Option("--published", help="A file of published digests, as for verify.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="What the image is called there, and to the rules.")
    ] = None,
    allow: Annotated[
        Path | None,
        typer.Option("--allow", help="TOML: what is accepted, as for gate."),
    ] = None,
    context: Annotated[
        Path | None, typer.Option("--context", help="Where the context is now; else where it was.")
    ] = None,
    source: Annotated[
        str | None, typer.Option("--source", help="Where the context is from: URI@COMMIT.")
    ] = None,
    allow_dirty: Annotated[
        bool, typer.Option("--allow-dirty", help="Sign off what no commit holds, and say so.")
    ] = False,
) -> None:
    """Collect what a person signs off with a release, and a stranger can check years later.

    1: a difference is not accepted, the source is dirty, or another image was published. 3: the
    verdict is open. Nothing is written then.
    """
    if (public_key or signer) and not key:
        raise UsageError("--public-key and --signer are of no use without --key", hint="give --key")
    signing = signing_key(key, public_key) if key else None
    said = (signer or signing.public.uri) if signing else None
    rules = Rules(today=clock.today(), allow=load_allowances(allow) if allow else ())
    issued = source_date.issued(run_at(run))
    evidence = gather(run, signer=said or "", issued=issued, source=source_option(source))
    with scratch() as folder:
        found = collect(
            SignOffRequest(
                run=run,
                context=context,
                rules=rules,
                name=name,
                image=image,
                published=published,
                allow_dirty=allow_dirty,
                signer=said,
            ),
            evidence,
            folder,
        )
    files = as_files(found, evidence, signing)
    if output.suffix == ".tar":
        deliver(as_tar(files, output.stem, found.run_at), output)
    else:
        write_folder(output, files)
    accepted = f", {len(found.accepted)} accepted" if found.accepted else ""
    what = "signed off" if signing else "collected, not signed"
    typer.echo(printable(f"{what}: {found.name} {found.reference} ({found.verdict}{accepted})"))
    typer.echo(printable(f"  {output}: {', '.join(sorted(files))}"))
