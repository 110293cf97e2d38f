"""Reference values, the launch policy's rules, and a token's claims: each with its opposite."""

from __future__ import annotations

import base64
import copy
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cbor2
import cel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repaudit.model.errors import MalformedError
from repaudit.model.report import Verdict
from repaudit.reference_values import REFERENCE_VALUES, Audited
from repaudit.stages.attest import gather
from repaudit.stages.audited import audited
from repaudit.stages.claims import faults, parse_claims
from repaudit.stages.launch_policy import PREFIX, Severity, judge
from tests.kept import image_config, kept_run

DIGEST, IMAGE_ID, OTHER = ("sha256:" + one * 64 for one in "abc")
IMAGE = Audited(
    name="app",
    digest=DIGEST,
    image_id=IMAGE_ID,
    labels={PREFIX + "allow_env_override": "MODE"},
    environment=("PATH=/bin", "MODE=a"),
    arguments=("/app", "--serve"),
)
CLAIMS: dict[str, Any] = {
    "iss": "https://confidentialcomputing.googleapis.com",
    "swname": "CONFIDENTIAL_SPACE",
    "hwmodel": "GCP_AMD_SEV",
    "dbgstat": "disabled-since-boot",
    "secboot": True,
    "submods": {
        "confidential_space": {"support_attributes": ["LATEST", "STABLE", "USABLE"]},
        "container": {
            "image_digest": DIGEST,
            "image_id": IMAGE_ID,
            "args": ["/app", "--serve"],
            "env": {"PATH": "/bin", "MODE": "a", "HOSTNAME": "vm"},
            "restart_policy": "Never",
        },
        "gce": {"project_number": "1", "instance_id": "2"},
    },
}


def rendered(form: str) -> bytes:
    return REFERENCE_VALUES.load(form).render(IMAGE)


# The forms.


@pytest.mark.parametrize("form", REFERENCE_VALUES.names())
def test_a_form_is_the_same_each_time_and_names_this_image_alone(form: str):
    data = rendered(form)

    assert data == rendered(form)
    text = json.dumps(_digests(form, data))
    assert DIGEST.removeprefix("sha256:") in text
    assert OTHER.removeprefix("sha256:") not in text


def _digests(form: str, data: bytes) -> object:
    if form == "corim":
        return data.hex()
    plain = json.loads(data)
    if form == "rvps":
        return base64.b64decode(plain["provenance"]).decode()
    return plain


def _condition(claims: dict[str, Any]) -> bool:
    """Evaluate the condition as the pool does: what cannot be evaluated is denied."""
    try:
        return cel.evaluate(
            json.loads(rendered("confidential_space"))["attributeCondition"], {"assertion": claims}
        )
    except (RuntimeError, ValueError, KeyError, TypeError):
        return False


def test_the_condition_lets_the_audited_image_in():
    assert _condition(CLAIMS) is True
    assert len(json.loads(rendered("confidential_space"))["attributeCondition"]) < 4096


CHANGES: tuple[Callable[[dict[str, Any]], object], ...] = (
    lambda c: c["submods"]["container"].update(image_digest=OTHER),
    lambda c: c["submods"]["container"].pop("image_digest"),
    lambda c: c["submods"]["container"].update(cmd_override=["sh"]),
    lambda c: c["submods"]["confidential_space"].update(support_attributes=["EXPERIMENTAL"]),
    lambda c: c.update(dbgstat="enabled"),
    lambda c: c.update(secboot=False),
    lambda c: c.update(swname="GCE"),
    lambda c: c.pop("submods"),
)


@pytest.mark.parametrize("change", CHANGES)
def test_the_condition_and_the_check_keep_out_whatever_is_not(
    change: Callable[[dict[str, Any]], object],
):
    claims = copy.deepcopy(CLAIMS)
    change(claims)

    assert _condition(claims) is False
    assert faults(claims, IMAGE)


def test_the_mapping_fits_into_the_subject():
    mapping = json.loads(rendered("confidential_space"))["attributeMapping"]
    subject = cel.evaluate(mapping["google.subject"], {"assertion": CLAIMS})

    assert subject == f"gcpcs::{DIGEST}::1::2"
    assert len(subject) + len("123456789012") + len("1234567890123456789") <= 127


