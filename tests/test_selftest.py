"""The selftest catches a comparison that is blind, and then nothing is called reproducible."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from repaudit.cli.app import app
from repaudit.host.code import fingerprint
from repaudit.host.store import Store
from repaudit.model.difference import Aspect, Difference
from repaudit.model.image import Kind
from repaudit.model.report import Report, Subject, Verdict
from repaudit.oci.layer import read_layer
from repaudit.sources import Opened
from repaudit.stages.compare import compare
from repaudit.stages.faults import PLANTED
from repaudit.stages.reading import Reading
from repaudit.stages.sample import SAMPLE, archive
from repaudit.stages.selftest import refuse_if_blind, selftest

SAME = Report(verdict=Verdict.REPRODUCIBLE, subject=Subject(left="a", right="b"))


def test_every_fault_is_caught(tmp_path: Path):
    faults = selftest(tmp_path)

    assert [fault for fault in faults if not fault.caught] == []
    assert len(faults) == PLANTED
    assert len({(fault.kind, fault.name) for fault in faults}) == PLANTED


def test_there_is_a_fault_of_every_aspect(tmp_path: Path):
    told = {fault.aspect for fault in selftest(tmp_path)}

    assert told == {*Aspect, None}


def test_the_sample_has_every_kind_of_file(tmp_path: Path):
    entries = list(read_layer(io.BytesIO(archive(SAMPLE))))
    assert {entry.kind for entry in entries} == set(Kind)
    assert any(entry.stored < entry.size for entry in entries)
    assert any(entry.xattrs for entry in entries)


class Blind:
    """A comparison that does not see differences of one aspect, or at one path."""

    def __init__(self, folder: Path, *, aspect: Aspect | None = None, path: str = "?") -> None:
        self._folder = folder
        self._not = aspect, path

    def __call__(self, left: Opened, right: Opened) -> tuple[Difference, ...]:
        found = compare(left, right, Reading.below(self._folder)).differences
        aspect, path = self._not
        return tuple(d for d in found if d.aspect is not aspect and d.path != path)


@pytest.mark.parametrize("aspect", Aspect)
def test_a_comparison_that_is_blind_to_an_aspect_is_told(tmp_path: Path, aspect: Aspect):
    missed = [f for f in selftest(tmp_path, Blind(tmp_path, aspect=aspect)) if not f.caught]

    assert {fault.aspect for fault in missed} == {aspect}


def test_a_comparison_that_calls_everything_equal_misses_every_fault(tmp_path: Path):
    missed = [f for f in selftest(tmp_path, lambda left, right: ()) if not f.caught]

    assert len(missed) == PLANTED - 1


def test_a_comparison_that_calls_everything_different_is_told_too(tmp_path: Path):
    everything = tuple(
        Difference(layer=0, path="", aspect=aspect, left="a", right="b") for aspect in Aspect
    )

    assert any(not fault.caught for fault in selftest(tmp_path, lambda a, b: everything))


def test_what_passed_is_not_asked_again(tmp_path: Path):
    store = Store(tmp_path / "store")

    assert refuse_if_blind(SAME, tmp_path / "scratch", store) is SAME
    (mark,) = (tmp_path / "store").iterdir()
    assert mark.name == f"selftest-{fingerprint()}"
    assert refuse_if_blind(SAME, tmp_path / "never", store) is SAME
    assert not (tmp_path / "never").exists()


def test_a_mark_that_is_not_as_it_was_is_not_believed(tmp_path: Path):
    store = Store(tmp_path / "store")
    refuse_if_blind(SAME, tmp_path / "scratch", store)
    (mark,) = (tmp_path / "store").iterdir()
    mark.write_text("yes")

    assert refuse_if_blind(SAME, tmp_path / "again", store) is SAME
    assert (tmp_path / "again").exists()


def test_a_blind_comparison_calls_nothing_reproducible(tmp_path: Path):
    blind = Blind(tmp_path, aspect=Aspect.XATTR)
    answer = refuse_if_blind(SAME, tmp_path / "scratch", Store(tmp_path / "store"), blind)

    assert answer.verdict is Verdict.INCONCLUSIVE
    assert "xattr: a value" in answer.problems[0].message
    assert not (tmp_path / "store").exists()


def test_a_report_of_differences_stays_one_and_tells_what_it_may_have_missed(tmp_path: Path):
    """A gate may excuse all that was found, and then nothing else may be there."""
    found = Report(verdict=Verdict.UNREPRODUCIBLE, subject=SAME.subject)
    blind = Blind(tmp_path, aspect=Aspect.XATTR)
    answer = refuse_if_blind(found, tmp_path / "scratch", Store(tmp_path / "store"), blind)

    assert answer.verdict is Verdict.UNREPRODUCIBLE
    assert "xattr: a value" in answer.problems[0].message
    assert refuse_if_blind(found, tmp_path / "seeing", Store(tmp_path / "store")) is found


def test_what_could_not_be_told_needs_no_selftest(tmp_path: Path):
    open_ = Report(verdict=Verdict.INCONCLUSIVE, subject=SAME.subject)

    assert refuse_if_blind(open_, tmp_path / "never", Store(tmp_path / "store")) is open_
    assert not (tmp_path / "never").exists()


def test_the_command_shows_each_fault_and_passes():
    text = CliRunner().invoke(app, ["selftest"])
    answer = CliRunner().invoke(app, ["selftest", "--format", "json"])

    assert (text.exit_code, answer.exit_code) == (0, 0)
    assert f"{PLANTED} planted, 0 missed" in text.stdout
    value = json.loads(answer.stdout)
    assert (value["schema"], value["verdict"]) == ("repaudit-selftest/1", "sound")
    assert len(value["faults"]) == PLANTED
    assert all(fault["caught"] for fault in value["faults"])
