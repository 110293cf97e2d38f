"""Every format: what is planted is what differs, and no bytes of a stranger do harm."""

from __future__ import annotations

import gzip
import io
import random
import struct
import tarfile
import tempfile
import time
import tracemalloc
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repaudit.formats import BOUNDS, Bounds, Budget, Kind, Part, apart, differing, parting, regions
from repaudit.formats._regions import FORMATS
from repaudit.formats.interface import STEP, Labels
from repaudit.model.errors import UnreadableError
from tests.format_files import Planted, aux_cache, pairs, png

PAIRS = pairs()
SIDES = [(one.name, side) for one in PAIRS for side in (one.left, one.right)]
SAMPLES = {pair.name: pair.left for pair in PAIRS}
SMALL = Bounds(total=32 << 20, parts=20_000)


def opened_by(data: bytes, name: str) -> set[str]:
    return {one.name for one in FORMATS.all() if one.claims(data[:512], name)}


# --- what is planted is told, and nothing else -------------------------------------------------


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_what_is_planted_is_what_differs(pair: Planted):
    told = differing((pair.left, pair.right), pair.name)

    assert tuple(told) == pair.locators
    assert all(values[0] != values[1] for values in told.values())


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_equal_files_differ_nowhere(pair: Planted):
    assert differing((pair.left, pair.left, bytes(bytearray(pair.left))), pair.name) == {}


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_many_versions_are_told_apart_side_by_side(pair: Planted):
    told = differing((pair.left, pair.right, pair.left), pair.name)

    assert set(told) == set(pair.locators)
    assert all(a == c != b for a, b, c in told.values())


def test_every_format_has_a_planted_change():
    seen = {name for pair in PAIRS for name in opened_by(pair.left, pair.name)}
    inside = {"strings", "manifest"}  # opened within an ELF file, a jar

    assert set(FORMATS.names()) - seen <= inside


@pytest.mark.parametrize("name", FORMATS.names())
def test_a_format_is_called_like_its_file(name: str):
    assert FORMATS.load(name).name == name


def test_values_are_shown():
    one, other = (gzip.compress(text, mtime=7) for text in (b"a\nb\n", b"a\nc\n"))

    assert differing((one, other), "x.gz") == {"inflated > line 2": (b"b", b"c")}
    assert regions(one)["mtime"] == b"7"


def test_what_follows_from_the_rest_is_told_only_alone():
    record = b"a.py,sha256=%d,1\n"
    assert list(differing((record % 1, record % 2), "RECORD")) == ["file a.py"]
    both = (
        tarred({"a.py": b"x", "RECORD": record % 1}),
        tarred({"a.py": b"y", "RECORD": record % 2}),
    )
    assert "member a.py > line 1" in differing(both)


def test_several_texts_are_aligned_on_the_first():
    texts = (b"a\nb\nc\n", b"a\nb\nnew\nc\n", b"a\nB\nc\n", b"a\nb\nc\n")

    assert differing(texts) == {
        "line 2": (b"b", b"b", b"B", b"b"),
        "after line 2": (None, b"new", None, None),
    }


def test_a_long_text_is_compared_where_it_stands():
    lines = [b"%d" % n for n in range(8_000)]
    other = [line + b"!" if n % 2 else line for n, line in enumerate(lines)]
    told = differing((b"\n".join(lines), b"\n".join(other)))

    assert len(told) == 4_000
    assert told["line 2"] == (b"1", b"1!")


def test_a_long_value_is_its_digest_and_length():
    one, other = bytes(9_000), bytes(8_999) + b"\1"
    ((left, right),) = differing((one, other)).values()

    assert left.startswith(b"sha256:") and left.endswith(b"(9000 bytes)")
    assert left != right


def test_names_of_members_are_printable_and_single():
    names = ["x", "x", "a > b", "\x1b[31m", "x#2"]
    labels = Labels()
    said = [labels.label("member", name) for name in names]

    assert said[:3] == ["member x", "member x#2", "member a \\x3e b"]
    assert len(set(said)) == len(said)
    assert all(one.isprintable() and STEP not in one for one in said)


