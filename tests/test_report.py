"""The report: its schema, its way to JSON and back, and the laws of every reporter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from repaudit.forensics import cause
from repaudit.model.canonical import report_from_json, report_schema, to_json
from repaudit.model.difference import Aspect, Difference
from repaudit.model.digest import Descriptor
from repaudit.model.errors import MalformedError
from repaudit.model.experiment import INTRINSIC, SETTABLE, Held, Outcome, Role
from repaudit.model.finding import (
    Confidence,
    Evidence,
    EvidenceKind,
    Finding,
    Instruction,
    Process,
    Suspect,
)
from repaudit.model.image import Image, ImageSet, Layer
from repaudit.model.report import SCHEMA, LayerRecord, Problem, Report, RunRecord, Subject, Verdict
from repaudit.reporters import REPORTERS, Reporter, Surface
from tests import strategies
from tests.schemas import closed

ROOT = Path(__file__).parent.parent
#: Nothing here depends on how long anything takes.
many = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=60,
    deadline=None,
)
WRITE = ".venv/bin/python -m tests.test_report > repaudit/model/report-1.schema.json"

# The schema. It is what msgspec makes of the types, and these, which the types cannot say.

_DIGEST = {
    "type": "string",
    "pattern": "^sha(256:[0-9a-f]{64}|384:[0-9a-f]{96}|512:[0-9a-f]{128})$",
}
_SETTABLE = {"enum": list(SETTABLE)}
TIGHTER: dict[tuple[str, str], dict[str, Any]] = {
    ("Report", "schema"): {"const": SCHEMA},
    ("Report", "varied"): {"type": "array", "items": _SETTABLE, "uniqueItems": True},
    ("Subject", "timestamp"): {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}]},
    ("Held", "factor"): _SETTABLE,
    ("RunRecord", "image"): {"anyOf": [_DIGEST, {"type": "null"}]},
    ("RunRecord", "levels"): {
        "type": "object",
        "propertyNames": _SETTABLE,
        "additionalProperties": {"type": "string"},
    },
    ("Finding", "id"): {"type": "string", "pattern": "^[0-9a-f]{12}$"},
    ("Cause", "slug"): {"type": "string", "pattern": "^[a-z0-9]+(_[a-z0-9]+)*$"},
    ("Suspect", "factor"): {"enum": [*SETTABLE, *INTRINSIC]},
    ("Instruction", "line"): {"type": "integer", "minimum": 1},
    ("LayerRecord", "index"): {"type": "integer", "minimum": 0},
    ("LayerRecord", "size"): {"type": "integer", "minimum": 0},
    ("Difference", "layer"): {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}]},
}


def schema() -> dict[str, Any]:
    """Return the schema of the report: closed, and every key is there."""
    return closed(Report, SCHEMA, TIGHTER)


def valid(data: bytes) -> None:
    jsonschema.Draft202012Validator(report_schema()).validate(json.loads(data))


DIFFERENCE = Difference(
    layer=1, path="srv/a", aspect=Aspect.CONTENT, left="sha256:a", right="sha256:b", detail="-a\n+b"
)
FINDING = Finding(
    id="0123456789ab",
    cause=cause("captures_hostname"),
    factors=(Suspect(factor="hostname", confidence=Confidence.INDICATED),),
    instruction=Instruction(file="Containerfile", line=3, text="RUN hostname > /srv/a", stage="0"),
    process=Process(argv=("sh", "-c"), executable="/bin/sh", cwd="/"),
    evidence=(
        Evidence(kind=EvidenceKind.CANARY, source="canary", detail="host-a", runs=("control",)),
    ),
    differences=(DIFFERENCE,),
)
REPORT = Report(
    verdict=Verdict.UNREPRODUCIBLE,
    subject=Subject(context=".", containerfile="Containerfile", builder="buildah", timestamp=0),
    varied=("hostname",),
    held=(Held(factor="build_path", reason="no step sees it"),),
    limits=(Held(factor="time", reason="not in every step"),),
    runs=(
        RunRecord(
            name="control",
            role=Role.CONTROL,
            levels={"umask": "0022", "cpus": "4"},
            outcome=Outcome.BUILT,
            image="sha256:" + "0" * 64,
        ),
    ),
    findings=(FINDING,),
    problems=(Problem(message="something", hint="do this"),),
)


def changed(**more: Any) -> dict[str, Any]:
    return json.loads(to_json(REPORT)) | more


def test_the_schema_that_ships_is_that_of_the_types():
    assert schema() == report_schema(), f"write it again: {WRITE}"


def test_the_schema_is_one_and_canonical():
    path = ROOT / "repaudit" / "model" / "report-1.schema.json"

    jsonschema.Draft202012Validator.check_schema(report_schema())
    assert to_json(report_schema()) == path.read_bytes(), f"write it again: {WRITE}"


def test_every_object_of_the_schema_is_closed_and_every_key_is_there():
    for name, definition in report_schema()["$defs"].items():
        if "enum" not in definition:
            assert definition["additionalProperties"] is False, name
            assert sorted(definition["properties"]) == sorted(definition["required"]), name


@pytest.mark.parametrize(
    ("name", "values"),
    [("Aspect", Aspect), ("Verdict", Verdict), ("Confidence", Confidence), ("Role", Role)],
)
def test_the_schema_lists_what_may_be_said(name, values):
    assert sorted(report_schema()["$defs"][name]["enum"]) == sorted(v.value for v in values)


@pytest.mark.parametrize(
    "wrong",
    [
        {"schema": "repaudit-report/2"},
        {"verdict": "maybe"},
        {"when": "now"},
        {"varied": ["weather"]},
        {"varied": ["time", "time"]},
        {"varied": ["random"]},
        {"held": [{"factor": "time"}]},
        {"held": [{"factor": "random", "reason": "nobody sets it"}]},
        {"subject": {}},
        {"findings": [{**json.loads(to_json(FINDING)), "id": "1"}]},
        {"findings": [{**json.loads(to_json(FINDING)), "factors": ["hostname"]}]},
    ],
)
def test_the_schema_refuses_what_is_none(wrong):
    valid(json.dumps(changed()).encode())
    with pytest.raises(jsonschema.ValidationError):
        valid(json.dumps(changed(**wrong)).encode())


# Layers.


def images(*sizes: int, platforms: int = 1) -> ImageSet:
    layers = tuple(
        Layer(
            index=n,
            descriptor=Descriptor(media_type="", digest=f"sha256:{n:064}", size=size),
            diff_id=f"sha256:{n:064}",
        )
        for n, size in enumerate(sizes)
    )
    image = Image(
        platform="linux/amd64",
        manifest=None,
        manifest_digest=None,
        config=b"{}",
        config_digest="sha256:" + "0" * 64,
        layers=layers,
    )
    return ImageSet(digest="", index=None, images=(image,) * platforms)


def test_layers_have_their_size_and_their_line():
    line = Instruction(file="Containerfile", line=2, text="RUN a", stage="0")
    found = LayerRecord.all_of(images(30, 20, 10), (None, line))

    assert [(one.index, one.size, one.instruction) for one in found] == [
        (0, 30, None),
        (1, 20, line),
        (2, 10, None),
    ]


def test_layers_of_several_platforms_would_be_mixed_up():
    assert LayerRecord.all_of(images(30, 20, platforms=2)) == ()


# To JSON and back.


@many
@given(strategies.reports)
def test_json_is_valid_by_its_schema_and_reads_back_as_the_same_report(report: Report):
    data = REPORTERS.load("json").render(report, Surface())

    valid(data)
    assert report_from_json(data) == report
    assert to_json(report_from_json(data)) == data


def test_json_is_ascii_sorted_and_ends_in_one_newline():
    data = to_json({"b": "\u202eé\udc80", "a": 1})

    assert data == b'{\n  "a": 1,\n  "b": "\\u202e\\u00e9\\udc80"\n}\n'


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "not a report"),
        (b"{", "not a report"),
        (b"\xff\xfe\xfd", "not a report"),
        (b"[]", "schema None"),
        (b"null", "schema None"),
        (b'{"schema": "repaudit-report/2"}', "repaudit-report/2"),
        (b'{"schema": ["repaudit-report/1"]}', "not repaudit-report/1"),
        (b'{"schema": "repaudit-report/1"}', "breaks its schema"),
        (json.dumps(changed(verdict="maybe")).encode(), "breaks its schema"),
        (json.dumps(changed(subject=None)).encode(), "breaks its schema"),
        (json.dumps(changed(findings=[{}])).encode(), "breaks its schema"),
        (b'{"schema": "repaudit-report/1", "verdict": NaN, "subject": {}}', "breaks its schema"),
    ],
)
def test_what_is_no_report_is_refused_and_says_why(data: bytes, told: str):
    with pytest.raises(MalformedError, match=told) as caught:
        report_from_json(data)

    assert caught.value.exit_code == 3


def test_a_report_of_another_version_names_the_way_out():
    with pytest.raises(MalformedError) as caught:
        report_from_json(b'{"schema": "repaudit-report/2"}')

    assert "version of repaudit" in caught.value.hint


@pytest.mark.parametrize("data", [b"{", json.dumps(changed(verdict="maybe")).encode()])
def test_a_broken_report_names_the_way_out(data: bytes):
    with pytest.raises(MalformedError) as caught:
        report_from_json(data)

    assert caught.value.hint


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 100_000,
        b'{"schema": "repaudit-report/1", "verdict": "\\ud800", "subject": {}}',
        b'{"schema": "repaudit-report/1", "verdict": "reproducible", "subject": {"\\ud800": 1}}',
    ],
    ids=["deep", "surrogate-verdict", "surrogate-key"],
)
def test_a_hostile_report_is_malformed_not_a_crash(data: bytes):
    with pytest.raises(MalformedError):
        report_from_json(data)


@many
@given(st.binary(max_size=40) | st.text(max_size=40).map(lambda text: text.encode("utf-8")))
def test_any_bytes_are_a_report_or_malformed(data: bytes):
    with pytest.raises(MalformedError):
        report_from_json(data)


@pytest.mark.parametrize(("verdict", "code"), list(zip(Verdict, (0, 1, 3), strict=True)))
def test_each_verdict_has_its_exit_code(verdict: Verdict, code: int):
    assert verdict.exit_code == code


# The laws of every reporter.

SURFACES = [Surface(), Surface(columns=60), Surface(columns=200, colour=True)]
#: Two strangers' environments: neither may change a byte.
ENVIRONMENTS = (
    {
        "LC_ALL": "C",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONUTF8": "0",
        "TZ": "UTC",
        "PYTHONHASHSEED": "1",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "COLUMNS": "20",
    },
    {
        "LC_ALL": "et_EE.UTF-8",
        "LANGUAGE": "et",
        "TZ": "<+14>-14",
        "PYTHONHASHSEED": "2",
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "FORCE_COLOR": "1",
        "COLUMNS": "300",
    },
)
RENDER = """
import os, sys
from repaudit.model.canonical import report_from_json
from repaudit.reporters import REPORTERS, Surface
report = report_from_json(sys.stdin.buffer.read())
name, columns, colour, umask = sys.argv[1:]
os.umask(int(umask, 8))
surface = Surface(columns=int(columns), colour=colour == "True")
sys.stdout.buffer.write(REPORTERS.load(name).render(report, surface))
"""


#: A report is drawn once for all of them: to draw it takes longer than to render it.
EACH = tuple(REPORTERS.load(name) for name in REPORTERS.names())


@pytest.fixture(params=REPORTERS.names())
def reporter(request: pytest.FixtureRequest) -> Reporter:
    return REPORTERS.load(request.param)


def elsewhere(name: str, surface: Surface, environment: dict[str, str], umask: str) -> bytes:
    words = [name, str(surface.columns), str(surface.colour), umask]
    return subprocess.run(
        [sys.executable, "-c", RENDER, *words],
        input=to_json(HOSTILE_REPORT),
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment},
        cwd="/",
        capture_output=True,
        check=True,
    ).stdout


def hostile_finding(text: str) -> Finding:
    difference = Difference(
        layer=0, path=text, aspect=Aspect.LINK, left=text, right=None, detail=None
    )
    shown = Difference(
        layer=None, path=text, aspect=Aspect.CONTENT, left=text, right=text, detail=text
    )
    return Finding(
        id="abcdefabcdef",
        cause=cause("unexplained"),
        factors=(),
        instruction=Instruction(file=text, line=1, text=text, stage=text),
        process=Process(argv=(text,), executable=text, cwd=text),
        evidence=(Evidence(kind=EvidenceKind.TRACE, source="x", detail=text),),
        differences=(difference, shown),
    )


def hostile_report(text: str) -> Report:
    return Report(
        verdict=Verdict.INCONCLUSIVE,
        subject=Subject(context=text, containerfile=text, builder="buildah"),
        held=(Held(factor="time", reason=text),),
        limits=(Held(factor="time", reason=text),),
        findings=(hostile_finding(text),),
        problems=(Problem(message=text, hint=text),),
    )


HOSTILE_REPORT = hostile_report("".join(strategies.HOSTILE))


@many
@given(report=strategies.reports, surface=st.sampled_from(SURFACES))
def test_the_same_report_is_the_same_bytes(report, surface):
    for reporter in EACH:
        data = reporter.render(report, surface)

        assert data == reporter.render(report, surface), reporter.name
        assert data.endswith(b"\n"), reporter.name


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=["c", "estonian"])
@pytest.mark.parametrize("surface", [SURFACES[0], SURFACES[2]], ids=["plain", "colour"])
def test_no_environment_changes_a_byte(reporter: Reporter, surface: Surface, environment):
    umask = "0077" if environment["LC_ALL"] == "C" else "0000"

    here = reporter.render(HOSTILE_REPORT, surface)
    assert here == elsewhere(reporter.name, surface, environment, umask)


def test_no_terminals_idea_of_unicode_changes_a_byte(tmp_path: Path):
    """rich measures wide characters by this variable; the command line pins it."""
    path = tmp_path / "report.json"
    path.write_bytes(REPORTERS.load("json").render(HOSTILE_REPORT, Surface()))
    argv = [sys.executable, "-m", "repaudit", "report", str(path)]

    sides = [
        subprocess.run(argv, capture_output=True, env=os.environ | {"UNICODE_VERSION": version})
        for version in ("4.1.0", "latest")
    ]
    assert sides[0].stdout
    assert sides[0].stdout == sides[1].stdout


@many
@given(report=strategies.reports, surface=st.sampled_from(SURFACES))
def test_every_findings_id_and_the_verdict_appear(report, surface):
    for reporter in EACH:
        data = reporter.render(report, surface).decode()

        # GitLab's format is a bare list of issues, and empty is its way to say that all is well.
        assert reporter.name == "codequality" or report.verdict.value in data, reporter.name
        lost = [finding.id for finding in report.findings if finding.id not in data]
        assert lost == [], reporter.name


def raw(data: bytes, *, colour: bool = False) -> list[str]:
    """Return what of the bytes would speak to a terminal; our own colours do not."""
    text = data.decode("utf-8")
    if colour:
        text = "".join(part.partition("m")[2] for part in ("\x1b[0m" + text).split("\x1b["))
    return sorted({c for c in text if not c.isprintable()} - {"\n"})


@many
@given(text=strategies.hostile_texts, surface=st.sampled_from(SURFACES))
def test_a_hostile_name_never_speaks_to_the_terminal(text, surface):
    one = hostile_report(text)
    two = Report(verdict=Verdict.UNREPRODUCIBLE, subject=Subject(left=text, right=text))

    for reporter in EACH:
        assert raw(reporter.render(one, surface), colour=surface.colour) == [], reporter.name
        assert raw(reporter.render(two, surface), colour=surface.colour) == [], reporter.name


def test_a_hostile_name_cannot_forge_a_line():
    """One line break in a path is one escape, not a second line of the report."""
    lines = REPORTERS.load("text").render(hostile_report("a\nreproducible"), Surface()).splitlines()

    assert not [line for line in lines if line.startswith(b"reproducible")]
    assert [line for line in lines if b"a\\nreproducible" in line]


@pytest.mark.parametrize("text", ["\x1b[2J", "\u202e", "\n", "\r"])
def test_a_strangers_report_cannot_speak_through_its_causes_and_ids(text: str):
    """`repaudit report RUN` renders what anybody may have written."""
    plain = json.loads(to_json(REPORT))
    finding = plain["findings"][0]
    finding["id"] = f"id{text}"
    finding["cause"] = dict.fromkeys(("slug", "title", "remedy"), f"a{text}b")
    finding["factors"][0]["factor"] = f"time{text}"
    plain["varied"] = [f"time{text}"]
    plain["runs"][0]["image"] = f"sha256{text}"
    report = report_from_json(json.dumps(plain).encode())

    data = REPORTERS.load("text").render(report, Surface())
    assert raw(data) == []
    assert f"a{repr(text)[1:-1]}b" in data.decode()


def test_a_plain_name_is_shown_as_it_is():
    data = REPORTERS.load("text").render(hostile_report("日本/é [bold]:smile:"), Surface())

    assert "日本/é [bold]:smile:" in data.decode()


def test_colour_is_there_on_request_only():
    plain, coloured = (
        REPORTERS.load("text").render(REPORT, Surface(columns=100, colour=c)) for c in (False, True)
    )

    assert b"\x1b" not in plain
    assert b"\x1b" in coloured


def test_the_text_tells_what_a_person_needs():
    text = REPORTERS.load("text").render(REPORT, Surface()).decode()

    for word in ("unreproducible", "Containerfile:3", "captures_hostname", "srv/a", "hostname"):
        assert word in text
    for word in (FINDING.cause.remedy[:20], "no step sees it", "0 unexplained"):
        assert word in text


def test_a_claim_of_sameness_names_its_scope():
    same, other = (
        replace(REPORT, verdict=verdict, findings=(), problems=())
        for verdict in (Verdict.REPRODUCIBLE, Verdict.INCONCLUSIVE)
    )
    told = [REPORTERS.load("text").render(r, Surface()).decode() for r in (same, other)]

    assert ["were not tried" in text for text in told] == [True, False]
    assert all("build_path: no step sees it" in text for text in told)


def test_many_files_are_counted_and_not_all_listed():
    many_files = tuple(
        Difference(layer=0, path=f"srv/{n:04}", aspect=Aspect.MTIME, left="1", right="2")
        for n in range(1203)
    )
    finding = Finding(
        id="abcdefabcdef",
        cause=cause("layer_mtimes_not_clamped"),
        factors=(),
        instruction=None,
        process=None,
        evidence=(),
        differences=many_files,
    )
    report = Report(verdict=Verdict.UNREPRODUCIBLE, subject=Subject(), findings=(finding,))

    text = REPORTERS.load("text").render(report, Surface()).decode()
    assert "1203 files" in text
    assert "srv/1202" not in text
    assert b"srv/1202" in REPORTERS.load("json").render(report, Surface())


if __name__ == "__main__":
    sys.stdout.buffer.write(to_json(schema()))
