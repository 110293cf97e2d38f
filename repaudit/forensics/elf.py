"""ELF programs: only the build ID, or dates, paths and levels among the strings of a section."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

from repaudit.forensics._case import Blame, clue, clues, contents, of_one_build, quote, whole
from repaudit.forensics._debug import Debug, Order, Sections
from repaudit.forensics._go import GO_MODULE, GO_TABLES, Side, go_sources
from repaudit.forensics._members import claims, whole_parts
from repaudit.forensics._paths import (
    Moved,
    blamed,
    folders,
    paths,
    renamed,
    shown,
    sources_renamed,
    unknown,
)
from repaudit.forensics._tokens import compare_lines, sample, unseen
from repaudit.forensics.interface import Case, Forensic
from repaudit.formats import Kind
from repaudit.formats.elf import ADDRESS, BUILD_ID, DEBUG_LINK, GO_BUILD_ID, LOADED
from repaudit.model.finding import Clue

# They follow whatever else differs: build IDs are hashes, the link holds a checksum.
FOLLOWING = frozenset({BUILD_ID, GO_BUILD_ID, DEBUG_LINK})
#: No hash is longer, in bytes, and one that looks like this is rare.
_LONGEST_HASH, _TEXT = 32, re.compile(rb"[\x20-\x7e]{10}")
#: What Go's linker puts behind its tables, and finds by `.go.module` alone.
_BEHIND_TABLES = frozenset({".gosymtab", ".itablink", ".typelink"})
#: What Go writes there: hashes of what was compiled and linked, and of what came of it.
_GO_BUILD_ID = re.compile(rb"(?:[\w-]{20}/){3}[\w-]{20}\0*")
_STRING = re.compile(rb"[\t\x20-\x7e]{6,}")
_MOST_STRINGS = 20_000
_NAMED = "names of sources"
#: What a date in a program shows.
_TIMES = frozenset({"captures_build_date", "captures_timezone"})
_MACRO = re.compile(r"(?:[A-Z][a-z]{2} [ \d]\d \d{4})?(?: ?\d\d:\d\d:\d\d)?")


class _Elf:
    name = "elf"

    def examine(self, case: Case) -> Iterator[Clue]:
        """Yield what the differing sections show, and which of them stay unexplained."""
        data = contents(case)
        if data is None or not whole(case):
            return
        left, right = _sections(data[0]), _sections(data[1])
        if not left or not right:
            return
        names = [n for n in sorted(left.keys() | right.keys()) if left.get(n) != right.get(n)]
        places = _loaded(data[0]), _loaded(data[1])
        loaded = places[0].keys() | places[1].keys()
        primary = [n for n in names if not _follows(case, n, (left, right), loaded)]
        if names and not primary and _without(data[0], left) == _without(data[1], right):
            yield clue("build_id_differences_only", f"only {', '.join(names)} differs")
        known = folders(*(paths(b"\0".join(side.values())) for side in _of(primary, left, right)))
        order: Order = "little" if data[0][5] == 1 else "big"
        both = Side(left, places[0]), Side(right, places[1])
        told = _told(case, order, both, primary, known)
        for where, some in told.items():
            for pair in known:
                if any(pair[0] in left[name] for name in some):
                    yield from blamed(case, pair, where)
        rest = [name for name in primary if not any(name in some for some in told.values())]
        if not of_one_build(case):
            yield from _moved(*places, told.get(_NAMED, ()))
        strings = {name: _strings(case, left, right, name, len(rest), loaded) for name in rest}
        yield from _others(case, left, right, strings, known)


def _moved(
    left: Mapping[str, int], right: Mapping[str, int], named: Container[str]
) -> Iterator[Clue]:
    """Yield that the code finds other bytes where it looks, since sections have moved.

    `named` are sections that tell folders.
    """
    moved = [
        name for name in sorted(left.keys() | right.keys()) if left.get(name) != right.get(name)
    ]
    if GO_TABLES in named and GO_MODULE in named:
        moved = [name for name in moved if name not in _BEHIND_TABLES]
    if moved:
        yield clue("unexplained", f"other addresses of {quote(', '.join(moved), 120)}")


def _others(
    case: Case,
    left: Sections,
    right: Sections,
    strings: Mapping[str, Iterable[Blame]],
    known: Sequence[Moved],
) -> Iterator[Clue]:
    """Yield what the strings of sections show, and which of those stay unexplained."""
    blames: list[Blame] = []
    named, open_ends = list[str](), list[str]()
    for name, told in strings.items():
        both = left.get(name, b""), right.get(name, b"")
        found = list(told)
        blames += [_macro(blame) for blame in found if blame.slug != "unexplained"]
        if found and all(blame.slug != "unexplained" for blame in found):
            continue
        folders_alone = both[0] != both[1] == renamed(both[0], known)
        (named if folders_alone and not of_one_build(case) else open_ends).append(name)
    yield from clues(blames)
    yield from (unknown(pair) for pair in known if any(pair[0] in left[n] for n in named))
    if open_ends:
        beside = f"; {shown(known[0])}" if known else ""
        some = quote(", ".join(open_ends), 60 if beside else 120)
        yield clue("unexplained", f"the sections {some} differ{beside}")


def _of(names: Iterable[str], *both: Sections) -> Iterator[dict[str, bytes]]:
    return ({name: side[name] for name in names if name in side} for side in both)


def _told(
    case: Case,
    order: Order,
    sides: tuple[Side, Side],
    names: Sequence[str],
    known: Sequence[Moved],
) -> dict[str, list[str]]:
    """Return the sections that differ in the folders of a build alone, by what tells those.

    That Go's tables name sources, their form shows. Another string of a program in memory may be
    what it runs, whatever its end, so that it tells no more than folders of two images.
    """
    if not known:
        return {}
    left, right = sides[0].sections, sides[1].sections
    debug = Debug(left, right, order, known)
    loaded = sides[0].loaded.keys() | sides[1].loaded.keys()
    both = [name for name in names if name in left and name in right]
    go = [name for name in go_sources(*sides, order, known) if name in both]
    texts = [n for n in both if n in loaded and sources_renamed(left[n], known) == right[n]]
    texts = texts if of_one_build(case) else []
    return {
        "debug information": [n for n in both if n not in loaded and debug.tells_folders(n)],
        _NAMED: [*texts, *go],
    }


def _loaded(data: bytes) -> dict[str, int]:
    """Return the sections that are in memory when the program runs, with their addresses."""
    told = {
        name: part.data.decode()
        for name, part in whole_parts("elf", data).items()
        if name.endswith(ADDRESS)
    }
    return {
        name.removesuffix(ADDRESS): int(said.removesuffix(LOADED), 16)
        for name, said in told.items()
        if said.endswith(LOADED)
    }


def _follows(
    case: Case, name: str, both: tuple[Sections, Sections], loaded: Container[str]
) -> bool:
    """Whether a section follows from others; of two images, only if it can be nothing else."""
    if name not in FOLLOWING:
        return False
    sides = [side.get(name, b"") for side in both]
    if name == GO_BUILD_ID:
        return all(map(_GO_BUILD_ID.fullmatch, sides))
    if of_one_build(case):
        return True
    values = [bytes.fromhex(side.decode("ascii")) for side in sides]
    if name == BUILD_ID:
        return not any(len(one) > _LONGEST_HASH or _TEXT.search(one) for one in values)
    links = [value.partition(b"\0")[0] for value in values]
    hashes = [side.get(BUILD_ID, b"") + b".debug" for side in both]
    named = all(link in (some, some[2:]) for link, some in zip(links, hashes, strict=True))
    return name not in loaded and (links[0] == links[1] or named)


def _without(data: bytes, sections: dict[str, bytes]) -> bytes:
    """Return a file without its build IDs and debug link."""
    for name in FOLLOWING & sections.keys():
        told = sections[name]
        told = told if name == GO_BUILD_ID else bytes.fromhex(told.decode("ascii"))
        data = data.replace(told, b"", 1)
    return data


def _macro(blame: Blame) -> Blame:
    macro = blame.slug == "captures_build_date" and _MACRO.fullmatch(blame.left)
    return blame._replace(slug="timestamps_from_cpp_macros") if macro else blame


def _strings(
    case: Case,
    ours: Sections,
    theirs: Sections,
    name: str,
    sections: int,
    loaded: Container[str],
) -> Iterator[Blame]:
    """Yield what the strings of one of so many sections show; `unexplained` where more differs.

    Of two images a program may run, open or trust what stands in its memory.
    """
    told = _text_of(case, ours.get(name, b""), theirs.get(name, b""), sections)
    decides = name in loaded and not of_one_build(case)
    for blame in told:
        yield blame._replace(slug="unexplained") if decides and blame.slug not in _TIMES else blame


def _text_of(case: Case, left: bytes, right: bytes, sections: int) -> Iterator[Blame]:
    if _STRING.sub(b"", left) != _STRING.sub(b"", right):
        yield Blame("unexplained", "", "")
    a, b = _STRING.findall(left), _STRING.findall(right)
    if len(a) != len(b):
        yield Blame("unexplained", "", "")
        return
    differ = ((x, y) for x, y in zip(a, b, strict=True) if x != y)
    pairs = [(x.decode("ascii"), y.decode("ascii")) for x, y in differ]
    some = sample(pairs[:_MOST_STRINGS], case.share * sections)
    for x, y in some:
        yield from compare_lines(case, x, y)
    if unseen(pairs, some):
        yield Blame("unexplained", "", "")


def _sections(data: bytes) -> dict[str, bytes]:
    """Return the sections that have bytes, by name; nothing where `data` is no sound ELF file."""
    found = whole_parts("elf", data) if claims("elf", data) else {}
    return {
        name: part.data
        for name, part in found.items()
        if part.kind is Kind.FILE or name in FOLLOWING
    }


FORENSIC: Forensic = _Elf()