def test_names_that_take_each_others_numbers_are_told_apart():
    labels = Labels()
    names = ["x" + "#2" * n for n in range(1_500)]
    said = [labels.label("member", name) for name in (*names, "x", "x")]

    assert len(set(said)) == len(said)


def test_a_long_name_is_cut_and_still_single():
    labels = Labels()
    said = [labels.label("member", b"\xff" * (9 << 20) + end) for end in (b"a", b"b")]

    assert len(set(said)) == 2 and all(len(one) < 50_000 for one in said)


def test_two_members_of_one_name_are_both_told():
    both = [tarred(("x", b"1"), ("x", text)) for text in (b"2", b"3")]

    assert list(differing(both)) == ["member x#2 > line 1"]


def test_the_real_cache_of_this_host_is_read():
    path = Path("/var/cache/ldconfig/aux-cache")
    if not path.is_file():
        pytest.skip("no such cache here")
    assert any(locator.endswith("> inode") for locator in regions(path.read_bytes()))


# --- the law: two different files never look alike ---------------------------------------------


@settings(deadline=None)
@given(data=st.data())
def test_different_files_have_different_regions(data: st.DataObject):
    name, left = data.draw(st.sampled_from(SIDES))
    right = damaged(data, left)

    assert (regions(left, name, SMALL) == regions(right, name, SMALL)) is (left == right)
    assert bool(differing((left, right), name, SMALL)) is (left != right)


@settings(deadline=None)
@given(
    left=st.binary(max_size=200) | st.text(max_size=80).map(lambda text: text.encode("utf-8")),
    right=st.binary(max_size=200),
    name=st.sampled_from(["", *SAMPLES]),
)
def test_any_two_files_have_different_regions(left: bytes, right: bytes, name: str):
    assert (regions(left, name) == regions(right, name)) is (left == right)
    assert bool(differing((left, right), name)) is (left != right)


CONTAINERS = (*("ar", "bzip2", "cpio", "elf", "gzip", "png", "pyc", "tar", "xz", "zip", "zstd"),)


@pytest.mark.parametrize("name", CONTAINERS)
@settings(deadline=None)
@given(data=st.data())
def test_a_byte_of_a_container_that_is_another_is_another_part(name: str, data: st.DataObject):
    """Even beside others: no part of a container hides behind what differs innocently."""
    claims = FORMATS.load(name).claims
    file = data.draw(st.sampled_from([file for _, file in SIDES if claims(file[:512], "")]))
    at = data.draw(st.integers(0, len(file) - 1))
    other = bytearray(file)
    other[at] = data.draw(st.integers(0, 255).filter(lambda byte: byte != file[at]))
    grown = file + data.draw(st.binary(min_size=1, max_size=4))
    for changed in (bytes(other), grown):
        both = [known(name, side) for side in (file, changed)]
        assert apart(both) if all(both) else not both[1]


def test_a_cpio_archive_without_sums_hides_nothing_in_their_field():
    def of(magic: bytes, check: int, byte: bytes) -> bytes:
        def member(name: bytes, body: bytes) -> bytes:
            fields = (1, 0o100644, 0, 0, 1, 0, len(body), 0, 0, 0, 0, len(name) + 1, check)
            head = magic + b"".join(b"%08x" % field for field in fields) + name + b"\0"
            return b"".join(part + bytes(-len(part) % 4) for part in (head, body))

        return member(b"a", byte) + member(b"TRAILER!!!", b"")

    for magic, hidden in ((b"070701", []), (b"070702", ["member a > check"])):
        both = [known("cpio", of(magic, n, b"xy"[n : n + 1])) for n in (0, 1)]
        told = {"member a", "member a > check", "trailer > check"}
        assert set(apart(both)) == told.difference(hidden), magic


def known(name: str, data: bytes) -> dict[str, Part]:
    """The parts by name; none where it is no file of that format."""
    try:
        parts = FORMATS.load(name).parts(data, Budget(SMALL))
        claimed = FORMATS.load(name).claims(data[:512], "")
        return {part.name: part for part in parts} if claimed else {}
    except UnreadableError:
        return {}


