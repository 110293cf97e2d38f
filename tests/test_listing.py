"""Layers as listings: in step or alone the same is read, and a listing is what was written."""

from __future__ import annotations

import io
import tracemalloc
from collections import Counter
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from repaudit.model.errors import MalformedError
from repaudit.model.image import Entry
from repaudit.oci.ahead import Ahead
from repaudit.oci.changes import Changes, find_changes
from repaudit.oci.cursor import CHUNK
from repaudit.oci.layer import read_layer
from repaudit.oci.listing import Listing, Writer, load
from repaudit.oci.record import decode, encode, entry
from repaudit.oci.spool import MOST_OF_ONE, Spool
from repaudit.oci.twin import read_alone, read_twins
from tests import strategies
from tests.images import digest_of, header, member, pad, pax, tar
from tests.records import from_entry

timeless = settings(deadline=None)


class Chunked:
    """Bytes that come in pieces of some other length each time, as from a decompressor."""

    def __init__(self, data: bytes, lengths: tuple[int, ...] = (CHUNK,)) -> None:
        self._file = io.BytesIO(data)
        self._lengths = lengths
        self._turn = 0

    def read(self, size: int, /) -> bytes:
        self._turn += 1
        return self._file.read(min(size, self._lengths[self._turn % len(self._lengths)]))


class Read:
    """Both listings of two layers read in step, and what was kept."""

    def __init__(self, left: bytes, right: bytes, *lengths: int) -> None:
        with ExitStack() as held:
            self._read(held, left, right, lengths)
            self._held = held.pop_all()

    def _read(self, held: ExitStack, left: bytes, right: bytes, lengths: tuple[int, ...]) -> None:
        self.folder = Path(held.enter_context(TemporaryDirectory()))
        self.spool = Spool(self.folder / "contents")
        with Writer(self.folder / "l") as one, Writer(self.folder / "r") as other:
            sides = [Chunked(side, lengths or (CHUNK,)) for side in (left, right)]
            read_twins(*sides, (one, other), self.spool)
            self.left, self.right = (w.finish("d", "i") for w in (one, other))
        for side in (self.left, self.right):
            held.enter_context(closing(side))

    def __enter__(self) -> Read:
        return self

    def __exit__(self, *error: object) -> None:
        self._held.close()

    @property
    def sides(self) -> tuple[Listing, Listing]:
        return self.left, self.right


def entries_of(listing: Listing) -> list[Entry]:
    return [listing.entry(number) for number in range(len(listing))]


def listed(folder: Path, layer: bytes) -> Listing:
    with Writer(folder / "alone") as writer:
        read_alone(io.BytesIO(layer), writer)
        return writer.finish("d", "i")


def same_but_digest(one: Entry, other: Entry) -> bool:
    return from_entry(one).path == from_entry(other).path and [
        getattr(one, name) for name in _FIELDS
    ] == [getattr(other, name) for name in _FIELDS]


_FIELDS = ("kind", "mode", "uid", "mtime", "size", "link", "xattrs", "position", "offset", "stored")
names = st.sampled_from((b"a", b"b", b"c/d", b"e", b"f" * 90))
contents = st.sampled_from((b"", b"x", b"y" * 511, b"y" * 512, b"z" * 2000, b"z" * 1999 + b"y"))
members = st.one_of(
    st.builds(member, names, contents),
    st.builds(lambda n: member(n, b"x")[:-1] + b"y", names),
    st.builds(lambda n: member(n, b"x", magic=b"ustar  \0", size_field=b"1".ljust(12)), names),
    st.builds(lambda n: pax((b"comment", n)) + member(n), names),
    st.builds(lambda n: header(n[:90] + b"/", kind=b"5", mode=0o755), names),
    st.builds(lambda n: header(n[:99], kind=b"2", link=b"b"), names),
    st.builds(lambda n, d: pax((b"path", n + b"x")) + member(n[:99], d), names, contents),
)
archives = st.lists(members, max_size=6).map(lambda some: tar(*some))


@timeless
@given(archives, archives, st.integers(1, 700), st.integers(1, 700))
def test_in_step_or_alone_the_same_is_read(left, right, one, other):
    with Read(left, right, one, other) as read:
        for listing, layer in zip(read.sides, (left, right), strict=True):
            expected = list(read_layer(io.BytesIO(layer)))
            found = entries_of(listing)
            assert len(found) == len(expected)
            for a, b in zip(found, expected, strict=True):
                assert same_but_digest(a, b)
                assert a.digest in {None, b.digest}
                assert (a.fingerprint is None) == (b.digest is None)
            with TemporaryDirectory() as folder, closing(listed(Path(folder), layer)) as alone:
                assert listing.foot == alone.foot
                assert [replace(one, sha256=None) for one in listing.records(0, len(listing))] == [
                    replace(one, sha256=None) for one in alone.records(0, len(alone))
                ]


