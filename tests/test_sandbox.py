"""The sandbox of external tools: each thing that it promises is tried, and so is its opposite."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from repaudit.comparators import _sandbox
from repaudit.host import process

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not _sandbox.available(), reason="bubblewrap is not installed"),
]
PYTHON = "/usr/bin/python3"


def sh(script: str, files: dict[str, Path] | None = None, seconds: float = 20) -> process.Result:
    return _sandbox.run(["sh", "-c", script], files or {}, seconds)


def python(script: str, seconds: float = 20) -> process.Result:
    return _sandbox.run([PYTHON, "-c", script], {}, seconds)


def test_a_program_runs_and_says_what_it_found(tmp_path: Path):
    (tmp_path / "file").write_text("content")
    done = sh("cat /tmp/left/file; exit 1", {"/tmp/left/file": tmp_path / "file"})

    assert (done.status, done.stdout) == (1, b"content")


def test_there_is_no_network():
    assert python("import socket; socket.create_connection(('127.0.0.1', 9))").status != 0
    links = sh("cat /proc/net/dev").stdout.decode()

    assert [line.split(":")[0].strip() for line in links.splitlines()[2:]] == ["lo"]


def test_the_user_is_nobody_and_has_no_rights():
    assert sh("id -u; id -g").stdout.split() == [b"65534", b"65534"]
    status = sh("cat /proc/self/status").stdout.decode()
    assert [line.split()[1] for line in status.splitlines() if line.startswith("CapEff")] == [
        "0000000000000000"
    ]


@pytest.mark.parametrize("place", ["/root", "/home", "/var", "/run", "/srv", "/opt"])
def test_nothing_of_the_users_files_is_there(place: str):
    if not Path(place).is_dir():
        pytest.skip(f"{place} is not here")
    assert sh(f"ls -A {place}").stdout == b""


def test_what_is_shown_cannot_be_written_to(tmp_path: Path):
    (tmp_path / "file").write_text("content")
    shown = {"/tmp/left/file": tmp_path / "file"}

    assert sh("echo changed > /tmp/left/file", shown).status != 0
    assert (tmp_path / "file").read_text() == "content"


@pytest.mark.parametrize("place", ["/", "/usr", "/etc", "/usr/local/bin", "/dev/shm/../.."])
def test_nothing_can_be_written_outside(place: str):
    assert sh(f"echo x > {place}/planted").status != 0
    assert not Path(place, "planted").exists()


def test_what_is_written_in_it_is_gone_with_it():
    assert sh("echo x > /tmp/planted && cat /tmp/planted").stdout == b"x\n"
    assert not Path("/tmp/planted").exists()


def test_nothing_of_our_environment_is_there():
    os.environ["REPAUDIT_SECRET"] = "token"
    try:
        names = {line.split(b"=")[0] for line in sh("env").stdout.splitlines()}
    finally:
        del os.environ["REPAUDIT_SECRET"]

    assert names <= {b"PATH", b"HOME", b"LC_ALL", b"TZ", b"PWD", b"OLDPWD", b"SHLVL", b"_"}


def test_our_processes_are_not_to_be_seen():
    seen = sh("ls /proc | grep -c '^[0-9]'").stdout

    assert int(seen) < 10
    assert sh(f"kill -0 {os.getpid()}").status != 0


def test_memory_is_bounded():
    assert python("bytearray(1 << 20); print('ok')").stdout == b"ok\n"
    assert python("bytearray(3 << 30)").status != 0


def test_files_are_bounded_and_so_are_all_of_them():
    assert sh("head -c 1M /dev/zero > /tmp/a").status == 0
    assert sh("head -c 300M /dev/zero > /tmp/a").status != 0
    fill = "for n in 1 2 3 4 5 6; do head -c 200M /dev/zero > /tmp/$n || exit 9; done"
    assert sh(fill).status == 9


def test_what_is_printed_is_bounded():
    assert len(sh("head -c 1000 /dev/zero").stdout) == 1000
    assert len(sh("head -c 100M /dev/zero").stdout) == _sandbox.MOST_PRINTED


def test_processes_are_bounded():
    script = """
import os, time
for _ in range(%d):
    if os.fork() == 0:
        time.sleep(3)
        os._exit(0)
"""
    assert python(script % 20).status == 0
    assert python(script % 400).status != 0


def test_time_is_bounded_and_nothing_is_left_behind():
    done = sh("sleep 1234567 & sleep 1234567", seconds=1)

    assert done.status == -9
    assert gone("sleep\x001234567")


_KILLED = """
from repaudit.comparators import _sandbox
_sandbox.run(["sleep", "7654321"], {}, 60)
"""


def test_killed_we_leave_nothing_behind():
    process = subprocess.Popen([sys.executable, "-c", _KILLED])
    while gone("sleep\x007654321", tries=1):
        time.sleep(0.1)
    process.kill()
    process.wait()

    assert gone("sleep\x007654321")


def gone(words: str, tries: int = 50) -> bool:
    """Whether no process of these words is there, or is soon."""
    for _ in range(tries):
        lines = [_read(path) for path in Path("/proc").glob("[0-9]*/cmdline")]
        if not any(line.startswith(words.encode()) for line in lines):
            return True
        time.sleep(0.1)
    return False


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
