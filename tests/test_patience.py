"""A step that never ends under a moved clock: the run is stopped, and the factor named."""

from __future__ import annotations

from pathlib import Path

import pytest

from repaudit import audit
from repaudit.audit import RebuildRequest
from repaudit.cli.progress import Silent
from repaudit.model.report import Verdict
from repaudit.stages import build

ENDLESS = """FROM localhost/repaudit-golden
RUN : > /t; while [ $(($(date +%s) - $(stat -c %Y /t))) -gt 172800 ]; do sleep 1; done
"""


@pytest.mark.live
def test_a_step_without_end_is_stopped_and_its_factor_named(
    tmp_path: Path, golden_storage: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in golden_storage.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(build, "_LEAST", 6)
    monkeypatch.setattr(build, "_TIMES", 2)
    (tmp_path / "Containerfile").write_text(ENDLESS, "utf-8")

    request = RebuildRequest(context=tmp_path, vary=("time", "hostname"), timestamp="0")
    report = audit.rebuild(request, Silent())

    assert report.verdict is Verdict.UNREPRODUCIBLE
    (finding,) = [f for f in report.findings if f.cause.slug == "build_breaks_when_varied"]
    assert [s.factor for s in finding.factors] == ["time"]
    assert "did not end" in finding.evidence[0].detail
    assert finding.instruction
    assert finding.instruction.line == 2
    # A day ahead is near enough for this step, so that time is varied all the same.
    assert set(report.varied) == {"time", "hostname"}


def test_the_control_may_take_as_long_as_it_likes() -> None:
    assert build.Patience().seconds() is None