@timeless
@given(archives, archives)
def test_contents_have_one_fingerprint_if_and_only_if_they_are_the_same(left, right):
    with Read(left, right) as read:
        known: dict[bytes, str | None] = {}
        for listing, layer in zip(read.sides, (left, right), strict=True):
            for a, b in zip(entries_of(listing), read_layer(io.BytesIO(layer)), strict=True):
                if a.fingerprint:
                    assert known.setdefault(a.fingerprint, b.digest) == b.digest
        assert len(set(known.values())) == len(known)


@timeless
@given(archives)
def test_a_layer_and_itself_agree_throughout(layer: bytes):
    with Read(layer, layer) as read:
        assert find_changes(*read.sides) == Changes(changed=(), order=None)


def reference(left: list[Entry], right: list[Entry]) -> tuple[dict[str, tuple], object]:
    """What differs, as one would say it with all entries in memory."""

    def by_name(entries: list[Entry]) -> dict[str, Entry]:
        times: Counter[str] = Counter()
        found = {}
        for one in entries:
            times[one.path] += 1
            again = times[one.path]
            found[one.path + (f" (entry {again})" if again > 1 else "")] = one
        return found

    a, b = by_name(left), by_name(right)
    changed = {
        path: (a.get(path), b.get(path))
        for path in a.keys() | b.keys()
        if path not in a or path not in b or from_entry(a[path]) != from_entry(b[path])
    }
    orders = [p for p in a if p in b], [p for p in b if p in a]
    first = next((pair for pair in zip(*orders, strict=True) if pair[0] != pair[1]), None)
    return changed, first


@timeless
@given(st.lists(members, max_size=7), st.randoms(use_true_random=False), st.data())
def test_changes_are_what_a_join_of_all_entries_finds(some, chance, data):
    other = list(some)
    for _ in range(data.draw(st.integers(0, 4))):
        what = data.draw(st.sampled_from(("drop", "add", "swap")))
        at = data.draw(st.integers(0, max(0, len(other) - 1)))
        if what == "drop" and other:
            del other[at]
        elif what == "add":
            other.insert(at, data.draw(members))
        else:
            chance.shuffle(other)
    with Read(tar(*some), tar(*other)) as read:
        found = find_changes(*read.sides)
        changed, order = reference(*map(entries_of, read.sides))

    assert {c.path: (c.left, c.right) for c in found.changed} == changed
    assert found.order == order
    assert [c.path for c in found.changed] == sorted(changed)


@pytest.mark.parametrize("size", [1, 700, CHUNK + 5, 3 * CHUNK])
@pytest.mark.parametrize("place", ["first", "last"])
def test_contents_that_differ_are_kept_while_they_are_read(size: int, place: str):
    one = b"a" * size
    other = b"b" + one[1:] if place == "first" else one[:-1] + b"b"
    with Read(tar(member(b"f", one)), tar(member(b"f", other)), 1000, CHUNK) as read:
        for listing, data in zip(read.sides, (one, other), strict=True):
            (found,) = entries_of(listing)
            assert found.digest == digest_of(data)
            assert found.fingerprint == blake3(data).digest()
            kept = read.spool.find(found.digest)
            assert kept
            assert (kept.source.read_bytes(), kept.size) == (data, size)


def test_contents_of_other_lengths_are_kept_too():
    with Read(tar(member(b"f", b"1")), tar(member(b"f", b"12"))) as read:
        for listing, data in zip(read.sides, (b"1", b"12"), strict=True):
            kept = read.spool.find(listing.entry(0).digest)
            assert kept
            assert kept.source.read_bytes() == data


def test_contents_that_are_the_same_are_not_kept():
    with Read(tar(member(b"f", b"1")), tar(member(b"f", b"1"), member(b"g", b"2"))) as read:
        assert not any(read.spool.has(one) for one in entries_of(read.left))
        assert [path.stat().st_size for path in (read.folder / "contents").iterdir()] == [0]


def test_a_content_that_differs_late_is_told_but_not_kept():
    """What both sides agree in is not held for ever: it is read again where it is wanted."""
    one, other = b"a" * (9 << 20), b"a" * ((9 << 20) - 1) + b"b"
    with Read(tar(member(b"f", one)), tar(member(b"f", other))) as read:
        for listing, data in zip(read.sides, (one, other), strict=True):
            found = listing.entry(0)
            assert (found.digest, found.fingerprint) == (None, blake3(data).digest())
            assert not read.spool.has(found)


