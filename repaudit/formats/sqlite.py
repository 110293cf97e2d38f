"""SQLite: the header's fields, and a value for each cell (sqlite.org, "Database File Format").

The database is a stranger's, so SQLite reads a copy in memory, as its authors advise for such files
("Defense Against The Dark Arts"): no function of the schema is trusted, cells are checked, lengths
and steps are bounded, nothing is computed, sorted or searched for, and no module reads a table.
What it refuses, and what would be too much, is named page by page.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from struct import Struct

from repaudit.formats._bytes import take, unpack
from repaudit.formats.interface import MAGIC, Budget, Format, Kind, Labels, Part
from repaudit.model.errors import UnreadableError

_MAGIC = b"SQLite format 3\0"
_FIELDS = {
    "change counter": (24, Kind.VALUE),
    "pages": (28, Kind.DERIVED),
    "free pages": (36, Kind.VALUE),
    "schema cookie": (40, Kind.VALUE),
    "user version": (60, Kind.VALUE),
    "application id": (68, Kind.VALUE),
    "valid for": (92, Kind.DERIVED),  # the change counter, once more
    "SQLite version": (96, Kind.VALUE),
}
_NUMBER, _PAGE_SIZE = Struct(">I"), Struct(">H")
#: In WAL mode a database cannot be opened in memory; these bytes say which mode it is in.
_MODE = slice(18, 20)
_ROLLBACK = b"\1\1"
_STEPS, _MOST_TICKS = 10_000, 2_000
#: Rows may share their bytes, so that what is in a file may be a thousand times its length.
_MOST_CELLS, _MOST_BYTES = 200_000, 64 << 20
_LONGEST = 16 << 20
_SCHEMA = "SELECT type, name, sql, rootpage FROM sqlite_schema"
#: As SQLite itself writes it; a virtual table's begins otherwise, whatever its type is said to be.
_TABLE = b"CREATE TABLE "
#: What `table_xinfo` says of columns that are computed, by an expression of the stranger's.
_COMPUTED = {2, 3}
_PRAGMAS = ("trusted_schema = OFF", "cell_size_check = ON", "query_only = ON", "cache_size = -8000")


class _Sqlite:
    name = "sqlite"
    rank = MAGIC
    positional = False

    def claims(self, head: bytes, name: str) -> bool:
        return head.startswith(_MAGIC)

    def parts(self, data: bytes, budget: Budget) -> Iterator[Part]:
        take(data, 0, 100)
        for name, (at, kind) in _FIELDS.items():
            yield Part(name, b"%d" % unpack(_NUMBER, data, at)[0], kind)
        yield Part("mode", data[_MODE].hex().encode())
        try:
            cells = list(_bounded(_cells(data)))
        except (sqlite3.Error, OverflowError, UnicodeDecodeError):
            yield from _pages(data)
            return
        yield from cells


def _bounded(parts: Iterator[Part]) -> Iterator[Part]:
    """Yield the parts; raise DataError where there are too many, or too long ones."""
    size = 0
    for number, part in enumerate(parts):
        size += len(part.data)
        if number == _MOST_CELLS or size > _MOST_BYTES:
            raise sqlite3.DataError("more cells than are compared one by one")
        yield part


def _cells(data: bytes) -> Iterator[Part]:
    labels = Labels()
    with closing(sqlite3.connect(":memory:")) as database:
        database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST)
        database.text_factory = bytes
        ticks = iter(range(_MOST_TICKS))
        database.set_progress_handler(lambda: next(ticks, None) is None, _STEPS)
        database.deserialize(data[: _MODE.start] + _ROLLBACK + data[_MODE.stop :])
        for pragma in _PRAGMAS:
            database.execute(f"PRAGMA {pragma}")
        tables = []
        for kind, name, sql, root in database.execute(_SCHEMA):
            text = _shown(sql or b"")
            yield Part(labels.label("schema", b"%b %b" % (_shown(kind), _shown(name))), text)
            if kind == b"table" and root and text.startswith(_TABLE):
                tables.append(_shown(name))
        for table in sorted(tables):
            yield from _rows(database, table, labels)


def _rows(database: sqlite3.Connection, table: bytes, labels: Labels) -> Iterator[Part]:
    """Yield the cells of one table, by the number that SQLite gives each row, or by its place."""
    label = labels.label("table", table)
    quoted = '"' + table.decode().replace('"', '""') + '"'
    if _COMPUTED.intersection(row[-1] for row in database.execute(f"PRAGMA table_xinfo({quoted})")):
        raise sqlite3.DataError("columns are computed")
    try:
        rows = database.execute(f"SELECT _rowid_, * FROM {quoted}")  # noqa: S608 - quoted above
        numbered = True
    except sqlite3.OperationalError:  # a table WITHOUT ROWID
        rows = database.execute(f"SELECT * FROM {quoted}")  # noqa: S608 - quoted above
        numbered = False
    columns = [column[0] for column in rows.description][numbered:]
    for place, row in enumerate(rows):
        number, cells = (row[0], row[1:]) if numbered else (place, row)
        within = labels.label("row", str(number), within=label)
        for column, value in zip(columns, cells, strict=True):
            yield Part(labels.label(column, within=within), _shown(value))


def _shown(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _pages(data: bytes) -> Iterator[Part]:
    (size,) = unpack(_PAGE_SIZE, data, 16)
    size = 65536 if size == 1 else size
    if size < 512:
        raise UnreadableError("an SQLite file has pages of no size")
    for number, at in enumerate(range(0, len(data), size), 1):
        yield Part(f"page {number}", data[at : at + size])


FORMAT: Format = _Sqlite()
