"""Fixes, tried: real builds of edited Containerfiles, and files that nobody may change."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests import fix_share
from tests.live import GOLDEN, Shell

pytestmark = pytest.mark.live

REBUILD = ("rebuild", "--try-fixes", "--timestamp=1700000000", "--quiet", "--format=json")
#: The audit's own TZ is never plain UTC, so that only the fix breaks this.
BREAKS = 'RUN date --date=@0 +%H:%M > /srv/hour && test "$TZ" != UTC\n'
REMAINS = "RUN date --date=@0 +%H:%M > /srv/a && cat /proc/sys/kernel/random/uuid >> /srv/a\n"
UMASK = "RUN touch /srv/file\n"


def outcomes(report: dict[str, Any]) -> dict[str, str | None]:
    return {f["cause"]["slug"]: f["fix"] and f["fix"]["outcome"] for f in report["findings"]}


def test_a_fix_that_works_demonstrates_its_factor(shell: Shell) -> None:
    context = shell.context("")
    before = f"\ufeffFROM {GOLDEN}\r\n{UMASK.strip()}\r\n".encode()
    (context / "Containerfile").write_bytes(before)
    done = shell(*REBUILD, "--vary=umask", str(context))

    report = json.loads(done.stdout)
    (finding,) = report["findings"]
    assert done.status == 1
    assert finding["fix"]["outcome"] == "gone"
    assert finding["fix"]["line"] == 2
    assert "+RUN umask 022 && touch /srv/file\r\n" in finding["fix"]["edit"]
    assert finding["factors"] == [{"factor": "umask", "confidence": "demonstrated"}]
    evidence = finding["evidence"][0]
    assert (evidence["kind"], evidence["source"]) == ("experiment", "fix")
    assert evidence["runs"] == [run["name"] for run in report["trial"]]
    assert [run["role"] for run in report["trial"]] == ["control", "variant"] * 2
    assert [run["role"] for run in report["runs"]] == ["control", "variant"]
    assert (context / "Containerfile").read_bytes() == before
    assert shell.scratch == []


def test_a_fix_with_another_above_it_demonstrates_nothing(shell: Shell) -> None:
    """The file of the last step follows the hour that the first one wrote, not its own umask."""
    hour = "RUN date --date=@0 +%H:%M > /srv/hour\n"
    after = "RUN cp /srv/hour /srv/copy && touch /srv/file\n"
    done = shell(
        *REBUILD, "--vary=umask,timezone", str(shell.context(f"FROM {GOLDEN}\n{hour}{after}"))
    )

    found = {
        (f["factors"][0]["factor"], f["instruction"]["line"]): (
            f["factors"][0]["confidence"],
            f["fix"]["outcome"],
            f["fix"]["reason"],
        )
        for f in json.loads(done.stdout)["findings"]
        if f["fix"] and f["instruction"]
    }
    others = "3 other fixes were in as well"  # each line has one for the umask, and for the hour
    assert found["umask", 3] == ("indicated", "gone", others)
    assert found["timezone", 2] == ("indicated", "gone", others)


def test_two_fixes_of_which_one_comes_after(shell: Shell) -> None:
    context = shell.context(f"FROM {GOLDEN}\n{UMASK}RUN mkdir /srv/folder\n")
    report = json.loads(shell(*REBUILD, "--vary=umask", str(context)).stdout)

    found = {
        f["instruction"]["line"]: (f["factors"][0]["confidence"], f["fix"]["reason"])
        for f in report["findings"]
        if f["instruction"]
    }
    assert found == {2: ("demonstrated", None), 3: ("indicated", "1 other fix was in as well")}
    assert len(report["trial"]) == 4


def test_a_fix_that_breaks_the_build_is_found_and_the_others_are_tried(shell: Shell) -> None:
    context = shell.context(f"FROM {GOLDEN}\n{UMASK}{BREAKS}")
    done = shell(*REBUILD, "--vary=umask,timezone", str(context))

    report = json.loads(done.stdout)
    by_line = {
        (f["cause"]["slug"], f["instruction"]["line"]): f["fix"]["outcome"]
        for f in report["findings"]
        if f["instruction"]
    }
    assert by_line == {
        ("different_due_to_umask", 2): "gone",
        ("different_due_to_umask", 3): "gone",
        ("captures_timezone", 3): "breaks",
    }
    assert {run["outcome"] for run in report["trial"]} == {"built", "failed"}


def test_a_place_that_still_differs_is_told(shell: Shell) -> None:
    context = shell.context(f"FROM {GOLDEN}\n{REMAINS}")
    done = shell(*REBUILD, "--vary=timezone", str(context))

    (fix,) = (f["fix"] for f in json.loads(done.stdout)["findings"] if f["fix"])
    assert fix["outcome"] == "remains"
    unmended = "what is unmended there: embeds_random_value"
    assert fix["reason"] == f"srv/a still differs (content); {unmended}"


def test_an_edit_that_mends_some_of_its_places_is_of_use(shell: Shell) -> None:
    """The other place holds a random value as well, which no edit mends."""
    hour = "RUN date --date=@0 +%H:%M > /srv/hour\n"
    context = shell.context(f"FROM {GOLDEN}\n{hour.strip()} && {REMAINS.removeprefix('RUN ')}")
    done = shell(*REBUILD, "--vary=timezone", f"--output={shell.cwd / 'kept'}", str(context))

    (fix,) = (f["fix"] for f in json.loads(done.stdout)["findings"] if f["fix"])
    assert fix["outcome"] == "partly"
    assert fix["reason"].startswith("srv/a still differs (content)")
    shown = shell("fix", str(shell.cwd / "kept"))
    assert b"+RUN export TZ=UTC && date" in shown.stdout
    assert shown.status == 1


def test_an_edit_without_which_nothing_more_differs_is_left_out(shell: Shell) -> None:
    """A date of the epoch's is in UTC, so that the zone has no part in it any more."""
    context = shell.context(f"FROM {GOLDEN}\nRUN date '+%F %H:%M %Z' > /srv/now\n")
    done = shell(*REBUILD, "--vary=time,timezone", str(context))

    report = json.loads(done.stdout)
    assert outcomes(report) == {"captures_build_date": "gone", "captures_timezone": "unneeded"}
    confidence = {f["cause"]["slug"]: f["factors"][0]["confidence"] for f in report["findings"]}
    assert confidence == {"captures_build_date": "demonstrated", "captures_timezone": "indicated"}


