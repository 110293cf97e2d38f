"""The JSON Schemas of what the gate, the history and `verify` write: they ship, and they hold.

    python -m tests.test_schemas

writes them again. Those of the report, of pins and of the predicate are tested beside these.
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repaudit.host.history import History
from repaudit.model.canonical import shipped_schema, to_json
from repaudit.model.gate import GATE_SCHEMA, GateResult
from repaudit.model.history import NIGHT_SCHEMA, Light, Night, Source
from repaudit.model.published import VERIFY_SCHEMA, Built, Identity, VerifyResult
from repaudit.model.sign_off import KINDS, SIGN_OFF_SCHEMA, SignOff
from repaudit.stages.allow import BASELINE_SCHEMA, Baseline, Rules, baseline_of
from repaudit.stages.gate import judge
from repaudit.stages.verify import compare_releases, verify
from tests.schemas import closed
from tests.test_gate import BUILD_INFO, OTHER, allowance, report
from tests.test_report import TIGHTER as OF_REPORT

MODEL = Path(__file__).parent.parent / "repaudit" / "model"
WRITE = "write them again: .venv/bin/python -m tests.test_schemas"
DAY = date(2027, 1, 1)
_COMMIT = {"type": "string", "pattern": "^[0-9a-f]{40}([0-9a-f]{24})?$"}
_ID = {"type": "string", "pattern": "^[0-9a-f]{12}$"}
_IDS = {"type": "array", "items": _ID, "uniqueItems": True}
_DIGEST = {
    "type": "string",
    "pattern": "^sha(256:[0-9a-f]{64}|384:[0-9a-f]{96}|512:[0-9a-f]{128})$",
}
_DAY = {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}
_ONCE = {"minimum": 1, "type": "integer"}
#: name: (type, what is tighter than the type says)
SHIPPED: dict[str, tuple[type, dict[tuple[str, str], dict[str, Any]]]] = {
    GATE_SCHEMA: (
        GateResult,
        {
            ("GateResult", "schema"): {"const": GATE_SCHEMA},
            ("Excuse", "by"): {"enum": ["allow", "baseline"]},
            ("Change", "finding"): _ID,
            ("Source", "commit"): _COMMIT,
            ("Point", "sequence"): {"anyOf": [_ONCE, {"type": "null"}]},
            ("Flaky", "seen"): _ONCE,
            ("Flaky", "nights"): _ONCE,
            ("Told", "counting"): _IDS,
            ("Told", "excused"): _IDS,
        },
    ),
    NIGHT_SCHEMA: (
        Night,
        OF_REPORT
        | {
            ("Night", "schema"): {"const": NIGHT_SCHEMA},
            ("Night", "excused"): _IDS,
            ("Source", "commit"): _COMMIT,
        },
    ),
    BASELINE_SCHEMA: (
        Baseline,
        {
            ("Baseline", "schema"): {"const": BASELINE_SCHEMA},
            ("Baseline", "images"): {"type": "object", "additionalProperties": _IDS},
        },
    ),
    VERIFY_SCHEMA: (VerifyResult, {("VerifyResult", "schema"): {"const": VERIFY_SCHEMA}}),
    SIGN_OFF_SCHEMA: (
        SignOff,
        {
            ("SignOff", "schema"): {"const": SIGN_OFF_SCHEMA},
            ("SignOff", "hosts"): {"const": 1},
            ("SignOff", "reference"): _DIGEST,
            ("SignOff", "report"): _DIGEST,
            ("KnownBy", "digest"): _DIGEST,
            ("KnownBy", "kind"): {"enum": list(KINDS)},
            ("Accepted", "finding"): _ID,
            ("Accepted", "until"): _DAY,
            ("SourceState", "commit"): _COMMIT,
            ("Submodule", "state"): {"enum": ["clean", "changed", "absent"]},
            ("DatedBase", "digest"): _DIGEST,
            ("PolicyRemark", "severity"): {"enum": ["error", "warning", "note"]},
        },
    ),
}


def path_of(name: str) -> Path:
    return MODEL / f"{name.removeprefix('repaudit-').replace('/', '-')}.schema.json"


def valid(name: str, data: bytes) -> bool:
    plain = json.loads(data)
    assert plain["schema"] == name
    return bool(jsonschema.Draft202012Validator(shipped_schema(name)).is_valid(plain))


@pytest.mark.parametrize("name", SHIPPED)
def test_what_ships_is_the_schema_of_the_type(name: str):
    kind, tighter = SHIPPED[name]

    assert to_json(closed(kind, name, tighter)) == path_of(name).read_bytes(), WRITE
    jsonschema.Draft202012Validator.check_schema(shipped_schema(name))


def test_every_file_is_called_by_what_it_describes():
    for path in MODEL.glob("*.schema.json"):
        title = json.loads(path.read_bytes())["title"]
        assert path_of(title) == path
        assert shipped_schema(title)["title"] == title


@given(
    st.sets(st.sampled_from((BUILD_INFO, OTHER))),
    st.none() | st.builds(Source, commit=st.just("0" * 40), dirty=st.booleans()),
    st.booleans(),
    st.booleans(),
)
def test_what_the_gate_says_and_keeps_obeys(found, source, allowed, known):
    baseline = Baseline(images={"app": [OTHER.id]}) if known else None
    allow = (allowance(days=400),) if allowed else ()
    rules = Rules(today=DAY, allow=allow, baseline=baseline)
    one = report(*sorted(found, key=lambda finding: finding.id))

    judgement, night = judge("app", one, source, (), rules)
    result = GateResult(light=judgement.light, images=(judgement,), warnings=())

    assert valid(GATE_SCHEMA, to_json(result))
    assert valid(NIGHT_SCHEMA, to_json(night))
    assert valid(BASELINE_SCHEMA, baseline_of([("app", one.findings)]))


def test_what_lies_in_a_history_obeys_and_a_foreign_key_does_not(tmp_path: Path):
    night = Night(image="app", light=Light.GREEN, source=None, excused=(), report=report())
    History(tmp_path).append(night)
    (kept,) = (tmp_path / "nights").iterdir()

    assert valid(NIGHT_SCHEMA, kept.read_bytes())
    assert not valid(NIGHT_SCHEMA, to_json(json.loads(kept.read_bytes()) | {"clock": 1}))


def test_what_verify_says_obeys():
    digest, other = ("sha256:" + digit * 64 for digit in "ab")
    built = [Built(name="app", identities=(Identity(kind="manifest", digest=digest),))]

    for published in ({"app": digest}, {"app": other}, {"base": digest}):
        assert valid(VERIFY_SCHEMA, to_json(verify(published, built)))
    assert valid(VERIFY_SCHEMA, to_json(compare_releases({"app": digest}, {"app": other}, ())))


if __name__ == "__main__":
    for shipped, (of, more) in SHIPPED.items():
        path_of(shipped).write_bytes(to_json(closed(of, shipped, more)))
