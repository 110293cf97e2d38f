"""Every golden case, live: its hand-written truth against a real rebuild."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from repaudit import audit
from repaudit.audit import RebuildRequest
from repaudit.cli.progress import Silent
from repaudit.model.experiment import SETTABLE
from repaudit.model.finding import Finding
from repaudit.model.report import Report
from tests import accuracy

GOLDEN = Path(__file__).parent.parent / "golden"
#: Planted causes and their repaired neighbours have a judge of their own: see tests/accuracy.py.
PLANTED = {name for case in accuracy.CASES for name in (case, accuracy.clean(case))}
CASES = sorted({path.parent.name for path in GOLDEN.glob("*/case.toml")} - PLANTED)
FACTORS = [name for name in CASES if name.startswith("factor-")]
#: Those in which what breaks the build is searched for.
SLOW = {"breaks-twice", "breaks-umask"}

pytestmark = pytest.mark.live


def truth(case: str) -> dict[str, Any]:
    return tomllib.loads((GOLDEN / case / "case.toml").read_text("utf-8"))


def held_by(case: str) -> dict[str, bytes]:
    """What is in the folder of a case."""
    files = (path for path in (GOLDEN / case).rglob("*") if path.is_file())
    return {path.relative_to(GOLDEN).as_posix(): path.read_bytes() for path in files}


def rebuild(case: str, **words: Any) -> Report:
    words.setdefault("timestamp", truth(case).get("timestamp", "1700000000"))
    request = RebuildRequest(context=GOLDEN / case, **words)
    return audit.rebuild(request, Silent())


def matches(finding: Finding, wanted: dict[str, Any]) -> bool:
    places = {(d.path, d.aspect.value) for d in finding.differences}
    line = finding.instruction.line if finding.instruction else None
    return (
        ("path" not in wanted or (wanted["path"], wanted["aspect"]) in places)
        and wanted["factor"] in [suspect.factor for suspect in finding.factors]
        and wanted.get("cause", finding.cause.slug) == finding.cause.slug
        and wanted.get("line", line) == line
    )


def told(report: Report) -> list[tuple[object, ...]]:
    return [
        (
            f.cause.slug,
            [s.factor for s in f.factors],
            f.instruction.line if f.instruction else None,
            [(d.path, d.aspect.value) for d in f.differences][:6],
        )
        for f in report.findings
    ]


@pytest.fixture(autouse=True)
def _storage(golden_storage: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in golden_storage.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=[pytest.mark.slow] * (case in SLOW)) for case in CASES],
)
def test_the_hand_written_truth_is_what_a_rebuild_finds(case: str) -> None:
    wanted, before = truth(case), held_by(case)
    report = rebuild(case, vary=tuple(wanted.get("vary", ())))

    # Some try to write to the context, and to the host.
    assert held_by(case) == before
    assert not Path("/repaudit-was-here").exists()
    expect = wanted["expect"]
    assert expect["verdict"] == report.verdict.value, (told(report), report.problems)
    for finding in expect.get("finding", ()):
        assert any(matches(f, finding) for f in report.findings), (finding, told(report))
    paths = [d.path for f in report.findings for d in f.differences]
    for silent in expect.get("silent", ()):
        assert not [p for p in paths if p == silent or p.startswith(silent + "/")]
    held, limits = ({h.factor for h in some} for some in (report.held, report.limits))
    assert set(expect.get("held", ())) <= held
    assert set(expect.get("limits", ())) <= limits
    for aspect, count in expect.get("findings", {}).items():
        found = [f for f in report.findings if aspect in {d.aspect.value for d in f.differences}]
        assert count == len(found), told(report)


@pytest.mark.parametrize("case", FACTORS)
def test_a_factor_that_is_held_is_silent(case: str) -> None:
    factor = case.removeprefix("factor-")
    report = rebuild(case, hold=(factor,))

    blamed = {suspect.factor for finding in report.findings for suspect in finding.factors}
    assert factor not in report.varied
    assert factor not in blamed, told(report)


def test_every_factor_has_a_golden_case() -> None:
    assert {f"factor-{name}" for name in SETTABLE} == set(FACTORS)


@pytest.mark.slow
@pytest.mark.parametrize(
    "case", ["combo-everything", "combo-clock-and-umask", "combo-locale-and-timezone"]
)
def test_explaining_demonstrates_each_factor_and_blames_no_other(case: str) -> None:
    wanted = truth(case)["expect"]["finding"]
    report = rebuild(case, explain=True)

    assert 4 <= len(report.runs) <= 10
    by_place: dict[tuple[str, str], set[str]] = {}
    for finding in report.findings:
        for suspect in finding.factors:
            for difference in finding.differences:
                key = (difference.path, difference.aspect.value)
                by_place.setdefault(key, set()).add(f"{suspect.factor} {suspect.confidence}")
    for finding in wanted:
        blamed = by_place[finding["path"], finding["aspect"]]
        assert f"{finding['factor']} demonstrated" in blamed, told(report)
        both = {f["factor"] for f in wanted if f["path"] == finding["path"]}
        if finding["path"] != "srv/environment":  # which holds six factors' variables
            assert {word.partition(" ")[0] for word in blamed} <= both
    assert not [f for f in report.findings if f.cause.slug == "unexplained"], told(report)
    # Only what names the layers follows other findings and has no factor of its own.
    bare = {f.cause.slug for f in report.findings if not f.factors}
    assert bare <= {"names_of_intermediate_images"}


def test_explaining_what_is_random_blames_no_factor() -> None:
    report = rebuild("combo-random", explain=True)

    blamed = {suspect.factor for finding in report.findings for suspect in finding.factors}
    assert blamed <= {"random", "concurrency"}


def test_explaining_what_is_clean_takes_three_builds() -> None:
    report = rebuild("clean-repaired", explain=True)

    assert report.verdict == "reproducible"
    assert len(report.runs) == 3