def test_the_corim_holds_both_digests_under_the_drafts_keys():
    outer = cbor2.loads(rendered("corim"))
    assert outer.tag == 501
    inner = outer.value[1][0]
    assert inner.tag == 506
    comid = cbor2.loads(inner.value)
    [[environment, measurements]] = comid[4][0]
    assert environment == {0: {2: "app"}}
    assert {m[0]: m[1][2] for m in measurements} == {
        "image-digest": [[1, bytes.fromhex("a" * 64)]],
        "image-id": [[1, bytes.fromhex("b" * 64)]],
    }


def test_the_message_for_trustee_is_base64_in_json():
    plain = json.loads(rendered("rvps"))

    assert (plain["version"], plain["type"]) == ("0.1.0", "sample")
    assert json.loads(base64.b64decode(plain["provenance"]))["container_image_digest"] == [DIGEST]


# The launch policy.


@pytest.mark.parametrize(
    ("label", "value", "severity"),
    [
        ("allow_cmd_override", "true", Severity.ERROR),
        ("allow_cmd_override", "T", Severity.ERROR),
        ("allow_cmd_override", "yes", Severity.ERROR),  # Go's ParseBool: it does not start
        ("allow_cmd_override", "tRUE", Severity.ERROR),
        ("allow_cmd_override", "false", None),
        ("allow_cmd_override", "0", None),
        ("allow_capabilities", "true", Severity.ERROR),
        ("allow_cgroups", "1", Severity.WARNING),
        ("allow_env_override", "LD_PRELOAD", Severity.ERROR),
        ("allow_env_override", "MODE", Severity.NOTE),
        ("allow_env_override", "", None),
        ("allow_env_override", ",,", None),
        ("allow_env_override", "A, B", Severity.ERROR),
        ("allow_mount_destinations", "data", Severity.ERROR),
        ("allow_mount_destinations", "/usr", Severity.ERROR),
        ("allow_mount_destinations", "/", Severity.ERROR),
        ("allow_mount_destinations", "/data", Severity.NOTE),
        ("log_redirect", "always", Severity.WARNING),
        ("log_redirect", " Always ", Severity.WARNING),
        ("log_redirect", "debugonly", None),
        ("log_redirect", "sometimes", Severity.ERROR),
        ("hardened_monitoring", "memoryOnly", Severity.NOTE),
        ("hardened_monitoring", "none", None),
        ("hardened_monitoring", " none", Severity.ERROR),  # this one is not trimmed
        ("monitoring_memory_allow", "never", Severity.NOTE),
        ("monitoring_memory_allow", "nope", Severity.ERROR),
    ],
)
def test_a_label_means_what_the_launcher_makes_of_it(
    label: str, value: str, severity: Severity | None
):
    said = [one.severity for one in judge({PREFIX + label: value})]

    order = list(Severity)
    assert min(said, key=order.index, default=None) == severity


def test_a_typing_error_is_told_with_what_was_meant():
    (said,) = judge({PREFIX + "allow_cmd_overide": "false"})

    assert said.severity is Severity.ERROR
    assert f"did you mean {PREFIX}allow_cmd_override?" in said.message


def test_other_labels_are_no_launch_policy():
    assert judge({"maintainer": "x", "tee.launch": "x", "allow_cmd_override": "true"}) == ()


def test_old_and_new_monitoring_together_are_refused():
    both = {PREFIX + "monitoring_memory_allow": "never", PREFIX + "debug_monitoring": "none"}

    assert any("beside" in one.message for one in judge(both))


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_label_that_the_launcher_does_not_know_is_passed_over(name: str, value: str):
    label = PREFIX + "x" + name

    assert [one.label for one in judge({label: value})] == [label]


# Claims.


