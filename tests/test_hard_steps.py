"""Steps that bear no library of ours, or no tracer: the image is judged all the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from repaudit import audit
from repaudit.audit import RebuildRequest
from repaudit.cli.progress import Silent
from repaudit.host import process
from repaudit.model.finding import Confidence
from repaudit.model.report import Report, Verdict
from tests import live

pytestmark = pytest.mark.live


_buildah = process.run(["buildah", "version", "--json"]).stdout or b'{"version": "9"}'
needs_old_buildah = pytest.mark.skipif(
    [int(part) for part in json.loads(_buildah)["version"].split(".")[:2]] >= [1, 33],
    reason="this buildah reads heredocs",
)


@pytest.fixture(autouse=True)
def _storage(golden_storage: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in golden_storage.items():
        monkeypatch.setenv(name, value)


def explained(folder: Path, step: str) -> Report:
    (folder / "Containerfile").write_text(f"FROM {live.GOLDEN}\nRUN umask 022 && {step}\n", "utf-8")
    request = RebuildRequest(context=folder, vary=("hostname", "time"), timestamp="0", explain=True)
    return audit.rebuild(request, Silent())


def test_a_step_that_fails_under_a_preload_is_judged_by_the_other_factors(tmp_path: Path) -> None:
    report = explained(tmp_path, 'test -z "$LD_PRELOAD" && hostname > /srv/name')

    assert report.varied == ("hostname",)
    (held,) = [held for held in report.held if held.factor == "time"]
    assert held.reason.startswith("the build fails where its programs are told the time: ")
    assert report.verdict is Verdict.UNREPRODUCIBLE
    (finding,) = [f for f in report.findings if f.differences[0].path == "srv/name"]
    assert [(s.factor, s.confidence) for s in finding.factors] == [
        ("hostname", Confidence.DEMONSTRATED)
    ]


def test_a_step_that_fails_on_its_own_is_no_answer(tmp_path: Path) -> None:
    report = explained(tmp_path, "false")

    assert report.verdict is Verdict.INCONCLUSIVE
    assert report.varied == ()


def test_a_step_that_traces_itself_has_its_cause_and_no_process(tmp_path: Path) -> None:
    ask = "exit(syscall(101, 0, 0, 0, 0) == -1)"  # ptrace(PTRACE_TRACEME)
    report = explained(tmp_path, f"perl -e '{ask}' && date +%Y > /srv/year")

    (finding,) = [f for f in report.findings if f.differences[0].path == "srv/year"]
    assert [(s.factor, s.confidence) for s in finding.factors] == [
        ("time", Confidence.DEMONSTRATED)
    ]
    assert finding.process is None
    assert any("the build fails under a tracer" in e.detail for e in finding.evidence)


@needs_old_buildah
def test_where_the_builder_knows_no_heredoc_the_way_out_says_so(tmp_path: Path) -> None:
    """As Debian 12's does not; it takes the lines below for instructions."""
    step = "cat > /srv/file <<EOF\necho hello\nEOF"
    report = explained(tmp_path, step)

    assert report.verdict is Verdict.INCONCLUSIVE
    assert "buildah reads heredocs from version 1.33 on" in report.problems[0].hint


def test_where_a_build_fails_for_another_reason_heredocs_are_not_to_blame(tmp_path: Path) -> None:
    report = explained(tmp_path, "exit 3\nRUN cat <<EOF\nhello\nEOF")

    assert report.verdict is Verdict.INCONCLUSIVE
    assert "heredoc" not in report.problems[0].hint


def test_where_a_time_is_too_early_for_a_zip_file_the_way_out_names_a_later_one(
    tmp_path: Path,
) -> None:
    for step, says in (("{ echo no times before 1980 >&2; exit 1; }", True), ("exit 1", False)):
        report = explained(tmp_path, step)

        assert report.verdict is Verdict.INCONCLUSIVE
        assert ("--timestamp" in report.problems[0].hint) == says


def test_what_a_later_line_gives_another_owner_stands_under_the_line_that_wrote_it(
    tmp_path: Path,
) -> None:
    step = "hostname > /srv/name\nRUN chown 1:1 /srv/name\nRUN hostname > /srv/name"
    report = explained(tmp_path, step)

    found = {
        f.instruction.line: [(d.layer, d.derived_from) for d in f.differences]
        for f in report.findings
        if f.instruction
    }
    assert found == {2: [(1, ()), (2, ("srv/name",))], 4: [(3, ())]}  # it was written anew there
