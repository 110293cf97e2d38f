"""Layers: what tarfile writes is read as tarfile reads it; whatever is not a tar is refused."""

from __future__ import annotations

import io
import stat
import tarfile
from hashlib import sha256

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from repaudit.model.errors import MalformedError
from repaudit.model.image import Entry, Kind
from repaudit.oci import members as oci_members
from repaudit.oci import sparse
from repaudit.oci.layer import contents, entries, extract, read_index, read_layer
from tests.images import (
    END,
    digest_of,
    header,
    layer_of,
    member,
    octal,
    pad,
    pax,
    records,
    seal,
    tar,
)


def read(data: bytes) -> list[Entry]:
    return list(read_layer(io.BytesIO(data)))


def one(*members: bytes) -> Entry:
    (entry,) = read(tar(*members))
    return entry


def refused(data: bytes, words: str) -> None:
    with pytest.raises(MalformedError, match=words) as caught:
        read(data)
    assert caught.value.message.startswith("layer: ")


# --- what is read ---------------------------------------------------------------------------


def test_a_file_has_its_content_and_all_fields():
    data = tar(pax((b"SCHILY.xattr.user.b", b"\xff"), (b"SCHILY.xattr.user.a", b"=\n")),
               member(b"./a/b", b"hello", mode=0o104755, mtime=octal(7, 12),
                      tail=b"root".ljust(32, b"\0") + b"staff".ljust(32, b"\0")))  # fmt: skip
    assert read(data) == [
        Entry(
            path="a/b",
            kind=Kind.FILE,
            mode=0o4755,
            uid=0,
            gid=0,
            uname="root",
            gname="staff",
            mtime=7_000_000_000,
            size=5,
            digest=digest_of(b"hello"),
            link=None,
            device=None,
            xattrs=(("user.a", "3d0a"), ("user.b", "ff")),
            position=0,
            offset=1536,
            stored=5,
        )
    ]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (b"0", Kind.FILE),
        (b"\0", Kind.FILE),
        (b"7", Kind.FILE),
        (b"1", Kind.HARDLINK),
        (b"2", Kind.SYMLINK),
        (b"3", Kind.CHARACTER),
        (b"4", Kind.BLOCK),
        (b"5", Kind.DIRECTORY),
        (b"6", Kind.FIFO),
    ],
)
def test_every_kind_is_told(kind: bytes, expected: Kind):
    entry = one(header(b"x", 0, kind, link=b"y"))
    assert entry.kind is expected
    assert (entry.digest is not None) == (expected is Kind.FILE)
    assert (entry.link == "y") == (expected in {Kind.HARDLINK, Kind.SYMLINK})
    assert (entry.device is not None) == (expected in {Kind.CHARACTER, Kind.BLOCK})


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (b"a/.wh.b", Kind.WHITEOUT),
        (b".wh.b", Kind.WHITEOUT),
        (b"a/.wh..wh..opq", Kind.OPAQUE),
        (b"a.wh.b", Kind.FILE),
        (b".wh.d/b", Kind.FILE),
        (b"wh.b", Kind.FILE),
    ],
)
def test_whiteouts_are_told_by_their_last_name(name: bytes, kind: Kind):
    entry = one(member(name))
    assert (entry.kind, entry.path) == (kind, name.decode())


@pytest.mark.parametrize("name", [b".wh.", b"a/.wh..", b".wh..."])
def test_a_whiteout_that_names_nothing_is_refused(name: bytes):
    with pytest.raises(MalformedError, match="a whiteout of no name"):
        one(member(name))


@pytest.mark.parametrize(
    ("name", "path"),
    [
        (b"./", "."),
        (b".", "."),
        (b"./a/", "a"),
        (b"a//b/./c", "a/b/c"),
        (b"a//", "a"),
        (b"\xe4", "\udce4"),
    ],
)
def test_names_are_cleaned(name: bytes, path: str):
    assert one(header(name, 0, b"5")).path == path


def test_a_trailing_slash_makes_a_directory_in_v7_and_nowhere_else():
    assert one(header(b"a/", 0, b"\0")).kind is Kind.DIRECTORY
    assert one(header(b"a/", 0, b"0")).kind is Kind.FILE