def test_of_a_long_content_the_beginning_is_kept(tmp_path: Path):
    spool = Spool(tmp_path)
    draft = spool.draft()
    for _ in range(5):
        draft.update(memoryview(bytes(MOST_OF_ONE // 4)))
    _, digest = draft.finish()

    kept = spool.find(f"sha256:{digest.hex()}")
    assert kept
    assert len(kept.source.read_bytes()) == MOST_OF_ONE
    assert kept.size == 5 * (MOST_OF_ONE // 4)


def test_a_hundred_small_contents_take_one_file_and_a_large_one_takes_its_own(tmp_path: Path):
    spool = Spool(tmp_path)
    digests = []
    for number in range(100):
        draft = spool.draft()
        draft.update(memoryview(b"%d" % number))
        digests.append(f"sha256:{draft.finish()[1].hex()}")
    assert len(list(tmp_path.iterdir())) == 1
    found = [spool.find(digest) for digest in digests]
    assert [one and one.source.read_bytes() for one in found] == [b"%d" % n for n in range(100)]

    draft = spool.draft()
    draft.update(memoryview(bytes(1 << 20)))
    draft.finish()
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("at", [0, 3, -1])
def test_after_a_member_more_both_sides_meet_again(at: int):
    some = [member(b"%d" % n, b"1") for n in range(6)]
    more = list(some)
    more.insert(at if at >= 0 else len(more), member(b"new", b"2"))
    changed = [pad(m) for m in more]
    changed[-1 if at != -1 else 0] = member(b"5" if at != -1 else b"0", b"X")
    with Read(tar(*some), tar(*changed)) as read:
        found = find_changes(*read.sides)
        last = next(c for c in found.changed if c.left)

        assert [c.path for c in found.changed if c.left is None] == ["new"]
        assert last.left and last.left.digest, "it was met in step, so its sha256 is known"
        assert found.order is None


def test_a_wrong_member_on_one_side_is_refused():
    with pytest.raises(MalformedError):
        Read(tar(member(b"a", b"1")), tar(member(b"a", b"1"))[:700])


# Listings as files.


@timeless
@given(strategies.entries())
def test_an_entry_is_what_its_record_says(one: Entry):
    again = entry(decode(encode(from_entry(one))), one.position, one.offset)

    assert again == one


def test_a_listing_is_read_as_it_was_written(tmp_path: Path):
    layer = tar(member(b"a", b"1"), member(b"b", b"2"), member(b"a", b"3"))
    with closing(listed(tmp_path, layer)) as written:
        found = load(tmp_path / "alone")
        assert found is not None
        with closing(found):
            assert entries_of(found) == entries_of(written)
            assert found.foot == written.foot
            assert found.foot.repeats


@pytest.mark.parametrize("how", ["cut", "empty", "flip", "append", "gone"])
def test_a_listing_that_was_changed_is_none(tmp_path: Path, how: str):
    listed(tmp_path, tar(member(b"a", b"1"), member(b"b", b"2"))).close()
    path = tmp_path / "alone"
    data = path.read_bytes()
    for at in range(0, len(data), 7) if how == "flip" else (0,):
        path.write_bytes(
            {
                "cut": data[:-1],
                "empty": b"",
                "flip": data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :],
                "append": data + b"\0",
                "gone": b"",
            }[how]
        )
        if how == "gone":
            path.unlink()
        assert load(path) is None


# Reading ahead.


class Breaking:
    """A stream that breaks after its first chunk."""

    def __init__(self, error: Exception) -> None:
        self._left = [b"first"]
        self._error = error

    def read(self, size: int, /) -> bytes:
        if self._left:
            return self._left.pop()
        raise self._error


def test_what_a_stream_raises_its_reader_hears():
    with Ahead(Breaking(MalformedError("bad"))) as ahead:
        assert ahead.read(CHUNK) == b"first"
        with pytest.raises(MalformedError, match="bad"):
            ahead.read(CHUNK)
        assert ahead.read(CHUNK) == b""


def test_a_stream_that_nobody_reads_is_let_go():
    with Ahead(Chunked(bytes(64 * CHUNK))) as ahead:
        assert ahead.read(CHUNK)


@timeless
@given(st.binary(max_size=2000), st.integers(1, 300))
def test_what_is_read_ahead_is_what_is_there(data: bytes, length: int):
    with Ahead(Chunked(data, (length,))) as ahead:
        assert b"".join(iter(lambda: ahead.read(CHUNK), b"")) == data


def test_long_records_are_read_few_at_a_time(tmp_path: Path):
    value = b"x" * (256 << 10)
    some = [pax((b"SCHILY.xattr.user.a", value)) + member(b"f%d" % n) for n in range(40)]
    with closing(listed(tmp_path, tar(*some))) as listing:
        tracemalloc.start()
        paths = [found.path for found in listing.records(0, len(listing))]
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        within = [found.path for found in listing.records(3, 30)]

    assert paths == [b"f%d" % n for n in range(40)]
    assert within == paths[3:33]
    assert peak < 8 << 20
