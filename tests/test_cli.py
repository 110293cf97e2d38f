"""The command line, as a user types it: real builds, and one clear message for what goes wrong."""

from __future__ import annotations

import gzip
import io
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

import jsonschema
import pytest

from repaudit.model.canonical import report_schema
from repaudit.model.experiment import INTRINSIC, SETTABLE
from repaudit.reporters import REPORTERS
from tests import images, live
from tests.live import GOLDEN, Done, Shell, bug

pytestmark = pytest.mark.live

COPY = "FROM scratch\nCOPY Containerfile /file\n"
RANDOM = f"FROM {GOLDEN}\nRUN cat /proc/sys/kernel/random/uuid >/srv/id\n"
ESCAPE = b"\x1b"


@pytest.fixture
def copy(shell: Shell) -> Path:
    """A context that builds in no time and is reproducible."""
    return shell.context(COPY)


def refused(shell: Shell, done: Done, status: int, *words: str) -> None:
    """Check that it was one clear message with a way out, and nothing else."""
    assert done.status == status, done.stderr
    for word in words:
        assert word in done.error
    assert done.way_out
    assert done.stdout == b""
    assert shell.scratch == []
    assert shell.mounts() == []


def refused_at_once(shell: Shell, done: Done, *words: str) -> None:
    """Check that, besides, it was the user's fault and nothing was built."""
    refused(shell, done, 2, *words)
    assert "building" not in done.stderr


# What cannot be built.


def test_a_context_without_a_containerfile_is_refused(shell: Shell) -> None:
    (shell.cwd / "empty").mkdir()
    done = shell("rebuild", "--twice", "empty")
    refused_at_once(shell, done, "empty", "Containerfile", "Dockerfile")
    assert "--file" in done.way_out


def test_a_context_that_is_no_folder_is_refused(shell: Shell, copy: Path) -> None:
    refused_at_once(shell, shell("rebuild", "no/such"), "no/such")
    refused_at_once(shell, shell("rebuild", copy / "Containerfile"), "Containerfile")


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("FROM scratch\n\nCOPPY a b\n", "Containerfile:3: ", "COPPY"),
        ("RUN true\n", "Containerfile:1: ", "FROM"),
        ("FROM scratch\nRUN <<EOF\ntrue\n", "Containerfile:2: ", "EOF"),
        ("", "Containerfile:1: ", "FROM"),
        ("FROM a b c d\n", "Containerfile:1: ", "FROM"),
    ],
)
def test_a_syntax_error_is_named_by_file_and_line(
    shell: Shell, text: str, place: str, words: str
) -> None:
    done = shell("rebuild", shell.context(text))
    refused(shell, done, 3, words)
    assert done.error.startswith(place)
    assert "building" not in done.stderr


def test_a_base_image_that_cannot_be_had_is_named(shell: Shell) -> None:
    done = shell("rebuild", shell.context("FROM localhost/no-such-image\nRUN true\n"))
    refused(shell, done, 3, "localhost/no-such-image")
    assert "building" not in done.stderr


def test_a_failing_step_is_inconclusive_and_the_report_names_line_and_reason(shell: Shell) -> None:
    text = f"FROM {GOLDEN}\nRUN true\n# why\nRUN echo the-''reason >&2; exit 7\n"
    done = shell("rebuild", shell.context(text), "--format", "json")
    report = json.loads(done.stdout)

    assert done.status == 3
    assert report["verdict"] == "inconclusive"
    assert "Containerfile:4" in report["problems"][0]["message"]
    assert "the-reason" in report["problems"][0]["message"]
    assert report["problems"][0]["hint"]
    assert report["findings"] == []
    assert "built" not in [run["outcome"] for run in report["runs"]]
    assert shell.scratch == []
    jsonschema.validate(report, report_schema())


def on_a_small_disk(shell: Shell, size: str, *words: str | Path) -> Done:
    """Run `repaudit …` where the scratch root has so much room, then list what is left in it."""
    script = 'mount -t tmpfs -o "size=$1" none $TMPDIR; shift; "$@"; s=$?; find $TMPDIR; exit $s'
    argv = ["unshare", "--mount", "sh", "-c", script, "sh", size]
    argv += [sys.executable, "-m", "repaudit", *map(str, words)]
    began = time.monotonic()
    done = subprocess.run(argv, env=shell.environment, cwd=shell.cwd, capture_output=True)
    out, left = done.stdout.split(f"{shell.tmp}\n".encode())
    assert left.decode().split() == [f"{shell.tmp}/repaudit-{os.getuid()}"]
    return Done(
        status=done.returncode,
        stdout=out,
        stderr=done.stderr.decode(),
        seconds=time.monotonic() - began,
    )


def test_a_disk_with_too_little_room_is_told_before_the_build(shell: Shell, copy: Path) -> None:
    done = on_a_small_disk(shell, "64m", "rebuild", copy)
    refused(shell, done, 3, "room", str(shell.tmp))
    assert "TMPDIR" in done.way_out


def test_a_build_that_runs_out_of_room_is_inconclusive(shell: Shell) -> None:
    context = shell.context(f"FROM {GOLDEN}\nRUN fallocate -l 9G /srv/big\n")
    words = ["rebuild", "--jobs", "1", "--format", "json", str(context)]
    done = on_a_small_disk(shell, "1400m", *words)
    report = json.loads(done.stdout)

    assert done.status == 3
    assert report["verdict"] == "inconclusive"
    assert "Containerfile:2" in report["problems"][0]["message"]
    assert shell.loops() == []


# What is asked wrongly.


