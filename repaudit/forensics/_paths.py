"""Folders that a build lay in: where one stands on the left and another one on the right.

A path shows no more than that. Whether it decides what is run or loaded depends on where it stands,
so that only who knows the place may call it innocent.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from repaudit.forensics._case import clue, clues, of_one_build, sides
from repaudit.forensics._tokens import compare_lines
from repaudit.forensics._told import MARK
from repaudit.forensics.interface import Case
from repaudit.model.finding import Clue

#: A folder of the left side, and the one in its place on the right.
Moved = tuple[bytes, bytes]

_NAME = rb"[\w.,+~@%=-]"
#: An absolute path that ends where a C string does.
_PATH = re.compile(rb"(?<![\w.,+~@%%=/-])(?:/%b++)++(?=\0|\Z)" % _NAME)
_ABSOLUTE = re.compile(rb"(?:/[^/\0-\x1f\x7f]++)++")
#: The same in a text.
_WORD = re.compile(r"(?<![\w.,+~@%=/-])(?:/[\w.,+~@%=-]++)++|(?<==)(?:/[\w.,+~@%=-]++)++")
#: From where the lines below come, in what a preprocessor of C wrote. In what it is yet to read
#: the same (C17, 6.10.4) says what __FILE__ is, and that may be run.
_LINE = re.compile(r"#(?:line)? \d++ \"[^\"]*+\"[ \d]*+")
_PREPROCESSED = (".i", ".ii")
#: What compilers read, and nothing that runs: a path to one names where something was compiled.
_SOURCES = rb"[chsS]|cc|cpp|cxx|c\+\+|hh|hpp|hxx|adb|ads|cu|f|f90|ll|mm|pyx|rs|vala|y|yy"
_DRAWN = "captures_temporary_path"
#: So many folders are told of one file, found by as many of its paths.
_MOST_FOLDERS, _MOST_PATHS, _MOST_ALIKE = 4, 2_000, 8


def paths(data: bytes) -> Iterator[bytes]:
    """Yield the absolute paths in `data` that end with a NUL, or with it."""
    return (hit[0] for hit in _PATH.finditer(data))


def folders_of(left: bytes, right: bytes) -> Moved | None:
    """Return the folders by which two absolute paths differ, where what stands in them is alike."""
    if left == right or not (_ABSOLUTE.fullmatch(left) and _ABSOLUTE.fullmatch(right)):
        return None
    one, other = left.split(b"/"), right.split(b"/")
    most = min(len(one), len(other)) - 1
    same = next((n for n in range(most) if one[-1 - n] != other[-1 - n]), most)
    if not same:
        return None
    return b"/".join(one[:-same]) or b"/", b"/".join(other[:-same]) or b"/"


def between(left: str, right: str) -> Moved | None:
    """Return the folders in which two lines differ, where they do in nothing but those."""
    if _WORD.sub(MARK, left) != _WORD.sub(MARK, right):
        return None
    words = zip(_WORD.findall(left), _WORD.findall(right), strict=True)
    differ = ((a.encode(), b.encode()) for a, b in words if a != b)
    found = {folders_of(*pair) or pair for pair in differ}
    return found.pop() if len(found) == 1 else None


def unread(path: str, line: str) -> bool:
    """Whether nothing but people reads the paths in a line of the text at `path`."""
    name = path.rpartition("/")[2]
    if name.endswith(_PREPROCESSED):
        return _LINE.fullmatch(line) is not None
    return name == "pyvenv.cfg" and line.startswith("command = ")


def folders(left: Iterable[bytes], right: Iterable[bytes]) -> tuple[Moved, ...]:
    """Return the folders that stand for each other in two lists of paths, the commonest first."""
    one, other = Counter(left), Counter(right)
    gone = list((one - other).elements())[:_MOST_PATHS]
    come = list((other - one).elements())[:_MOST_PATHS]
    found: list[Moved] = []
    while gone and come and len(found) < _MOST_FOLDERS:
        best = _likeliest(gone, come)
        found.append(best)
        waiting, rest = Counter(come), list[bytes]()
        for path in gone:
            if waiting[new := renamed(path, (best,))] and new != path:
                waiting[new] -= 1
            else:
                rest.append(path)
        if len(rest) == len(gone):
            return tuple(found[:-1])
        gone, come = rest, list(waiting.elements())
    return tuple(found)


def _likeliest(gone: Sequence[bytes], come: Sequence[bytes]) -> Moved:
    named: defaultdict[bytes, list[bytes]] = defaultdict(list)
    for path in come:
        named[path.rpartition(b"/")[2]].append(path)
    votes = Counter(
        pair
        for path in gone
        for other in named[path.rpartition(b"/")[2]][:_MOST_ALIKE]
        if (pair := folders_of(path, other)) and b"/" not in pair
    )
    if votes:
        return max(votes, key=lambda pair: (votes[pair], pair))
    return min(gone, key=len), min(come, key=len)  # the folders themselves


def renamed(data: bytes, known: Sequence[Moved]) -> bytes:
    """Return `data` with the folders of the left side replaced by those of the right one."""
    return _replaced(data, known, b"", rb"(?!%b)" % _NAME)


def sources_renamed(data: bytes, known: Sequence[Moved], more: bytes = b"") -> bytes:
    """Return `data` with the folders replaced in those C strings that are a path of a source.

    `more` are endings of sources beside those that nothing runs, as a pattern.
    """
    endings = _SOURCES + (b"|" + more if more else b"")
    behind = rb"(?=/(?:/|%b)*?\.(?:%b)\0)" % (_NAME, endings)
    return _replaced(data, known, rb"(?<![^\0])", behind)


def _replaced(data: bytes, known: Sequence[Moved], before: bytes, behind: bytes) -> bytes:
    if not known:
        return data
    others = dict(reversed(known))
    some = b"|".join(re.escape(folder) for folder in sorted(others, key=len, reverse=True))
    pattern = re.compile(b"%b(?:%b)%b" % (before, some, behind))
    return pattern.sub(lambda hit: others[hit[0]], data)


def shown(pair: Moved) -> str:
    """Return both folders, quoted."""
    left, right = _texts(pair)
    return sides(left, right)


def _texts(pair: Moved) -> tuple[str, str]:
    return pair[0].decode("utf-8", "replace"), pair[1].decode("utf-8", "replace")


def blamed(case: Case, pair: Moved, where: str) -> Iterator[Clue]:
    """Yield the cause of these folders; `where` says what of a file tells them.

    Of one build none can be another, but by what its runs were told, or by chance.
    """
    found = list(compare_lines(case, *_texts(pair)))
    if of_one_build(case):
        yield from clues(found)
    elif {blame.slug for blame in found} == {_DRAWN}:
        yield clue(_DRAWN, f"{where}: {shown(pair)}")
    else:
        yield build_path(pair, where)


def unknown(pair: Moved) -> Clue:
    """Return that a file names these folders, of which nobody knows what they decide."""
    known = clue("unexplained", f"folders: {shown(pair)}")
    return replace(known, place="another_folder")


def build_path(pair: Moved, where: str) -> Clue:
    """Return that two images were built in these folders."""
    return clue("captures_build_path", f"{where}: {shown(pair)}")
