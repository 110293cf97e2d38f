"""What says the same in any order: the lines of a listing, the keys of a mapping.

Of two runs of one build another order is a matter of order, whatever it is of: both come of the
same lines of a Containerfile. Of two images of which nothing is known it may be somebody's edit,
and decide what a script, a rule or a list of folders does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

#: A name, a path or an assignment, which stands for itself; no pin, and nothing that negates.
_UNIT = re.compile(r"[\w@%+~/.](?:[\w.,@%+~:/-]|=(?!=))*+|[0-9a-f]{32,128} [ *]\S++")
_QUOTED = r"\"(?:\\.|[^\"\\])*+\"|'(?:\\.|[^'\\])*+'"
_PIECE = re.compile(rf"{_QUOTED}|[][{{}}(),]|[^][{{}}(),\"']++|[\"']", re.DOTALL)
#: A member of a mapping, or of a set as Python shows it.
_MEMBER = re.compile(rf"({_QUOTED})\s*+:.*|'(?:\\.|[^'\\])*+'", re.DOTALL)
_CLOSING = {"{": "}", "[": "]", "(": ")"}
_DEEPEST = 64


def listing(left: Sequence[str], right: Sequence[str]) -> bool:
    """Whether two lists of the same lines, of a file that is not obeyed, are one in any order.

    `left` and `right` reach from the first line that has moved to the last, whatever is between.
    """
    if not all(map(_UNIT.fullmatch, {*left, *right})):
        return False
    keys = [line.partition("=")[0] for line in left if "=" in line]
    return len(keys) == len(set(keys))  # the last of two may count


def moved(lines: Sequence[str], some: Sequence[str]) -> Sequence[str]:
    """Return the lines from the first to the last that is one of `some`."""
    wanted = set(some)
    places = [place for place, line in enumerate(lines) if line in wanted]
    return lines[places[0] : places[-1] + 1] if places else ()


def unordered(text: str, *, lists: bool = False) -> str | None:
    """Return a text with what stands in its mappings and sets sorted; None where it has none.

    A list keeps its order unless `lists`, and so does a mapping that has a key twice.
    """
    opened: list[str] = []
    items: list[list[str]] = [[""]]
    sets = False
    for piece in _PIECE.findall(text):
        if piece in _CLOSING:
            opened.append(piece)
            items.append([""])
        elif piece in _CLOSING.values():
            if not opened or _CLOSING[start := opened.pop()] != piece or len(opened) > _DEEPEST:
                return None
            inner = [item.strip() for item in items.pop()]
            if lists or (start == "{" and _is_mapping(inner)):
                inner.sort()
                sets = True
            items[-1][-1] += f"{start}{','.join(inner)}{piece}"
        elif piece == ",":
            items[-1].append("")
        else:
            items[-1][-1] += piece
    return ",".join(items[0]) if sets and not opened else None


def _is_mapping(items: Sequence[str]) -> bool:
    members = [_MEMBER.fullmatch(item) for item in items]
    keys = [member[1] for member in members if member and member[1]]
    # A key may be spelled in several ways, and be another one's twin.
    spelled = any("\\" in key for key in keys)
    return all(members) and not spelled and len(keys) in (0, len(set(keys)))
