"""The laws of every forensic, through the registry, and of the catalogue of causes."""

from __future__ import annotations

import io
import random
import re
import tarfile
import time
import tomllib
import zipfile
from gzip import GzipFile, compress
from importlib import resources

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repaudit.forensics import FORENSICS, Case, Content, cause, causes
from repaudit.forensics._case import inflate
from repaudit.forensics._catalogue import known_at, records
from repaudit.model.difference import Aspect, Difference
from repaudit.model.experiment import INTRINSIC, SETTABLE, Level

SLUGS = {cause.slug for cause in causes()}
UNKNOWN = "srv/data.bin"
NAMES = FORENSICS.names()
CONTROL = (
    Level(factor="time", name="start", value="0"),
    Level(factor="timezone", name="utc", value="<+00>-00", canaries=("<+00>-00",)),
    Level(factor="locale", name="c", value="C.UTF-8"),
    Level(factor="umask", name="0022", value="0022"),
    Level(factor="hostname", name="a", value="host-aaaa", canaries=("host-aaaa",)),
    Level(factor="user", name="root", value="root"),
    Level(factor="home", name="own", value=""),
    Level(factor="cpus", name="2", value="0,1"),
    Level(factor="kernel", name="real", value="6.1.0"),
    Level(factor="file_order", name="A", value="a"),
)
VARIANT = (
    Level(factor="time", name="later", value="34560000"),
    Level(factor="timezone", name="east", value="<+14>-14", canaries=("<+14>-14",)),
    Level(factor="locale", name="et", value="et_EE.UTF-8"),
    Level(factor="umask", name="0002", value="0002"),
    Level(factor="hostname", name="b", value="host-bbbb", canaries=("host-bbbb",)),
    Level(factor="user", name="u", value="user-cccc", canaries=("user-cccc",)),
    Level(factor="home", name="h", value="/dev/h/dddd", canaries=("/dev/h/dddd",)),
    Level(factor="cpus", name="1", value="1"),
    Level(factor="kernel", name="2.6", value="2.6.61"),
    Level(factor="file_order", name="B", value="b"),
)


def content(left: bytes, right: bytes, path: str = UNKNOWN, *, levels: bool = True) -> Case:
    difference = Difference(
        layer=0, path=path, aspect=Aspect.CONTENT, left="sha256:a", right="sha256:b"
    )
    return Case(
        difference=difference,
        left=Content(data=left, size=len(left)),
        right=Content(data=right, size=len(right)),
        left_levels=CONTROL if levels else (),
        right_levels=VARIANT if levels else (),
    )


def of(aspect: Aspect, left: str | None, right: str | None, path: str = UNKNOWN) -> Case:
    return Case(
        difference=Difference(layer=0, path=path, aspect=aspect, left=left, right=right),
        left_levels=CONTROL,
        right_levels=VARIANT,
    )


def gzipped(data: bytes, mtime: int) -> bytes:
    out = io.BytesIO()
    with GzipFile("x", "wb", mtime=mtime, fileobj=out) as stream:
        stream.write(data)
    return out.getvalue()


def tarred(mtime: int) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in ("a", "b" * 120):
            info = tarfile.TarInfo(name)
            info.size, info.mtime = 3, mtime
            archive.addfile(info, io.BytesIO(b"abc"))
    return out.getvalue()


def zipped(year: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("a.txt", (year, 2, 3, 4, 6, 8)), b"some text\n" * 20)
        archive.writestr(zipfile.ZipInfo("META-INF/MANIFEST.MF"), b"Built-By: me\n")
    return out.getvalue()


def archive(date: int) -> bytes:
    header = f"{'a.o/':16}{date:<12}{0:<6}{0:<6}{'100644':8}{4:<10}`\n"
    return b"!<arch>\n" + header.encode() + b"abcd"


