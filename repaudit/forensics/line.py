"""What the line itself says that it draws: random bytes, inode numbers.

That is a guess: attribution hears it only where nothing else is known of a place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from repaudit.forensics._case import clue, contents, inflate, quote
from repaudit.forensics.interface import Case, Forensic
from repaudit.model.difference import Aspect
from repaudit.model.finding import Clue

_RANDOM = re.compile(
    r"/dev/u?random(?!\w)|/proc/sys/kernel/random/uuid|\$\{?S?RANDOM(?!\w)|(?<!\w)os\.urandom(?!\w)"
    r"|(?<![\w/.-])(?:uuidgen|shuf|mktemp|openssl +(?:rand|gen\w+))(?![\w.-])"
)
# stat(1), ls(1), find(1)
_INODE = re.compile(
    r"(?<![\w/.-])(?:stat [^;&|]*%i|ls (?:[^;&|]* )?-[a-zA-Z1]*i|find [^;&|]*-f?printf [^;&|]*%i)"
)
_ASPECTS = frozenset({Aspect.CONTENT, Aspect.PRESENCE, Aspect.LINK})


class _Line:
    name = "line"

    def examine(self, case: Case) -> Iterator[Clue]:
        """Yield what the line names: inode numbers where numbers alone differ, or random bytes."""
        difference = case.difference
        if case.instruction is None or difference.aspect not in _ASPECTS or _same(case):
            return
        inode, drawn = (known.search(case.instruction) for known in (_INODE, _RANDOM))
        if inode and _numbers_alone(case):
            yield clue("captures_inode_number", f"the line calls {quote(inode[0])}")
        elif drawn:
            name = drawn[0] == "mktemp" and difference.aspect is Aspect.PRESENCE
            slug = "captures_temporary_path" if name else "embeds_random_value"
            yield clue(slug, f"the line names {quote(drawn[0])}")


def _same(case: Case) -> bool:
    if case.difference.aspect is Aspect.CONTENT:
        return contents(case) is None
    return case.difference.left == case.difference.right


def _numbers_alone(case: Case) -> bool:
    data = contents(case)
    if data is None:
        return False
    left, right = (re.sub(rb"\d+", b"0", inflate(side)) for side in data)
    return left == right


FORENSIC: Forensic = _Line()