LINES = st.lists(st.sampled_from([b"", b"a", b"b", b"c"]), max_size=9).map(b"\n".join)


@given(sides=st.lists(LINES, min_size=2, max_size=4))
def test_lines_differ_where_texts_do(sides: list[bytes]):
    told = differing(sides)

    assert bool(told) is (len(set(sides)) > 1)
    for one in range(len(sides)):
        for other in range(one):
            alike = all(values[one] == values[other] for values in told.values())
            assert alike is (sides[one] == sides[other])


# --- damage ------------------------------------------------------------------------------------


def damaged(data: st.DataObject, file: bytes) -> bytes:
    broken = bytearray(file)
    for _ in range(data.draw(st.integers(0, 6))):
        if broken:
            broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    return (
        bytes(broken[: data.draw(st.integers(0, len(broken)))])
        if data.draw(st.booleans())
        else bytes(broken)
    )


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_a_file_that_is_cut_off_is_refused_or_opaque(name: str):
    whole = SAMPLES[name]
    step = len(whole) // 30 + 1
    for cut in (*range(0, min(len(whole), 24), 3), *range(1, len(whole), step)):
        assert regions(whole[:cut], name, SMALL)
        for one in FORMATS.all():
            parts_of(one.name, whole[:cut])


@settings(deadline=None)
@given(data=st.data())
def test_a_damaged_file_raises_unreadable_alone(data: st.DataObject):
    _, file = data.draw(st.sampled_from(SIDES))
    broken = damaged(data, file)
    for one in FORMATS.all():
        if one.claims(broken[:512], ""):
            first, again = parts_of(one.name, broken), parts_of(one.name, broken)
            assert first == again


def parts_of(name: str, data: bytes) -> list[object]:
    try:
        return list(FORMATS.load(name).parts(data, Budget(SMALL)))
    except UnreadableError as error:
        return [error.message]


@pytest.mark.parametrize("name", FORMATS.names())
@given(data=st.binary(max_size=300))
def test_a_reader_of_anything_raises_unreadable_alone(name: str, data: bytes):
    parts_of(name, data)


def test_parts_have_names_of_their_own():
    for _, file in SIDES:
        for one in FORMATS.all():
            if one.claims(file[:512], ""):
                parts = [part for part in parts_of(one.name, file) if not isinstance(part, str)]
                assert len({part.name for part in parts}) == len(parts)
                assert all(part.name.isprintable() for part in parts)


def test_lone_members_are_told_in_either_direction():
    both = tarred({"a": b"1"}), tarred({"a": b"1", "b": b"2"})

    assert differing(both) == {"member b": (None, b"2")}
    assert differing(both[::-1]) == {"member b": (b"2", None)}


@pytest.mark.parametrize("before", [0, 1, 4095, 4096, 10_000])
def test_two_texts_part_where_their_bytes_first_differ_or_one_ends(before: int):
    same = bytes(before)
    assert parting(same + b"a-", same + b"b-") == before
    assert parting(same + b"a-a", same + b"b-b", before + 1) == before + 2
    assert parting(same, same + b"b") == parting(same + b"b", same) == parting(same, same) == before


# --- bombs -------------------------------------------------------------------------------------


def tarred(*members: object) -> bytes:
    items = list(members[0].items()) if isinstance(members[0], dict) else list(members)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, text in items:
            info = tarfile.TarInfo(name)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text))
    return out.getvalue()


def bounded(data: bytes, name: str = "", *, memory: int = 0) -> dict[str, bytes]:
    """Return the regions, once they took little time, and little memory where that is given."""
    if memory:
        tracemalloc.start()
    start = time.monotonic()
    found = regions(data, name)
    taken, peak = time.monotonic() - start, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (taken < 60, peak <= memory) == (True, True), (taken, peak)
    return found


def test_a_dense_stream_is_opaque():
    packed = gzip.compress(bytes(64 << 20), mtime=0)

    assert list(bounded(packed, memory=80 << 20)) == ["content"]
    assert list(bounded(gzip.compress(packed, mtime=0))) == [
        "mtime",
        "extra flags",
        "system",
        "crc32",
        "packed",
        "inflated",
        "encoding",
    ]