def packed(mtime: int) -> bytes:
    """A cpio archive of one member."""
    out = b""
    for name, data in ((b"a", b"data"), (b"TRAILER!!!", b"")):
        fields = (7, 0o100644, 0, 0, 1, mtime, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        out += b"070701" + b"".join(b"%08x" % field for field in fields) + name + b"\0"
        out += bytes(-len(out) % 4) + data
        out += bytes(-len(out) % 4)
    return out


def bytecode(mtime: int) -> bytes:
    return b"\xa7\r\r\n" + bytes(4) + mtime.to_bytes(4, "little") + bytes(4) + b"\xe3" + bytes(40)


SAMPLES = {
    "gzip": (gzipped(b"abc" * 9, 1), gzipped(b"abc" * 9, 2)),
    "tar": (tarred(1), tarred(2)),
    "targz": (gzipped(tarred(1), 1), gzipped(tarred(2), 2)),
    "zip": (zipped(2020), zipped(2021)),
    "ar": (archive(1), archive(2)),
    "cpio": (packed(1), packed(2)),
    "pyc": (bytecode(1), bytecode(2)),
    "elf": (b"\x7fELF\2\1\1" + bytes(70), b"\x7fELF\2\1\1" + bytes(69) + b"x"),
    "text": (b"built on host-aaaa\n2026-11-22 umask 0022\n", b"built on host-bbbb\n2027-01-01\n"),
}


def check_laws(case: Case, name: str) -> list[str]:
    forensic = FORENSICS.load(name)
    clues = list(forensic.examine(case))
    assert clues == list(forensic.examine(case)), "the same case gives the same clues"
    for clue in clues:
        assert clue.slug in SLUGS
        assert set(clue.factors) <= {*SETTABLE, *INTRINSIC}
        assert len(clue.detail) <= 200
        assert clue.detail.isascii() and clue.detail.isprintable()
    return [clue.slug for clue in clues]


def test_all_forensics_are_found():
    assert {"known_path", "canary", "text", "gzip", "pyc", "zip", "tar", "ar", "elf", "aspect"} <= {
        *NAMES
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_forensic_is_called_like_its_file(name):
    assert FORENSICS.load(name).name == name


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("sample", sorted(SAMPLES))
@pytest.mark.parametrize("path", [UNKNOWN, "etc/shadow", "var/log/dpkg.log"])
def test_silent_where_both_sides_are_equal(name, sample, path):
    for data in SAMPLES[sample]:
        case = content(data, data, path)
        assert check_laws(case, name) == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("aspect", sorted(Aspect))
def test_silent_where_both_readable_forms_are_equal(name, aspect):
    for text in ("0644", "1700000000", "host-aaaa", ""):
        assert check_laws(of(aspect, text, text, "etc/shadow"), name) == []


@pytest.mark.parametrize("name", NAMES)
def test_silent_on_empty_contents(name):
    for sample in SAMPLES.values():
        assert check_laws(content(b"", b""), name) == []
        assert check_laws(content(b"", sample[0]), name) == []
        assert check_laws(content(sample[0], b""), name) == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(20))
def test_silent_on_noise(name, seed):
    noise = random.Random(seed)
    left, right = noise.randbytes(400), noise.randbytes(400)
    assert check_laws(content(left, right), name) == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("sample", sorted(SAMPLES.keys() - {"text"}))
def test_truncation_anywhere_raises_nothing(name, sample):
    left, right = SAMPLES[sample]
    step = max(1, len(left) // 60)
    for cut in range(1, len(left), step):
        slugs = check_laws(content(left[:cut], right[:cut]), name)
        assert cut > 8 or slugs == []
        check_laws(content(left[:cut], right), name)
        check_laws(content(left, right[:cut]), name)


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None)
@given(left=st.binary(max_size=200), right=st.binary(max_size=200))
def test_any_bytes_keep_the_laws(name, left, right):
    check_laws(content(left, right), name)
    check_laws(content(left, right, "etc/shadow", levels=False), name)


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None)
@given(left=st.text(max_size=120), right=st.text(max_size=120), aspect=st.sampled_from(Aspect))
def test_any_text_keeps_the_laws(name, left, right, aspect):
    check_laws(content(left.encode("utf-8", "replace"), right.encode("utf-8", "replace")), name)
    check_laws(of(aspect, left, right, left), name)
    check_laws(of(aspect, None, right), name)


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None)
@given(data=st.data())
def test_damaged_files_keep_the_laws(name, data):
    left, right = SAMPLES[data.draw(st.sampled_from(sorted(SAMPLES)))]
    broken = bytearray(right)
    for _ in range(data.draw(st.integers(1, 8))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    check_laws(content(left, bytes(broken)), name)
    check_laws(content(bytes(broken), left), name)


def test_an_elf_header_that_points_nowhere_is_no_error():
    for at in (40, 46, 58, 60, 62):
        broken = bytearray(SAMPLES["elf"][0])
        broken[at : at + 8] = b"\xff" * 8
        check_laws(content(SAMPLES["elf"][0], bytes(broken)), "elf")


WORDS = st.sampled_from(
    "2026-11-22 02:33:50 20261122 1700000000 +0000 Nov Sun nov P 22 0022 root host-aaaa 6.1.0 "
    "deadbeef12 /tmp/tmp.AbCd1234 0x7f1234567890 12:00 ms 4 { } , = \x01date\x01 -rw-r--r--".split()
)


@settings(deadline=None)
@given(left=st.lists(WORDS, max_size=12), right=st.lists(WORDS, max_size=12))
def test_any_words_keep_the_laws(left, right):
    check_laws(content(" ".join(left).encode(), " ".join(right).encode()), "text")
    check_laws(content("\n".join(left).encode(), "\n".join(right).encode()), "text")


# --- the catalogue -----------------------------------------------------------------------------


def test_slugs_are_unique_and_keep_the_grammar():
    slugs = [cause.slug for cause in causes()]
    assert slugs == sorted(set(slugs))
    assert len(slugs) >= 45
    assert all(re.fullmatch(r"[a-z0-9_]+", slug) for slug in slugs)


def test_the_tables_that_are_read_one_by_one_are_those_of_the_file():
    text = resources.files("repaudit.forensics").joinpath("causes.toml").read_text("utf-8")
    tables = {table["slug"]: table for table in tomllib.loads(text)["cause"]}
    assert len(tables) == text.count("[[cause]]\n")
    assert [record.cause.slug for record in records()] == sorted(tables)
    for record in records():
        table = tables[record.cause.slug]
        assert (record.cause.title, record.cause.remedy) == (table["title"], table["remedy"])
        assert list(record.paths) == table.get("paths", [])


@pytest.mark.parametrize("record", records(), ids=lambda record: record.cause.slug)
def test_a_record_of_the_catalogue_is_sound(record):
    found = record.cause
    assert cause(found.slug) == found
    assert found.title and not found.title.endswith(".")
    assert found.remedy and len(found.remedy) <= 200 and "\n" not in found.remedy
    assert found.reference is None or re.match(
        r"https://\S+$|rb-notes:[a-z0-9_-]+$", found.reference
    )
    assert set(record.factors) <= {*SETTABLE, *INTRINSIC}
    assert record.aspects
    for glob in record.paths:
        assert glob and not glob.startswith(("/", "./")) and ".." not in glob.split("/")
        path = glob.replace("**", "x/y").replace("*", "z")
        claiming = [one for one, _ in known_at(path, min(record.aspects))]
        assert record in claiming or "[" in glob


def test_the_causes_that_other_floors_name_are_there():
    for slug in ("unexplained", "build_breaks_when_varied", "layer_mtimes_not_clamped"):
        assert cause(slug).slug == slug
    with pytest.raises(KeyError):
        cause("no_such_cause")


@pytest.mark.parametrize(
    ("path", "glob_hits"),
    [
        ("var/log/dpkg.log", True),
        ("var/log/dpkg.log.1", True),
        ("srv/var/log/dpkg.log", False),
        ("root/.npm/_logs/2026.log", True),
        ("a/b/.npm/_cacache/x/y", True),
        ("etc/ssl/certs/0a1b2c3d.0", True),
        ("etc/ssl/certs/readme.txt", False),
        ("etc/machine-id", True),
        ("etc/machine-idx", False),
        ("var/lib/apt/lists", False),
    ],
)
def test_globs_stay_within_their_folders(path, glob_hits):
    assert any(known_at(path, Aspect.PRESENCE)) is glob_hits


def test_many_members_of_a_gzip_file_cost_what_their_bytes_do():
    start = time.process_time()
    assert inflate(compress(b"a") + compress(b"") * 200_000) == b"a"
    assert time.process_time() - start < 5
