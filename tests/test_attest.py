"""What is signed of a kept run, and how everything else is refused."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from repaudit.attestations.bundle import Bundle, parse_bundles
from repaudit.host.keys import PASSWORD, load_public, load_signing
from repaudit.model.canonical import to_json
from repaudit.model.errors import MalformedError, RefusedError, RepauditError, UsageError
from repaudit.model.experiment import SETTABLE
from repaudit.model.report import Verdict
from repaudit.model.reproducibility import (
    LEVEL,
    PREDICATE_TYPE,
    Reproducibility,
    parse_reproducibility,
    reproducibility_schema,
)
from repaudit.model.statement import PAYLOAD_TYPE, STATEMENT_TYPE, Named, Statement, parse_statement
from repaudit.predicates import PREDICATES, Evidence, Source
from repaudit.stages.attest import Verified, attest, gather, verdict_of, verify
from tests import images
from tests.kept import BASE, KeyPair, image_config, kept_run, key_pair
from tests.schemas import closed

ROOT = Path(__file__).parent.parent
WRITE = ".venv/bin/python -m tests.test_attest > repaudit/model/reproducibility-1.schema.json"
OTHER = "sha256:" + "0" * 64
SOURCE = Source(uri="git+https://example.org/app", commit="a" * 40)

_DIGEST = {
    "type": "string",
    "pattern": "^sha(256:[0-9a-f]{64}|384:[0-9a-f]{96}|512:[0-9a-f]{128})$",
}
_SETTABLE = {"enum": list(SETTABLE)}
TIGHTER: dict[tuple[str, str], dict[str, Any]] = {
    ("Reproducibility", "varied"): {"type": "array", "items": _SETTABLE, "uniqueItems": True},
    ("Reproducibility", "report"): _DIGEST,
    ("Reproducibility", "hosts"): {"const": 1},
    ("Held", "factor"): _SETTABLE,
    ("Rebuild", "image"): {"anyOf": [_DIGEST, {"type": "null"}]},
    ("FindingRef", "id"): {"type": "string", "pattern": "^[0-9a-f]{12}$"},
}


def schema() -> dict[str, Any]:
    return closed(Reproducibility, "repaudit-reproducibility/1", TIGHTER)


@pytest.fixture
def keys(tmp_path: Path) -> KeyPair:
    return key_pair(tmp_path / "keys")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return kept_run(tmp_path / "run")


@pytest.fixture
def different(tmp_path: Path) -> Path:
    """A run whose two images differ."""
    configs = (image_config(), image_config(late="yes"))
    return kept_run(tmp_path / "different", *configs, verdict=Verdict.UNREPRODUCIBLE)


def evidence(run: Path, source: Source | None = SOURCE) -> Evidence:
    return gather(run, signer="https://example.org/builder", issued=1_800_000_000, source=source)


def signed(run: Path, pair: KeyPair, *names: str) -> bytes:
    return attest(evidence(run), names, load_signing(str(pair.private), None))


def one(run: Path, name: str) -> dict[str, Any]:
    return parse_statement(PREDICATES.load(name).statements(evidence(run))[0].payload()).predicate


def changed(data: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    plain = json.loads(data)
    change(plain)
    return json.dumps(plain).encode()


# What is said.


def test_the_schema_that_ships_is_that_of_the_types():
    path = ROOT / "repaudit" / "model" / "reproducibility-1.schema.json"

    assert schema() == reproducibility_schema(), f"write it again: {WRITE}"
    assert to_json(schema()) == path.read_bytes(), f"write it again: {WRITE}"
    assert schema()["$id"] == PREDICATE_TYPE


def test_a_predicate_keeps_to_its_schema_and_comes_back(run: Path, different: Path):
    for folder in (run, different):
        said = one(folder, "reproducibility")
        jsonschema.Draft202012Validator(reproducibility_schema()).validate(said)
        assert parse_reproducibility(said).verdict is evidence(folder).report.verdict


def test_the_scope_says_what_was_not_varied_and_what_two_runs_cannot_show(run: Path):
    said = one(run, "reproducibility")

    assert said["varied"] == ["umask"]
    assert said["held"] == [{"factor": "time", "reason": "held on request"}]
    assert said["bound"] == {"runs": 1, "rate": 0.95}
    assert said["hosts"] == 1
    assert [rebuild["levels"] for rebuild in said["rebuilds"]] == [
        {"umask": "0022"},
        {"umask": "0002"},
    ]


@pytest.mark.parametrize("name", PREDICATES.names())
def test_no_predicate_claims_a_level_that_slsa_reserves(
    name: str, run: Path, different: Path, tmp_path: Path
):
    """Two builds on one host are one builder, however often it builds."""
    many = kept_run(tmp_path / "many", *[image_config()] * 2, builds=30)
    for folder in (run, different, many):
        for statement in PREDICATES.load(name).statements(evidence(folder)):
            assert b"SLSA_" not in statement.payload()


@pytest.mark.parametrize("name", PREDICATES.names())
def test_every_subject_is_an_image_that_the_run_built(name: str, run: Path, different: Path):
    for folder in (run, different):
        known = evidence(folder)
        built = {rebuilt.digest for rebuilt in known.rebuilt}
        for statement in PREDICATES.load(name).statements(known):
            assert {subject.digest for subject in statement.subjects} <= built


def test_a_difference_is_said_of_both_images_and_endorsed_of_none(different: Path):
    known = evidence(different)
    summary = PREDICATES.load("verification_summary").statements(known)[0]

    assert summary.predicate["verificationResult"] == "FAILED"
    assert summary.predicate["verifiedLevels"] == ["FAILED"]
    assert len(summary.subjects) == 2
    assert PREDICATES.load("endorsement").statements(known) == ()


def test_an_open_verdict_is_neither_passed_nor_failed(tmp_path: Path):
    known = evidence(kept_run(tmp_path / "open", verdict=Verdict.INCONCLUSIVE))

    assert PREDICATES.load("verification_summary").statements(known) == ()
    assert PREDICATES.load("endorsement").statements(known) == ()


def test_an_endorsement_needs_a_source_that_others_can_build(run: Path):
    endorsement = PREDICATES.load("endorsement")

    assert endorsement.statements(evidence(run, source=None)) == ()
    said = endorsement.statements(evidence(run))[0].predicate
    assert said["claims"][0]["type"].endswith("/26208.md")
    assert said["validity"] == {
        "notBefore": "2027-01-15T08:00:00Z",
        "notAfter": "2028-01-15T08:00:00Z",
    }


def test_provenance_names_source_and_base(run: Path):
    statements = PREDICATES.load("provenance").statements(evidence(run))

    assert len(statements) == 2
    for statement in statements:
        found = statement.predicate["buildDefinition"]["resolvedDependencies"]
        assert {"uri": SOURCE.uri, "digest": {"gitCommit": SOURCE.commit}} in found
        assert found[-1]["digest"] == {"sha256": BASE.removeprefix("sha256:")}


def test_what_a_run_does_not_bear_out_is_not_signed_on_demand(different: Path, keys: KeyPair):
    with pytest.raises(UsageError, match="does not bear out"):
        signed(different, keys, "endorsement")


# What is no evidence.


def test_a_report_that_contradicts_its_images_is_refused(tmp_path: Path):
    configs = (image_config(), image_config(late="yes"))
    folder = kept_run(tmp_path / "lies", *configs, verdict=Verdict.REPRODUCIBLE)

    with pytest.raises(MalformedError, match="2 different images"):
        evidence(folder)


def test_an_image_that_was_changed_or_is_gone_is_refused(run: Path):
    control = evidence(run).rebuilt[0].digest.partition(":")[2]
    blob = run / "runs" / "control" / "blobs" / "sha256" / control
    blob.write_bytes(blob.read_bytes() + b" ")
    with pytest.raises(MalformedError, match="not what its name says"):
        evidence(run)
    blob.unlink()
    with pytest.raises(MalformedError, match="no image of the run control"):
        evidence(run)


def with_layers(run: Path, *layers: bytes) -> Path:
    """Give each image of a kept run these layers, and a base's layer, which no run keeps."""
    report = json.loads((run / "report.json").read_bytes())
    described = [
        {"mediaType": images.LAYER, "digest": images.digest_of(data), "size": len(data)}
        for data in (b"the base's", *layers)
    ]
    for one in report["runs"]:
        blobs = run / "runs" / one["name"] / "blobs" / "sha256"
        manifest = json.loads((blobs / one["image"].partition(":")[2]).read_bytes())
        whole = json.dumps(manifest | {"layers": described}).encode()
        one["image"] = images.digest_of(whole)
        for data in (whole, *layers):
            (blobs / images.digest_of(data).partition(":")[2]).write_bytes(data)
    (run / "report.json").write_bytes(to_json(report))
    return run


