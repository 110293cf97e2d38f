"""What every forensic asks of a case, and how it words a clue."""

from __future__ import annotations

import bz2
import lzma
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, partial
from typing import AnyStr, NamedTuple, Protocol

import zstandard
from msgspec.structs import replace

from repaudit.forensics._catalogue import record
from repaudit.forensics.interface import Case, Content
from repaudit.formats import zstd
from repaudit.model.difference import Aspect
from repaudit.model.experiment import Level
from repaudit.model.finding import Clue, EvidenceKind
from repaudit.model.withheld import withheld

#: No forensic unpacks more of a file than so many times its length, between these bounds: what
#: megabytes of the same bytes are packed to is short.
_MOST_TIMES, _LEAST_LIMIT, _MOST_LIMIT = 16, 64 << 20, 256 << 20
#: Stands between an archive's path and its member's.
NESTED = "!/"
#: How a text may stand in a file.
ENCODINGS = ("utf-8", "utf-16-le")
_DETAIL_LIMIT = 200
#: So many files with other rights to read are not one by one what somebody decided.
_SEVERAL = 3
_SECRET = re.compile(
    r"(?:^|/)(?:g?shadow|id_\w+|ssh_host_\w+_key|\.(?:ssh|gnupg|aws|azure|kube|docker)"
    r"|[._](?:netrc|pgpass|my\.cnf|npmrc|pypirc|env(?:\.[^/]*)?)|[^/]*(?:htpasswd|kubeconfig)[^/]*"
    r"|[^/]*\.(?:pem|p12|pfx|jks|kdbx|key(?:store|tab)|ovpn)"
    r"|(?:[^/]*[._-])?(?:secret|passw(?:or)?d|private|key|credential|token|auth)s?(?:[._-][^/]*)?)"
    r"(?:$|[-/])",
    re.IGNORECASE,
)
#: In so much of a value what shall not be shown is looked for.
_MOST_READ = 1 << 16
_MEMORY_LIMIT = 256 * 2**20
#: So many streams of a file are read, one after the other.
_MOST_STREAMS = 20_000


