"""Users and groups: a value for each field of each name (passwd(5), shadow(5), group(5), …)."""

from __future__ import annotations

from collections.abc import Iterator

from repaudit.formats.interface import NAMED, Budget, Format, Kind, Labels, Part
from repaudit.model.errors import UnreadableError

_FIELDS = {
    "passwd": ("password", "uid", "gid", "comment", "home", "shell"),
    "shadow": (
        *("password", "last change", "minimum", "maximum"),
        *("warning", "inactive", "expires", "reserved"),
    ),
    "group": ("password", "gid", "members"),
    "gshadow": ("password", "administrators", "members"),
    "subuid": ("start", "count"),
    "subgid": ("start", "count"),
}


class _Accounts:
    name = "accounts"
    rank = NAMED
    positional = False

    def claims(self, head: bytes, name: str) -> bool:
        return b":" in head and name.rpartition("/")[2].removesuffix("-") in _FIELDS

    def parts(self, data: bytes, budget: Budget) -> Iterator[Part]:
        labels, order = Labels(), []
        for line in data.removesuffix(b"\n").split(b"\n"):
            account, *values = line.split(b":")
            fields = _named(values)
            label = labels.label("name", account)
            order.append(label)
            for field, value in zip(fields, values, strict=True):
                yield Part(labels.label(field, within=label), value)
        yield Part("order", "\n".join(order).encode(), Kind.ORDER)


def _named(values: list[bytes]) -> tuple[str, ...]:
    """Return the names of a line's fields, by their number."""
    for kind, names in _FIELDS.items():
        # Of the two files with three fields, one has a number in the second.
        if len(names) == len(values) and (kind != "group" or values[1].isdigit()):
            return names
    raise UnreadableError("a line is of no file of accounts")


FORMAT: Format = _Accounts()
