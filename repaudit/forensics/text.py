"""Text that differs word by word: dates, zones, levels of the runs, random values, order."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from math import isqrt
from typing import NamedTuple

from repaudit.forensics._case import (
    Blame,
    clue,
    clues,
    contents,
    inflate,
    most_unpacked,
    of_one_build,
    values,
    whole,
)
from repaudit.forensics._catalogue import known_at
from repaudit.forensics._obeyed import (
    commented,
    dates_alone,
    has_comments,
    obeyed,
    read_by_people,
    tells_when,
)
from repaudit.forensics._order import decide
from repaudit.forensics._paths import between, build_path, unknown, unread
from repaudit.forensics._tokens import compare_lines, sample, unseen
from repaudit.forensics._told import MARK
from repaudit.forensics._units import listing, moved, unordered
from repaudit.forensics._withheld import hide
from repaudit.forensics.interface import Case, Forensic
from repaudit.formats import matcher, reordered
from repaudit.model.difference import Aspect
from repaudit.model.finding import Clue

# Beyond so many differing lines difflib takes minutes, and the rest mostly shows the same.
_LINES = 5000
#: In memory a line takes fifty bytes beside its own.
_MOST_LINES = 500_000
#: What ends a line for `splitlines`.
_END = re.compile("\r\n|[\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029]")
#: What all texts of a file may take together: see `matcher`.
_WORK = 20_000_000
#: Documents up to so many characters are read as such.
_DOCUMENT = 1 << 20
#: So many folders of one text are told.
_MOST_FOLDERS = 20
#: Lines of both sides.
_Sides = tuple[Sequence[str], Sequence[str]]
#: The end of a line of a key, which may stand in a string of another text.
_EOL = r"(?:[ \t]*+(?:[\r\n]|\\[rn]))++[ \t]*+"
#: A key and what is made with one (RFC 7468, RFC 1421): nothing else may stand in it.
_PEM = re.compile(
    r"-----BEGIN ((?:[A-Z0-9]+ )*"
    r"(?:(?:PRIVATE|PUBLIC) KEY(?: BLOCK)?|CERTIFICATE(?: REQUEST)?|DH PARAMETERS))-----"
    rf"{_EOL}(?:Proc-Type: 4,ENCRYPTED{_EOL}DEK-Info: [A-Z0-9-]++,[0-9A-F]++{_EOL})?"
    rf"(?:[A-Za-z0-9+/=]++{_EOL})*+-----END \1-----"
)
#: JSON's objects have no order (RFC 8259, 4), but for a loader that goes by it (Node.js,
#: "Conditional exports").
_UNORDERED = re.compile(r"(?!etc/)(?!(?:.*/)?package\.json).*\.json", re.DOTALL)
_STRINGS = frozenset({Aspect.LINK, Aspect.CONFIG, Aspect.HISTORY, Aspect.ANNOTATION})
_MANIFEST = re.compile(r"(?:^|/)META-INF/MANIFEST\.MF$")
#: A whole step of a history, which has no counterpart, and what is known by its digest alone.
_WHOLE = re.compile(r"history/[0-9]+|index/(?:manifests/[0-9]+/)+digest")
# Controls that no text holds; NUL among them.
_BINARY = re.compile(r"[\x00-\x07\x0e-\x1a\x1c-\x1f\x7f\x80-\x84\x86-\x9f]")


class _Text:
    name = "text"

    def examine(self, case: Case) -> Iterator[Clue]:
        """Yield a clue for each kind of word that differs, and one for what is not known."""
        pair = None if is_manifest(case) else texts(case)
        if pair:
            yield from compare(case, *pair)


def is_manifest(case: Case) -> bool:
    """Whether it is what manifest.py reads."""
    difference = case.difference
    return difference.aspect is Aspect.CONTENT and _MANIFEST.search(difference.path) is not None


def compare(case: Case, left: str, right: str) -> Iterator[Clue]:
    """Yield a clue for each kind of word that differs, and one for what is not known."""
    keys = [[(hit[0], hit[1]) for hit in _PEM.finditer(text)] for text in (left, right)]
    left, right = (_PEM.sub(_named, text) for text in (left, right))
    if keys[0] != keys[1] and keys[0] and keys[1]:
        yield _keys(case, keys[0][0][1])
    left, right, hidden = hide(case, left, right)
    yield from clues(hidden)
    lines = _split(left), _split(right)
    yield from _compare_texts(case, *lines, _Reading.of(case, left, right))
    rest = [text.split("\n", _MOST_LINES)[_MOST_LINES:] for text in (left, right)]
    if rest[0] != rest[1]:
        yield clue("unexplained", f"of so many lines, the first {_MOST_LINES} are compared")
    ends = [_END.findall(text) for text in (left, right)]
    if ends[0] != ends[1] and len(lines[0]) == len(lines[1]):
        yield clue("unexplained", "the lines end otherwise")


def _named(hit: re.Match[str]) -> str:
    return f"{MARK}{hit[1].replace(' ', '_')}{MARK}"  # which stands in no text


class _Lone(NamedTuple):
    """A line that one side alone has, and between which lines that both have: a number."""

    line: str
    place: int


class _Reading(NamedTuple):
    """How two texts are read: whether they are `obeyed`, and comments are such for everybody."""

    obeyed: bool
    comments: bool

    @classmethod
    def of(cls, case: Case, left: str, right: str) -> _Reading:
        """Tell how both sides of a case are read."""
        return cls(obeyed(case, left, right), has_comments(left) and has_comments(right))

    def trusted(self, case: Case, left: str, right: str) -> tuple[Blame, ...]:
        """Return why two lines differ; what words look like explains nothing that is obeyed."""
        found = tuple(compare_lines(case, left, right))
        if not self.obeyed and not read_by_people(case.difference.path):
            return dates_alone(case, found)
        if not self.obeyed or (self.comments and all(commented(case, x) for x in (left, right))):
            return found
        return tuple(
            one if tells_when(left, one) else Blame("unexplained", one.left, one.right)
            for one in found
        )


def _keys(case: Case, word: str) -> Clue:
    """Return what is said of keys that differ: in two images somebody else's may be trusted."""
    label = f"-----BEGIN {word}-----"
    if of_one_build(case):
        return clue("embeds_random_key", f"the blocks that start with {label} differ")
    made = "a key that is made during the build does, and so does one that somebody put there"
    return clue("unexplained", f"the blocks that start with {label} differ: {made}")


