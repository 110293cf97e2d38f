"""A killed repaudit leaves nothing that lives, and the next one sweeps up what is left on disk."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests import images, live
from tests.live import GOLDEN, Shell

pytestmark = pytest.mark.live

SLOW = f"FROM {GOLDEN}\nRUN sleep 1.5; echo one > /srv/one\nRUN sleep 60\n"


@pytest.fixture
def sweep(shell: Shell) -> list[str]:
    """A run of repaudit that is quick and uses the scratch root as any does."""
    store = images.Store()
    layout = store.layout(store.image(images.tar(images.member(b"file", b"text"))))
    folder = images.write_files(shell.cwd / "image", layout)
    return ["diff", str(folder), str(folder), "--quiet"]


def containers(shell: Shell) -> str:
    """The containers in the host's storage."""
    argv = ["buildah", "containers", "--quiet"]
    done = subprocess.run(argv, env=shell.environment, check=True, capture_output=True)
    return done.stdout.decode()


@contextmanager
def begin(shell: Shell) -> Iterator[subprocess.Popen[bytes]]:
    """A rebuild under way; it is killed at the end."""
    context = shell.context(SLOW)
    log = shell.cwd / "log"
    with log.open("wb") as file:
        words = ["rebuild", "--verbose", context]
        with shell.start(*words, stdout=subprocess.DEVNULL, stderr=file) as process:
            try:
                yield process
            finally:
                process.kill()


def wait_for_step(shell: Shell, word: str, *, count: int = 1) -> None:
    """Wait until so many build steps are under way that are this command."""
    end = time.monotonic() + 20
    while [line.strip() for line in shell.processes()].count(word) < count:
        said = (shell.cwd / "log").read_text("utf-8")
        assert "failed" not in said, said
        assert time.monotonic() < end, shell.processes()
        time.sleep(0.05)


@pytest.mark.parametrize("seconds", [0.15, 0.6, 1.2, 2.5, 3.5, 4.5])
def test_nothing_of_a_killed_run_lives_and_the_next_run_sweeps_up(
    shell: Shell, sweep: list[str], seconds: float
) -> None:
    before = containers(shell)
    with begin(shell) as process:
        time.sleep(seconds)
        if seconds > 2:  # a busy machine has come less far by then
            live.until(30, lambda: [] if shell.loops() else ["no file system yet"])
        during = shell.processes(), shell.loops()
        process.send_signal(signal.SIGKILL)
    tokens = shell.scratch

    assert live.until(1, shell.processes) == []
    assert shell.mounts() == []
    assert live.until(5, shell.loops) == []
    if seconds > 2:  # the probes are not blind
        assert any("sleep infinity" in line for line in during[0]), during
        assert during[1]
        assert len(tokens) == 1

    swept = shell(*sweep)
    assert swept.status == 0, swept.stderr
    assert shell.scratch == []
    assert live.cgroups(tokens) == []
    assert containers(shell) == before


def test_the_probes_see_a_run_that_lives_and_nothing_sweeps_it_away(
    shell: Shell, sweep: list[str]
) -> None:
    with begin(shell) as process:
        wait_for_step(shell, "sleep 60")
        tokens = shell.scratch
        assert shell(*sweep).status == 0

        assert process.poll() is None
        assert shell.scratch == tokens != []
        assert live.cgroups(tokens)
        lines = shell.processes()
        assert any("sleep 60" in line for line in lines), lines
        assert any("buildah" in line for line in lines), lines
        assert shell.loops()
        assert shell.mounts() == []  # the host's own namespace never has one
        process.send_signal(signal.SIGKILL)
    assert live.until(1, shell.processes) == []


def test_the_next_run_may_come_at_once(shell: Shell, sweep: list[str]) -> None:
    with begin(shell) as process:
        wait_for_step(shell, "sleep 60")
        tokens = shell.scratch
        with shell.start(*sweep) as other:  # it starts while the killed run still dies
            time.sleep(0.2)
            process.send_signal(signal.SIGKILL)
            assert other.wait() == 0
    assert shell(*sweep).status == 0

    assert shell.scratch == []
    assert live.until(1, shell.processes) == []
    assert live.cgroups(tokens) == []


def test_what_a_killed_run_left_is_swept_by_a_rebuild_too(shell: Shell) -> None:
    with begin(shell) as process:
        wait_for_step(shell, "sleep 1.5")
        process.send_signal(signal.SIGKILL)
    assert len(left := shell.scratch) == 1
    context = shell.context("FROM scratch\nCOPY Containerfile /file\n", "other")

    assert shell("rebuild", "--quiet", context).status == 0
    assert left[0] not in shell.scratch
    assert shell.scratch == []
    assert live.cgroups(left) == []


def test_a_run_whose_terminal_goes_away_sweeps_up_itself(shell: Shell) -> None:
    with begin(shell) as process:
        wait_for_step(shell, "sleep 60", count=2)
        tokens = shell.scratch
        process.send_signal(signal.SIGHUP)
        assert process.wait(timeout=3) == 130
    assert shell.scratch == []
    assert live.until(1, shell.processes) == []
    assert live.until(5, shell.loops) == []
    assert shell.mounts() == []
    assert live.cgroups(tokens) == []
