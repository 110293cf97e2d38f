"""The history: nothing kept is lost or half, and the index says what the files say."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from repaudit.host.history import History
from repaudit.model.canonical import to_json
from repaudit.model.errors import MalformedError, ToolFailedError
from repaudit.model.history import Light, Night, Source, night_from_json, seen
from repaudit.model.report import Report, Subject, Verdict
from tests import strategies

ROOT = Path(__file__).parent.parent
#: Keeps one night after the other of the image in argv[2], and says each number once it is kept.
WRITER = """
import sys
from pathlib import Path
from repaudit.host.history import History
from repaudit.model.history import Light, Night
from repaudit.model.report import Problem, Report, Subject, Verdict
history, image = History(Path(sys.argv[1])), sys.argv[2]
problems = tuple(Problem(message=f"{n} " * 2000, hint="") for n in range(9))  # some 100 KB
report = Report(verdict=Verdict.INCONCLUSIVE, subject=Subject(), problems=problems)
night = Night(image=image, light=Light.INCONCLUSIVE, source=None, excused=(), report=report)
for _ in range(int(sys.argv[3])):
    print(history.append(night), flush=True)
"""
NIGHT = Night(
    image="app",
    light=Light.GREEN,
    source=Source(commit="a" * 40, dirty=True),
    excused=(),
    report=Report(verdict=Verdict.REPRODUCIBLE, subject=Subject(context="app")),
)


def writer(folder: Path, image: str = "app", count: int = 1_000_000) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-c", WRITER, str(folder), image, str(count)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE)


def rows(folder: Path) -> list[tuple[object, ...]]:
    """Everything that the index holds."""
    with closing(sqlite3.connect(folder / "index.sqlite")) as database:
        found: list[tuple[object, ...]] = []
        for table in ("night", "finding"):
            found += database.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()
        return found


def numbers(folder: Path) -> list[int]:
    return sorted(int(path.stem) for path in (folder / "nights").glob("*.json"))


def check_whole(folder: Path) -> None:
    """Every file is whole, nothing else is there, and the index made again is the same."""
    history = History(folder)
    history.past("app")
    before = rows(folder)
    assert sorted(os.listdir(folder / "nights")) == [f"{n:08}.json" for n in numbers(folder)]
    for number in numbers(folder):
        history.night(number)
    (folder / "index.sqlite").unlink()
    history.past("app")
    assert rows(folder) == before
    assert [row[0] for row in before if len(row) == 6] == numbers(folder)


@pytest.fixture
def written() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout
        process.stdout.close()


def test_nights_are_numbered_from_one_and_come_back_in_order(tmp_path: Path):
    history = History(tmp_path / "history")

    assert history.past("app") == ()
    assert [history.append(NIGHT) for _ in range(3)] == [1, 2, 3]
    assert history.past("app") == tuple(seen(number, NIGHT) for number in (1, 2, 3))
    assert history.past("other") == ()
    assert history.night(2) == NIGHT


nights = st.builds(
    Night,
    image=st.sampled_from(("app", "base")),
    light=st.sampled_from(Light),
    source=st.none() | st.builds(Source, commit=st.just("0" * 40), dirty=st.booleans()),
    excused=st.just(()),
    report=strategies.reports,
)


@given(st.lists(nights, min_size=1, max_size=4), st.data())
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_what_is_looked_up_is_what_the_files_say(tmp_path_factory, some: list[Night], data):
    folder = tmp_path_factory.mktemp("history")
    history = History(folder)
    numbered = [(history.append(night), night) for night in some]
    if data.draw(st.booleans()):
        (folder / "index.sqlite").unlink()

    for image in ("app", "base"):
        wanted = tuple(seen(n, night) for n, night in numbered if night.image == image)
        assert history.past(image) == wanted
    for number, night in numbered:
        assert history.night(number) == night
        assert night_from_json(to_json(night)) == night


def test_killed_at_any_moment_a_night_is_kept_or_not_there(tmp_path: Path, written):
    """Thirty times; a second writer is at it all the while, so both die while they write."""
    chance = random.Random(6)
    said: list[int] = []
    for _ in range(15):
        pair = [writer(tmp_path, "app"), writer(tmp_path, "base")]
        written += pair
        for process in pair:
            assert process.stdout
            said += [int(process.stdout.readline()) for _ in range(2)]  # it writes by now
        for process in chance.sample(pair, 2):
            time.sleep(chance.uniform(0, 0.03))
            process.send_signal(signal.SIGKILL)
        for process in pair:
            lines = process.communicate()[0].split(b"\n")
            said += [int(line) for line in lines[:-1]]

    assert len(said) == len(set(said)) >= 60, len(said)
    there = set(numbers(tmp_path))
    assert set(said) <= there
    assert len(there - set(said)) <= 30  # kept, and killed before it could say so
    check_whole(tmp_path)


def test_two_writers_at_once_lose_nothing(tmp_path: Path, written):
    written += [writer(tmp_path, "app", 30), writer(tmp_path, "base", 30)]
    said = [int(line) for process in written for line in process.communicate()[0].split()]

    assert sorted(said) == list(range(1, 61)) == numbers(tmp_path)
    assert len(History(tmp_path).past("app")) == len(History(tmp_path).past("base")) == 30
    check_whole(tmp_path)


def test_a_full_disk_leaves_what_was_kept(tmp_path: Path):
    script = 'mount -t tmpfs -o size=1m none "$1" || exit 77; "$0" -c "$2" "$1" app 99; s=$?;'
    script += 'umask; cp -r "$1/." "$3"; exit $s'
    (disk := tmp_path / "disk").mkdir()
    (copy := tmp_path / "copy").mkdir()
    argv = ["unshare", "--mount", "sh", "-c", script, sys.executable, disk, WRITER, copy]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True)
    if done.returncode == 77 or os.geteuid() != 0:
        pytest.skip("needs a mount of its own")

    said = [int(line) for line in done.stdout.split()[:-1]]
    assert done.returncode == 1
    assert "ToolFailedError" in done.stderr
    assert "No space left" in done.stderr or "disk is full" in done.stderr
    assert len(said) >= 3
    assert set(said) <= set(numbers(copy))
    check_whole(copy)


def test_a_kept_night_is_never_written_over(tmp_path: Path):
    history = History(tmp_path)
    history.append(NIGHT)
    path = tmp_path / "nights" / "00000001.json"

    assert path.stat().st_mode & 0o777 == 0o444
    kept = path.read_bytes()
    history.append(NIGHT)
    assert path.read_bytes() == kept == to_json(NIGHT)


@pytest.mark.parametrize("damage", [b"", b"no database at all", None])
def test_a_damaged_or_foreign_index_is_made_again(tmp_path: Path, damage: bytes | None):
    history = History(tmp_path)
    history.append(NIGHT)
    history.append(NIGHT)
    if damage is None:  # the nights that it knows are not those that are there
        (tmp_path / "nights" / "00000001.json").unlink()
    else:
        (tmp_path / "index.sqlite").write_bytes(damage * 1000)

    left = [1, 2] if damage is not None else [2]
    assert [one.sequence for one in history.past("app")] == left
    assert history.append(NIGHT) == 3
    check_whole(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        "DROP TABLE finding",
        "DROP TABLE night",
        "DROP INDEX night_of_image",
        "ALTER TABLE night DROP COLUMN varied",
        "CREATE TRIGGER more AFTER INSERT ON night BEGIN DELETE FROM finding; END",
    ],
)
def test_an_index_without_the_tables_of_ours_is_made_again(tmp_path: Path, change: str):
    history = History(tmp_path)
    history.append(NIGHT)
    before = history.past("app")
    with closing(sqlite3.connect(tmp_path / "index.sqlite")) as database:
        database.execute(change)
        database.commit()

    assert history.past("app") == before
    assert history.append(NIGHT) == 2
    check_whole(tmp_path)


def test_an_index_of_another_version_is_refused_and_its_removal_is_the_way_out(tmp_path: Path):
    history = History(tmp_path)
    history.append(NIGHT)
    with closing(sqlite3.connect(tmp_path / "index.sqlite")) as database:
        database.execute("PRAGMA user_version = 2")

    for attempt in (lambda: history.past("app"), lambda: history.append(NIGHT)):
        with pytest.raises(MalformedError, match="is of version 2, not 1") as told:
            attempt()
        assert "remove the file" in told.value.hint
    (tmp_path / "index.sqlite").unlink()
    assert len(history.past("app")) == 1
    check_whole(tmp_path)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"schema": "repaudit-night/2"}, "repaudit-night/2"),
        ({"light": "blue"}, "light"),
        ({"report": {}}, "report"),
    ],
)
def test_a_night_that_this_version_did_not_write_is_refused_by_name(
    tmp_path: Path, change: dict[str, object], told: str
):
    history = History(tmp_path)
    history.append(NIGHT)
    path = tmp_path / "nights" / "00000002.json"
    path.write_text(json.dumps(json.loads(to_json(NIGHT)) | change))

    with pytest.raises(MalformedError, match=told) as refused:
        history.past("app")
    assert "00000002.json" in refused.value.message


def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(ToolFailedError, match="cannot be used") as told:
        History(tmp_path / "file").append(NIGHT)
    assert told.value.exit_code == 3
