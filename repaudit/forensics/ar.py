"""Static libraries and Debian packages: dates, owners, modes and order in `ar` headers (ar(5))."""

from __future__ import annotations

from collections.abc import Iterator

from repaudit.forensics._case import contents, distinct
from repaudit.forensics._inner import (
    Member,
    changed,
    first_of,
    insides,
    modes,
    only_on_one_side,
    order,
)
from repaudit.forensics.interface import Case, Forensic
from repaudit.model.finding import Clue

_MAGIC = b"!<arch>\n"
_HEADER = 60
_MOST_MEMBERS = 50_000
# The symbol table and the table of long names follow from the members.
_TABLES = frozenset({"/", "//", "/SYM64/"})


class _Ar:
    name = "ar"

    def examine(self, case: Case) -> Iterator[Clue]:
        """Yield what of the headers differs, and what is found in the members."""
        data = contents(case)
        if data is not None and all(side.startswith(_MAGIC) for side in data):
            yield from distinct(_compare(case, _members(data[0]), _members(data[1])))


def _compare(
    case: Case, left: dict[tuple[str, int], Member], right: dict[tuple[str, int], Member]
) -> Iterator[Clue]:
    package = ("debian-binary", 0) in left
    slug = "varying_mtimes_in_data_tar_gz_or_control_tar_gz" if package else None
    times = changed(left, right, "time")
    yield from first_of(slug or "timestamps_in_static_libraries", times, "date")
    owners = changed(left, right, "owner")
    yield from first_of("users_and_groups_in_static_libraries", owners, "owner")
    yield from modes(case, left, right)
    yield from order(case, "random_order_in_static_libraries", left, right)
    plain = [{k: v for k, v in side.items() if k[0] not in _TABLES} for side in (left, right)]
    yield from insides(case, *plain)
    yield from only_on_one_side(left, right)


def _members(data: bytes) -> dict[tuple[str, int], Member]:
    """Return the members by name and occurrence; of a broken archive, those before the break."""
    found: dict[tuple[str, int], Member] = {}
    seen: dict[str, int] = {}
    long_names, position = b"", len(_MAGIC)
    while position + _HEADER <= len(data) and len(found) < _MOST_MEMBERS:
        header = data[position : position + _HEADER]
        size = _number(header[48:58])
        if header[58:] != b"`\n" or size is None:
            break
        body = data[position + _HEADER :][:size]
        name = _name(header[:16], long_names)
        if name == "//":
            long_names = body
        number = seen[name] = seen.get(name, -1) + 1
        found[name, number] = Member(
            time=_number(header[16:28]),
            owner=header[28:40].decode("latin-1").strip(),
            mode=_number(header[40:48], 8) or 0,
            data=body,
        )
        position += _HEADER + size + size % 2
    return found


def _number(field: bytes, base: int = 10) -> int | None:
    text = field.strip()
    digits = b"0123456789"[:base]
    return int(text, base) if text and all(byte in digits for byte in text) else None


def _name(field: bytes, long_names: bytes) -> str:
    # GNU: "name/", or "/offset" into the table of long names, where "/\n" ends each.
    text = field.rstrip()
    at = _number(text[1:]) if text.startswith(b"/") else None
    if at is not None:
        text = long_names[at:].split(b"/\n")[0]
    return text.decode("latin-1") if text in (b"/", b"//") else text.decode("latin-1").rstrip("/")


FORENSIC: Forensic = _Ar()