def test_every_layer_that_is_kept_is_the_one_of_the_manifest(run: Path):
    assert evidence(with_layers(run, b"one", b"two")).rebuilt
    name = images.digest_of(b"two").partition(":")[2]
    blob = run / "runs" / "variant" / "blobs" / "sha256" / name

    for changed_to, told in ((b"two and more", "more than 3 bytes"), (b"tow", "does not match")):
        blob.write_bytes(changed_to)
        with pytest.raises(MalformedError, match=told) as refused:
            evidence(run)
        assert str(blob) in refused.value.message
        assert refused.value.hint


def test_a_report_alone_is_no_evidence(run: Path):
    with pytest.raises(UsageError, match="without its images"):
        evidence(run / "report.json")


# Signing.


def test_ed25519_signs_the_same_bytes_each_time(run: Path, tmp_path: Path):
    pair = key_pair(tmp_path / "keys", "ed25519")

    assert signed(run, pair) == signed(run, pair)


def test_ecdsa_signs_the_same_payloads_with_other_signatures(run: Path, keys: KeyPair):
    first, second = (parse_bundles(signed(run, keys)) for _ in range(2))

    assert [bundle.payload for bundle in first] == [bundle.payload for bundle in second]
    assert all(a.signature != b.signature for a, b in zip(first, second, strict=True))


