"""A history of nights: immutable, numbered files, and an SQLite index that is made from them.

    FOLDER/nights/00000001.json    canonical JSON, one a night and image; written once
    FOLDER/index.sqlite            what is looked up; may be removed, and is then made again

A night is kept once its file has its name, which happens at one moment; whatever the index lacks
by then, it takes from the files the next time. One lock, on `nights/`, keeps writers apart, and
ends with its process.
"""

from __future__ import annotations

import fcntl
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path

from repaudit.model.canonical import to_json
from repaudit.model.errors import MalformedError, RepauditError, ToolFailedError
from repaudit.model.history import (
    Light,
    Night,
    Seen,
    SeenFinding,
    Source,
    night_from_json,
    seen,
)

_VERSION = 1
_TABLES = """
CREATE TABLE night (
    sequence INTEGER PRIMARY KEY, image TEXT NOT NULL, light TEXT NOT NULL,
    "commit" TEXT, dirty INTEGER, varied TEXT NOT NULL
) STRICT;
CREATE INDEX night_of_image ON night (image, sequence);
CREATE TABLE finding (
    sequence INTEGER NOT NULL REFERENCES night, id TEXT NOT NULL, cause TEXT NOT NULL,
    place TEXT NOT NULL, excused INTEGER NOT NULL,
    PRIMARY KEY (sequence, id)
) STRICT, WITHOUT ROWID;
"""
_NAME = re.compile(r"(\d{8,})\.json")
#: Seconds to wait for another job's transaction.
_PATIENCE = 30.0


class History:
    """The nights below one folder, made if it is not there.

    Every method raises ToolFailedError where the folder cannot be used, and MalformedError where it
    holds what this version did not write.
    """

    def __init__(self, folder: Path) -> None:
        self._nights = folder / "nights"
        self._index = folder / "index.sqlite"

    def append(self, night: Night) -> int:
        """Keep a night for good; return its number. Killed at any moment, it is there or not."""
        data = to_json(night)
        with self._locked() as folder:
            self._catch_up()  # what is refused is refused before anything is kept
            number = max(self._numbers(), default=0) + 1
            self._write(f"{number:08}.json", data, folder)
            self._catch_up()
        return number

    def past(self, image: str) -> tuple[Seen, ...]:
        """Return what is known of an image's nights, the oldest first."""
        with self._locked():
            self._catch_up()
            with self._database() as database:
                return tuple(_nights(database, image))

    def images(self) -> tuple[str, ...]:
        """Return the names of all images that have a night, sorted."""
        with self._locked():
            self._catch_up()
            with self._database() as database:
                found = database.execute("SELECT DISTINCT image FROM night ORDER BY image")
                return tuple(name for (name,) in found)

    def night(self, number: int) -> Night:
        """Return the night of that number."""
        path = self._nights / f"{number:08}.json"
        try:
            return night_from_json(path.read_bytes())
        except MalformedError as error:
            raise MalformedError(f"{path}: {error.message}", hint=error.hint) from error

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """Hold the lock; what a killed writer left half is removed first."""
        try:
            self._nights.mkdir(parents=True, exist_ok=True)
            handle = os.open(self._nights, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                for half in self._nights.glob(".*.half"):
                    half.unlink()
                yield handle
            finally:
                os.close(handle)
        except (OSError, sqlite3.OperationalError) as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> RepauditError:
        return ToolFailedError(
            f"the history in {self._nights.parent} cannot be used: {error}",
            hint="name a folder with room that can be written: --history DIR",
        )

    def _write(self, name: str, data: bytes, folder: int) -> None:
        """Write a file that is whole on disk before it has its name."""
        half = self._nights / f".{name}.half"
        try:
            with half.open("xb") as file:
                file.write(data)
                file.flush()
                os.fchmod(file.fileno(), 0o444)
                os.fsync(file.fileno())
            os.link(half, self._nights / name)  # unlike a rename, it replaces nothing
        finally:
            half.unlink(missing_ok=True)
        os.fsync(folder)

    def _numbers(self) -> set[int]:
        matches = (_NAME.fullmatch(path.name) for path in self._nights.iterdir())
        return {int(match[1]) for match in matches if match}

    def _catch_up(self) -> None:
        """Bring the index up to the files; make it again where it is damaged or knows too much."""
        try:
            known = self._known()
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:  # damaged: nothing is lost, the files are the truth
            known = None
        there = self._numbers()
        if known is None or known - there:
            self._forget()
            known = set()
        with self._database() as database, database:
            for number in sorted(there - known):
                _add(database, number, self.night(number))

    def _known(self) -> set[int] | None:
        """Return the numbers that the index holds, None where it has not the tables of ours."""
        with self._database() as database:
            if _schema(database) != _ours():
                return None
            return {number for (number,) in database.execute("SELECT sequence FROM night")}

    def _forget(self) -> None:
        for end in ("", "-journal"):
            self._index.with_name(self._index.name + end).unlink(missing_ok=True)

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._index, timeout=_PATIENCE)) as database:
            database.execute("PRAGMA trusted_schema = OFF")
            ((version,),) = database.execute("PRAGMA user_version")
            if version not in {0, _VERSION}:
                raise MalformedError(
                    f"{self._index} is of version {version}, not {_VERSION}",
                    hint="use the repaudit that wrote it, or remove the file: it is made again",
                )
            if version == 0:
                script = f"BEGIN; {_TABLES} PRAGMA user_version = {_VERSION}; COMMIT;"
                database.executescript(script)
            yield database


@cache
def _ours() -> list[tuple[str, str | None]]:
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript(_TABLES)
        return _schema(database)


def _schema(database: sqlite3.Connection) -> list[tuple[str, str | None]]:
    return list(database.execute("SELECT name, sql FROM sqlite_schema ORDER BY name"))


def _add(database: sqlite3.Connection, number: int, night: Night) -> None:
    one = seen(number, night)
    source = (one.source.commit, one.source.dirty) if one.source else (None, None)
    row = (number, night.image, one.light.value, *source, " ".join(one.varied))
    database.execute("INSERT INTO night VALUES (?, ?, ?, ?, ?, ?)", row)
    rows = ((number, f.id, f.cause, f.place, f.excused) for f in one.findings)
    database.executemany("INSERT INTO finding VALUES (?, ?, ?, ?, ?)", rows)


def _nights(database: sqlite3.Connection, image: str) -> Iterator[Seen]:
    rows = database.execute(
        'SELECT sequence, light, "commit", dirty, varied FROM night'
        " WHERE image = ? ORDER BY sequence",
        (image,),
    )
    for number, light, commit, dirty, varied in rows:
        found = "SELECT id, cause, place, excused FROM finding WHERE sequence = ? ORDER BY id"
        yield Seen(
            sequence=number,
            light=Light(light),
            source=None if commit is None else Source(commit=commit, dirty=bool(dirty)),
            varied=tuple(varied.split()),
            findings=tuple(
                SeenFinding(id=id_, cause=cause, place=place, excused=bool(excused))
                for id_, cause, place, excused in database.execute(found, (number,))
            ),
        )