def test_streams_by_the_thousand_cost_what_their_bytes_do():
    found = bounded(gzip.compress(b"", mtime=0) * 20_000)

    assert found["stream 20000 > mtime"] == b"0"


def test_files_within_files_end_at_the_depth():
    data = b"x\n"
    for _ in range(BOUNDS.depth + 3):
        data = gzip.compress(data, mtime=0)
    found = bounded(data)

    assert max(locator.count("inflated") for locator in found) == BOUNDS.depth
    assert not any("line" in locator for locator in regions(data))


def test_members_that_overlap_are_refused():
    body = zlib.compress(bytes(1 << 20))[2:-4]
    head = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 8, 0, 33, 0, len(body), 1 << 20, 1, 0)
    entry = struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 8, 0, 33, zlib.crc32(bytes(1 << 20)),
                        len(body), 1 << 20, 1, 0, 0, 0, 0, 0, 0)  # fmt: skip
    count = 20_000
    directory = (entry + b"a") * count
    start = len(head) + 1 + len(body)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count, count, len(directory), start, 0)

    assert list(bounded(head + b"a" + body + directory + end)) == ["content"]
    whole = head + b"a" + body + entry + b"a"
    one = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(entry) + 1, start, 0)
    assert "member a" in bounded(whole + one)


def test_a_tar_that_lies_about_a_size_is_opaque():
    data = bytearray(tarred({"a": b"1"}))
    data[124:136] = b"77777777777\0"
    info = bytes(data[:148]) + b" " * 8 + bytes(data[156:512])
    data[148:156] = b"%06o\0 " % sum(info)

    assert list(bounded(bytes(data))) == ["content"]


def test_sections_that_overlap_end_with_the_budget():
    size, count = 4 << 20, 40_000
    body = random.Random(0).randbytes(size)
    table = struct.pack("<IIQQQQ24x", 0, 1, 0, 0, 64, size) * count
    head = struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 0, 64 + size, 0, 64, 0, 0, 64, count, 0)

    data = b"\x7fELF\2\1\1" + bytes(9) + head + body + table

    assert list(bounded(data, memory=80 << 20)) == ["content"]


def test_a_database_that_never_ends_is_read_by_pages():
    """A table of very many small rows is above the bound, so pages are what is told."""
    import sqlite3

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s.db"
        database = sqlite3.connect(path)
        database.execute("CREATE TABLE t (a)")
        database.executemany("INSERT INTO t VALUES (?)", ((n,) for n in range(250_000)))
        database.commit()
        database.close()
        assert "page 2" in bounded(path.read_bytes())


def database(folder: str, *statements: str) -> bytes:
    import sqlite3

    path = Path(folder) / "s.db"
    opened = sqlite3.connect(path)
    for statement in statements:
        opened.execute(statement)
    opened.commit()
    opened.close()
    return path.read_bytes()


def test_what_a_database_would_compute_is_told_by_pages():
    never_ends = "*".join("a" * 12) + "*b"
    with tempfile.TemporaryDirectory() as folder:
        text = f"a TEXT, g AS (a GLOB '{never_ends}')"
        data = database(folder, f"CREATE TABLE t ({text})", f"INSERT INTO t VALUES ('{'a' * 90}')")
    found = bounded(data)

    assert "page 2" in found
    assert not any(locator.startswith("table t") for locator in found)


def test_rows_that_share_their_bytes_are_told_by_pages():
    size = 1 << 16
    with tempfile.TemporaryDirectory() as folder:
        row = f"INSERT INTO t VALUES (zeroblob({15 << 20}))"
        pragma = f"PRAGMA page_size = {size}"
        data = bytearray(database(folder, pragma, "CREATE TABLE t (a)", row))
    assert "table t > row 1 > a" in bounded(bytes(data))
    page = data[size : 2 * size]
    (start,) = struct.unpack_from(">H", page, 8)
    cell = page[start:]  # a length in four bytes, the row's number, and where the rest is
    for number in range(1, 7):
        at = size - (number * len(cell))
        page[at : at + len(cell)] = cell[:4] + bytes((7 - number,)) + cell[5:]
        struct.pack_into(">H", page, 8 + 2 * (6 - number), at)
    struct.pack_into(">HH", page, 3, 6, at)
    data[size : 2 * size] = page

    assert "page 2" in bounded(bytes(data))