def test_an_encrypted_key_opens_with_its_password_alone(tmp_path: Path, run: Path, monkeypatch):
    pair = key_pair(tmp_path / "keys", password="correct horse")
    with pytest.raises(UsageError, match="is encrypted"):
        load_signing(str(pair.private), None)
    monkeypatch.setenv(PASSWORD, "battery staple")
    with pytest.raises(UsageError, match="no private key in PEM that opens"):
        load_signing(str(pair.private), None)
    monkeypatch.setenv(PASSWORD, "correct horse")
    assert verify(signed(run, pair), load_public(pair.public)).statements


@pytest.mark.parametrize("kind", ["rsa", "p384"])
def test_other_kinds_of_keys_are_refused(kind: str, tmp_path: Path):
    pair = key_pair(tmp_path / "keys", kind)
    for load in (lambda: load_public(pair.public), lambda: load_signing(str(pair.private), None)):
        with pytest.raises(UsageError, match="neither an ECDSA P-256 nor an ed25519 key"):
            load()


@pytest.mark.parametrize("text", ["", "no key", "-----BEGIN PUBLIC KEY-----\nAAAA\n"])
def test_what_is_no_key_is_refused(text: str, tmp_path: Path):
    path = tmp_path / "key"
    path.write_text(text)
    with pytest.raises(UsageError, match="no public key in PEM"):
        load_public(path)
    with pytest.raises(UsageError, match="no private key in PEM"):
        load_signing(str(path), None)
    with pytest.raises(UsageError, match="no key at"):
        load_public(tmp_path / "gone")


def test_a_key_service_needs_the_public_half(keys: KeyPair):
    with pytest.raises(UsageError, match="public half"):
        load_signing("awskms:alias/release", None)


# Verifying.


@pytest.mark.parametrize("kind", ["ecdsa", "ed25519"])
def test_what_was_signed_verifies(kind: str, run: Path, tmp_path: Path):
    pair = key_pair(tmp_path / "keys", kind)
    digest = evidence(run).rebuilt[0].digest
    found = verify(signed(run, pair), load_public(pair.public), digest)

    assert len(found.statements) == 5
    assert found.exit_code == 0
    only = verify(signed(run, pair), load_public(pair.public), digest, "reproducibility")
    assert [statement.predicate_type for statement in only.statements] == [PREDICATE_TYPE]


def test_the_verdict_that_was_signed_decides(different: Path, keys: KeyPair, tmp_path: Path):
    assert verify(signed(different, keys), load_public(keys.public)).exit_code == 1
    open_run = kept_run(tmp_path / "open", verdict=Verdict.INCONCLUSIVE)
    assert verify(signed(open_run, keys), load_public(keys.public)).exit_code == 3


def test_a_file_without_the_verdict_is_open_and_never_good(different: Path, keys: KeyPair):
    """Lines can be taken out of a file; each that is left is signed all the same."""
    right = load_public(keys.public)
    assert verify(signed(different, keys), right).exit_code == 1
    left = signed(different, keys, "provenance")

    assert verify(left, right).exit_code == 3
    assert verify(left, right, predicate="provenance").exit_code == 0


def summary(**change: object) -> Statement:
    plain = {
        "policy": {"uri": PREDICATE_TYPE},
        "verificationResult": "PASSED",
        "verifiedLevels": [LEVEL],
    }
    uri = PREDICATES.load("verification_summary").uri
    named = (Named(name="app", digest=OTHER),)
    return Statement(subjects=named, predicate_type=uri, predicate={**plain, **change})