def test_duplicates_are_kept_in_stored_order():
    found = read(tar(member(b"b", b"1"), member(b"a"), member(b"b", b"2")))
    assert [(entry.path, entry.position) for entry in found] == [("b", 0), ("a", 1), ("b", 2)]
    assert found[0].digest != found[2].digest


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        (b"1.5", 1_500_000_000),
        (b"1700000000.123456789", 1_700_000_000_123_456_789),
        (b"1.0000000019", 1_000_000_001),
        (b"-1.25", -1_250_000_000),
        (b"3.", 3_000_000_000),
        (b"0", 0),
    ],
)
def test_times_are_exact(text: bytes, nanoseconds: int):
    assert one(pax((b"mtime", text)), member(b"x")).mtime == nanoseconds


def test_a_base_256_number_may_be_large_or_negative():
    large = b"\x80" + (1 << 40).to_bytes(11, "big")
    assert one(member(b"x", mtime=large)).mtime == (1 << 40) * 10**9
    before_1970 = (-5).to_bytes(12, "big", signed=True)
    assert one(member(b"x", mtime=before_1970)).mtime == -5 * 10**9


def test_records_of_pax_win_and_empty_ones_do_not():
    entry = one(pax((b"path", b"long/" * 50 + b"x"), (b"linkpath", b"to"), (b"uid", b"5000000"),
                    (b"gname", b"g\xc3\xb6"), (b"uname", b"")),
                header(b"short", 0, b"2", link=b"from", tail=b"root"))  # fmt: skip
    assert entry.path == "long/" * 50 + "x"
    assert (entry.link, entry.uid, entry.gname, entry.uname) == ("to", 5_000_000, "gö", "root")


def test_the_size_of_pax_rules_the_data():
    data = pax((b"size", b"5")) + header(b"x", 0) + pad(b"hello") + member(b"y")
    first, second = read(tar(data))
    assert (first.size, first.digest) == (5, digest_of(b"hello"))
    assert second.path == "y"


def test_an_extended_header_counts_for_the_next_member_alone():
    found = read(tar(pax((b"gid", b"8")), member(b"x"), member(b"y")))
    assert [(entry.uid, entry.gid) for entry in found] == [(0, 8), (0, 0)]


LONG, LINK = (member(b"././@LongLink", b"long\0", kind) for kind in (b"L", b"K"))


@pytest.mark.parametrize(
    "twice",
    [
        (pax((b"path", b"first")), pax((b"mtime", b"1"))),
        (LONG, LONG),
        (LINK, LINK),
        (LONG, pax((b"path", b"other"))),
        (pax((b"path", b"other")), LONG),
        (LINK, pax((b"linkpath", b"other"))),
    ],
)
def test_what_is_said_twice_of_one_member_is_refused(twice: tuple[bytes, bytes]):
    """Python's tarfile merges two extended headers, others take the last; names differ too."""
    refused(tar(*twice, header(b"x", 0, b"2")), "say the same")


def test_headers_that_say_different_things_of_one_member_are_taken():
    assert one(LONG, pax((b"uid", b"7")), member(b"x")).path == "long"
    assert one(LONG, LINK, header(b"x", 0, b"2")).link == "long"


def test_global_headers_are_not_applied_as_runtimes_do_not():
    assert one(pax((b"uid", b"7"), kind=b"g"), member(b"x")).uid == 0


def test_long_names_of_gnu():
    name, link = b"d/" * 200 + b"x", b"e/" * 200 + b"y"
    entry = one(member(b"././@LongLink", name + b"\0", b"L"),
                member(b"././@LongLink", link + b"\0", b"K"),
                header(b"d/d", 0, b"2", link=b"e/e", magic=b"ustar  \0"))  # fmt: skip
    assert (entry.path, entry.link) == (name.decode(), link.decode())


def test_the_prefix_is_one_in_posix_and_a_time_in_gnu():
    tail = bytes(80) + b"12345670123\0"
    assert one(header(b"x", tail=tail)).path == "12345670123/x"
    assert one(header(b"x", tail=tail, magic=b"ustar  \0")).path == "x"
    assert one(header(b"x", tail=tail, magic=b"\0" * 8)).path == "x"
    of_old_go = bytes(80) + b"some/folder"
    assert one(header(b"x", tail=of_old_go, magic=b"ustar  \0")).path == "some/folder/x"


def test_a_hardlink_has_no_data_and_its_target_is_cleaned():
    first, second = read(tar(header(b"x", 700, b"1", link=b"/./a"), member(b"y")))
    assert (first.link, first.size, first.digest, second.path) == ("a", 0, None, "y")


# --- sparse files: the map and what is stored, never the holes ------------------------------

