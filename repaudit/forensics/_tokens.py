"""Two lines that differ: which of their words do, and why."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise

from repaudit.forensics._case import Blame, of_one_build
from repaudit.forensics._dates import compare
from repaudit.forensics._kinds import CRYPT, DRAWN, TOOK, UUID, kind, says_time
from repaudit.forensics._order import decide
from repaudit.forensics._stamps import Stamp, stamps
from repaudit.forensics._told import MARK, mask
from repaudit.forensics._units import unordered
from repaudit.forensics._withheld import hide
from repaudit.forensics.interface import Case, Files
from repaudit.formats import matcher
from repaudit.model.difference import Aspect, Difference
from repaudit.model.experiment import Level
from repaudit.model.withheld import withheld

#: No word is judged by where it stands.
_ANY = Difference(layer=None, path="", aspect=Aspect.CONTENT, left=None, right=None)
# Longer lines (minified scripts) are compared around the place where they first differ.
LINE_LIMIT = 4000
_WORD_LIMIT = 300
_CONTEXT = 120
#: A shorter word is quoted with so much of its line on either side.
_TELLING, _BESIDE = 4, 25
#: A line, and where something stands in it.
_Placed = tuple[str, tuple[int, int]]
#: There may be thousands of lines: see `matcher`.
_WORK = 300_000
#: So many characters are compared word by word in seconds.
_CHARACTERS = 1 << 19
_WORD = re.compile(
    rf"{MARK}\w+{MARK}|(?<!\w){UUID}(?!\w)|{CRYPT}"
    r"|/(?:var/)?tmp/[^\s'\":;,)\]>]+|(?<!\w)tmp[._][A-Za-z0-9_]{6,12}(?!\w)"
    rf"|(?<!\w){DRAWN}(?!\w)"
    r"|(?<!\w)cc[A-Za-z0-9]{6}\.[os](?!\w)"
    r"|(?<!\S)[-dlbcps](?:[r-][w-][xsStT-]){3}(?!\w)"
    r"|0x[0-9a-fA-F]+|(?<![\w.])[+-]\d\d:?(?:\d\d)?(?!\w)"
    r"|(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{16,}={0,2}|[0-9a-fA-F]{8,256}+(?!\w)"
    r"|\d+(?:[.,]\d+)?|[^\W\d_]+|\S"
)
_ATOM = re.compile(
    rf"{MARK}\w+{MARK}|[0-9a-fA-F]{{8,256}}+(?![0-9a-zA-Z])|\d+(?:\.\d+)?|[^\W\d_]+|\S"
)

#: Numbers that are times by their look: seconds since 1970, 20261122, 2026.11.22, 10:30.
_LOOSE = re.compile(r"\d{8}|\d{10}|\d+\.\d+\.\d+|\d\d?:\d\d")
#: What makes a date a part of a longer word: of an address, a path, a version.
_PART = re.compile(r"[\w/@~+-]|\.\S")
#: What a date decides: what is fetched, and until when something holds.
_CHOOSES = re.compile(
    r"(?i)://|expir|valid|until|deadline|not[-_ ]?(?:after|before)"
    r"|(?<![a-z])(?:apt(?:-get)?|curl|git|npm|pip|wget)(?![a-z])"
)
#: With the blanks that fill it up.
_DURATION = re.compile(r"(?:(?<! ) ++)?+(?<![\w.:])(?:\d+\.\d+ s|\d\d:\d\d (?:min|h))(?!\w)")
#: What is as many as there are CPUs.
_COUNTS = re.compile(r"(?i)cpu|core|job|parallel|proc|thread|worker")
_BRACES = re.compile(r"\{.*\}")
_DIGITS = re.compile(r"\d+")
#: With each blank, as where indentation tells what a line is a part of.
_BLANKS = re.compile(r"(\s+)")


def sample(pairs: list[tuple[str, str]], share: int) -> list[tuple[str, str]]:
    """Return as many pairs of lines, evenly spread, as can be compared word by word in seconds.

    `share` says how many such lists are compared.
    """
    size = sum(min(len(line), LINE_LIMIT) for pair in pairs for line in pair)
    return pairs[:: max(1, size * share // _CHARACTERS)]


def unseen(pairs: Iterable[tuple[str, str]], compared: Iterable[tuple[str, str]]) -> int:
    """Return how many pairs of lines differ in words that no pair like them does, of `compared`."""
    known = {words for pair in compared for words in _differing(*pair)}
    return sum(not known.issuperset(_differing(*pair)) for pair in pairs)


def _differing(left: str, right: str) -> list[tuple[str, str, str]]:
    """Return the words and blanks that differ, each with what else is there but for numbers."""
    a, b = _BLANKS.split(left), _BLANKS.split(right)
    places = [i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y]
    if len(a) != len(b) or not places:
        return [(left, right, "")]
    rest = _DIGITS.sub(
        "0", " ".join(word for word, other in zip(a[::2], b[::2], strict=True) if word == other)
    )
    return [(a[i], b[i], rest) for i in places]


def compare_lines(case: Case, left: str, right: str) -> Iterator[Blame]:
    """Yield a cause for each pair of words that differs; `unexplained` for what is not known."""
    left, right, hidden = hide(case, left, right)
    yield from hidden
    if left == right:
        return
    start = _shared(left, right) if max(len(left), len(right)) > LINE_LIMIT else 0
    start = max(0, start - _CONTEXT)
    window = slice(start, start + LINE_LIMIT)
    sides = left[window], right[window]
    yield from _compared(case.left_levels, case.right_levels, case.files, *sides)
    if max(len(left), len(right)) > window.stop:
        behind = _shared(left[start:][::-1], right[start:][::-1])
        if max(len(left), len(right)) - behind > window.stop:
            yield Blame("unexplained", left[window.stop :], right[window.stop :])


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how much of two texts, or lists of words, is the same from their starts."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))


@lru_cache(maxsize=1_000)
def _compared(
    left_levels: tuple[Level, ...],
    right_levels: tuple[Level, ...],
    files: Files | None,
    left: str,
    right: str,
) -> tuple[Blame, ...]:
    """Return what is to be blamed: of a thousand files that hold the date, it is the same."""
    case = Case(difference=_ANY, left_levels=left_levels, right_levels=right_levels, files=files)
    left, right, told = mask(case, left, right)
    left, right, took = _mask_durations(left, right)
    left, right, dated = _mask_stamps(case, left, right)
    rest = tuple(_compare_words(case, left, right)) if left != right else ()
    return (*told, *took, *dated, *_counted(rest, left))


def _counted(found: tuple[Blame, ...], line: str) -> tuple[Blame, ...]:
    """Return what is to be blamed; a small number is one of CPUs if its line says so.

    Else nothing other may be unknown: two lines that are not the same one have numbers as well.
    """
    if _COUNTS.search(line) or all(one.slug != "unexplained" for one in found):
        return found
    return tuple(
        one._replace(slug="unexplained") if one.slug == "captures_cpu_count" else one
        for one in found
    )


def _mask_durations(left: str, right: str) -> tuple[str, str, list[Blame]]:
    """Replace durations in the form of Maven, which chooses the unit by the length."""
    hits = [_DURATION.findall(side) for side in (left, right)]
    if not hits[0] or len(hits[0]) != len(hits[1]) or not TOOK.search(left):
        return left, right, []
    pairs = [(a.strip(), b.strip()) for a, b in zip(*hits, strict=True)]
    found = [Blame("captures_execution_time", a, b) for a, b in pairs if a != b]
    left, right = (_DURATION.sub(f"{MARK}duration{MARK}", side) for side in (left, right))
    return left, right, found


def _mask_stamps(case: Case, left: str, right: str) -> tuple[str, str, list[Blame]]:
    """Replace dates and times, where both lines have as many."""
    in_left, in_right = list(stamps(left)), list(stamps(right))
    if len(in_left) != len(in_right):
        return left, right, []
    pairs = list(zip(in_left, in_right, strict=True))
    found = [blame for a, b in pairs for blame in _dated(case, left, a, b)]
    for a, b in reversed(pairs):
        left = f"{left[: a.start]}{MARK}date{MARK}{left[a.end :]}"
        right = f"{right[: b.start]}{MARK}date{MARK}{right[b.end :]}"
    return left, right, found


def _dated(case: Case, line: str, left: Stamp, right: Stamp) -> Iterator[Blame]:
    numbers = _LOOSE.fullmatch(left.text) and not says_time(case, line)
    if left.text != right.text and (numbers or not (of_one_build(case) or _told(line, left))):
        yield Blame("unexplained", left.text, right.text)
    else:
        yield from compare(case, left, right)


def _told(line: str, stamp: Stamp) -> bool:
    """Whether a date is what a program tells, and no part of a name nor a rule for later."""
    around = line[: stamp.start][-1:], line[stamp.end :][:2]
    return not (_PART.match(around[0]) or _PART.match(around[1]) or _CHOOSES.search(line))


def _compare_words(case: Case, left: str, right: str) -> Iterator[Blame]:
    hits = [list(_WORD.finditer(side)) for side in (left, right)]
    a, b = ([hit[0] for hit in some] for some in hits)
    if a == b:
        yield Blame("unexplained", _shown(left), _shown(right))
        return
    if Counter(a) == Counter(b):
        yield _permuted(case, left, right, a, b)
        return
    if _spaced_otherwise(case, (left, hits[0]), (right, hits[1])):
        yield Blame("unexplained", _shown(left), _shown(right))
    start = _shared(a, b)
    a, b = a[start:], b[start:]
    if max(len(a), len(b)) - _shared(a[::-1], b[::-1]) > _WORD_LIMIT:
        rest = [_shown(" ".join(one[_WORD_LIMIT:])) for one in (a, b)]
        yield Blame("unexplained", rest[0], rest[1])
    a, b = a[:_WORD_LIMIT], b[:_WORD_LIMIT]
    for verb, i, i_end, j, j_end in matcher(a, b, _WORK, autojunk=False).get_opcodes():
        if verb == "equal":
            continue
        if i_end - i != j_end - j:
            one = _span(hits[0], start + i, start + i_end)
            other = _span(hits[1], start + j, start + j_end)
            blame = Blame("unexplained", _shown(left[slice(*one)]), _shown(right[slice(*other)]))
            yield _telling(blame, (left, one), (right, other))
            continue
        for k in range(i_end - i):
            after = a[i + k + 1] if i + k + 1 < len(a) else ""
            one, other = hits[0][start + i + k].span(), hits[1][start + j + k].span()
            for blame in _compare_pair(case, left, a[i + k], b[j + k], after):
                yield _telling(blame, (left, one), (right, other))


def _spaced_otherwise(case: Case, *sides: tuple[str, list[re.Match[str]]]) -> bool:
    """Whether what is between the same number of words differs.

    Beside a word that differs it may be what fills it up, but no indentation.
    """
    (left, one), (right, other) = sides
    if len(one) != len(other):
        return False
    if of_one_build(case):
        lengths = ([len(hit[0]) for hit in hits] for hits in (one, other))
        return next(lengths) == next(lengths) and len(left) != len(right)
    gaps = [_between(*side) for side in sides]
    varies = [MARK in a[0] or a[0] != b[0] for a, b in zip(one, other, strict=True)]
    filled = [False, *(a or b for a, b in pairwise(varies)), varies[-1]]
    return any(a != b and not may for a, b, may in zip(gaps[0], gaps[1], filled, strict=True))


def _between(line: str, hits: list[re.Match[str]]) -> list[str]:
    """Return what stands before, between and behind the words of a line."""
    begins, ends = [hit.start() for hit in hits], [hit.end() for hit in hits]
    return [line[a:b] for a, b in zip([0, *ends], [*begins, len(line)], strict=True)]


def _span(hits: list[re.Match[str]], start: int, end: int) -> tuple[int, int]:
    """Return where words stand; of none, where they would."""
    at = hits[start - 1].end() if start else 0
    return (hits[start].start(), hits[end - 1].end()) if start < end else (at, at)


def _telling(blame: Blame, left: _Placed, right: _Placed) -> Blame:
    """Return what is blamed with the line around it where it is too short to mean anything."""
    if max(len(blame.left), len(blame.right)) >= _TELLING:
        return blame
    return blame._replace(left=_around(*left), right=_around(*right))


def _around(line: str, span: tuple[int, int]) -> str:
    start, end = span
    if withheld(line) != line:  # half of a password would not be known for one
        return _shown(line[start:end])
    return _shown(line[max(0, start - _BESIDE) : end + _BESIDE]).strip()


def _permuted(case: Case, left: str, right: str, a: list[str], b: list[str]) -> Blame:
    pair = _shown(left), _shown(right)
    one_build = of_one_build(case)
    same = unordered(left, lists=one_build)
    if same is not None and same == unordered(right, lists=one_build):
        # A set or a mapping, whose order follows the hash seed of the process.
        return Blame("random_order_in_output", *pair)
    if not one_build or _BRACES.search(left) or _items(left) != _items(right):
        return Blame("unexplained", *pair)  # what they decide may be another thing now
    names = ([word for word in words if re.search(r"\w", word)] for words in (a, b))
    slug = decide(case, *names).slug
    if slug == "random_order_of_directory_entries":
        # Words of one line are a listing as often as the keys of a hash: both stay suspect.
        return Blame("random_order_in_output", *pair, factors=("random", "file_order"))
    return Blame(slug, *pair)


def _items(line: str) -> list[str]:
    """Return what a line lists, sorted."""
    return sorted(item.strip() for item in re.split("," if "," in line else r"\s+", line))


def _compare_pair(case: Case, line: str, a: str, b: str, after: str) -> Iterator[Blame]:
    slug = kind(case, line, a, b, after)
    if slug:
        yield Blame(slug, a, b)
        return
    parts_a, parts_b = _ATOM.findall(a), _ATOM.findall(b)
    if len(parts_a) != len(parts_b) or len(parts_a) < 2:
        yield Blame("unexplained", _shown(a), _shown(b))
        return
    followers = [*parts_a[1:], after]
    for x, y, follower in zip(parts_a, parts_b, followers, strict=True):
        if x != y:
            yield Blame(kind(case, line, x, y, follower) or "unexplained", _shown(x), _shown(y))


def _shown(text: str) -> str:
    return text.replace(MARK, "~")