@pytest.mark.parametrize(
    ("change", "verdict", "status"),
    [
        ({}, Verdict.REPRODUCIBLE, 0),
        ({"verificationResult": "FAILED", "verifiedLevels": ["FAILED"]}, Verdict.UNREPRODUCIBLE, 1),
        ({"verificationResult": None}, Verdict.INCONCLUSIVE, 3),
        ({"verificationResult": "passed"}, Verdict.INCONCLUSIVE, 3),
        ({"verifiedLevels": ["SLSA_BUILD_LEVEL_3"]}, Verdict.INCONCLUSIVE, 3),
        ({"verifiedLevels": LEVEL}, Verdict.INCONCLUSIVE, 3),
        ({"policy": {"uri": "https://example.org/malware"}}, None, 3),
        ({"policy": PREDICATE_TYPE}, None, 3),
        ({"policy": None}, None, 3),
    ],
)
def test_a_summary_counts_if_it_is_of_our_policy(
    change: dict[str, object], verdict: Verdict | None, status: int, keys: KeyPair
):
    one = summary(**change)
    asked = Verified(key=load_public(keys.public), statements=(one,), asked=True)

    assert verdict_of(one) is verdict
    assert (asked.verdict, asked.exit_code) == (verdict, status)


def test_another_key_another_subject_and_another_kind_are_refused_each_in_its_words(
    run: Path, keys: KeyPair, tmp_path: Path
):
    data, right = signed(run, keys, "reproducibility"), load_public(keys.public)
    wrong = load_public(key_pair(tmp_path / "wrong").public)
    with pytest.raises(RefusedError, match="signed with another key"):
        verify(data, wrong)
    with pytest.raises(RefusedError, match="not about sha256:0000"):
        verify(data, right, OTHER)
    with pytest.raises(RefusedError, match="no statement of the kind"):
        verify(data, right, predicate="provenance")


def test_a_hint_is_no_proof(run: Path, keys: KeyPair, tmp_path: Path):
    """Whatever key a bundle names, the one that was given decides."""
    wrong = load_public(key_pair(tmp_path / "wrong").public)
    bundle = parse_bundles(signed(run, keys, "reproducibility"))[0]
    renamed = replace(bundle, hint=wrong.hint).line()

    assert verify(renamed, load_public(keys.public)).statements
    with pytest.raises(RefusedError, match="changed after it was signed"):
        verify(renamed, wrong)


def test_one_changed_bundle_among_good_ones_is_enough(run: Path, keys: KeyPair):
    lines = signed(run, keys).splitlines(keepends=True)
    bundle = parse_bundles(lines[-1])[0]
    edited = bundle.payload.replace(b"PASSED", b"FAILED")
    assert edited != bundle.payload
    lines[-1] = replace(bundle, payload=edited).line()

    with pytest.raises(RefusedError, match="changed after it was signed"):
        verify(b"".join(lines), load_public(keys.public))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda b: b["dsseEnvelope"]["signatures"].append({"sig": "AAAA"}), "2 signatures"),
        (lambda b: b["dsseEnvelope"]["signatures"].clear(), "0 signatures"),
        (lambda b: b.update(mediaType="application/vnd.dev.sigstore.bundle.v0.9+json"), "v0.9"),
        (lambda b: b["dsseEnvelope"].update(payloadType="text/plain"), "text/plain"),
        (lambda b: b["dsseEnvelope"].update(payload="*"), "breaks its format"),
        (lambda b: b.pop("dsseEnvelope"), "breaks its format"),
        (lambda b: b.update(verificationMaterial={"certificate": {}}), "with a certificate"),
    ],
)
def test_what_is_no_bundle_of_ours_is_malformed(
    change: Callable[[dict[str, Any]], object], words: str, run: Path, keys: KeyPair
):
    data = changed(signed(run, keys, "reproducibility"), change)

    with pytest.raises(MalformedError, match=words):
        verify(data, load_public(keys.public))


@pytest.mark.parametrize("data", [b"", b"\n", b"{", b"[]", b"null", b"1", b"[" * 100_000, b"\xff"])
def test_what_is_no_bundle_at_all_is_malformed(data: bytes):
    with pytest.raises(MalformedError):
        parse_bundles(data)


def test_a_statement_of_another_version_is_malformed_though_signed(keys: KeyPair):
    key = load_signing(str(keys.private), None)
    payload = b'{"_type": "https://in-toto.io/Statement/v0.1"}'
    data = Bundle(payload=payload, signature=key.sign(PAYLOAD_TYPE, payload), hint="").line()

    with pytest.raises(MalformedError, match=r"v0\.1"):
        verify(data, key.public)