@pytest.mark.parametrize(
    ("words", "error", "way_out"),
    [
        (["--vary", "nope"], "nope", SETTABLE),
        (["--vary", "umask,nope"], "nope", SETTABLE),
        (["--hold", "nope"], "nope", SETTABLE),
        (["--vary", "random"], "random", ["replicate", "--builds 3"]),
        (["--hold", "filesystem"], "filesystem", ["replicate"]),
        (["--builder", "nope"], "nope", ["buildah"]),
        (["--builder", "interface"], "interface", ["buildah"]),
        (["--format", "nope"], "nope", ["json", "text"]),
        (["--format", "text", "--format", "json"], "standard output", ["=FILE"]),
        (["--twice", "--builds", "3"], "--twice", ["one of them"]),
        (["--builds", "1"], "one build", ["two"]),
        (["--builds", "-1"], "one build", ["two"]),
        (["--builds", "0"], "build", ["two"]),
        (["--timestamp", "yesterday"], "yesterday", ["auto", "none", "1970"]),
        (["--timestamp", "-1"], "-1", ["1970"]),
        (["--timestamp", "1e9"], "1e9", ["1970"]),
        (["--target", "nope"], "nope", ["stages"]),
        (["--build-arg", "=x"], "=x", ["NAME=VALUE"]),
        (["--file", "nope"], "nope", ["Containerfile"]),
        (["--vary", "time", "--hold", "umask,time"], "time", ["once"]),
        (["--vary", ""], "--vary", ["all of them"]),
        (["--hold", " , "], "--hold", ["all of them"]),
        (["--secret", "src=Containerfile"], "no id", ["id=NAME,src=FILE"]),
        (["--secret", "id=x,src=nope"], "no such file", ["id=NAME,src=FILE"]),
    ],
    ids=lambda value: " ".join(value) if value and value[0].startswith("--") else "",
)
def test_a_wrong_option_is_refused_before_anything_is_built(
    shell: Shell, copy: Path, words: list[str], error: str, way_out: Sequence[str]
) -> None:
    done = shell("rebuild", *words, copy)
    refused_at_once(shell, done, error)
    for word in way_out:
        assert word in done.way_out


@pytest.mark.parametrize(
    "words",
    [["rebuild", "--nope"], ["nope"], ["rebuild", "--jobs", "0"], ["list", "nope"], ["diff", "x"]],
    ids=" ".join,
)
def test_what_the_command_line_does_not_know_is_wrong_usage(shell: Shell, words: list[str]) -> None:
    done = shell(*words)
    assert done.status == 2
    assert done.stdout == b""
    assert done.stderr


def test_a_containerfile_is_no_context(shell: Shell, copy: Path) -> None:
    done = shell("rebuild", copy / "Containerfile")
    refused_at_once(shell, done, "is a file")
    assert f"--file {copy}/Containerfile {copy}" in done.way_out


@pytest.mark.parametrize("name", ["a b", "a,b", "a:b", "a\\b", 'a"b'])
def test_scratch_that_no_mount_can_name_is_refused(shell: Shell, copy: Path, name: str) -> None:
    (odd := shell.cwd / name).mkdir()
    done = shell("rebuild", copy, env={"TMPDIR": str(odd)})
    refused_at_once(shell, done, "scratch space cannot lie below")
    assert "TMPDIR" in done.way_out


@pytest.mark.parametrize("value", ["yesterday", "-1", "1.5", " 1"])
def test_a_wrong_source_date_epoch_is_refused(shell: Shell, copy: Path, value: str) -> None:
    done = shell("rebuild", copy, env={"SOURCE_DATE_EPOCH": value})
    refused_at_once(shell, done, value)
    assert "SOURCE_DATE_EPOCH" in done.way_out


def test_source_date_epoch_is_the_timestamp_and_the_option_wins(shell: Shell, copy: Path) -> None:
    words = ["rebuild", copy, "--quiet", "--vary", "file_order", "--format", "json"]
    env = {"SOURCE_DATE_EPOCH": "86400"}
    assert json.loads(shell(*words, env=env).stdout)["subject"]["timestamp"] == 86_400
    chosen = shell(*words, "--timestamp", "7", env=env)
    assert json.loads(chosen.stdout)["subject"]["timestamp"] == 7


@pytest.mark.parametrize("option", ["--output={}", "--format=json={}"])
@pytest.mark.parametrize(
    "place",
    [
        "{file}/below",
        "/proc/no-such/below",
        pytest.param("/proc/repaudit", id="proc"),
        pytest.param("/sys/repaudit", id="sys"),
    ],
)
def test_where_nothing_can_be_written_is_told_before_the_builds(
    shell: Shell, copy: Path, option: str, place: str
) -> None:
    target = place.format(file=copy / "Containerfile")
    refused_at_once(shell, shell("rebuild", option.format(target), copy), target)


def test_an_output_folder_that_is_there_but_takes_nothing_is_told_before_the_builds(
    shell: Shell, copy: Path
) -> None:
    refused_at_once(shell, shell("rebuild", "--output", "/proc", copy), "/proc")


@pytest.mark.parametrize("journal", [None, "{}", "[]", '{"start": 1}', '{"runs": {"a": 1}}'])
def test_a_folder_of_somebody_elses_is_left_as_it_is(
    shell: Shell, copy: Path, journal: str | None
) -> None:
    theirs = shell.cwd / "theirs"
    (theirs / "runs").mkdir(parents=True)
    (theirs / "runs" / "marathon").write_text("42.195")
    if journal is not None:
        (theirs / "journal.json").write_text(journal)

    refused_at_once(shell, shell("rebuild", "--output", theirs, copy), "theirs is not empty")
    assert (theirs / "runs" / "marathon").read_text() == "42.195"


