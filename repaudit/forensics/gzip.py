"""gzip: the time and the name in the header, and what is inside (RFC 1952)."""

from __future__ import annotations

from collections.abc import Iterator

from repaudit.forensics._case import clue, contents, inflate, of_one_build, sides
from repaudit.forensics._inner import inside
from repaudit.forensics._members import claims, in_packing
from repaudit.forensics.interface import Case, Forensic
from repaudit.formats.gzip import header
from repaudit.model.errors import UnreadableError
from repaudit.model.finding import Clue


class _Gzip:
    name = "gzip"

    def examine(self, case: Case) -> Iterator[Clue]:
        """Yield what of the header differs, then what of the contents."""
        data = contents(case)
        headers = [_header(side) for side in data or ()]
        if data is None or headers[0] is None or headers[1] is None:
            return
        (start, left), (other, right) = headers[0], headers[1]
        if left["mtime"] != right["mtime"]:
            seen = sides(left["mtime"].decode(), right["mtime"].decode())
            yield clue("timestamps_in_gzip_headers", f"MTIME {seen}")
        names = left.get("name", b""), right.get("name", b"")
        if names[0] != names[1]:
            called = [_name(case, name) for name in names]
            decides = called[0] != called[1] and not of_one_build(case)
            slug = "unexplained" if decides else "file_name_in_gzip_headers"
            yield clue(slug, f"FNAME {sides(*names)}")
        if data[0][start:] == data[1][other:]:
            return
        inner = inflate(data[0]), inflate(data[1])
        if inner[0] != inner[1] and not in_packing(inner):  # which others open
            yield from inside(case, "(inflated)", *inner)


def _name(case: Case, name: bytes) -> str:
    """Return what `gunzip -N` calls what is inside: where none is told, as the file without .gz."""
    path = case.difference.path.rpartition("/")[2]
    return name.decode("utf-8", "surrogateescape") or path.removesuffix(".gz")


def _header(data: bytes) -> tuple[int, dict[str, bytes]] | None:
    """Return where the stream starts, and the fields before it; None where it is no gzip file."""
    try:
        end, fields = header(data, 0) if claims("gzip", data) else (0, [])
    except UnreadableError:
        return None
    return (end, dict(fields)) if fields else None


FORENSIC: Forensic = _Gzip()