@given(plain=st.recursive(st.none() | st.text() | st.integers(), lambda x: st.lists(x)))
def test_a_statement_of_any_shape_is_read_or_malformed(plain: object):
    for text in (plain, {"_type": STATEMENT_TYPE, "subject": plain, "predicateType": plain}):
        with pytest.raises(MalformedError):
            parse_statement(json.dumps(text).encode())


def test_a_changed_byte_is_refused_or_changes_nothing_that_was_said(run: Path, tmp_path: Path):
    """The hint and white space are not signed; all that a reader acts on is."""
    pair = key_pair(tmp_path / "keys", "ed25519")
    key, data = load_public(pair.public), signed(run, pair, "verification_summary")
    said = verify(data, key).statements
    for position in range(0, len(data), 7):
        other = bytearray(data)
        other[position] ^= 1
        try:
            assert verify(bytes(other), key).statements == said
        except RepauditError as error:
            assert error.exit_code in {1, 3}, error


def test_a_bundle_over_many_lines_is_read_too(run: Path, keys: KeyPair):
    data = signed(run, keys, "reproducibility")
    spread = json.dumps(json.loads(data), indent=2).encode()

    assert parse_bundles(spread) == parse_bundles(data)


def test_a_broken_bundle_is_told_with_its_own_line(run: Path, keys: KeyPair):
    lines = signed(run, keys).splitlines(keepends=True)[:2]
    assert len(parse_bundles(b"\n".join(lines))) == 2

    for broken, told in ((b'{"a": }\n', "Expecting value at column 7"), (b"[]\n", "of type None")):
        with pytest.raises(MalformedError, match=f"^line 4: .*{told}") as refused:
            parse_bundles(lines[0] + b"\n" + lines[1] + broken + lines[0])
        assert refused.value.line == 4


def test_a_payload_is_canonical():
    statement = Statement(subjects=(), predicate_type="urn:x", predicate={"b": "é", "a": 1})

    assert statement.payload() == (
        b'{"_type":"https://in-toto.io/Statement/v1","predicate":{"a":1,"b":"\\u00e9"},'
        b'"predicateType":"urn:x","subject":[]}'
    )


# The command.


def type_in(*words: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "repaudit", "attest", *map(str, words)]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), **env}
    return subprocess.run(argv, capture_output=True, text=True, env=environment)


def test_the_command_signs_and_verifies(run: Path, keys: KeyPair, tmp_path: Path):
    out = tmp_path / "audit.jsonl"
    keys.private.chmod(0o644)
    done = type_in(run, "--key", keys.private, "--output", out)
    assert (done.returncode, done.stdout) == (0, "")
    assert "others may read" in done.stderr

    keys.private.chmod(0o600)
    assert type_in("sign", run, "--key", keys.private, "--output", out).stderr == ""
    digest = evidence(run).rebuilt[0].digest
    done = type_in("verify", out, "--key", keys.public, "--subject", digest)
    assert done.returncode == 0, done.stderr
    assert f"{PREDICATE_TYPE}  reproducible" in done.stdout
    done = type_in("verify", out, "--key", keys.public, "--subject", OTHER)
    assert (done.returncode, done.stdout) == (1, "")
    assert type_in("verify", out, "--key", keys.public, "--subject", "latest").returncode == 2
    assert type_in("verify", keys.public, "--key", keys.public).returncode == 3


def test_nothing_signed_is_ever_half(run: Path, keys: KeyPair, tmp_path: Path):
    out = tmp_path / "audit.jsonl"
    out.write_text("old\n")
    argv = ("--predicate", "endorsement", "--predicate", "provenance", "--output", out)
    done = type_in(run, "--key", keys.private, *argv)

    assert done.returncode == 2
    assert out.read_text() == "old\n"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_without_the_extra_the_hint_says_how_to_get_it(run: Path, keys: KeyPair, tmp_path: Path):
    hidden = tmp_path / "hidden" / "securesystemslib"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text("raise ImportError('not here')\n")
    path = f"{hidden.parent}:{ROOT}"
    done = type_in(run, "--key", keys.private, PYTHONPATH=path)

    assert done.returncode == 3
    assert "securesystemslib[crypto] is not installed" in done.stderr
    assert "repaudit[attest]" in done.stderr


def test_sigstores_own_words_are_in_the_bundle(run: Path, keys: KeyPair):
    plain = json.loads(signed(run, keys, "reproducibility"))

    assert plain["mediaType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
    assert plain["verificationMaterial"]["tlogEntries"] == []
    assert plain["dsseEnvelope"]["payloadType"] == PAYLOAD_TYPE
    assert len(base64.b64decode(plain["verificationMaterial"]["publicKey"]["hint"])) == 32


if __name__ == "__main__":
    sys.stdout.buffer.write(to_json(schema()))