def test_a_report_cannot_be_written_over_a_folder(shell: Shell, copy: Path) -> None:
    refused_at_once(shell, shell("rebuild", f"--format=json={copy}", copy), str(copy))
    refused_at_once(shell, shell("rebuild", "--format=json=no/such/file", copy), "no/such/file")


# Settings.


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nope = 1", ["no such setting", "nope"]),
        ('builds = "3"', ["builds", "int"]),
        ("builds = true", ["builds", "int"]),
        ('vary = "umask"', ["vary", "list"]),
        ("vary = [1]", ["vary", "list"]),
        ("seed = 3", ["seed", "str"]),
        ("timestamp = 1.5", ["timestamp"]),
        ("x = [", ["repaudit.toml"]),
        ("jobs = -2", ["jobs"]),
        ("jobs = 0", ["jobs"]),
    ],
)
def test_a_wrong_setting_is_named_with_its_file(
    shell: Shell, copy: Path, text: str, words: list[str]
) -> None:
    (copy / "repaudit.toml").write_text(text, "utf-8")
    refused_at_once(shell, shell("rebuild", copy), "repaudit.toml", *words)


@pytest.mark.parametrize(
    "text",
    [
        "[tool.repaudit]\nnope = 1",
        "[tool]\nrepaudit = 3",
        "tool = 3",
    ],
)
def test_a_wrong_setting_in_pyproject_is_named_too(shell: Shell, copy: Path, text: str) -> None:
    (copy / "pyproject.toml").write_text(text, "utf-8")
    refused_at_once(shell, shell("rebuild", copy), "pyproject.toml")


def test_settings_are_used_and_flags_win(shell: Shell, copy: Path) -> None:
    text = 'timestamp = 9\nhold = ["umask"]\n'
    words = ["rebuild", "--quiet", "--format", "json", copy]
    (copy / "repaudit.toml").write_text(text, "utf-8")
    (copy / "pyproject.toml").write_text("[tool.repaudit]\nnope = 1", "utf-8")  # not looked at
    report = json.loads(shell(*words).stdout)
    assert report["subject"]["timestamp"] == 9
    assert {"factor": "umask", "reason": "held on request"} in report["held"]

    (copy / "repaudit.toml").unlink()
    (copy / "pyproject.toml").write_text(f"[tool.repaudit]\n{text}", "utf-8")
    report = json.loads(shell(*words, "--timestamp", "8", "--hold", "kernel").stdout)
    assert report["subject"]["timestamp"] == 8
    held = [held["factor"] for held in report["held"] if held["reason"] == "held on request"]
    assert held == ["kernel"]


@pytest.mark.parametrize("name", ["file", "build-arg", "secret", "output", "format"])
def test_what_reads_or_writes_elsewhere_is_no_setting(shell: Shell, copy: Path, name: str) -> None:
    (copy / "repaudit.toml").write_text(f'{name} = "x"', "utf-8")
    done = shell("rebuild", copy)
    refused_at_once(shell, done, "repaudit.toml", name)
    assert f"--{name}" in done.way_out


def test_other_tools_settings_are_none_of_ours(shell: Shell, copy: Path) -> None:
    (copy / "pyproject.toml").write_text("[tool.other]\nnope = 1", "utf-8")
    assert shell("rebuild", "--quiet", copy).status == 0


# repaudit report.


@pytest.mark.parametrize(
    ("text", "status", "words"),
    [
        (None, 2, "no report"),
        ("", 3, "not a report"),
        ("{", 3, "not a report"),
        ("[" * 100_000, 3, "not a report"),
        ("[1]", 3, "schema"),
        ('{"schema": "other/9"}', 3, "other/9"),
        ('{"schema": "repaudit-report/1"}', 3, "verdict"),
    ],
    ids=["nothing", "empty", "broken", "deep", "a-list", "other-schema", "fields-missing"],
)
def test_what_is_no_report_is_refused(
    shell: Shell, text: str | None, status: int, words: str
) -> None:
    folder = shell.cwd / "kept"
    folder.mkdir()
    if text is not None:
        (folder / "report.json").write_text(text, "utf-8")
    refused(shell, shell("report", "kept"), status, words, "kept")


@pytest.mark.parametrize("name", ["no/such/folder", "file/below"])
def test_a_run_that_is_not_there_is_refused(shell: Shell, name: str) -> None:
    (shell.cwd / "file").touch()
    refused(shell, shell("report", name), 2, name)