def test_what_is_not_tried_has_its_edit_and_no_outcome(shell: Shell) -> None:
    context = shell.context(f"FROM {GOLDEN}\n{UMASK}")
    words = [word for word in REBUILD if word != "--try-fixes"]
    report = json.loads(shell(*words, "--vary=umask", str(context)).stdout)

    assert outcomes(report) == {"different_due_to_umask": None}
    assert report["findings"][0]["fix"]["edit"]
    assert report["trial"] == []
    assert report["findings"][0]["factors"][0]["confidence"] == "indicated"


def test_fix_shows_the_diff_and_writes_it_when_told(shell: Shell) -> None:
    context = shell.context("")
    file = context / "Containerfile"
    file.write_bytes(f"FROM {GOLDEN}\r\n# why\r\n{UMASK}".encode())
    file.chmod(0o640)
    kept = str(shell.cwd / "kept")
    shell(*REBUILD, "--vary=umask", f"--output={kept}", str(context))
    before = file.read_bytes()

    shown = shell("fix", kept)
    assert shown.status == 1
    assert file.read_bytes() == before
    subprocess.run(["patch", "--binary", "-p1"], cwd=context, input=shown.stdout, check=True)
    patched = file.read_bytes()
    file.write_bytes(before)
    written = shell("fix", "--write", kept)
    assert (written.status, written.stdout) == (0, shown.stdout)
    assert file.read_bytes() == patched == before.replace(b"RUN t", b"RUN umask 022 && t")
    assert file.stat().st_mode & 0o7777 == 0o640

    again = shell("fix", "--write", kept)
    assert (again.status, again.stdout) == (0, b"")
    assert file.read_bytes() == patched


def test_fix_of_a_context_audits_it_first(shell: Shell) -> None:
    context = shell.context(f"FROM {GOLDEN}\n{UMASK}{BREAKS}", repaudit__toml='timestamp = "0"')
    done = shell("fix", "--write", "--quiet", str(context))

    assert done.status == 0
    text = (context / "Containerfile").read_text("utf-8")
    assert "RUN umask 022 && touch" in text
    assert "TZ=UTC" not in text
    assert "captures_timezone: breaks" in done.stderr


def test_what_could_not_be_told_is_not_nothing_to_do(shell: Shell) -> None:
    fails = shell.context(f"FROM {GOLDEN}\nRUN false\n", name="fails")
    done = shell("fix", "--write", "--quiet", str(fails))
    assert (done.status, done.stdout) == (3, b"")
    assert "inconclusive: the control build failed at Containerfile:2" in done.stderr

    kept = str(shell.cwd / "kept")
    assert shell(*REBUILD, f"--output={kept}", str(fails)).status == 3
    assert shell("fix", kept).status == 3


def test_a_run_that_does_not_know_its_file_says_so(shell: Shell) -> None:
    context = shell.context(f"FROM {GOLDEN}\n{UMASK}")
    report = shell.cwd / "report.json"
    shell(*REBUILD[:-1], "--vary=umask", f"--format=json={report}", str(context))

    lost = shell("fix", str(report))
    assert lost.status == 2
    assert "--file" in lost.way_out
    found = shell("fix", f"--file={context / 'Containerfile'}", str(report))
    assert b"+RUN umask 022" in found.stdout


@pytest.mark.slow
@pytest.mark.parametrize("case", ["combo-clock-and-umask", "combo-stages", "factor-file_order"])
def test_golden_cases_are_mended(
    case: str, golden_storage: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in golden_storage.items():
        monkeypatch.setenv(name, value)
    found = [f.fix.outcome for f in fix_share.tried(case) if f.fix and f.fix.outcome]

    assert found
    assert fix_share.share(found) == 1.0
