"""Sign what a kept run bears out, and verify what others signed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from repaudit.attestations.bundle import Bundle, parse_bundles
from repaudit.host.keys import PublicKey, SigningKey
from repaudit.model.canonical import to_json
from repaudit.model.digest import Descriptor, parse_digest, sha256
from repaudit.model.errors import MalformedError, RefusedError, UsageError
from repaudit.model.experiment import Outcome, Role
from repaudit.model.report import RunRecord, Verdict
from repaudit.model.reproducibility import LEVEL, PREDICATE_TYPE, parse_reproducibility
from repaudit.model.statement import PAYLOAD_TYPE, Named, Statement, parse_statement
from repaudit.oci.blob import Verified as VerifiedStream
from repaudit.oci.blob import parse_object
from repaudit.oci.cursor import CHUNK
from repaudit.oci.image import parse_descriptor
from repaudit.predicates import PREDICATES, Evidence, Rebuilt, Source
from repaudit.stages.keep import load, load_journal

_SUMMARY_TYPE = "https://slsa.dev/verification_summary/v1"
_MAX_MANIFEST = 4 << 20
_KEEP = "keep a run with: repaudit rebuild --output DIR"


def gather(run: Path, *, signer: str, issued: int, source: Source | None = None) -> Evidence:
    """Read a kept run, and check that it holds the images that its report names, byte for byte.

    Base layers are no part of a kept run. Raises UsageError where nothing was built,
    MalformedError where report and images disagree.
    """
    report = load(run)
    if not run.is_dir():
        raise UsageError(f"{run} is a report without its images", hint=_KEEP)
    built = [one for one in report.runs if one.outcome is Outcome.BUILT]
    if not built or built[0].role is not Role.CONTROL:
        raise UsageError(f"{run}: no image was built, so there is none to speak of", hint=_KEEP)
    rebuilt = tuple(_rebuilt(run, one) for one in built)
    return Evidence(
        report=report,
        report_digest=sha256(to_json(report)),
        rebuilt=rebuilt,
        signer=signer,
        issued=issued,
        bases=tuple(
            Named(name=base.name, digest=parse_digest(base.digest))
            for base in load_journal(run).bases
        ),
        source=source,
    )


def _rebuilt(folder: Path, run: RunRecord) -> Rebuilt:
    digest = parse_digest(run.image)
    manifest = parse_object(blob_of(folder, run.name, digest), digest)
    layers = manifest.get("layers")
    if not isinstance(layers, list):
        raise MalformedError(f"{digest}: a manifest without a list of layers", hint=_KEEP)
    for number, layer in enumerate(layers):
        described = parse_descriptor(layer, f"{digest}: layer {number}")
        path = _path_of(folder, run.name, described.digest)
        if path.exists():  # else it is the base's
            _check_layer(path, described)
    return Rebuilt(run=run, digest=digest)


def _check_layer(path: Path, described: Descriptor) -> None:
    try:
        with path.open("rb") as file:
            stream = VerifiedStream(file, described.digest, described.size, str(path))
            while stream.read(CHUNK):
                pass
    except OSError as error:
        raise MalformedError(f"{path} cannot be read: {error.strerror}", hint=_KEEP) from error
    except MalformedError as error:
        raise MalformedError(error.message, hint=_KEEP) from error


def _path_of(folder: Path, run: str, digest: str) -> Path:
    return folder / "runs" / run / "blobs" / digest.replace(":", "/")


def blob_of(folder: Path, run: str, digest: str) -> bytes:
    """Return a manifest or config of a kept run, verified; raise MalformedError if it is not so."""
    path = _path_of(folder, run, digest)
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_MANIFEST + 1)
    except OSError as error:
        raise MalformedError(
            f"{folder} has no image of the run {run}: {error.strerror}", hint=_KEEP
        ) from error
    if sha256(data) != digest:
        raise MalformedError(f"{path} is not what its name says", hint=_KEEP)
    return data


def attest(evidence: Evidence, names: Sequence[str], key: SigningKey) -> bytes:
    """Return the signed statements of the predicates `names`, or of all; one bundle a line.

    Raises UsageError for one that was asked for by name and that the evidence does not bear out.
    """
    bundles = []
    for name in names or PREDICATES.names():
        statements = PREDICATES.load(name).statements(evidence)
        if names and not statements:
            raise UsageError(
                f"this run does not bear out a statement of the kind {name}",
                hint=f"its verdict is {evidence.report.verdict}; see: repaudit list predicates",
            )
        bundles += [_signed(statement, key).line() for statement in statements]
    return b"".join(bundles)


def _signed(statement: Statement, key: SigningKey) -> Bundle:
    payload = statement.payload()
    signature = key.sign(PAYLOAD_TYPE, payload)
    return Bundle(payload=payload, signature=signature, hint=key.public.hint)


class Verified(Struct, frozen=True, kw_only=True):
    """Statements whose signatures are those of one key; `asked` where one kind was asked for."""

    key: PublicKey
    statements: tuple[Statement, ...]
    asked: bool = False

    @property
    def verdict(self) -> Verdict | None:
        """The worst verdict that a statement gives, None where none does."""
        said = {verdict_of(one) for one in self.statements}
        worst = (Verdict.UNREPRODUCIBLE, Verdict.INCONCLUSIVE, Verdict.REPRODUCIBLE)
        return next((verdict for verdict in worst if verdict in said), None)

    @property
    def exit_code(self) -> int:
        """The verdict's exit code; without one 3, since a line may have been taken out of a file.

        It is 0 where a kind was asked for that gives no verdict, and is there.
        """
        if self.verdict is not None:
            return self.verdict.exit_code
        kinds = {one.predicate_type for one in self.statements}
        open_ = not self.asked or _SUMMARY_TYPE in kinds
        return Verdict.INCONCLUSIVE.exit_code if open_ else 0


def verify(
    data: bytes, key: PublicKey, subject: str | None = None, predicate: str | None = None
) -> Verified:
    """Verify every bundle of a file, and return the statements about `subject` of one kind.

    `predicate` is a plug-in's name or a predicateType. Raises RefusedError where a signature is
    not the key's, or no statement is about the subject; MalformedError where a bundle is none.
    """
    statements = [_verified(bundle, key) for bundle in parse_bundles(data)]
    about = [one for one in statements if subject is None or one.is_about(subject)]
    if not about:
        others = sorted({named.digest for one in statements for named in one.subjects})
        raise RefusedError(
            f"signed, but not about {subject}", hint="it is about " + ", ".join(others[:5])
        )
    wanted = _uri(predicate) if predicate else None
    chosen = [one for one in about if wanted in (None, one.predicate_type)]
    if not chosen:
        kinds = ", ".join(sorted({one.predicate_type for one in about}))
        raise RefusedError(f"signed, but no statement of the kind {wanted}", hint=f"it has {kinds}")
    return Verified(key=key, statements=tuple(chosen), asked=wanted is not None)


def _verified(bundle: Bundle, key: PublicKey) -> Statement:
    if key.verifies(bundle.signature, PAYLOAD_TYPE, bundle.payload):
        return parse_statement(bundle.payload)
    if bundle.hint and bundle.hint != key.hint:
        raise RefusedError(
            f"signed with another key: the bundle names {bundle.hint}, yours is {key.hint}",
            hint="verify it with the public key of who signed",
        )
    raise RefusedError(
        "the signature is not this key's over these bytes: it was changed after it was signed",
        hint="get it again from who signed it",
    )


def _uri(predicate: str) -> str:
    return PREDICATES.load(predicate).uri if predicate in PREDICATES.names() else predicate


def verdict_of(statement: Statement) -> Verdict | None:
    """Return the verdict that a verified statement gives, None where it gives none.

    A summary (SLSA VSA) may be of any policy: a scanner's says nothing of reproducibility.
    """
    if statement.predicate_type == PREDICATE_TYPE:
        return parse_reproducibility(statement.predicate).verdict
    if statement.predicate_type == _SUMMARY_TYPE:
        return _summarized(statement.predicate)
    return None


def _summarized(summary: dict[str, Any]) -> Verdict | None:
    policy, levels = summary.get("policy"), summary.get("verifiedLevels")
    if not isinstance(policy, dict) or policy.get("uri") != PREDICATE_TYPE:
        return None
    result = summary.get("verificationResult")
    if result == "FAILED":
        return Verdict.UNREPRODUCIBLE
    passed = result == "PASSED" and isinstance(levels, list) and LEVEL in levels
    return Verdict.REPRODUCIBLE if passed else Verdict.INCONCLUSIVE