def test_claims_that_fit_have_no_fault():
    assert faults(CLAIMS, IMAGE) == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c["submods"]["container"].update(image_id=OTHER), "image_id is"),
        (lambda c: c["submods"]["container"].update(args=["/bin/sh"]), "it ran"),
        (lambda c: c["submods"]["container"].update(env_override={"X": "1"}), "'X' was set"),
        (lambda c: c["submods"]["container"]["env"].update(LD_PRELOAD="/x"), "'LD_PRELOAD' is"),
        (lambda c: c["submods"]["container"]["env"].update(PATH="/x"), "'PATH' is '/x'"),
        (lambda c: c["submods"]["container"].pop("env"), "no environment"),
        (lambda c: c.update(secboot=1), "secboot is 1"),
        (lambda c: c.update(hwmodel="GCP_SHIELDED_VM"), "hwmodel is 'GCP_SHIELDED_VM'"),
        (lambda c: c["submods"].update(container=[]), "no container"),
    ],
)
def test_what_does_not_fit_is_told(change: Callable[[dict[str, Any]], object], words: str):
    claims = copy.deepcopy(CLAIMS)
    change(claims)

    assert any(words in fault for fault in faults(claims, IMAGE)), faults(claims, IMAGE)


def test_an_override_that_the_image_allows_fits():
    claims = copy.deepcopy(CLAIMS)
    claims["submods"]["container"]["env"]["MODE"] = "b"
    assert faults(claims, IMAGE)
    claims["submods"]["container"]["env_override"] = {"MODE": "b"}
    assert faults(claims, IMAGE) == ()


def test_a_token_is_read_as_its_claims():
    body = base64.urlsafe_b64encode(json.dumps(CLAIMS).encode()).rstrip(b"=")

    assert (
        parse_claims(b"e30." + body + b".c2ln\n")
        == CLAIMS
        == parse_claims(json.dumps(CLAIMS).encode())
    )


@pytest.mark.parametrize(
    "data", [b"", b"a.b.c", b"..", b"[]", b"{", b"\xff.\xff.\xff", b"[" * 99999]
)
def test_what_is_no_token_is_malformed(data: bytes):
    with pytest.raises(MalformedError, match="no claims of a token"):
        parse_claims(data)


@given(
    st.dictionaries(st.sampled_from(["submods", "swname", "secboot"]), st.integers() | st.text())
)
def test_claims_of_any_shape_are_judged_and_never_fit(claims: dict[str, Any]):
    assert faults(claims, IMAGE)


# The command.


def type_in(*words: str | Path) -> subprocess.CompletedProcess[bytes]:
    argv = [sys.executable, "-m", "repaudit", "reference-values", *map(str, words)]
    return subprocess.run(argv, capture_output=True)


def test_a_kept_run_gives_its_own_digests(tmp_path: Path):
    run = kept_run(tmp_path / "run")
    known = gather(run, signer="", issued=0)
    image = audited(run, known)

    assert image.digest == known.rebuilt[0].digest
    assert image.arguments == ("/app",)
    done = type_in(run, "--for", "intel")
    assert done.returncode == 2
    assert b"for: confidential-space, corim" in done.stderr
    done = type_in(run, "--for", "confidential-space")
    assert done.returncode == 0, done.stderr
    assert image.digest.encode() in done.stdout


def test_a_dangerous_label_is_a_fault_but_the_values_are_written(tmp_path: Path):
    config = image_config(**{PREFIX + "allow_cmd_override": "true"})
    done = type_in(kept_run(tmp_path / "run", config, config), "--for", "opa")

    assert done.returncode == 1
    assert b"allow_cmd_override: who starts it may change the command" in done.stderr
    assert json.loads(done.stdout)["allowed_secboot"] == [True]


@pytest.mark.parametrize(("verdict", "status"), [("unreproducible", 1), ("inconclusive", 3)])
def test_an_image_that_is_not_reproducible_has_no_reference_values(
    verdict: str, status: int, tmp_path: Path
):
    done = type_in(kept_run(tmp_path / "run", verdict=Verdict(verdict)), "--for", "opa")

    assert (done.returncode, done.stdout) == (status, b"")
    assert verdict.encode() in done.stderr


def test_a_token_is_compared(tmp_path: Path):
    run = kept_run(tmp_path / "run")
    token = tmp_path / "token"
    token.write_text(json.dumps(CLAIMS))
    done = type_in(run, "--token", token)

    assert done.returncode == 1
    assert b"token: image_digest is" in done.stdout
    token.write_text("nothing")
    assert type_in(run, "--token", token).returncode == 3
    assert type_in(run).returncode == 2
    assert type_in(run, "--for", "nobody").returncode == 2