class _Decoder(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


_XZ = b"\xfd7zXZ\0"
#: What makes, for a file that begins so, a decoder of each of its streams.
_DECODERS: dict[bytes, Callable[[], Callable[[], _Decoder]]] = {
    b"\x1f\x8b\x08": lambda: partial(zlib.decompressobj, wbits=31),
    _XZ: lambda: partial(lzma.LZMADecompressor, memlimit=_MEMORY_LIMIT),
    b"BZh": lambda: bz2.BZ2Decompressor,
    zstd.MAGIC_NUMBER: zstd.frames,
}
_CORRUPT = (zlib.error, lzma.LZMAError, zstandard.ZstdError, EOFError, OSError, ValueError)


class Blame(NamedTuple):
    """A pair of texts that differ, and the cause that it shows; no slug: explained elsewhere."""

    slug: str
    left: str
    right: str
    factors: tuple[str, ...] | None = None


def contents(case: Case) -> tuple[bytes, bytes] | None:
    """Return both sides' bytes where both have some and they differ."""
    left, right = case.left, case.right
    if case.difference.aspect is not Aspect.CONTENT or left is None or right is None:
        return None
    if not left.data or not right.data or left.data == right.data:
        return None
    return left.data, right.data


def whole(case: Case) -> bool:
    """Whether neither side's bytes were cut off."""
    return bool(case.left and case.right and case.left.whole and case.right.whole)


def values(case: Case) -> tuple[str, str] | None:
    """Return both sides' readable forms where both have one and they differ."""
    left, right = case.difference.left, case.difference.right
    if case.difference.aspect is Aspect.CONTENT or left is None or right is None or left == right:
        return None
    return left, right


def at(case: Case, name: str) -> Case:
    """Return the case at the path of a member called `name`."""
    path = f"{case.difference.path}{NESTED}{name}"
    return replace(case, difference=replace(case.difference, path=path))


def nested(case: Case, name: str, left: bytes, right: bytes) -> Case:
    """Return the case of a member called `name` of both sides."""
    inner = at(case, name)
    return replace(
        inner,
        difference=replace(inner.difference, aspect=Aspect.CONTENT),
        left=Content(data=left, size=len(left)),
        right=Content(data=right, size=len(right)),
    )


def of_one_build(case: Case) -> bool:
    """Whether both sides are runs of one build, and not two images of which nothing is known.

    What looks like chance was then made by the same lines, and nobody put another thing there.
    """
    return bool(case.left_levels)


def levels(case: Case, factor: str) -> tuple[Level, Level] | None:
    """Return both runs' levels of `factor`, None where one is not known."""
    left = next((level for level in case.left_levels if level.factor == factor), None)
    right = next((level for level in case.right_levels if level.factor == factor), None)
    return (left, right) if left is not None and right is not None else None


def moved(case: Case, factor: str) -> tuple[str, str] | None:
    """Return both values of `factor` where the runs are known to differ in it."""
    pair = levels(case, factor)
    return (pair[0].value, pair[1].value) if pair and pair[0].value != pair[1].value else None


def held(case: Case, factor: str) -> bool:
    """Whether the runs are known to agree in `factor`."""
    pair = levels(case, factor)
    return pair is not None and pair[0].value == pair[1].value


def without_canaries(case: Case, left: bytes, right: bytes) -> tuple[bytes, bytes]:
    """Return both sides with their canaries replaced by one text, as canary.py reports those."""
    for level in case.left_levels:
        pair = levels(case, level.factor)
        for a, b in zip(pair[0].canaries, pair[1].canaries, strict=False) if pair else ():
            for encoding in ENCODINGS:
                left = left.replace(a.encode(encoding), b"\0")
                right = right.replace(b.encode(encoding), b"\0")
    return left, right


def quote(value: AnyStr, room: int = 60) -> str:
    """Return `value` printable, in ASCII, in at most `room` characters; no key, and no password."""
    # Cut before escaping: a value may be megabytes long.
    value = withheld(value[:_MOST_READ])
    text = ascii(value[: room + 1]).removeprefix("b")
    return (
        text if len(text) <= room and len(value) <= room else text[: room - 4].rstrip("\\") + "...'"
    )


def sides(left: AnyStr, right: AnyStr, room: int = 60) -> str:
    """Return both sides, quoted."""
    return f"{quote(left, room)} on the left, {quote(right, room)} on the right"


def clue(
    slug: str,
    detail: str,
    *,
    factors: tuple[str, ...] | None = None,
    kind: EvidenceKind = EvidenceKind.SIGNATURE,
) -> Clue:
    """Return a clue that blames the catalogue's factors unless others are known better."""
    blamed = record(slug).factors if factors is None else factors
    printable = "".join(c if " " <= c <= "~" else ascii(c)[1:-1] for c in withheld(detail))
    bounded = (
        printable if len(printable) <= _DETAIL_LIMIT else printable[: _DETAIL_LIMIT - 3] + "..."
    )
    return Clue(slug=slug, factors=blamed, kind=kind, detail=bounded)


def clues(blames: Iterable[Blame], *, hidden: frozenset[str] = frozenset()) -> Iterator[Clue]:
    """Yield one clue for each cause and set of factors, with its first pair; unexplained last."""
    found: dict[tuple[str, tuple[str, ...] | None], list[Blame]] = {}
    for blame in blames:
        if blame.slug and blame.slug not in hidden:
            found.setdefault((blame.slug, blame.factors), []).append(blame)
    for (slug, factors), group in sorted(
        found.items(), key=lambda item: item[0][0] == "unexplained"
    ):
        more = f" (and {len(group) - 1} more)" if len(group) > 1 else ""
        detail = sides(group[0].left, group[0].right) + more
        yield clue(slug, detail, factors=factors)


def distinct(found: Iterable[Clue]) -> Iterator[Clue]:
    """Yield the first clue for each cause and set of factors."""
    seen = set()
    for each in found:
        key = (each.slug, each.factors, each.kind)
        if key not in seen:
            seen.add(key)
            yield each


def umask_explains(case: Case, left: int, right: int) -> bool:
    """Whether two modes differ as files do that were made under the two runs' umasks.

    Without known levels, only if usual umasks make both of one mode.
    """
    values = moved(case, "umask")
    if values is None:
        return levels(case, "umask") is None and _usual(case, left, right)
    if not all(re.fullmatch(r"0?[0-7]{3}", value) for value in values):
        return False
    under_left, under_right = int(values[0], 8), int(values[1], 8)
    return (
        left != right
        and not left & under_left
        and not right & under_right
        and left & ~under_right == right & ~under_left
    )


def _usual(case: Case, left: int, right: int) -> bool:
    """Whether both modes are what umasks such as 002, 022, 027 and 077 leave of one.

    Those take writing from a class, or all; no program writes its files with rights for everyone.
    Who may read few files, or a secret, is somebody's decision.
    """
    differ = left ^ right
    if differ & 0o044 and (case.alike < _SEVERAL or _SECRET.search(case.difference.path)):
        return False
    if not differ or differ & ~0o075 or left & 0o7000 or left & right not in (left, right):
        return False
    left_by_umasks = (7, 5, 0) if left & 0o100 else (6, 4, 0)
    classes = ((left >> shift & 7, right >> shift & 7) for shift in (3, 0))
    return all(a == b or {a, b} <= {*left_by_umasks} for a, b in classes)


def most_unpacked(data: bytes) -> int:
    """Return how many bytes of what is inside a compressed file are looked at."""
    return max(_LEAST_LIMIT, min(_MOST_TIMES * len(data), _MOST_LIMIT))


def inflate(data: bytes) -> bytes:
    """Return what is inside a gzip, xz, bzip2 or zstd file, bounded; `data` itself if it is none.

    A stream that breaks off gives what came before the break.
    """
    magic = next((magic for magic in _DECODERS if data.startswith(magic)), None)
    return data if magic is None else _inflated(data, magic)


# Several forensics ask for the same in turn, of both sides.
@lru_cache(maxsize=2)
def _inflated(data: bytes, magic: bytes) -> bytes:
    try:
        return b"".join(_unpacked(data, magic, _DECODERS[magic]()))
    except _CORRUPT:
        return b""


def _unpacked(data: bytes, magic: bytes, decoder: Callable[[], _Decoder]) -> Iterator[bytes]:
    # A file may hold several streams, one after the other, those of xz with zeros behind them.
    room, at, streams = most_unpacked(data), 0, 0
    growth = 1 if magic == zstd.MAGIC_NUMBER else 2
    while data.startswith(magic, at) and room > 0 and streams < _MOST_STREAMS:
        stream, feed, streams = decoder(), zstd.PIECE, streams + 1
        while not stream.eof and at < len(data) and room > 0:
            packed = data[at : at + feed]
            piece = stream.decompress(packed, room)[:room]  # zstd knows no bound
            yield piece
            room -= len(piece)
            at, feed = at + len(packed), growth * feed  # it copies what is behind its end
        at -= len(stream.unused_data)
        while magic == _XZ and data.startswith(b"\0\0\0\0", at):
            at += 4