def test_a_kept_run_gives_the_same_bytes_anywhere(shell: Shell) -> None:
    context = shell.context(RANDOM, "Ünï çöntext 語")
    kept = shell.cwd / "ge halten"
    others = ("codequality", "html", "junit", "markdown", "sarif")
    formats = ["--format", "text", "--format", f"json={shell.cwd}/report.json"]
    formats += [word for name in others for word in ("--format", f"{name}={shell.cwd}/{name}")]
    done = shell("rebuild", context, "--output", kept, *formats, umask=0o077)
    assert done.status == 1
    text, whole = done.stdout, (shell.cwd / "report.json").read_bytes()
    assert (kept / "report.json").read_bytes() == whole
    jsonschema.validate(json.loads(whole), report_schema())
    assert "srv/id  content" in done.text
    assert json.loads(whole)["layers"][-1]["instruction"]["line"] > 1

    places = [
        {},
        {"LC_ALL": "C", "PYTHONHASHSEED": "1", "TZ": "Asia/Tokyo", "COLUMNS": "40"},
        {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONHASHSEED": "2"},
    ]
    for umask, env in zip((0o022, 0, 0o077), places, strict=True):
        again = shell("report", kept, env=env, umask=umask)
        assert (again.status, again.stdout) == (1, text)
        again = shell("report", kept, "--format", "json", env=env, umask=umask)
        assert (again.status, again.stdout) == (1, whole)
        for name in others:
            again = shell("report", kept, "--format", name, env=env, umask=umask)
            assert again.stdout == (shell.cwd / name).read_bytes()
    assert shell("report", kept / "report.json", "--format", "json=again").stdout == b""
    assert (shell.cwd / "again").read_bytes() == whole


def test_the_log_of_a_run_that_failed_is_kept(shell: Shell) -> None:
    context = shell.context(f"FROM {GOLDEN}\nRUN echo before; test $(umask) = 0022\n")
    words = ("--quiet", "--vary=umask", "--output=kept")
    assert shell("rebuild", *words, context).status == 1
    logs = {path.parent.name: path.read_text() for path in shell.cwd.glob("kept/runs/*/log")}
    assert "before" in logs["variant"]
    assert not (shell.cwd / "kept/runs/variant/blobs").exists()
    assert (shell.cwd / "kept/runs/control/blobs").exists()


def test_no_build_sees_what_repaudit_wrote(shell: Shell) -> None:
    """Reports in the context are no source: a clean checkout has none, and gives the same image."""
    context = shell.context("FROM scratch\nCOPY . /\n", journal__json="{}", below__json="")
    (context / "below").mkdir()
    shell.cwd = context

    def digests(*words: str) -> set[str]:
        done = shell("rebuild", "--quiet", "--timestamp=0", ".", "--format=json", *words)
        assert done.status == 0, done.text
        return {run["image"] for run in json.loads(done.text)["runs"]}

    first = digests()
    for words in (
        ("--output=audit",),
        ("--output=below/audit", "--format=sarif=below/out.sarif"),
        ("--format=sarif=below/out.sarif",),
    ):
        assert digests(*words) == first
    assert {path.name for path in (context / "below").iterdir()} == {"audit", "out.sarif"}
    (context / "below" / "mine").touch()
    assert digests() != first


def test_progress_that_nobody_reads_is_no_answer(shell: Shell, copy: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with shell.start("rebuild", copy, stdout=subprocess.PIPE, stderr=writer) as process:
        os.close(writer)
        assert b"reproducible" in process.stdout.read()
    assert process.returncode == 0


def test_a_kept_run_holds_images_logs_and_journal_and_may_be_written_over(
    shell: Shell, copy: Path
) -> None:
    for _ in range(2):
        assert shell("rebuild", "--quiet", "--output", "kept", copy).status == 0
    kept = shell.cwd / "kept"
    assert {path.name for path in kept.iterdir()} == {"journal.json", "report.json", "runs"}
    for run in ("control", "variant"):
        assert live.files(kept / "runs" / run)["file"] == COPY.encode()
        assert "STEP 2/2" in (kept / "runs" / run / "log").read_text("utf-8")
        assert len(live.blobs(kept / "runs" / run)) == 3


# repaudit diff.

ONE = images.tar(images.member(b"file", b"one\n"))
TWO = images.tar(images.member(b"file", b"two\n"))


def layout(*layers: bytes) -> dict[str, bytes]:
    store = images.Store()
    return store.layout(store.image(*layers))


def folder(shell: Shell, name: str, files: dict[str, bytes]) -> str:
    images.write_files(shell.cwd / name, files)
    return name


def test_equal_images_are_equal_and_others_are_not(shell: Shell) -> None:
    one, two = folder(shell, "one", layout(ONE)), folder(shell, "two", layout(TWO))
    (shell.cwd / "one.tar").write_bytes(images.archive(layout(ONE)))

    for left, right in ((one, one), (one, "one.tar"), ("one.tar", f"oci:{one}")):
        same = shell("diff", left, right, "--format", "json")
        assert (same.status, json.loads(same.stdout)["findings"]) == (0, [])
    for left, right in ((one, two), (two, "one.tar")):
        other = shell("diff", left, right, "--format", "json")
        report = json.loads(other.stdout)
        assert (other.status, report["verdict"]) == (1, "unreproducible")
        assert report["findings"][0]["differences"][0]["path"] == "file"
        jsonschema.validate(report, report_schema())
    assert shell.scratch == []


def test_no_format_tells_where_images_lay(shell: Shell) -> None:
    said = []
    for place in ("here", "a/longer/way/there"):
        for name, layer in (("old", ONE), ("new", TWO)):
            file = shell.cwd / place / name / "app.tar"
            file.parent.mkdir(parents=True)
            file.write_bytes(images.archive(layout(layer)))
        sides = [str(shell.cwd / place / name / "app.tar") for name in ("old", "new")]
        formats = [f"--format={one}={shell.cwd / one}" for one in REPORTERS.names()]
        assert shell("diff", *sides, *formats).status == 1
        said.append([(shell.cwd / one).read_bytes() for one in REPORTERS.names()])

    assert said[0] == said[1]
    subject = json.loads(said[0][REPORTERS.names().index("json")])["subject"]
    assert subject["left"].startswith("app.tar (sha256:")  # one name says nothing of two images
    assert subject["left"] != subject["right"]


def test_what_is_not_read_is_told(shell: Shell) -> None:
    one, two = folder(shell, "one", layout(ONE)), folder(shell, "two", layout(TWO))

    for right, count in ((one, 1), (two, 0)):
        report = json.loads(shell("diff", one, right, "--format", "json").stdout)
        assert report["unread"] == count
        text = shell("diff", one, right).stdout.decode()
        assert ("not compared  1 layer, as its digest is the same" in text) == bool(count)


def test_the_jar_of_a_service_with_all_that_it_needs_is_looked_into(shell: Shell) -> None:
    """Such jars are 30 to 100 MB long, and their directory stands at the end."""

    def service(day: int, *more: tuple[str, bytes]) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as jar:
            for name, data in (("BOOT-INF/lib/big.jar", bytes(40 << 20)), *more):
                jar.writestr(zipfile.ZipInfo(name, (2026, 1, day, 0, 0, 0)), data)
        return images.tar(images.member(b"srv/app.jar", out.getvalue()))

    one, later = folder(shell, "one", layout(service(1))), folder(shell, "2", layout(service(2)))
    report = json.loads(shell("diff", one, later, "--format", "json").stdout)
    assert [finding["cause"]["slug"] for finding in report["findings"]] == ["timestamps_in_jar"]

    other = folder(shell, "other", layout(service(2, ("BOOT-INF/lib/x.jar", b"x"))))
    report = json.loads(shell("diff", one, other, "--format", "json").stdout)
    assert report["findings"][0]["cause"]["slug"] == "unexplained"


@pytest.mark.parametrize("damage", ["gone", "longer", "shorter"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_layer_that_need_not_be_read_is_refused_where_it_is_gone_or_of_another_size(
    shell: Shell, damage: str, packed: bool
) -> None:
    """Whatever is known of its digest, and whether both sides have the same."""
    one, two = folder(shell, "one", layout(ONE)), folder(shell, "two", layout(TWO))
    assert shell("diff", one, two).status == 1
    new = {"longer": ONE + bytes(512), "shorter": ONE[:-512]}
    files = {
        name: new[damage] if data == ONE else data
        for name, data in layout(ONE).items()
        if damage != "gone" or data != ONE
    }
    if packed:
        (shell.cwd / "bad").write_bytes(images.archive(files))
    else:
        folder(shell, "bad", files)

    for pair in ((one, "bad"), ("bad", "bad"), ("bad", two), (two, "bad")):
        done = shell("diff", *pair)
        assert (done.status, done.stdout) == (3, b"")
        assert ("has no blobs" if damage == "gone" else "does not match") in done.error
    assert [shell("diff", *pair).status for pair in ((one, one), (one, two))] == [0, 1]


def corrupt(files: dict[str, bytes]) -> dict[str, bytes]:
    """Write other bytes, of the same length, under the digest of the layer."""
    return {name: TWO if data == ONE else data for name, data in files.items()}


def packed(*members: bytes) -> bytes:
    """An archive of an image, with these members too."""
    return images.tar(*members, images.archive(layout(ONE)), end=b"")


WHOLE = images.archive(layout(ONE))


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (WHOLE[:3000], "ends in the middle"),
        (WHOLE[:-1500], "ends in the middle"),
        (images.tar(images.member(b"file", b"text")), "no archive of an image"),
        (corrupt(layout(ONE)), "does not match"),
        (layout(images.tar(images.member(b"../file", b"one"))), "`..`"),
        (layout(images.tar(images.member(b"a/../../file", b"one"))), "`..`"),
        (layout(images.tar(images.member(b"/file", b"one"))), "absolute"),
        (packed(images.member(b"../file")), "`..`"),
        (packed(images.member(b"/file")), "absolute"),
        (layout(ONE[:700]), "ends"),
    ],
    ids=[
        *("truncated", "cut-short", "no-image", "other-digest", "dotdot", "dotdot-inside"),
        *("absolute", "archive-dotdot", "archive-absolute", "layer-truncated"),
    ],
)
def test_a_malformed_image_is_refused_by_name(
    shell: Shell, image: bytes | dict[str, bytes], words: str
) -> None:
    sound = folder(shell, "sound", layout(TWO))
    bad = shell.cwd / "bad"
    if isinstance(image, bytes):
        bad.write_bytes(image)
    else:
        images.write_files(bad, image)
    for pair in ((sound, "bad"), ("bad", sound)):
        # What an index knows of a digest is not read again, so that its bytes cannot be wrong.
        done = shell("diff", *pair, env={"XDG_CACHE_HOME": str(shell.home)})
        assert done.status == 3, done.stderr
        assert words in done.error
        assert done.stdout == b""
        assert shell.scratch == []
    assert not (shell.cwd.parent / "file").exists()


def test_a_malformed_image_comes_with_a_way_out(shell: Shell) -> None:
    sound = folder(shell, "sound", layout(TWO))
    (shell.cwd / "bad").write_bytes(WHOLE[:3000])
    refused(shell, shell("diff", sound, "bad"), 3, "bad")


def test_a_malformed_layer_is_told_with_the_image_that_has_it(shell: Shell) -> None:
    sound = folder(shell, "sound", layout(TWO))
    folder(shell, "bad", layout(images.tar(images.member(b"../file", b"one"))))
    assert "bad" in shell("diff", sound, "bad").error


def test_an_image_that_is_not_there_is_refused(shell: Shell) -> None:
    sound = folder(shell, "sound", layout(ONE))
    for words in ((sound, "no/such"), ("no/such", sound), (sound, "/dev/null"), (sound, ".")):
        refused_at_once(shell, shell("diff", *words), *(set(words) - {sound}))
    done = shell("diff", sound, "oci:no/such")
    refused(shell, done, 3, "no/such")


def test_a_device_is_an_entry_like_any_other(shell: Shell) -> None:
    device = images.header(b"dev/null", kind=b"3")
    with_it = folder(shell, "device", layout(images.tar(device)))
    same = shell("diff", with_it, with_it)
    other = shell("diff", with_it, folder(shell, "one", layout(ONE)), "--format", "json")
    paths = [d["path"] for f in json.loads(other.stdout)["findings"] for d in f["differences"]]

    assert (same.status, other.status) == (0, 1)
    assert sorted(paths) == ["dev/null", "file"]


def sparse(text: bytes) -> bytes:
    """A layer with a file of 10 GiB that ends in `text`, by GNU's sparse format 1.0."""
    size = 10 << 30
    head = ((b"major", b"1"), (b"minor", b"0"), (b"name", b"big"), (b"realsize", b"%d" % size))
    words = images.pax(*((b"GNU.sparse." + key, value) for key, value in head))
    table = images.pad(b"1\n%d\n%d\n" % (size - len(text), len(text)))
    return images.tar(words, images.member(b"GNUSparseFile.0/big", table + text))


def test_a_sparse_file_of_ten_gigabytes_costs_its_data_only(shell: Shell) -> None:
    left = folder(shell, "left", layout(sparse(b"x" * 512)))
    same = shell("diff", left, left)
    other = shell("diff", left, folder(shell, "right", layout(sparse(b"y" * 512))), "--format=json")
    (difference,) = json.loads(other.stdout)["findings"][0]["differences"]

    assert same.status == 0
    assert (other.status, difference["path"], difference["aspect"]) == (1, "big", "content")
    assert same.seconds + other.seconds < 20


def test_a_sparse_file_beside_a_whole_one_is_no_content_that_is_known_to_differ(
    shell: Shell,
) -> None:
    """Of another length it is: that is known without reading what the holes stand for."""
    size, text = 700, b"text"
    head = ((b"map", b"0,%d" % len(text)), (b"size", b"%d" % size), (b"numblocks", b"1"))
    words = images.pax(*((b"GNU.sparse." + key, value) for key, value in head))
    left = folder(shell, "left", layout(images.tar(words, images.member(b"big", text))))
    unsure = "whether its content differs was not told"
    for name, length, said in (("whole", size, True), ("longer", size + 1, False)):
        whole = images.tar(images.member(b"big", text.ljust(length, b"\0")))
        done = shell("diff", left, folder(shell, name, layout(whole)))
        told = " ".join(done.stdout.decode().split())
        assert (done.status, "big content" in told, unsure in told) == (1, True, said)


def test_a_decompression_bomb_is_refused(shell: Shell) -> None:
    store = images.Store()
    bomb = gzip.compress(bytes(16 << 20), 9, mtime=0) * 80  # 1.3 MB that make 1.3 GB
    described = store.image(ONE)
    manifest = json.loads(store.blobs.pop(described["digest"]))
    manifest["layers"] = [store.add(bomb, images.LAYER + "+gzip")]
    folder(shell, "bomb", store.layout(store.add_json(manifest, images.MANIFEST)))
    done = shell("diff", folder(shell, "two", layout(TWO)), "bomb")

    assert done.status == 3
    assert "bomb" in done.error
    assert done.stdout == b""
    assert shell.scratch == []


# repaudit doctor and list.


def test_the_doctor_says_what_this_machine_can_do(shell: Shell) -> None:
    done = shell("doctor")
    assert done.status == 0, done.text
    for word in ("buildah", "runc", *SETTABLE):
        assert word in done.text
    assert shell.scratch == []


def without(shell: Shell, tool: str, *words: str | Path) -> Done:
    """Run `repaudit …` where a program is not there, in a mount namespace of its own."""
    script = 'mount --bind /dev/null "$1" && shift && exec "$@"'
    argv = ["unshare", "--mount", "sh", "-c", script, "sh", str(shutil.which(tool))]
    argv += [sys.executable, "-m", "repaudit", *map(str, words)]
    env = shell.environment | {"COLUMNS": "200"}
    done = subprocess.run(argv, env=env, cwd=shell.cwd, capture_output=True)
    stderr = done.stderr.decode()
    return Done(status=done.returncode, stdout=done.stdout, stderr=stderr, seconds=0)


@pytest.mark.parametrize(
    ("tool", "package", "status"),
    [("skopeo", "skopeo", 0), ("busybox", "busybox-static", 3)],
)
def test_the_doctor_names_the_package_of_what_is_not_there(
    shell: Shell, tool: str, package: str, status: int
) -> None:
    done = without(shell, tool, "doctor")
    assert done.status == status, done.text
    (line,) = [line for line in done.text.splitlines() if f"apt-get install {package}" in line]
    assert tool in line


@pytest.mark.parametrize(
    ("tool", "package"), [("runc", "runc"), ("containers-storage", "containers-storage")]
)
def test_a_rebuild_without_a_tool_names_its_package(
    shell: Shell, copy: Path, tool: str, package: str
) -> None:
    done = without(shell, tool, "rebuild", copy)
    refused(shell, done, 3, f"{tool} is not installed")
    assert f"apt-get install {package}" in done.way_out


@pytest.mark.parametrize("words", [[], ["attest"], ["pins"], ["pins", "audit"], ["gate"]])
def test_the_help_offers_what_is_ours_alone(shell: Shell, words: list[str]) -> None:
    told = shell(*words, "--help").text
    assert "completion" not in told
    assert words == ["pins"] or told.count(f"repaudit {' '.join(words)}") >= 2


KINDS = {
    "factors": [*SETTABLE, *INTRINSIC],
    "causes": ["different_due_to_umask", "captures_kernel_version"],
    "reporters": ["json", "text"],
    "builders": ["buildah"],
    "sources": ["layout", "oci_archive", "docker_archive", "skopeo"],
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_plug_in_is_listed(shell: Shell, kind: str) -> None:
    done = shell("list", kind)
    first = [line.split(" ")[0] for line in done.text.splitlines()]
    assert done.status == 0
    assert set(KINDS[kind]) <= set(first)


def test_plug_ins_are_listed_one_a_line(shell: Shell) -> None:
    lines = shell("list", "factors").text.splitlines()
    assert [line.split()[0] for line in lines] == [*SETTABLE, *INTRINSIC]


# Signals.

SLOW = f"FROM {GOLDEN}\nRUN sleep 4\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("after", ["building control", "building variant"])
def test_a_signal_ends_a_run_at_once_and_nothing_is_left(
    shell: Shell, number: signal.Signals, after: str
) -> None:
    pipe = subprocess.PIPE
    with shell.start("rebuild", shell.context(SLOW), stdout=pipe, stderr=pipe) as process:
        assert process.stderr is not None
        said = b""
        while after.encode() not in said:
            said += (line := process.stderr.readline())
            assert line, said
        time.sleep(0.7)
        began = time.monotonic()
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=30)
        seconds = time.monotonic() - began

    assert process.returncode == 130
    assert stdout == b""
    assert b"interrupted" in stderr
    assert b"Traceback" not in stderr
    assert shell.scratch == []
    assert shell.mounts() == []
    assert live.until(1, shell.processes) == []
    assert live.until(5, shell.loops) == []
    assert seconds < 1.5, stderr.decode()


# Terminals.


def on_a_terminal(shell: Shell, *words: str | Path, **env: str) -> bytes:
    """Run `repaudit …` with standard output and error on a terminal, and return what it shows."""
    ours, theirs = pty.openpty()
    shown: list[bytes] = []

    def read() -> None:
        while True:
            try:
                shown.append(os.read(ours, 1 << 16))
            except OSError:  # nobody holds the other end any more
                return

    process = shell.start(*words, env={"TERM": "xterm", **env}, stdout=theirs, stderr=theirs)
    os.close(theirs)
    reader = threading.Thread(target=read)
    reader.start()
    process.wait(timeout=60)
    reader.join()
    os.close(ours)
    return b"".join(shown)


COLOURS = [b"\x1b[31m", b"\x1b[1;31m", b"\x1b[36m", b"\x1b[33m", b"\x1b[35m", b"\x1b[1;33m"]


def test_a_pipe_gets_no_escape_sequences(shell: Shell) -> None:
    one, two = folder(shell, "one", layout(ONE)), folder(shell, "two", layout(TWO))
    for words in (("diff", one, two), ("doctor",), ("list", "causes"), ("diff", one, "no/such")):
        done = shell(*words, env={"TERM": "xterm"})
        assert ESCAPE not in done.stdout + done.stderr.encode()
    done = shell("rebuild", shell.context(RANDOM), "--verbose", env={"TERM": "xterm"})
    assert done.status == 1
    assert ESCAPE not in done.stdout + done.stderr.encode()
    assert "STEP 2/2" in done.stderr


def test_a_terminal_gets_colours(shell: Shell) -> None:
    one, two = folder(shell, "one", layout(ONE)), folder(shell, "two", layout(TWO))
    shown = on_a_terminal(shell, "diff", "--quiet", one, two)
    assert any(colour in shown for colour in COLOURS), shown


def test_a_pipe_that_is_said_to_be_a_terminal_gets_colours_and_no_live_display(
    shell: Shell,
) -> None:
    one, two = folder(shell, "one", layout(ONE)), folder(shell, "two", layout(TWO))
    done = shell("diff", one, two, env={"TERM": "xterm", "FORCE_COLOR": "1"})
    assert any(colour in done.stdout for colour in COLOURS), done.stdout
    assert ESCAPE not in done.stderr.encode()
    assert "comparing" in done.stderr


def test_no_color_is_respected_on_a_terminal(shell: Shell) -> None:
    one, two = folder(shell, "one", layout(ONE)), folder(shell, "two", layout(TWO))
    for words in (("diff", one, two), ("diff", "--quiet", one, two), ("diff", one, "no/such")):
        shown = on_a_terminal(shell, *words, NO_COLOR="1")
        assert not [colour for colour in COLOURS if colour in shown], shown
    assert ESCAPE not in on_a_terminal(shell, "diff", "--quiet", one, two, TERM="dumb")


def test_quiet_says_nothing_but_the_report(shell: Shell, copy: Path) -> None:
    done = shell("rebuild", "--quiet", copy)
    assert done.stderr == ""
    assert done.text.startswith("reproducible")


# What a build may ask for.


def built(shell: Shell, *words: str | Path, env: dict[str, str] | None = None) -> dict[str, bytes]:
    """Rebuild, check that the image is reproducible, and return the files in its new layers."""
    kept = shell.cwd / "kept"
    fixed = ["--quiet", "--hold", "umask", "--output", kept, "--format", "json"]
    done = shell("rebuild", *fixed, *words, env=env)
    assert done.status == 0, (done.stderr, done.text)
    jsonschema.validate(json.loads(done.stdout), report_schema())
    left, right = (live.files(kept / "runs" / run) for run in ("control", "variant"))
    assert left == right
    return left


def test_build_arguments_reach_the_build(shell: Shell) -> None:
    text = f'FROM {GOLDEN}\nARG A=unset B C=kept D=kept\nRUN echo "$A,$B,$C,$D" >/srv/seen\n'
    context = shell.context(text)
    # One that is not set here is not given, as with buildah, and takes back what was.
    given = ["A=x=y z", "B", "C", "D=lost", "D"]
    words = [word for one in given for word in ("--build-arg", one)]
    seen = built(shell, *words, context, env={"B": "from here"})["srv/seen"]
    assert seen == b"x=y z,from here,kept,kept\n"


def test_a_target_is_built_and_no_stage_behind_it(shell: Shell) -> None:
    text = f"FROM {GOLDEN} AS one\nRUN echo >/srv/one\nFROM one AS two\nRUN exit 1\n"
    names = built(shell, "--target", "one", shell.context(text))
    assert "srv/one" in names


@pytest.mark.parametrize("name", [".containerignore", ".dockerignore"])
def test_what_is_ignored_is_not_in_the_context(shell: Shell, name: str) -> None:
    context = shell.context("FROM scratch\nCOPY . /all/\n", keep__txt="a", secret__env="b")
    (context / name).write_text("*.env\n", "utf-8")
    names = built(shell, context)
    assert "all/keep.txt" in names
    assert "all/secret.env" not in names


@pytest.mark.parametrize("relative", [False, True])
def test_a_secret_reaches_its_step_and_nothing_else(shell: Shell, relative: bool) -> None:
    (shell.cwd / "key").write_text("hidden-words", "utf-8")
    text = f"FROM {GOLDEN}\nRUN --mount=type=secret,id=x wc -c </run/secrets/x >/srv/size\n"
    source = "key" if relative else shell.cwd / "key"
    names = built(shell, "--secret", f"id=x,src={source}", shell.context(text))

    assert names["srv/size"] == b"12\n"
    for path in (shell.cwd / "kept").rglob("*"):
        assert path.is_dir() or b"hidden-words" not in path.read_bytes()


def test_a_containerfile_may_lie_elsewhere(shell: Shell) -> None:
    context = shell.context("FROM scratch\nCOPY wrong /wrong\n", name="a context", file="text")
    (shell.cwd / "other").mkdir()
    (shell.cwd / "other" / "My.file").write_text("FROM scratch\nCOPY file /here\n", "utf-8")
    assert built(shell, "-f", "other/My.file", context) == {"here": b"text"}


@pytest.mark.parametrize("name", ["Ünï çöntext $(false) 語", "a:b=c\\d 'e' -f"])
def test_a_context_may_have_any_name(shell: Shell, name: str) -> None:
    context = shell.context("FROM scratch\nCOPY file /here\n", name, file="a")
    assert built(shell, context.name, env={"LC_ALL": "C"}) == {"here": b"a"}


@pytest.mark.parametrize("name", ["a,b", 'a"b'])
def test_a_context_may_have_a_comma_or_a_quote_in_its_name(shell: Shell, name: str) -> None:
    context = shell.context("FROM scratch\nCOPY file /here\n", name, file="a")
    assert built(shell, context.name) == {"here": b"a"}


def test_a_step_cannot_write_to_the_context(shell: Shell) -> None:
    bind = "--mount=type=bind,rw,target=/context"
    text = f"FROM {GOLDEN}\nRUN {bind} cat /context/* >/srv/seen; echo b >/context/file\n"
    context = shell.context(text, file="a")
    assert built(shell, context)["srv/seen"] == f"{text}a".encode()
    assert (context / "file").read_text("utf-8") == "a"


def test_a_step_runs_as_the_containerfile_says(shell: Shell) -> None:
    lines = [
        f"FROM {GOLDEN}",
        'RUN ["/bin/sh", "-c", "echo json >/srv/json"]',
        "WORKDIR /srv/deep/er",
        "RUN pwd >/srv/pwd",
        "ENV TZ=Asia/Tokyo LC_ALL=C USER=me",
        "RUN echo $TZ $LC_ALL $USER >/srv/env",
        "USER nobody",
        "RUN id -un >/tmp/user",
    ]
    seen = built(shell, shell.context("\n".join(lines)))
    told = {name: text.decode().strip() for name, text in seen.items() if text}
    assert told == {
        "srv/json": "json",
        "srv/pwd": "/srv/deep/er",
        "srv/env": "Asia/Tokyo C me",
        "tmp/user": "nobody",
    }


@bug(reason="buildah ignores SHELL in the OCI format, which it writes unless told otherwise")
def test_a_step_runs_in_the_shell_that_the_containerfile_names(shell: Shell) -> None:
    text = f'FROM {GOLDEN}\nSHELL ["/bin/bash", "-c"]\nRUN [[ a == a ]] && echo bash >/srv/seen\n'
    assert built(shell, shell.context(text))["srv/seen"] == b"bash\n"


# Replicates, and several at once.


def test_the_replicate_shows_what_is_random(shell: Shell) -> None:
    done = shell("rebuild", "--builds", "3", "--format", "json", shell.context(RANDOM))
    report = json.loads(done.stdout)
    jsonschema.validate(report, report_schema())
    roles = [run["role"] for run in report["runs"]]
    (shown,) = [
        finding
        for finding in report["findings"]
        if ("srv/id", "content") in {(d["path"], d["aspect"]) for d in finding["differences"]}
    ]

    assert done.status == 1
    assert roles == ["control", "replicate", "variant"]
    assert [suspect["factor"] for suspect in shown["factors"]] == ["random"]
    assert "replicate" in [evidence["source"] for evidence in shown["evidence"]]
    assert shown["instruction"]["line"] == 2


def test_two_processes_may_rebuild_side_by_side(shell: Shell) -> None:
    context = shell.context(f"FROM {GOLDEN}\nRUN umask 022; echo text >/srv/file\n")
    words = ["rebuild", "--format", "json", "--quiet", context]
    pipe = subprocess.PIPE
    both = [shell.start(*words, stdout=pipe, stderr=pipe) for _ in range(2)]
    told = [process.communicate(timeout=60) for process in both]

    assert [process.returncode for process in both] == [0, 0], told
    assert told[0][0] == told[1][0] != b""
    assert shell.scratch == []