REAL = 10 << 30
MAP = b"0 3\n10737418237 3\n10737418240\n"
EXPECTED = "sha256:" + sha256(MAP + b"abcdef").hexdigest()


def gnu_sparse(*regions: tuple[int, int], real: int, more: bytes = b"", data: bytes) -> bytes:
    table = b"".join(octal(a, 12) + octal(b, 12) for a, b in regions).ljust(96, b"\0")
    tail = (
        bytes(386 - 265) + table + (b"\1" if more else b"\0") + b"\x80" + real.to_bytes(11, "big")
    )
    return header(b"x", len(data), b"S", magic=b"ustar  \0", tail=tail) + more + pad(data)


def test_ten_gigabytes_of_hole_in_each_format_are_the_same_entry():
    far = REAL - 3
    high = b"\x80" + far.to_bytes(11, "big")
    more = (high + octal(3, 12)).ljust(512, b"\0")
    old = gnu_sparse((0, 3), real=REAL, more=more, data=b"abcdef")
    pairs = [(b"GNU.sparse.offset", b"0"), (b"GNU.sparse.numbytes", b"3"),
             (b"GNU.sparse.offset", b"%d" % far), (b"GNU.sparse.numbytes", b"3")]  # fmt: skip
    size, name = (b"GNU.sparse.size", b"%d" % REAL), (b"GNU.sparse.name", b"x")
    v00 = pax(size, (b"GNU.sparse.numblocks", b"2"), *pairs) + member(b"x", b"abcdef")
    v01 = pax(size, name, (b"GNU.sparse.map", b"0,3,%d,3" % far)) + member(b"y", b"abcdef")
    text = pad(b"2\n0\n3\n%d\n3\n" % far)
    v10 = pax((b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"), name,
              (b"GNU.sparse.realsize", b"%d" % REAL)) + member(b"y", text + b"abcdef")  # fmt: skip
    for data in (old, v00, v01, v10):
        entry, after = read(tar(data, member(b"z")))
        assert (entry.path, entry.size, entry.stored) == ("x", REAL, 6)
        assert entry.digest == EXPECTED
        assert after.path == "z"
        assert [kept for _, kept in extract(io.BytesIO(tar(data)), [(entry, 4)])] == [b"abcd"]


def test_a_sparse_file_without_holes_is_a_file():
    entry = one(gnu_sparse((0, 3), (3, 3), real=6, data=b"abcdef"))
    assert (entry.digest, entry.stored, entry.size) == (digest_of(b"abcdef"), 6, 6)


@pytest.mark.parametrize(
    "regions", [((3, 3), (0, 3)), ((0, 4), (3, 2)), ((0, 5),), ((0, 3), (100, 3)), ((0, 7),)]
)
def test_a_sparse_map_must_fit(regions: tuple[tuple[int, int], ...]):
    refused(tar(gnu_sparse(*regions, real=100, data=b"abcdef")), "sparse map that does not fit")


def test_a_sparse_map_is_bounded(monkeypatch: pytest.MonkeyPatch):
    numbers = b",".join([b"0", b"0"] * 60)
    data = pax((b"GNU.sparse.size", b"9"), (b"GNU.sparse.map", numbers)) + member(b"x")
    assert read(tar(data))[0].size == 9
    huge = pad(b"999999999\n") * 3
    lie = pax((b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"),
              (b"GNU.sparse.realsize", b"9")) + member(b"x", huge)  # fmt: skip
    refused(tar(lie), "more than 100000 regions")
    monkeypatch.setattr(sparse, "MAX_REGIONS", 3)
    endless = (octal(0, 12) * 42).ljust(504, b"\0") + b"\1" + bytes(7)
    refused(tar(gnu_sparse(real=9, more=endless * 2 + bytes(512), data=b"")), "more than 3 regions")


# --- what is refused, each beside what is not -----------------------------------------------


def test_a_wrong_checksum_is_refused_and_a_signed_one_is_not():
    good = header(b"\xe4\xf6" * 4)
    assert read(tar(good))
    signed = sum(good) - sum(good[148:156]) + 8 * 32 - 256 * 8
    assert read(tar(good[:148] + b"%06o\0 " % signed + good[156:]))
    refused(tar(good[:148] + b"000001\0 " + good[156:]), "checksum")


@pytest.mark.parametrize("cut", [1, 511, 513, 1023, 512])
def test_a_truncated_member_is_refused(cut: int):
    refused(member(b"x", b"y" * 512)[:cut], "ends in the middle")


@pytest.mark.parametrize("end", [b"", bytes(512), bytes(1024), bytes(1025), bytes(10240)])
def test_every_end_that_runtimes_take_is_taken(end: bytes):
    assert len(read(tar(member(b"x", b"y"), end=end))) == 1


def test_an_empty_layer_has_zero_blocks():
    assert read(END) == []
    refused(b"", "ends in the middle")


@pytest.mark.parametrize(
    "end", [END + b"x", END + bytes(1 << 20) + b"x", bytes(512) + header(b"x"), END + header(b"x")]
)
def test_data_after_the_end_is_refused(end: bytes):
    refused(tar(member(b"x"), end=end), "after the end")


def test_half_an_end_block_is_refused():
    refused(tar(member(b"x"), end=bytes(600)), "ends in the middle")


@pytest.mark.parametrize("name", [b"/etc/passwd", b"//x", b"/"])
def test_absolute_names_are_refused(name: bytes):
    refused(tar(member(name)), "absolute name")


@pytest.mark.parametrize("name", [b"..", b"../x", b"a/../b", b"a/.."])
def test_names_that_climb_are_refused(name: bytes):
    refused(tar(member(name)), r"`\.\.`")
    refused(tar(header(b"x", 0, b"1", link=name)), r"`\.\.`")
    refused(tar(pax((b"path", name)), member(b"x")), r"`\.\.`")
    assert one(header(b"x", 0, b"2", link=name)).link == name.decode()


def test_names_with_dots_that_do_not_climb_are_taken():
    assert one(member(b"a../..b/...")).path == "a../..b/..."


def test_a_nul_in_a_name_is_refused():
    refused(tar(pax((b"path", b"a\0b")), member(b"x")), "NUL")
    refused(tar(member(b"l", b"a\0b\0", b"L"), member(b"x")), "NUL")
    refused(tar(pax((b"linkpath", b"a\0b")), header(b"x", 0, b"2")), "NUL")


def test_negative_sizes_are_refused():
    minus = (-1).to_bytes(12, "big", signed=True)
    refused(tar(header(b"x", size_field=minus)), "negative size")
    refused(tar(pax((b"size", b"-1")), member(b"x")), "negative size")


def test_long_names_are_bounded():
    longest = b"x" * oci_members.MAX_NAME
    assert one(pax((b"path", longest)), member(b"x")).path == longest.decode()
    assert one(member(b"l", longest + b"\0", b"L"), member(b"x")).path == longest.decode()
    refused(tar(pax((b"path", longest + b"x")), member(b"x")), "name of 65537 bytes")
    refused(tar(pax((b"linkpath", longest + b"x")), header(b"x", 0, b"2")), "name of 65537 bytes")
    refused(tar(member(b"l", longest + b"xx", b"L"), member(b"x")), "extended header of")


def test_extended_headers_are_bounded():
    fits = records((b"comment", b"x" * ((1 << 20) - 17)))
    assert len(fits) == 1 << 20
    assert one(member(b"p", fits, b"x"), member(b"x"))
    refused(tar(member(b"p", fits + b"x", b"x"), member(b"x")), "extended header of 1048577 bytes")
    refused(tar(header(b"p", 4 << 30, b"x")), "extended header of")
    refused(tar(pax((b"uid", b"1"), kind=b"g") * 65, member(b"x")), "more than 64 extended headers")


def test_members_are_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(oci_members, "MAX_MEMBERS", 3)
    assert len(read(tar(*[member(b"x")] * 3))) == 3
    refused(tar(*[member(b"x")] * 4), "more than 3 members")


@pytest.mark.parametrize(
    "data",
    [b"x", b"9 a=b\n", b"6 a=b", b"99 a=b\n", b"5 a=b\n", b"4 a\n", b"5 =b\n", b"0 a=b\n", b"\0"],
)
def test_records_that_are_none_are_refused(data: bytes):
    refused(tar(member(b"p", data, b"x"), member(b"x")), "extended header")
    refused(tar(member(b"p", data, b"g"), member(b"x")), "extended header")


@pytest.mark.parametrize("key", [b"uid", b"gid", b"size", b"mtime"])
@pytest.mark.parametrize("value", [b"x", b"0x1", b"1_0", b" 1", b"1e3", b"nan", b"9" * 30])
def test_numbers_that_are_none_are_refused(key: bytes, value: bytes):
    refused(tar(pax((key, value)), member(b"x")), "not a (number|time)")


@pytest.mark.parametrize("field", [b"0000009\0", b"-000001\0", b"1_0\0\0\0\0\0", b"0x10\0\0\0\0"])
def test_fields_that_are_no_numbers_are_refused(field: bytes):
    block = header(b"x")
    refused(tar(seal(block[:108] + field + block[116:])), "not a number")


def test_unknown_types_and_missing_names_are_refused():
    refused(tar(header(b"x", 0, b"V")), "unknown type 'V'")
    refused(tar(header(b"", 0, b"0")), "no name")
    refused(tar(header(b"./", 0, b"2", link=b"x")), "no name")


def test_an_extended_header_without_a_member_is_refused():
    refused(tar(pax((b"uid", b"1"))), "ends in the middle")
    refused(tar(pax((b"uid", b"1")), end=b""), "ends in the middle")


# --- against tarfile ------------------------------------------------------------------------

_WORD = st.binary(min_size=1, max_size=40).filter(
    lambda word: not {0, 47} & set(word) and word not in {b".", b".."} and b".wh." not in word
)
_NAMES = st.lists(_WORD, min_size=1, max_size=8).map(
    lambda words: b"/".join(words).decode(errors="surrogateescape")
)
_TYPES = [tarfile.REGTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE,
          tarfile.CHRTYPE, tarfile.BLKTYPE]  # fmt: skip
_KINDS = dict(zip(_TYPES, [Kind.FILE, Kind.HARDLINK, Kind.SYMLINK, Kind.DIRECTORY, Kind.FIFO,
                           Kind.CHARACTER, Kind.BLOCK], strict=True))  # fmt: skip


@st.composite
def infos(draw: st.DrawFn) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(draw(_NAMES))
    info.type = draw(st.sampled_from(_TYPES))
    data = draw(st.binary(max_size=1500)) if info.isreg() else b""
    info.size = len(data)
    info.mode = draw(st.integers(0, 0o7777))
    info.uid, info.gid = draw(st.integers(0, 1 << 40)), draw(st.integers(0, 1 << 40))
    info.mtime = draw(st.integers(0, 1 << 40))
    info.uname, info.gname = draw(st.sampled_from(["", "root", "gö"])), "staff"
    if info.issym() or info.islnk():
        info.linkname = draw(_NAMES)
    if info.isdev() and not info.isfifo():
        info.devmajor, info.devminor = draw(st.integers(0, 4095)), draw(st.integers(0, 4095))
    return info, data


@st.composite
def archives(draw: st.DrawFn) -> tuple[bytes, bool]:
    form = draw(st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]))
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form, errors="surrogateescape") as file:
        for info, data in draw(st.lists(infos(), max_size=6)):
            if form == tarfile.PAX_FORMAT and draw(st.booleans()):
                info.pax_headers = {"SCHILY.xattr.user.x": draw(st.text("abc=\n", max_size=9))}
                info.pax_headers["mtime"] = draw(st.sampled_from(["3.25", "7.5", "9"]))
            file.addfile(info, io.BytesIO(data))
    return out.getvalue(), form == tarfile.PAX_FORMAT


