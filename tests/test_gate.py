"""The gate: what counts, what does not, what changed and since when; night by night."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from repaudit import audit
from repaudit.cli._gate_text import render
from repaudit.cli.gate import _images
from repaudit.cli.progress import Silent
from repaudit.forensics import cause
from repaudit.host import git
from repaudit.model.canonical import to_json
from repaudit.model.difference import Aspect, Difference
from repaudit.model.errors import MalformedError, UsageError
from repaudit.model.experiment import Outcome, Role
from repaudit.model.finding import Finding, Instruction
from repaudit.model.gate import Flaky, GateResult, State
from repaudit.model.history import Light, Seen, SeenFinding, Source
from repaudit.model.report import Ignored, Problem, Report, RunRecord, Subject, Verdict
from repaudit.reporters import Surface
from repaudit.stages.allow import (
    Allowance,
    Baseline,
    Rules,
    baseline_of,
    load_allowances,
    load_baseline,
)
from repaudit.stages.gate import judge
from repaudit.stages.keep import load
from repaudit.stages.trend import trends
from tests import strategies
from tests.command import alone as repaudit
from tests.kept import JOURNAL, kept_run
from tests.live import GOLDEN, Done, Shell

DATE, BOM = "captures_build_date", "different_due_to_umask"
DAY = date(2027, 1, 1)
LINE = Instruction(file="Containerfile", line=6, text="RUN date > BUILD_INFO", stage="0")


def finding(*paths: str, slug: str = DATE, id_: str = "3453abdeaa41") -> Finding:
    return Finding(
        id=id_,
        cause=cause(slug),
        factors=(),
        instruction=LINE,
        process=None,
        evidence=(),
        differences=tuple(
            Difference(layer=1, path=path, aspect=Aspect.CONTENT, left="a", right="b")
            for path in paths
        ),
    )


BUILD_INFO = finding("srv/app/BUILD_INFO")
OTHER = finding("srv/mode", slug=BOM, id_="0123456789ab")


def report(*findings: Finding, problem: str | None = None) -> Report:
    verdict = Verdict.UNREPRODUCIBLE if findings else Verdict.REPRODUCIBLE
    return Report(
        verdict=Verdict.INCONCLUSIVE if problem else verdict,
        subject=Subject(context="app"),
        varied=() if problem else ("time", "umask"),
        findings=findings,
        problems=(Problem(message=problem, hint="build it"),) if problem else (),
    )


def source(number: int, *, dirty: bool = False) -> Source:
    return Source(commit=f"{number:02}" * 20, dirty=dirty)


def allowance(place: str = "srv/app/*", *, days: int = 30, slug: str = DATE) -> Allowance:
    return Allowance(
        cause=slug,
        place=place,
        reason="shown on the start page",
        owner="team-base",
        expires=DAY + timedelta(days=days),
    )


# Thirty nights over three images.


@dataclass
class Nights:
    """A nightly job: it writes what was built to a folder each night, and asks the gate."""

    folder: Path
    number: int = 0
    said: dict[int, str] = field(default_factory=dict)
    codes: list[int] = field(default_factory=list)

    def pass_one(self, reports: Mapping[str, Report], allow: tuple[Allowance, ...]) -> None:
        self.number += 1
        for name, one in reports.items():
            run = self.folder / "runs" / name
            run.mkdir(parents=True, exist_ok=True)
            (run / "report.json").write_bytes(to_json(one))
            (run / "journal.json").write_bytes(to_json({"source": source(self.number)}))
        request = audit.GateRequest(
            images=tuple(
                audit.Watched(name=name, audit=self.folder / "runs" / name) for name in reports
            ),
            rules=Rules(today=DAY + timedelta(days=self.number), allow=allow),
            history=self.folder / "history",
        )
        result, _ = audit.gate(request, Silent())
        self.said[self.number] = render(result, Surface()).decode()
        self.codes.append(result.light.exit_code)


def test_thirty_nights_over_three_images(tmp_path: Path):
    """On night 9 a cause appears; it flickers, is allowed on 12, expires on 20, is mended on 25."""
    there = {9, 11, 12, 13, 14, *range(16, 25)}
    allowed = (allowance(days=20),)
    nights = Nights(tmp_path)
    for number in range(1, 31):
        broken = report(problem="the control build failed") if number == 5 else report()
        app = report(BUILD_INFO) if number in there else report()
        reports = {"app": app, "base": report(), "tool": broken}
        nights.pass_one(reports, allowed if number >= 12 else ())

    wanted = {5: 3, 9: 1, 11: 1} | dict.fromkeys(range(20, 25), 1)
    assert nights.codes == [wanted.get(number, 0) for number in range(1, 31)]

    said = nights.said
    for quiet in (2, 3, 4, 6, 7, 8, 26, 30):
        assert "BUILD_INFO" not in said[quiet]
        assert said[quiet].count("green  ") == 3
    assert said[1].count("note     the first night") == 3
    assert "inconclusive  tool" in said[5]
    assert "the control build failed" in said[5]
    assert f"{DATE} 3453abdeaa41  srv/app/BUILD_INFO (Containerfile:6)" in said[9]
    assert "red  app at 090909090909, last green: result 22 (080808080808)" in said[9]
    assert "\n  new      " in said[9]
    assert "came after result 22 (080808080808), by tonight (090909090909)" in said[9]
    assert "fix: " in said[9]
    assert "\n  gone     " in said[10]
    assert "flaky" not in said[10]  # it may as well be mended
    assert "\n  new      " in said[11]
    assert "flaky: seen on 2 of 3 nights since it was first there" in said[11]
    assert "\n  allowed  " in said[12]
    assert "until 2027-01-21, team-base: shown on the start page" in said[12]
    assert "counts again from 2027-01-21: team-base has to act" in said[12]
    assert "red" not in said[12].replace("shared", "")
    assert "\n  allowed  " in said[14]
    assert "\n  gone     " in said[15]
    assert "flaky: seen on 5 of 7 nights" in said[15]
    assert f"warning: unused: {DATE} at srv/app/*" in said[15]
    assert "unused" not in said[16]
    assert "\n  same     " in said[20]
    assert "allowed until 2027-01-21 only, by team-base: shown on the start page" in said[20]
    assert "came after result 22 (080808080808), by result 25 (090909090909)" in said[20]
    assert "\n  gone     " in said[25]
    assert "green  app" in said[25]


def test_the_commit_range_is_that_of_the_first_night(tmp_path: Path):
    past = [seen(1), seen(2), seen(3, BUILD_INFO.id), seen(4, BUILD_INFO.id)]
    (trend,) = trends(past, seen(0, BUILD_INFO.id, commit=5))

    assert trend.state is State.NEW
    assert trend.came
    assert (trend.came.after.source, trend.came.by.source) == (source(2), source(3))
    assert trend.flaky is None


# What became of a finding.


def seen(
    sequence: int,
    *ids: str,
    commit: int | None = None,
    dirty: bool = False,
    light: Light | None = None,
    varied: tuple[str, ...] = ("time",),
) -> Seen:
    return Seen(
        sequence=sequence,
        light=light or (Light.RED if ids else Light.GREEN),
        source=source(sequence if commit is None else commit, dirty=dirty),
        varied=varied,
        findings=tuple(
            SeenFinding(id=id_, cause=DATE, place="a", excused=light is Light.GREEN) for id_ in ids
        ),
    )


def pattern(there: str, *, same_commit: bool = False) -> list[Seen]:
    """Nights on which finding `f` was there (x), was not (.), or the build failed (?)."""
    return [
        seen(
            number,
            *("f" if mark == "x" else ()),
            commit=1 if same_commit else None,
            light=Light.INCONCLUSIVE if mark == "?" else None,
        )
        for number, mark in enumerate(there, start=1)
    ]


@pytest.mark.parametrize(
    ("there", "state", "flaky"),
    [
        (".x", State.NEW, None),
        ("x", State.NEW, None),
        (".xx", State.NEW, None),
        ("xx", State.SAME, None),  # never green: against the night before
        ("x?x", State.SAME, None),
        ("x.", State.GONE, None),
        ("x?.", State.GONE, None),
        ("..", None, None),
        ("x..", None, None),
        ("x?", None, None),  # a night that tells nothing makes nothing go
        (".x.x", State.NEW, (2, 3)),
        (".x?x", State.NEW, None),
        (".x?.x", State.NEW, (2, 3)),
        (".x.x.", State.GONE, (2, 4)),
        ("x......x", State.NEW, (2, 8)),
        ("x.......x", State.NEW, None),  # it was gone for a week: this is another time
    ],
)
def test_how_a_finding_stands(there: str, state: State | None, flaky: tuple[int, int] | None):
    *past, tonight = pattern(there)
    found = trends(past, replace(tonight, sequence=0))

    assert [trend.state for trend in found] == ([state] if state else [])
    wanted = Flaky(seen=flaky[0], nights=flaky[1]) if flaky else None
    assert [trend.flaky for trend in found] == ([wanted] if state else [])


@pytest.mark.parametrize(("dirty", "flaky"), [(False, Flaky(seen=1, nights=2)), (True, None)])
def test_what_goes_at_one_commit_is_flaky_unless_the_tree_was_dirty(
    dirty: bool, flaky: Flaky | None
):
    past = [seen(1, "f", commit=7, dirty=dirty)]
    (trend,) = trends(past, seen(0, commit=7, dirty=dirty))

    assert (trend.state, trend.flaky) == (State.GONE, flaky)


def test_a_night_that_varied_less_is_no_witness():
    past = [seen(1, "f"), seen(2, varied=()), seen(3, "f")]
    (trend,) = trends(past, seen(0, "f"))

    assert trend.flaky is None
    assert trend.came is None


def test_what_was_there_and_excused_on_the_green_night_is_the_same():
    past = [seen(1, "f", light=Light.GREEN)]

    assert {t.finding.id: t.state for t in trends(past, seen(0, "f", "g"))} == {
        "f": State.SAME,
        "g": State.NEW,
    }


@given(st.text("x.?", min_size=1, max_size=40))
def test_laws_of_any_past(there: str):
    *past, tonight = pattern(there)
    found = trends(past, replace(tonight, sequence=0))

    assert [trend.finding.id for trend in found] in ([], ["f"])
    for trend in found:
        assert (trend.state is State.GONE) == (there[-1] != "x")
        if trend.flaky:
            assert 0 < trend.flaky.seen < trend.flaky.nights <= len(there)
        if trend.came:
            assert "f" not in past_ids(past, trend.came.after.sequence)
    if "." not in there:
        assert all(trend.flaky is None and trend.came is None for trend in found)


def past_ids(past: list[Seen], sequence: int | None) -> frozenset[str]:
    return next(night.ids for night in past if night.sequence == sequence)


# What counts.


def light(rules: Rules, one: Report, image: str = "app") -> Light:
    return judge(image, one, None, (), rules)[0].light


def test_a_difference_is_red_none_is_green_and_what_is_not_known_is_neither():
    rules = Rules(today=DAY)

    assert light(rules, report()) is Light.GREEN
    assert light(rules, report(BUILD_INFO)) is Light.RED
    assert light(rules, report(problem="it failed")) is Light.INCONCLUSIVE
    assert light(rules, replace(report(), verdict=Verdict.UNREPRODUCIBLE)) is Light.RED


def test_a_red_image_counts_more_than_an_inconclusive_one(tmp_path: Path):
    def exit_code(*reports: Report) -> int:
        images = []
        for number, one in enumerate(reports):
            path = tmp_path / f"{number}.json"
            path.write_bytes(to_json(one))
            images.append(audit.Watched(name=str(number), audit=path))
        request = audit.GateRequest(images=tuple(images), rules=Rules(today=DAY))
        return audit.gate(request, Silent())[0].light.exit_code

    assert exit_code(report(), report(problem="it failed"), report(BUILD_INFO)) == 1
    assert exit_code(report(), report(problem="it failed")) == 3
    assert exit_code(report(), report()) == 0


@pytest.mark.parametrize(
    ("allow", "wanted"),
    [
        (allowance(), Light.GREEN),
        (allowance("*"), Light.GREEN),
        (allowance(days=1), Light.GREEN),
        (allowance(days=0), Light.RED),  # from that day on it counts
        (allowance(days=-9), Light.RED),
        (allowance("srv/other"), Light.RED),
        (allowance("app/BUILD_INFO"), Light.RED),
        (allowance("SRV/APP/*"), Light.RED),
        (allowance(slug=BOM), Light.RED),
    ],
)
def test_an_entry_allows_its_cause_at_its_place_until_its_end(allow: Allowance, wanted: Light):
    rules = Rules(today=DAY, allow=(allow,))

    assert light(rules, report(BUILD_INFO)) is wanted
    assert light(rules, report(BUILD_INFO, OTHER)) is Light.RED


def test_an_entry_for_one_image_allows_nothing_in_another():
    named = Allowance(
        cause=DATE, place="*", reason="r", owner="o", expires=date(2028, 1, 1), image="app-*"
    )
    rules = Rules(today=DAY, allow=(named,))

    assert light(rules, report(BUILD_INFO), "app-arm") is Light.GREEN
    assert light(rules, report(BUILD_INFO), "base") is Light.RED


def test_every_place_of_a_finding_must_be_allowed():
    both = finding("srv/app/a", "srv/b")
    one, other = allowance("srv/app/a"), allowance("srv/b", days=1)

    assert light(Rules(today=DAY, allow=(one,)), report(both)) is Light.RED
    assert light(Rules(today=DAY, allow=(one, other)), report(both)) is Light.GREEN
    later = DAY + timedelta(days=1)
    assert light(Rules(today=later, allow=(one, other)), report(both)) is Light.RED
    excuse, _ = Rules(today=DAY, allow=(one, other)).excuse("app", both)
    assert excuse
    assert excuse.until == "2027-01-02"  # the first end is the end


def test_what_only_holds_another_files_digest_follows_it():
    derived = Difference(
        layer=1, path="md5sums", aspect=Aspect.CONTENT, left="a", right="b", derived_from=("x",)
    )
    both = replace(BUILD_INFO, differences=(*BUILD_INFO.differences, derived))

    assert light(Rules(today=DAY, allow=(allowance(),)), report(both)) is Light.GREEN


def test_a_finding_without_a_file_is_allowed_by_its_instruction():
    breaks = finding(slug="build_breaks_when_varied")
    rules = Rules(today=DAY, allow=(allowance("RUN date*", slug="build_breaks_when_varied"),))

    assert light(rules, report(breaks)) is Light.GREEN
    assert light(Rules(today=DAY, allow=(allowance("RUN date*"),)), report(breaks)) is Light.RED


def test_a_baseline_lets_pass_what_was_there_and_nothing_else():
    baseline = Baseline(images={"app": [BUILD_INFO.id]})
    rules = Rules(today=DAY, baseline=baseline)

    assert light(rules, report(BUILD_INFO)) is Light.GREEN
    assert light(rules, report(BUILD_INFO, OTHER)) is Light.RED
    assert light(rules, report(BUILD_INFO), "base") is Light.RED


def test_an_audit_that_varied_nothing_is_not_green_by_excuse():
    nothing = replace(report(BUILD_INFO), varied=())

    assert light(Rules(today=DAY, allow=(allowance(),)), nothing) is Light.INCONCLUSIVE
    two_images = replace(nothing, subject=Subject(left="a", right="b"))
    assert light(Rules(today=DAY, allow=(allowance(),)), two_images) is Light.GREEN


def test_what_was_asked_and_left_open_is_not_green_by_excuse():
    """`--vary time,cpus` on one CPU: that the build date is allowed says nothing of cpus."""
    open_ = Problem(message="cpus was asked for and could not be varied", hint="leave it out")
    one = replace(report(BUILD_INFO), varied=("time",), problems=(open_,))
    rules = Rules(today=DAY, allow=(allowance(),))

    assert light(rules, one) is Light.INCONCLUSIVE
    assert light(rules, replace(one, problems=())) is Light.GREEN
    assert light(Rules(today=DAY), one) is Light.RED


def test_an_audit_that_varies_less_than_the_green_one_says_so():
    past = (seen(1, varied=("kernel", "time")),)
    judgement, _ = judge("app", report(), None, past, Rules(today=DAY))

    assert judgement.notes == ("not varied now, but on the last green night: kernel",)


def test_unused_means_that_nothing_found_is_covered_expired_or_not():
    rules = Rules(today=DAY, allow=(allowance(days=-1), allowance("no/such"), allowance(slug=BOM)))

    assert rules.unused([("app", [BUILD_INFO])]) == (f"{DATE} at no/such", f"{BOM} at srv/app/*")


# The files.

ENTRY = {
    "cause": '"captures_build_date"',
    "place": '"srv/app/*"',
    "reason": '"it is shown"',
    "owner": '"team-base"',
    "expires": "2027-02-01",
}


def allow_file(folder: Path, **change: str | None) -> Path:
    words = {key: value for key, value in (ENTRY | change).items() if value is not None}
    path = folder / "allow.toml"
    path.write_text("[[allow]]\n" + "".join(f"{k} = {v}\n" for k, v in words.items()))
    return path


def test_an_allow_file_is_read(tmp_path: Path):
    (entry,) = load_allowances(allow_file(tmp_path))

    assert (entry.cause, entry.place, entry.image) == (DATE, "srv/app/*", "*")
    assert entry.expires == date(2027, 2, 1)
    (empty := tmp_path / "empty.toml").write_text("")
    assert load_allowances(empty) == ()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        *(({key: None}, key) for key in ENTRY),
        ({"reason": '" "'}, "reason"),
        ({"owner": '""'}, "owner"),
        ({"expires": '"never"'}, "expires"),
        ({"expires": "true"}, "expires"),
        ({"cause": '"no_such_cause"'}, "no_such_cause"),
        ({"until": "2027-02-01"}, "until"),
        ({"place": "1"}, "place"),
        ({"place": "["}, "allow.toml"),
    ],
)
def test_a_malformed_allow_file_is_told_with_file_and_key(
    tmp_path: Path, change: dict[str, str | None], told: str
):
    with pytest.raises(UsageError, match=told) as refused:
        load_allowances(allow_file(tmp_path, **change))
    assert "allow.toml" in refused.value.message
    assert refused.value.hint


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"schema": "repaudit-baseline/2"}', b"\xff"])
def test_what_is_no_baseline_is_refused(tmp_path: Path, data: bytes):
    (path := tmp_path / "baseline.json").write_bytes(data)

    with pytest.raises(UsageError, match=r"baseline\.json"):
        load_baseline(path)


def test_a_saved_baseline_reads_back(tmp_path: Path):
    (path := tmp_path / "baseline.json").write_bytes(baseline_of([("app", [OTHER, BUILD_INFO])]))

    assert load_baseline(path).images == {"app": sorted([OTHER.id, BUILD_INFO.id])}


# The words.


@given(strategies.reports, st.sampled_from((Surface(), Surface(columns=40, colour=True))))
@settings(max_examples=40, deadline=None)
def test_any_report_is_judged_and_its_names_never_speak_to_the_terminal(one, surface):
    judgement, night = judge("app", one, source(1, dirty=True), (), Rules(today=DAY))
    result = GateResult(light=judgement.light, images=(judgement,), warnings=())
    text = render(result, surface)

    assert render(result, surface) == text
    plain = text.decode()
    if not surface.colour:
        assert all(c.isprintable() or c == "\n" for c in plain)
        assert "dirty tree" in plain
    assert json.loads(to_json(result))["schema"] == "repaudit-gate/1"
    assert (judgement.light is Light.GREEN) <= (set(night.excused) >= {f.id for f in one.findings})


# What git knows.


def commit_all(folder: Path) -> str:
    words = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    for argv in (["init", "-q"], ["add", "-A"], [*words, "commit", "-qm", "a"]):
        subprocess.run(["git", "-C", folder, *argv], check=True)
    head = subprocess.run(["git", "-C", folder, "rev-parse", "HEAD"], capture_output=True)
    return head.stdout.decode().strip()


def test_the_commit_of_a_context_and_whether_it_is_all(tmp_path: Path):
    context = tmp_path / "repo" / "context"
    context.mkdir(parents=True)
    (context / "Containerfile").write_text("FROM scratch\n")
    assert git.source(context) is None
    commit = commit_all(tmp_path / "repo")

    assert git.source(context) == Source(commit=commit, dirty=False)
    (tmp_path / "repo" / "beside").write_text("")
    assert git.source(context) == Source(commit=commit, dirty=False)
    (context / "more").write_text("")
    assert git.source(context) == Source(commit=commit, dirty=True)


def test_nothing_that_a_repository_names_is_run(tmp_path: Path):
    context = tmp_path / "repo"
    context.mkdir()
    (context / "file").write_text("a")
    commit_all(context)
    (context / ".gitattributes").write_text("* filter=bad\n")
    (context / "file").write_text("b")
    ran = tmp_path / "ran"
    for name in ("clean", "smudge", "process"):
        argv = ["git", "-C", context, "config", f"filter.bad.{name}", f"touch {ran}; cat"]
        subprocess.run(argv, check=True)

    found = git.source(context)
    assert found
    assert found.dirty
    assert not ran.exists()
    subprocess.run(["git", "-C", context, "status"], capture_output=True)
    assert ran.exists()  # so it would have been run


# The command.


def keep(folder: Path, one: Report) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_bytes(to_json(one))
    return folder


def test_one_kept_run_is_judged_and_the_codes_are_those_of_the_contract(tmp_path: Path):
    keep(tmp_path / "app", report(BUILD_INFO))
    keep(tmp_path / "base", report())
    keep(tmp_path / "tool", report(problem="it failed"))
    allow_file(tmp_path, expires="9999-01-01")

    assert repaudit(tmp_path, "gate", "app").returncode == 1
    assert repaudit(tmp_path, "gate", "base").returncode == 0
    assert repaudit(tmp_path, "gate", "base/report.json").returncode == 0
    assert repaudit(tmp_path, "gate", "tool").returncode == 3
    assert repaudit(tmp_path, "gate", "app", "--allow", "allow.toml").returncode == 0
    done = repaudit(tmp_path, "gate", "base", "--allow", "allow.toml")
    assert "warning: unused" in done.stdout
    allow_file(tmp_path, expires="2020-01-01")
    done = repaudit(tmp_path, "gate", "app", "--allow", "allow.toml")
    assert done.returncode == 1
    assert "allowed until 2020-01-01 only, by team-base" in done.stdout


def run_of(name: str, image: str | None) -> RunRecord:
    outcome = Outcome.FAILED if image is None else Outcome.BUILT
    role = Role.CONTROL if name == "control" else Role.VARIANT
    return RunRecord(name=name, role=role, levels={}, outcome=outcome, image=image)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, None),
        ({"runs": (run_of("control", "sha256:a"), run_of("variant", "sha256:a"))}, None),
        ({"runs": (run_of("control", "sha256:a"), run_of("variant", None))}, None),
        # what `diff --semantic` leaves out may make two digests of one image
        ({"ignored": (Ignored(kind="mtime", count=3),)}, None),
        (
            {"runs": (run_of("control", "sha256:a"), run_of("variant", "sha256:b"))},
            "2 different images",
        ),
        ({"findings": (BUILD_INFO, OTHER)}, "2 findings"),
        ({"problems": (Problem(message="a", hint="b"),)}, "1 problems"),
    ],
)
def test_no_report_is_green_against_what_stands_in_it(
    tmp_path: Path, change: dict[str, Any], told: str | None
):
    run = keep(tmp_path / "app", replace(report(), **change))
    if told is None:
        assert load(run).verdict is Verdict.REPRODUCIBLE
        return
    with pytest.raises(MalformedError, match=f"called reproducible, with {told}") as refused:
        load(run)
    assert str(run) in refused.value.message
    assert load(keep(run, replace(report(BUILD_INFO), **change)))


def test_the_commands_do_not_believe_a_report_whose_verdict_was_changed(tmp_path: Path):
    keep(tmp_path / "app", replace(report(BUILD_INFO), verdict=Verdict.REPRODUCIBLE))

    for command in ("gate", "report"):
        done = repaudit(tmp_path, command, "app")
        assert done.returncode == 3
        assert "called reproducible, with 1 findings" in done.stdout + done.stderr


def test_a_kept_run_without_its_report_is_no_context(tmp_path: Path):
    run = kept_run(tmp_path / "run", journal=replace(JOURNAL, tools={"git": "/usr/bin/git"}))
    (run / "report.json").unlink()

    done = repaudit(tmp_path, "gate", "run")
    assert done.returncode == 2
    assert "no report at run/report.json" in done.stderr
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "journal.json").write_text("{}")
    assert "neither Containerfile nor" in repaudit(tmp_path, "gate", "app").stderr


def test_a_night_is_the_first_only_where_nights_are_kept(tmp_path: Path):
    keep(tmp_path / "base", report())

    assert "note" not in repaudit(tmp_path, "gate", "base").stdout
    assert "the first night" in repaudit(tmp_path, "gate", "base", "--history", "nights").stdout


def test_an_image_that_fell_out_of_the_list_is_warned_of(tmp_path: Path):
    keep(tmp_path / "run", report())
    entries = [f'[[image]]\nname = "{name}"\nrun = "run"\n' for name in ("app", "base")]
    told = []
    for chosen in (entries, entries, entries[:1]):
        (tmp_path / "images.toml").write_text("".join(chosen))
        done = repaudit(tmp_path, "gate", "images.toml", "--history", "nights")
        assert done.returncode == 0
        told.append("warning: not in the list, and in the history: base\n" in done.stdout)

    assert told == [False, False, True]
    # one image alone says nothing of others
    assert "warning" not in repaudit(tmp_path, "gate", "run", "--history", "nights").stdout


@pytest.mark.parametrize("words", [["--save-baseline"], ["--format"]])
def test_nothing_is_written_to_a_folder_that_is_not_there(tmp_path: Path, words: list[str]):
    keep(tmp_path / "run", report())
    (option,) = words
    value = "no/such/file" if option == "--save-baseline" else "json=no/such/file"

    done = repaudit(tmp_path, "gate", "run", option, value)
    assert (done.returncode, done.stdout) == (2, "")
    assert "cannot write no/such/file" in done.stderr
    assert not (tmp_path / "no").exists()


def test_a_list_with_a_baseline_and_a_history(tmp_path: Path):
    for name in ("app", "base"):
        keep(tmp_path / "runs" / name, report(BUILD_INFO) if name == "app" else report())
    (tmp_path / "images.toml").write_text(
        '[[image]]\nname = "app"\nrun = "runs/app"\n[[image]]\nname = "base"\nrun = "runs/base"\n'
    )
    save = ["gate", "images.toml", "--save-baseline", "baseline.json", "--history", "nights"]
    assert repaudit(tmp_path, *save).returncode == 1
    use = ["--baseline", "baseline.json", "--fail-on", "new", "--history", "nights"]
    done = repaudit(tmp_path, "gate", "images.toml", *use, "--format", "json")
    found = json.loads(done.stdout)

    assert done.returncode == 0, done.stderr
    assert found["light"] == "green"
    assert [one["image"] for one in found["images"]] == ["app", "base"]
    assert found["images"][0]["changes"][0]["excuse"]["by"] == "baseline"
    assert found["images"][1]["last_green"]["sequence"] == 2
    assert len(list((tmp_path / "nights" / "nights").iterdir())) == 4
    keep(tmp_path / "runs" / "base", report(OTHER))
    done = repaudit(tmp_path, "gate", "images.toml", *use)
    assert done.returncode == 1
    assert f"new      {BOM}" in done.stdout


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "image"),
        ("image = []", "no image"),
        ('[[image]]\nname = "a"\n', "a is neither"),
        ('[[image]]\nname = "a"\nrun = "run"\ncontext = "run"\n', "a is neither"),
        ('[[image]]\nname = "a"\nrun = "run"\nvary = ["time"]\n', "a is neither"),
        ('[[image]]\nname = "a"\nrun = "run"\n' * 2, "a is there twice"),
        ('[[image]]\nname = "../a"\nrun = "run"\n', "name"),
        ('[[image]]\nname = "a"\nrun = "run"\noutput = "/etc"\n', "output"),
        ('[[image]]\nname = "a"\nrun = "no/such"\n', "no/such"),
        ('[[image]]\nname = "a"\ncontext = "no/such"\n', "no/such"),
        ('[[image]]\nname = "a"\ncontext = "run"\nbuilds = 1\n', "builds"),
        ("[[image]", "images.toml"),
    ],
)
def test_a_wrong_list_is_wrong_usage(tmp_path: Path, text: str, told: str):
    keep(tmp_path / "run", report())
    (tmp_path / "images.toml").write_text(text)
    done = repaudit(tmp_path, "gate", "images.toml")

    assert done.returncode == 2, done.stderr
    assert told in done.stderr
    assert "way out: " in done.stderr
    assert done.stdout == ""


def test_paths_are_as_from_the_list_and_a_contexts_settings_hold(tmp_path: Path):
    (tmp_path / "lists" / "app").mkdir(parents=True)
    (tmp_path / "lists" / "app" / "repaudit.toml").write_text('hold = ["time"]\nbuilds = 4\n')
    (tmp_path / "lists" / "images.toml").write_text(
        '[[image]]\nname = "app"\ncontext = "app"\nfile = "app/web.Dockerfile"\nbuilds = 3\n'
    )
    (image,) = _images(tmp_path / "lists" / "images.toml", tmp_path / "kept")

    assert isinstance(image.audit, audit.RebuildRequest)
    assert image.audit.context == tmp_path / "lists" / "app"
    assert image.audit.file == tmp_path / "lists" / "app" / "web.Dockerfile"
    assert image.audit.output == tmp_path / "kept" / "app"
    assert (image.audit.hold, image.audit.builds) == (("time",), 3)


@pytest.mark.parametrize(
    "words",
    [
        ["no/such"],
        ["run", "--fail-on", "new"],
        ["run", "--baseline", "run/report.json"],
        ["run", "--fail-on", "new", "--baseline", "run/report.json"],
        ["run", "--fail-on", "never"],
        ["run", "--allow", "no/such"],
        ["run", "--allow", "run/report.json"],
        ["run", "--format", "sarif"],
    ],
)
def test_wrong_words_are_wrong_usage(tmp_path: Path, words: list[str]):
    keep(tmp_path / "run", report())

    assert repaudit(tmp_path, "gate", *words).returncode == 2


def test_a_report_that_is_none_is_inconclusive_and_the_others_are_judged(tmp_path: Path):
    keep(tmp_path / "app", report())
    (tmp_path / "app" / "report.json").write_text("{}")
    keep(tmp_path / "base", report())
    (tmp_path / "images.toml").write_text(
        '[[image]]\nname = "app"\nrun = "app"\n[[image]]\nname = "base"\nrun = "base"\n'
    )
    done = repaudit(tmp_path, "gate", "images.toml")

    assert done.returncode == 3
    assert "inconclusive  app" in done.stdout
    assert "green  base" in done.stdout


@pytest.mark.live
def test_contexts_are_built_and_their_commits_are_told(
    tmp_path: Path, golden_storage: dict[str, str]
):
    shell = Shell(tmp_path, golden_storage)
    fixed = shell.context("FROM scratch\nCOPY Containerfile /file\n", "fixed")
    shell.context(f"FROM {GOLDEN}\nRUN hostname >/srv/name\n", "broken")
    commit = commit_all(shell.cwd)
    (shell.cwd / "broken" / "more").write_text("")
    (shell.cwd / "images.toml").write_text(
        '[[image]]\nname = "fixed"\ncontext = "fixed"\n'
        '[[image]]\nname = "broken"\ncontext = "broken"\nvary = ["hostname"]\n'
    )
    done: Done = shell(
        "gate", "images.toml", "--history", "broken/nights", "--output", "kept", "--quiet"
    )

    assert done.status == 1, done.stderr
    assert f"green  fixed at {commit[:12]}\n" in done.text
    assert f"red  broken at {commit[:12]} and more: dirty tree\n" in done.text
    assert "captures_hostname" in done.text
    assert "warning: the history lies in the context of broken" in done.text
    assert "context of fixed" not in done.text
    kept = shell("gate", "kept/broken", "--format", "json")
    assert json.loads(kept.stdout)["images"][0]["source"] == {"commit": commit, "dirty": True}
    assert shell("gate", fixed, "--quiet").status == 0
    assert shell.scratch == []
