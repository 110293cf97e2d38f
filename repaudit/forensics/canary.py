"""A canary of each run, at the same place: the step read the factor that planted it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import zip_longest

from repaudit.forensics._case import ENCODINGS, clue, contents, inflate, quote, sides, values
from repaudit.forensics.interface import Case, Forensic
from repaudit.model.difference import Aspect
from repaudit.model.experiment import Level
from repaudit.model.finding import Clue, EvidenceKind
from repaudit.model.text import raw

# What a file shows that holds a canary of this factor.
_CAUSES = {
    "timezone": "captures_timezone",
    "locale": "captures_locale",
    "hostname": "captures_hostname",
    "user": "captures_user_name",
    "home": "captures_home_dir",
    "environment": "captures_environment",
    "build_path": "captures_build_path",
    "time": "captures_build_date",
    "kernel": "captures_kernel_version",
}
# So many bytes before or after a canary must agree for two places to be the same one.
_CONTEXT = 8
#: A canary of either run, None where that has none, and how they are encoded.
_Token = tuple[bytes | None, bytes | None, str]
_Tokens = tuple[_Token, ...]


class _Canary:
    name = "canary"

    def examine(self, case: Case) -> Iterator[Clue]:
        """Yield the cause of each factor whose canaries both sides hold."""
        planted = _planted(case.left_levels, case.right_levels)
        found = _bytes(case) if planted else None
        if found is None:
            return
        for factor, tokens in planted:
            detail = _match(tokens, *found)
            if detail:
                yield clue(_CAUSES[factor], detail, factors=(factor,), kind=EvidenceKind.CANARY)


@lru_cache(maxsize=64)
def _planted(left: tuple[Level, ...], right: tuple[Level, ...]) -> tuple[tuple[str, _Tokens], ...]:
    """Return the canaries of each factor in which two runs differ."""
    others = {level.factor: level for level in reversed(right)}
    found = []
    for level in left:
        other = others.get(level.factor)
        if other is not None and level.value != other.value and level.factor in _CAUSES:
            pairs = list(zip_longest(level.canaries, other.canaries))
            found.append((level.factor, tuple(_encoded(pairs))))
    return tuple(found)


def _encoded(pairs: Sequence[tuple[str | None, str | None]]) -> Iterator[_Token]:
    for encoding in ENCODINGS:
        for a, b in pairs:
            yield (
                None if a is None else a.encode(encoding),
                None if b is None else b.encode(encoding),
                encoding,
            )


def _bytes(case: Case) -> tuple[bytes | None, bytes | None] | None:
    """Return what may hold canaries; a side that is not there is None."""
    difference = case.difference
    if difference.aspect is Aspect.PRESENCE:
        name = raw(difference.path)
        if (difference.left is None) == (difference.right is None):
            return None
        return (None, name) if difference.left is None else (name, None)
    if difference.aspect is Aspect.CONTENT:
        data = contents(case)
        return (inflate(data[0]), inflate(data[1])) if data else None
    texts = values(case)
    if texts is None:
        return None
    return raw(texts[0]), raw(texts[1])


def _match(tokens: _Tokens, left: bytes | None, right: bytes | None) -> str | None:
    for a, b, encoding in tokens:
        if _corresponds(a, b, left, right):
            shown = [token.decode(encoding) if token else None for token in (a, b)]
            return _detail(shown[0], shown[1])
    return None


def _detail(left: str | None, right: str | None) -> str:
    if left is not None and right is not None:
        return f"the canaries {sides(left, right)}"
    side = "left" if left is not None else "right"
    return f"the canary {quote(left or right or '')} on the {side}; the other run has none"


def _corresponds(a: bytes | None, b: bytes | None, left: bytes | None, right: bytes | None) -> bool:
    """Whether each side holds its own run's canary, and at the same place where both have one."""
    if left is None or right is None:  # a name on one side only
        token, data = (a, left) if right is None else (b, right)
        return bool(token and data and token in data)
    if a is None or b is None:  # only one of the two levels has a canary
        token = a or b
        own, other = (left, right) if b is None else (right, left)
        return token is not None and token in own and token not in other
    if a == b or a not in left or b not in right or b in left or a in right:
        return False
    i, j = left.index(a), right.index(b)
    before = left[max(0, i - _CONTEXT) : i] == right[max(0, j - _CONTEXT) : j]
    ends = left[i + len(a) :][:_CONTEXT], right[j + len(b) :][:_CONTEXT]
    return i == j or before or ends[0] == ends[1]


FORENSIC: Forensic = _Canary()