def expected(file: tarfile.TarFile, info: tarfile.TarInfo) -> tuple[object, ...]:
    content = file.extractfile(info).read() if info.isreg() else None
    prefix = "SCHILY.xattr."
    return (
        info.name,
        _KINDS[info.type],
        info.mode & 0o7777,
        info.uid,
        info.gid,
        info.uname,
        info.gname,
        int(info.mtime * 4) * 250_000_000,
        info.size if info.isreg() else 0,
        None if content is None else digest_of(content),
        info.linkname if info.issym() or info.islnk() else None,
        (info.devmajor, info.devminor) if info.ischr() or info.isblk() else None,
        tuple((key.removeprefix(prefix), value.encode().hex())
              for key, value in info.pax_headers.items() if key.startswith(prefix)),
    )  # fmt: skip


@given(archives())
def test_what_tarfile_writes_is_read_as_tarfile_reads_it(made: tuple[bytes, bool]):
    data, _ = made
    found = read(data)
    with tarfile.open(fileobj=io.BytesIO(data), errors="surrogateescape") as file:
        infos = file.getmembers()
        assert len(found) == len(infos)
        for entry, info in zip(found, infos, strict=True):
            assert (entry.path, entry.kind, entry.mode, entry.uid, entry.gid, entry.uname,
                    entry.gname, entry.mtime, entry.size, entry.digest, entry.link, entry.device,
                    entry.xattrs) == expected(file, info)  # fmt: skip
            assert not entry.stored or entry.offset == info.offset_data
    index = list(read_index(io.BytesIO(data)))
    assert [(e.path, e.offset) for e in index] == [(e.path, e.offset) for e in found]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(archives())[0])
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data) - 1))
        data[at] = draw(st.integers(0, 255))
    for at in draw(st.sets(st.integers(0, len(data) // 512 - 1), max_size=4)):
        data[at * 512 : at * 512 + 512] = seal(bytes(data[at * 512 : at * 512 + 512]))
    return bytes(data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data)


@given(st.binary(max_size=3000) | mutated() | st.binary(max_size=512).map(
    lambda head: tar(seal(head.ljust(512, b"\0")))))  # fmt: skip
@example(tar(header(b"x", (1 << 33) - 1)))
def test_any_bytes_give_entries_or_malformed(data: bytes):
    for reader in (read_layer, read_index):
        try:
            for entry in reader(io.BytesIO(data)):
                assert entry.size >= 0
                assert ".." not in entry.path.split("/")
        except MalformedError:
            pass


@given(st.binary(max_size=200), st.sampled_from([b"x", b"g", b"L", b"K"]))
def test_any_extended_header_gives_entries_or_malformed(data: bytes, kind: bytes):
    try:
        read(tar(member(b"p", data, kind), member(b"x")))
    except MalformedError:
        pass


# --- contents -------------------------------------------------------------------------------


class Pipe:
    """Bytes that cannot be sought, a few at a time."""

    def __init__(self, data: bytes, step: int) -> None:
        self._data, self._step = io.BytesIO(data), step

    def read(self, size: int) -> bytes:
        return self._data.read(min(size, self._step))


FILES = tar(
    *[member(b"f%d" % n, bytes([65 + n]) * n * 300) for n in range(9)], header(b"d", 0, b"5")
)


@pytest.mark.parametrize("step", [1, 7, 511, 512, 513, 100_000])
def test_the_size_of_reads_does_not_matter(step: int):
    assert list(read_layer(Pipe(FILES, step))) == read(FILES)


@pytest.mark.parametrize("stream", [io.BytesIO(FILES), Pipe(FILES, 700)])
def test_wanted_contents_come_cut_and_in_stored_order(stream):
    by_path = {entry.path: entry for entry in read(FILES)}
    wanted = [(by_path["f8"], 3), (by_path["f1"], 9999), (by_path["d"], 1), (by_path["f0"], 5)]
    found = [(entry.path, data) for entry, data in extract(stream, wanted)]
    assert found == [("f0", b""), ("f1", b"B" * 300), ("f8", b"III")]


def test_a_content_that_changed_is_refused():
    entry = next(e for e in read(FILES) if e.path == "f8")
    changed = FILES.replace(b"I" * 2400, b"I" * 2399 + b"J")
    with pytest.raises(MalformedError, match="not what it was"):
        list(extract(io.BytesIO(changed), [(entry, 1)]))


def test_a_layer_is_verified_when_its_last_entry_was_taken():
    class One:
        def open(self, descriptor):
            return io.BytesIO(FILES)

    good = layer_of(FILES, FILES)
    assert list(entries(One(), good)) == read(FILES)
    ((_, kept),) = contents(One(), good, [(read(FILES)[1], 2)])
    assert kept == b"BB"
    bad = layer_of(FILES, FILES + b"\0")
    with pytest.raises(MalformedError, match="does not match its diff_id"):
        list(entries(One(), bad))


def test_real_tar_makes_what_is_read(tmp_path):
    tool = pytest.importorskip("shutil").which("tar")
    if tool is None:
        pytest.skip("tar is not installed")
    import subprocess

    with (tmp_path / "hole").open("wb") as file:
        file.write(b"abc")
        file.truncate(1 << 20)
    digests = set()
    for form in (["--format=gnu"], *(["--format=posix", f"--sparse-version={v}"]
                                     for v in ("0.0", "0.1", "1.0"))):  # fmt: skip
        argv = [tool, "-C", str(tmp_path), "--sparse", *form, "-cf", "-", "hole"]
        (entry,) = read(subprocess.run(argv, check=True, capture_output=True).stdout)
        assert (entry.path, entry.size, stat.S_IMODE(entry.mode)) == ("hole", 1 << 20, entry.mode)
        digests.add((entry.digest, entry.stored))
    assert len(digests) == 1
