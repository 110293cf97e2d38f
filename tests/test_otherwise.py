"""How a layer is written: no byte of it is overlooked, whatever differs besides."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import pytest

from repaudit.model.errors import MalformedError
from repaudit.oci.changes import Changes, find_changes
from repaudit.oci.listing import Writer
from repaudit.oci.spool import Spool
from repaudit.oci.twin import read_alone, read_twins
from tests.images import header, member, octal, pax, seal, tar

GNU = b"ustar  \0"
NAMES = b"root".ljust(32, b"\0") + b"wheel".ljust(32, b"\0")
DEVICE = NAMES + 2 * b"0000005\0"
_MAP = b"".join(octal(value, 12) for value in (0, 3, 512, 2))
OLD_SPARSE = header(
    b"s",
    5,
    b"S",
    magic=GNU,
    tail=bytes(121) + _MAP.ljust(96, b"\0") + b"\0" + octal(1024, 12),
)
MEMBERS = {
    "file": member(b"dir/file", b"content"),
    "plain": member(b"./dir/file", b"content", tail=NAMES + 2 * b"0000000\0"),
    "gnu": member(b"file", b"1", magic=GNU, tail=NAMES.ljust(80, b"\0") + octal(1, 12)),
    "v7": member(b"file", b"1", magic=b""),
    "v7 directory": header(b"dir/", kind=b"\0", magic=b""),
    "directory": header(b"dir/", kind=b"5", mode=0o755),
    "symlink": header(b"link", kind=b"2", link=b"dir/file"),
    "hard link": header(b"hard", kind=b"1", link=b"./dir/file"),
    "device": header(b"c", kind=b"3", tail=DEVICE),
    "fifo": header(b"f", kind=b"6"),
    "contiguous": member(b"file", b"1", b"7"),
    "prefix": member(b"file", b"1", tail=NAMES + 2 * b"0000000\0" + b"dir/of"),
    "long name": member(b"././@LongLink", b"n" * 120 + b"\0", b"L", magic=GNU)
    + member(b"n" * 99, b"z", magic=GNU),
    "long link": member(b"././@LongLink", b"n" * 120 + b"\0", b"K", magic=GNU)
    + header(b"n", kind=b"2", link=b"n" * 99, magic=GNU),
    "time": pax((b"mtime", b"1.5")) + member(b"a", b"y", mtime=octal(1, 12)),
    "attribute": pax((b"SCHILY.xattr.user.a", b"1"), (b"path", b"dir/long")) + member(b"x", b"y"),
    "owner": pax((b"uname", b"me"), (b"uid", b"7"), (b"size", b"2")) + member(b"x", b"yz"),
    "comment": pax((b"comment", b"x"), (b"mtime", b"1")) + member(b"x"),
    "global": pax((b"comment", b"x"), kind=b"g") + member(b"x"),
    "sparse": pax((b"GNU.sparse.map", b"0,3"), (b"GNU.sparse.size", b"9")) + member(b"s", b"abc"),
    "no hole": pax((b"GNU.sparse.map", b"0,1,1,2"), (b"GNU.sparse.size", b"3"))
    + member(b"s", b"abc"),
    "sparse 1.0": pax(
        (b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"), (b"GNU.sparse.realsize", b"9")
    )
    + member(b"t", b"1\n0\n3\n".ljust(512, b"\0") + b"abc"),
    "old sparse": OLD_SPARSE + b"abcde".ljust(512, b"\0"),
}
END = tar(member(b"a")), tar(member(b"a"), pax((b"comment", b"x"), kind=b"g"))


class Kept:
    """A writer that keeps records in memory."""

    def __init__(self) -> None:
        self.records: list[bytes] = []
        self.last: tuple[object, ...] = ()

    @property
    def count(self) -> int:
        return len(self.records)

    def add(self, path: bytes, encoded: bytes, offset: int) -> None:
        self.records.append(encoded)

    def end(self, *last: object) -> None:
        self.last = last


def read(layer: bytes) -> tuple[list[bytes], object] | None:
    """All that a listing holds of a layer, None where it is refused."""
    kept = Kept()
    try:
        read_alone(io.BytesIO(layer), cast("Writer", kept))
    except MalformedError:
        return None
    return kept.records, kept.last


def changed(layer: bytes, at: int) -> Iterator[bytes]:
    """The layer with another value of one byte, with the sums of headers put right."""
    block, place = at - at % 512, at % 512
    for value in {layer[at] ^ 1, 0} - {layer[at]}:
        other = layer[:at] + bytes([value]) + layer[at + 1 :]
        sealed = seal(other[block : block + 512])
        yield other if 148 <= place < 156 else other[:block] + sealed + other[block + 512 :]
        if layer[block + 257 : block + 262] != b"ustar":  # it may be data
            yield other


@pytest.mark.parametrize("name", MEMBERS)
def test_no_byte_of_a_member_is_overlooked(name: str):
    layer = tar(MEMBERS[name], end=bytes(512))
    whole = read(layer)
    assert whole is not None
    taken = 0
    for at in range(len(layer) - 512):
        for other in changed(layer, at):
            found = read(other)
            taken += found is not None
            assert found != whole or other == layer, (at, other[at])
    assert taken > 300


def read_both(left: bytes, right: bytes) -> Changes:
    with TemporaryDirectory() as name:
        folder = Path(name)
        with Writer(folder / "l") as one, Writer(folder / "r") as other:
            sides = io.BytesIO(left), io.BytesIO(right)
            read_twins(*sides, (one, other), Spool(folder / "s"))
            listings = one.finish("", ""), other.finish("", "")
        with closing(listings[0]), closing(listings[1]):
            return find_changes(*listings)


PLAIN = MEMBERS["plain"]
COMMENT = pax((b"comment", b"x"))
TOLD = {
    "magic": (PLAIN, member(b"./dir/file", b"content", tail=NAMES + 2 * b"0000000\0", magic=GNU)),
    "devmajor": (PLAIN, member(b"./dir/file", b"content", tail=NAMES)),
    "uname": (
        PLAIN,
        member(b"./dir/file", b"content", tail=b"root\0x".ljust(32, b"\0") + DEVICE[32:]),
    ),
    "name": (PLAIN, seal(PLAIN[2:100] + b"\0\0" + PLAIN[100:512]) + PLAIN[512:]),
    "mtime": (member(b"a"), member(b"a", mtime=b"0".ljust(12, b"\0"))),
    "size": (member(b"a"), member(b"a", size_field=b"00000000000 ")),
    "mode": (member(b"a"), member(b"a", mode=0o100644)),
    "checksum": (member(b"a"), member(b"a")[:154] + b"\0\0" + member(b"a")[156:]),
    "type": (member(b"a"), member(b"a", kind=b"\0")),
    "prefix": (member(b"a"), member(b"a", tail=bytes(200) + b"\0spare")),
    "padding": (member(b"a", b"1"), member(b"a", b"1")[:-1] + b"x"),
    "record comment": (COMMENT + member(b"a"), pax((b"comment", b"y")) + member(b"a")),
    "x header": (member(b"a"), COMMENT + member(b"a")),
    "x keys": (COMMENT + member(b"a"), pax((b"comment", b"x"), (b"path", b"a")) + member(b"a")),
    "x order": (
        pax((b"comment", b"x"), (b"path", b"a")) + member(b"a"),
        pax((b"path", b"a"), (b"comment", b"x")) + member(b"a"),
    ),
    "g record comment": (
        pax((b"comment", b"x"), kind=b"g") + member(b"a"),
        pax((b"comment", b"y"), kind=b"g") + member(b"a"),
    ),
    "L header": (
        MEMBERS["long name"],
        seal(MEMBERS["long name"][:512].replace(b"root", b"ro\0t").replace(b"@L", b"@l"))
        + MEMBERS["long name"][512:],
    ),
    "sparse map": (
        MEMBERS["sparse 1.0"],
        MEMBERS["sparse 1.0"].replace(b"1\n0\n3\n\0", b"1\n0\n03\n"),
    ),
}


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize("respect", TOLD)
def test_what_is_written_otherwise_is_told_whatever_differs_besides(respect: str, beside: bool):
    one, other = TOLD[respect]
    rest = (b"", b"") if not beside else (member(b"z", b"1"), member(b"z", b"2"))
    found = read_both(tar(one, rest[0]), tar(other, rest[1]))

    assert any(f"1 in {respect}" in line for line in found.written), found.written
    assert [change.path for change in found.changed] == (["z"] if beside else [])


MEANT = {
    "acl": (member(b"a"), pax((b"SCHILY.acl.access", b"user::---")) + member(b"a")),
    "contiguous": (member(b"a"), member(b"a", kind=b"7")),
    "label": (member(b"a"), pax((b"RHT.security.selinux", b"x")) + member(b"a")),
    "unknown": (pax((b"x.y", b"1")) + member(b"a"), pax((b"x.y", b"2")) + member(b"a")),
    "global": (member(b"a"), pax((b"path", b"b"), kind=b"g") + member(b"a")),
    "global, of nothing": (
        tar(member(b"a")),
        tar(member(b"a"), pax((b"uid", b"7"), kind=b"g")),
    ),
    "twice": (
        pax((b"comment", b"x")) + member(b"a"),
        pax((b"comment", b"x"), (b"comment", b"y")) + member(b"a"),
    ),
    "behind a name": (member(b"a"), member(b"a\0b")),
    "a prefix of GNU's": (
        member(b"a", magic=GNU),
        member(b"a", magic=GNU, tail=bytes(80) + b"7".ljust(12, b"\0")),
    ),
    "keys without end": (
        b"".join(pax((b"key%d" % n, b"1")) + member(b"f%d" % n) for n in range(300)),
        b"".join(pax((b"key%d" % n, b"2")) + member(b"f%d" % n) for n in range(300)),
    ),
}
SPELLED = (
    *("name", "magic", "devmajor", "mtime", "size", "mode", "checksum", "type", "padding"),
    *("record comment", "x header", "x keys", "x order", "L header"),
)


@pytest.mark.parametrize("name", [*MEANT, *TOLD])
def test_what_a_reader_may_take_for_more_is_known(name: str):
    one, other = MEANT.get(name) or TOLD[name]
    found = read_both(tar(one), tar(other))

    assert found.means is (name not in SPELLED)


@pytest.mark.parametrize("respect", TOLD)
def test_what_is_written_alike_is_not_told(respect: str):
    for one in TOLD[respect]:
        found = read_both(tar(one, member(b"z", b"1")), tar(one, member(b"z", b"2")))
        assert found.written == ()
        assert [change.path for change in found.changed] == ["z"]


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (member(b"a", mtime=octal(1, 12)), member(b"a", mtime=octal(2, 12))),
        (member(b"a", mtime=b"1".ljust(12)), member(b"a", mtime=b"2".ljust(12))),
        (member(b"a", mode=0o100644), member(b"a", mode=0o100755)),
        (member(b"a", b"1"), member(b"a", b"1" * 600)),
        (member(b"a", tail=b"root"), member(b"a", tail=b"me")),
        (header(b"a", kind=b"2", link=b"b"), header(b"a", kind=b"2", link=b"bcd")),
        (
            pax((b"mtime", b"1.5")) + member(b"a", mtime=octal(1, 12)),
            pax((b"mtime", b"2.75")) + member(b"a", mtime=octal(2, 12)),
        ),
        (
            pax((b"mtime", b"1.0")) + member(b"a", mtime=octal(1, 12)),
            pax((b"mtime", b"2.0")) + member(b"a", mtime=octal(2, 12)),
        ),
        (
            member(b"a", mtime=octal(1, 12)),
            pax((b"mtime", b"1.5")) + member(b"a", mtime=octal(1, 12)),
        ),
        (
            pax((b"SCHILY.xattr.user.a", b"1")) + member(b"a"),
            pax((b"SCHILY.xattr.user.b", b"1")) + member(b"a"),
        ),
    ],
)
def test_another_value_is_no_other_way_to_write_it(left: bytes, right: bytes):
    assert read_both(tar(left), tar(right)).written == ()


def test_many_members_are_one_line_a_respect_with_the_first_by_name():
    names = [b"f%03d" % number for number in range(300, 0, -1)]
    one, other = ([member(name, magic=magic) for name in names] for magic in (b"ustar\x0000", GNU))
    found = read_both(tar(*one), tar(*other))

    assert found.changed == ()
    head, *lines = found.written
    assert head == "300 entries are written otherwise, first f001"
    assert "300 in magic (bytes 257 to 264), first f001: as usual → ustar  \\x00" in lines
    assert len(lines) == 1


def test_keys_without_end_take_no_memory_without_end():
    one = [pax((b"key%d" % n, b"1")) + member(b"f%d" % n) for n in range(400)]
    other = [pax((b"key%d" % n, b"2")) + member(b"f%d" % n) for n in range(400)]
    found = read_both(tar(*one), tar(*other))

    assert found.written[0] == "400 entries are written otherwise, first f0"
    assert any("in other records" in line for line in found.written)
    assert len(found.written) < 20
    assert max(map(len, found.written)) < 1000


@pytest.mark.parametrize(("zeros", "told"), [(1024, False), (512, True), (1536, True), (0, True)])
def test_the_zeros_at_the_end_are_counted(zeros: int, told: bool):
    found = read_both(tar(member(b"a")), tar(member(b"a"), end=bytes(zeros)))

    assert any("zeros at the end" in line for line in found.written) is told


def test_an_archive_that_is_filled_up_as_usual_is_no_other_for_its_length():
    one, other = (tar(member(b"a", bytes(size))) for size in (1, 4000))
    sides = [layer + bytes(-len(layer) % 10240) for layer in (one, other)]

    assert read_both(*sides).written == ()
    assert read_both(one, sides[1]).written != ()
