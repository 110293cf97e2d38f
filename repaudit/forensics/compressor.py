"""Compressed files that hold the same bytes, and are compressed in two ways."""

from __future__ import annotations

from collections.abc import Iterator

from repaudit.forensics._case import clue, contents, whole
from repaudit.forensics._members import claims, whole_parts
from repaudit.forensics.interface import Case, Forensic
from repaudit.model.finding import Clue

_FORMATS = ("bzip2", "gzip", "xz", "zstd")


class _Compressor:
    name = "compressor"

    def examine(self, case: Case) -> Iterator[Clue]:
        """Yield that the streams of two sound files differ, and what is in them does not."""
        data = contents(case)
        if data is None or not whole(case):
            return
        for name in _FORMATS:
            if not all(claims(name, side) for side in data):
                continue
            left, right = (whole_parts(name, side) for side in data)
            if not left or not right or left["packed"] == right["packed"]:
                continue
            size = len(left["inflated"].data)
            if left["inflated"] == right["inflated"]:
                yield clue("compressor_differs", f"{size} equal bytes in two streams of {name}")


FORENSIC: Forensic = _Compressor()
