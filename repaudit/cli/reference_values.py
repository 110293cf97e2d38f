"""`repaudit reference-values`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from repaudit.host.delivery import deliver
from repaudit.model.errors import UsageError
from repaudit.model.report import Verdict
from repaudit.model.text import printable
from repaudit.reference_values import REFERENCE_VALUES, Audited, ReferenceValues
from repaudit.stages.attest import gather
from repaudit.stages.audited import audited
from repaudit.stages.claims import faults, parse_claims
from repaudit.stages.launch_policy import Severity, judge

EXAMPLES = """Examples:

repaudit reference-values audit/ --for confidential-space

repaudit reference-values audit/ --for corim --output app.corim

repaudit reference-values audit/ --token attestation_verifier_claims_token
"""
_FAULTY = 1
_MAX_TOKEN = 1 << 20


def reference_values(
    run: Annotated[Path, typer.Argument(help="A folder of rebuild --output.", show_default=False)],
    form: Annotated[
        str | None, typer.Option("--for", help="Who compares; see list reference-values.")
    ] = None,
    token: Annotated[
        Path | None, typer.Option("--token", help="Compare this token's claims with the image.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", help="The file to write, instead of stdout.")
    ] = None,
) -> None:
    """Write what a verifier of trusted execution compares evidence with, for a reproducible image.

    Its launch policy is judged as well. 1: the policy or the token has a fault, or the image is
    not reproducible, and then nothing is written. --token judges neither signature nor age.
    """
    if (form is None) == (token is None):
        raise UsageError("one of --for and --token", hint="see: repaudit list reference-values")
    plugin = _form(form) if form else None
    evidence = gather(run, signer="", issued=0)
    verdict = evidence.report.verdict
    if verdict is not Verdict.REPRODUCIBLE:
        typer.echo(f"there are no reference values: the image is {verdict}", err=True)
        raise typer.Exit(verdict.exit_code)
    image = audited(run, evidence)
    faulty = _judged(image)
    if plugin is not None:
        deliver(plugin.render(image), output)
    if token is not None:
        faulty = _compared(token, image) or faulty
    raise typer.Exit(_FAULTY if faulty else 0)


def _form(name: str) -> ReferenceValues:
    known = {found.replace("_", "-"): found for found in REFERENCE_VALUES.names()}
    found = known.get(name.replace("_", "-"))
    if found is None:
        raise UsageError(f"no reference values are for {name!r}", hint=f"for: {', '.join(known)}")
    return REFERENCE_VALUES.load(found)


def _judged(image: Audited) -> bool:
    remarks = judge(image.labels)
    for one in remarks:
        typer.echo(printable(f"{one.severity}: {one.label}: {one.message}"), err=True)
    return any(one.severity is not Severity.NOTE for one in remarks)


def _compared(path: Path, image: Audited) -> bool:
    try:
        with path.open("rb") as file:
            found = faults(parse_claims(file.read(_MAX_TOKEN)), image)
    except OSError as error:
        raise UsageError(f"no token at {path}: {error.strerror}", hint="name the file") from error
    for fault in found:
        typer.echo(printable(f"token: {fault}"))
    if not found:
        typer.echo(f"the token's claims fit {image.digest}; its signature and age are not judged")
    return bool(found)
