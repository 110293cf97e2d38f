"""RECORD of an installed wheel: hash and size of each file, which follow from the files.

The file is CSV (Core metadata, "Recording installed projects").
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from repaudit.formats.interface import NAMED, Budget, Format, Kind, Labels, Part
from repaudit.model.errors import UnreadableError


class _Record:
    name = "record"
    rank = NAMED
    positional = False

    def claims(self, head: bytes, name: str) -> bool:
        return name.rpartition("/")[2] == "RECORD" and b"," in head

    def parts(self, data: bytes, budget: Budget) -> Iterator[Part]:
        labels, order = Labels(), []
        for row in _rows(data):
            if len(row) != 3:
                raise UnreadableError("a line of a RECORD has not three columns")
            label = labels.label("file", row[0])
            order.append(label)
            yield Part(label, ",".join(row[1:]).encode(), Kind.DERIVED)
        yield Part("order", "\n".join(order).encode(), Kind.ORDER)


def _rows(data: bytes) -> Iterator[list[str]]:
    try:
        yield from csv.reader(io.StringIO(data.decode(), newline=""), strict=True)
    except (csv.Error, UnicodeDecodeError) as error:
        raise UnreadableError(f"it is no table of files: {error}") from error


FORMAT: Format = _Record()