def test_a_virtual_table_is_not_asked():
    with tempfile.TemporaryDirectory() as folder:
        data = database(
            folder,
            "CREATE VIRTUAL TABLE v USING fts5(a)",
            "INSERT INTO v VALUES ('text')",
            "PRAGMA writable_schema = ON",
            "UPDATE sqlite_schema SET rootpage = 2 WHERE name = 'v'",
        )
    found = bounded(data)

    assert "schema table v" in found
    assert not any(locator.startswith("table v >") for locator in found)


def test_a_view_or_a_trigger_of_a_stranger_is_not_run():
    import sqlite3

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s.db"
        database = sqlite3.connect(path)
        database.execute("CREATE TABLE t (a)")
        database.execute("INSERT INTO t VALUES (1)")
        database.execute("CREATE VIEW v AS SELECT load_extension('/x') FROM t")
        database.commit()
        database.close()
        found = regions(path.read_bytes())
    assert found["table t > row 1 > a"] == b"1"
    assert not any(locator.startswith("table v") for locator in found)


def test_deep_and_wide_documents_are_no_harm():
    assert list(bounded(b"[" * 100_000, "x.json")) == ["line 1", "encoding"]
    deep = b"[" * 60 + b"1" + b"]" * 60
    assert any(locator.startswith("$[0][0]") for locator in bounded(deep, "x.json"))
    bounded(b"{" + b",".join(b'"%d":%d' % (n, n) for n in range(100_000)) + b"}", "x.json")
    bounded(b"\\" * 1_000_000, "x.properties")
    bounded(b"\\\n" * 500_000, "x.properties", memory=16 << 20)
    bounded(b"a: b\n" + b" \n" * 500_000, "META-INF/MANIFEST.MF", memory=24 << 20)
    bounded(b"Package: a\nb: c\n" + b" \n" * 500_000, "status", memory=24 << 20)
    bounded(b"\n" * 1_000_000, "RECORD", memory=60 << 20)
    bounded(b"1 0 obj " * 100_000, "x.pdf")
    bounded(b"%PDF-1.4\n" + b"1 0 obj endobj " * 50_000, "x.pdf")
    bounded(b"\xa7\r\r\n" + bytes(12) + b"\xe3" + b".py" * 1_000_000, "x.pyc")
    many = b"".join(b"[" + struct.pack("<i", 2_900_000) for _ in range(20))
    bounded(b"\xa7\r\r\n" + bytes(12) + b"\xe3" + bytes(20) + many, "x.pyc", memory=60 << 20)


def test_a_budget_that_is_used_up_leaves_the_rest_opaque():
    many = tarred({f"f{n}": b"a\n" * 50 for n in range(50)})
    some, none = (regions(many, "", Bounds(parts=parts)) for parts in (500, 200))

    assert some["member f0 > line 50"] == b"a"
    assert some["member f49"] == b"a\n" * 50
    assert some["member f49 > mtime"] == b"0"
    assert list(none) == ["content"]


def test_a_member_that_does_not_unpack_is_compared_as_it_is_packed():
    data = next(one.left for one in PAIRS if one.name == "x.zip" and b"x\n0\n" in one.left)
    at = data.index(b"x\n0\n")
    broken = data[:at] + b"y" + data[at + 1 :]

    assert differing((data, broken), "x.zip") == {"member a.txt": (b"x\n0\n", b"y\n0\n")}


def test_kinds_are_as_the_formats_say():
    assert {part.kind for part in parts_of("png", png(2020))} == {
        Kind.VALUE,
        Kind.DERIVED,
        Kind.ORDER,
    }
    assert parts_of("aux_cache", aux_cache((1, "a"), last=7))[-2].data == b"7"