def texts(case: Case) -> tuple[str, str] | None:
    """Return both sides' text where both are one and they differ."""
    if case.difference.aspect in _STRINGS:
        path = case.difference.path.lstrip("/")
        if _WHOLE.fullmatch(path):
            return None
        known = next(known_at(path, case.difference.aspect), None)
        return values(case) if known is None else None
    data = contents(case)
    if data is None:
        return None
    left, right = (_decoded(case, side) for side in data)
    return (left, right) if left and right and left != right else None


def _decoded(case: Case, data: bytes) -> str | None:
    inner = inflate(data)
    return decoded(inner, cut=not whole(case) or len(inner) >= most_unpacked(data))


def decoded(data: bytes, *, cut: bool = False) -> str | None:
    """Return the text that `data` is, None where it is none; `cut` says that it may go on."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        # A bound may have cut the last character; else old text is Latin-1.
        last = cut and error.reason == "unexpected end of data"
        text = data[: error.start].decode("utf-8") if last else data.decode("latin-1")
    return None if _BINARY.search(text) else text


def _split(text: str) -> list[str]:
    """Return the lines; of a text of very many short ones the first."""
    if text.count("\n") > _MOST_LINES:
        text = "\n".join(text.split("\n", _MOST_LINES)[:_MOST_LINES])
    return text.splitlines()


def _compare_texts(
    case: Case, left: list[str], right: list[str], reading: _Reading
) -> Iterator[Clue]:
    if len(left) > 1 and left != right and reordered(left, right):
        yield _in_order(case, (left, right), _trimmed(left, right), reading)
        return
    if _same_keys(case, left, right, reading):
        yield clue("random_order_in_output", "the same keys with the same values in another order")
        return
    left, right = _trimmed(left, right)
    most = min(_LINES, isqrt(_WORK // case.share))
    lone_left, lone_right, pairs = _aligned(left, right, most)
    shared = Counter(one.line for one in lone_left) & Counter(one.line for one in lone_right)
    (both_left, strays_left), (both_right, strays_right) = (
        _divided(lone, shared) for lone in (lone_left, lone_right)
    )
    if shared:
        both = [one.line for one in both_left], [one.line for one in both_right]
        yield _in_order(case, both, (moved(left, both[0]), moved(right, both[1])), reading)
    strays = list(zip(strays_left, strays_right, strict=False))
    pairs += ((a.line, b.line) for a, b in strays)
    if not of_one_build(case) and any(a.place != b.place for a, b in strays):
        yield clue("unexplained", "lines that differ have moved, which may decide something")
    some = sample(pairs[: 2 * _LINES], case.share)
    found = [_compared(case, a, b, reading) for a, b in some]
    yield from islice(dict.fromkeys(one for one in found if isinstance(one, Clue)), _MOST_FOLDERS)
    blames = chain.from_iterable(one for one in found if not isinstance(one, Clue))
    yield from clues(chain(blames, _left_over(strays_left, strays_right)))
    more = unseen(pairs, some)
    if len(left) != len(right):
        more += max(0, max(len(left), len(right)) - most)
    if more:
        yield clue("unexplained", f"{more} more lines were not compared")


def _compared(case: Case, left: str, right: str, reading: _Reading) -> tuple[Blame, ...] | Clue:
    """Return what two lines show; of two images, a folder where that is all that differs."""
    found = reading.trusted(case, left, right)
    if of_one_build(case) or any(blame.slug != "unexplained" for blame in found):
        return found
    pair = between(left, right)
    if pair and unread(case.difference.path, left):
        return build_path(pair, "a line for people")
    if pair:
        return unknown(pair)
    return found


def _in_order(case: Case, lines: _Sides, stretches: _Sides, reading: _Reading) -> Clue:
    """Return what is said of the same lines in another order; the stretches hold all of them."""
    count = f"{len(lines[0])} lines in another order"
    if not (of_one_build(case) or (not reading.obeyed and _is_listing(case, *stretches))):
        return clue("unexplained", f"{count}, which may decide something")
    order = decide(case, *lines)
    return clue(order.slug, f"{count}: {order.why}", factors=order.factors)


def _is_listing(case: Case, left: Sequence[str], right: Sequence[str]) -> bool:
    difference = case.difference
    named = difference.aspect is Aspect.CONTENT and read_by_people(difference.path)
    return named and listing(left, right)


def _same_keys(case: Case, left: Sequence[str], right: Sequence[str], reading: _Reading) -> bool:
    """Whether two documents say the same but for the order of what they hold by name."""
    if not (left and right and left[0].startswith(("{", "[")) and left[0][:1] == right[0][:1]):
        return False
    if reading.obeyed and not _UNORDERED.fullmatch(case.difference.path):
        return False
    texts = "\n".join(left), "\n".join(right)
    if max(map(len, texts)) > _DOCUMENT // case.share:
        return False
    if "".join(texts[0].split()) == "".join(texts[1].split()):
        return False  # white space alone is no order
    same = unordered(texts[0])
    return same is not None and same == unordered(texts[1])


def _trimmed(left: list[str], right: list[str]) -> tuple[list[str], list[str]]:
    shorter, start = min(len(left), len(right)), 0
    while start < shorter and left[start] == right[start]:
        start += 1
    end = 0
    while end < shorter - start and left[-1 - end] == right[-1 - end]:
        end += 1
    return left[start : len(left) - end], right[start : len(right) - end]


def _aligned(
    left: list[str], right: list[str], most: int
) -> tuple[list[_Lone], list[_Lone], list[tuple[str, str]]]:
    """Return the lines of one side only, and the pairs that stand at the same place."""
    if len(left) == len(right) and len(left) > most:
        return [], [], [(a, b) for a, b in zip(left, right, strict=True) if a != b]
    left, right = left[:most], right[:most]
    lone_left, lone_right = list[_Lone](), list[_Lone]()
    pairs: list[tuple[str, str]] = []
    opcodes = matcher(left, right, most * most).get_opcodes()
    for place, (verb, i, i_end, j, j_end) in enumerate(opcodes):
        if verb == "replace" and i_end - i == j_end - j:
            if not reordered(left[i:i_end], right[j:j_end]):
                pairs += zip(left[i:i_end], right[j:j_end], strict=True)
                continue
        if verb != "equal":
            lone_left += (_Lone(line, place) for line in left[i:i_end])
            lone_right += (_Lone(line, place) for line in right[j:j_end])
    return lone_left, lone_right, pairs


def _divided(lines: list[_Lone], shared: Counter[str]) -> tuple[list[_Lone], list[_Lone]]:
    """Return the lines that are shared, as often as they are, and all others."""
    count, both, strays = Counter(shared), list[_Lone](), list[_Lone]()
    for one in lines:
        (both if count[one.line] > 0 else strays).append(one)
        count[one.line] -= 1
    return both, strays


def _left_over(left: list[_Lone], right: list[_Lone]) -> Iterator[Blame]:
    for one in left[len(right) :]:
        yield Blame("unexplained", one.line, "")
    for one in right[len(left) :]:
        yield Blame("unexplained", "", one.line)


FORENSIC: Forensic = _Text()
