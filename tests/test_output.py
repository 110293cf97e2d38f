"""Where reports go: files, links, devices, pipes, and an output that takes nothing."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest

from repaudit.host.delivery import check, deliver
from repaudit.model.errors import UsageError
from tests.images import Store, member, tar, write_files

DIFF = (sys.executable, "-m", "repaudit", "diff", "--quiet", "--no-diffoscope")


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """Two images that differ."""
    store = Store()
    layers = (tar(member(b"a", data)) for data in (b"one\n", b"two\n"))
    files = [store.layout(store.image(layer)) for layer in layers]
    left, right = (write_files(tmp_path / str(n), one) for n, one in enumerate(files))
    return left, right


def test_a_device_takes_the_report_and_stays_one(tmp_path: Path, pair: tuple[Path, Path]):
    device = tmp_path / "null"
    try:
        os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("only root makes devices")
    done = subprocess.run([*DIFF, "--format", f"json={device}", *pair], capture_output=True)

    assert (done.returncode, done.stderr) == (1, b"")
    assert stat.S_ISCHR(device.stat().st_mode)


def test_a_pipe_takes_the_report_and_stays_one(tmp_path: Path, pair: tuple[Path, Path]):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    taken: list[bytes] = []
    reader = Thread(target=lambda: taken.append(pipe.read_bytes()), daemon=True)
    reader.start()
    assert subprocess.run([*DIFF, "--format", f"json={pipe}", *pair]).returncode == 1
    reader.join(20)

    assert json.loads(taken[0])["verdict"] == "unreproducible"
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_link_stays_one_and_what_it_leads_to_is_written(tmp_path: Path):
    (tmp_path / "folder").mkdir()
    target, link = tmp_path / "folder" / "target", tmp_path / "link"
    target.write_text("old")
    target.chmod(0o600)
    link.symlink_to("folder/target")
    deliver(b"new", link)

    assert link.is_symlink()
    assert target.read_text() == "new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert [path.name for path in target.parent.iterdir()] == ["target"]


def test_the_name_of_our_output_is_our_output(tmp_path: Path, pair: tuple[Path, Path]):
    with (tmp_path / "out").open("wb") as out:
        argv = [*DIFF, "--format", "json=/dev/stdout", *pair]
        assert subprocess.run(argv, stdout=out).returncode == 1
        assert json.loads((tmp_path / "out").read_bytes())["verdict"] == "unreproducible"
        assert os.fstat(out.fileno()).st_nlink == 1


def test_two_reports_on_one_output_are_both_there(tmp_path: Path, pair: tuple[Path, Path]):
    with (tmp_path / "out").open("wb") as out:
        argv = [*DIFF, "--format", "json=/dev/stdout", "--format", "text", *pair]
        assert subprocess.run(argv, stdout=out).returncode == 1

    shown = (tmp_path / "out").read_text()
    report, end = json.JSONDecoder().raw_decode(shown)
    assert report["verdict"] == "unreproducible"
    assert shown[end:].lstrip().startswith("unreproducible")


@pytest.mark.parametrize("form", ["json", "json=/dev/stdout"])
@pytest.mark.parametrize("buffered", ["", "1"])
def test_a_report_that_does_not_fit_is_told(tmp_path: Path, form: str, buffered: str):
    store = Store()
    layers = [tar(*(member(b"%d" % n, b"%d" % side) for n in range(200))) for side in (1, 2)]
    files = [store.layout(store.image(layer)) for layer in layers]
    sides = [write_files(tmp_path / str(n), one) for n, one in enumerate(files)]
    argv = ["bash", "-c", 'ulimit -f 64; "$@" > out', "sh", *DIFF, "--format", form, *sides]
    environment = os.environ | {"PYTHONUNBUFFERED": buffered}
    done = subprocess.run(argv, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)

    assert done.returncode == 2, done.stderr
    assert "File too large" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_link_that_leads_nowhere_is_told_before_the_work(tmp_path: Path):
    ring, dangling = tmp_path / "ring", tmp_path / "dangling"
    ring.symlink_to("ring")
    dangling.symlink_to("no/such")
    for path in (ring, dangling, tmp_path):
        with pytest.raises(UsageError, match="cannot write"):
            check(path)
    assert not (tmp_path / "no").exists()
    check(tmp_path / "new")


def test_what_takes_nothing_is_told(tmp_path: Path):
    with pytest.raises(UsageError, match="cannot write"):
        deliver(b"", tmp_path)
    with pytest.raises(UsageError, match="cannot write"):
        deliver(b"", Path("/proc/no-such/file"))


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_full_output_is_no_fault_of_ours(pair: tuple[Path, Path], form: str):
    with Path("/dev/full").open("wb") as full:
        argv = [*DIFF, "--format", form, *pair]
        done = subprocess.run(argv, stdout=full, stderr=subprocess.PIPE, text=True)

    assert done.returncode == 2
    assert done.stderr.startswith("error: cannot write to standard output: No space left")
    assert "Traceback" not in done.stderr


def test_a_closed_output_is_no_fault_of_ours(pair: tuple[Path, Path]):
    argv = ["sh", "-c", '"$@" >&-', "sh", *DIFF, *pair]
    done = subprocess.run(argv, stderr=subprocess.PIPE, text=True)

    assert done.returncode == 2
    assert done.stderr.startswith("error: standard output is closed")


def test_a_reader_that_has_seen_enough_does_not_change_the_answer(pair: tuple[Path, Path]):
    argv = [*DIFF, *pair]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""

    assert process.returncode == 1
