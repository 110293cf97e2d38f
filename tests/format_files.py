"""Pairs of real files, made by real tools, that differ in what is planted and in nothing else."""

from __future__ import annotations

import hashlib
import json
import os
import py_compile
import shutil
import sqlite3
import struct
import subprocess
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path

T1, T2 = 1_700_000_000, 1_700_086_402


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """Two files and the locators of the regions that differ."""

    name: str
    left: bytes
    right: bytes
    locators: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name}: {', '.join(self.locators)}"[:70]


def run(*argv: str, cwd: Path | None = None, data: bytes = b"", **environment: str) -> bytes:
    env = {**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC", **environment}
    result = subprocess.run(argv, cwd=cwd, input=data, env=env, capture_output=True, check=True)
    return result.stdout


def tree(folder: Path, times: int = T1, **texts: str) -> Path:
    """A folder of small files, with one time."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, text in ({"a.txt": "one\ntwo\nthree\n", "b.txt": "b\n"} | texts).items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o644)
        os.utime(path, (times, times))
    os.utime(folder, (times, times))
    return folder


def both(make: Callable[[int], bytes]) -> tuple[bytes, bytes]:
    return make(0), make(1)


@cache
def pairs() -> tuple[Planted, ...]:
    """Every pair, made once."""
    with tempfile.TemporaryDirectory(prefix="repaudit-formats-") as folder:
        return tuple(planted(Path(folder)))


def planted(folder: Path) -> Iterator[Planted]:
    """Yield every pair; `folder` is an empty one to work in."""
    for make in (_gzip, _streams, _tar, _zip, _jar, _ar, _deb, _cpio, _elf, _pyc):
        yield from make(folder)
    for make in (_texts, _json, _java, _sqlite, _images, _documents, _lists, _aux_cache, _git):
        yield from make(folder)


def pair(name: str, sides: tuple[bytes, bytes], *locators: str) -> Planted:
    return Planted(name=name, left=sides[0], right=sides[1], locators=locators)


def _gzip(folder: Path) -> Iterator[Planted]:
    def of(time: int, text: str = "same\n" * 50, name: str = "f", *options: str) -> bytes:
        file = tree(folder / "gz", time, **{name: text}) / name
        return run("gzip", "-c", *options, str(file))

    yield pair("f.gz", both(lambda n: of((T1, T2)[n])), "mtime")
    yield pair("f.gz", both(lambda n: of(T1, name="fg"[n])), "name")
    yield pair("f.gz", both(lambda n: of(T1, f"a\n{n}\nb\n")), "inflated > line 2")
    levels = ("-1", "-9")
    text = "".join(f"{n * n}\n" for n in range(900))
    yield pair("f.gz", both(lambda n: of(T1, text, "f", "-n", levels[n])), "extra flags", "packed")
    same = ("-2", "-8")
    yield pair("f.gz", both(lambda n: of(T1, text, "f", "-n", same[n])), "packed")


def _streams(folder: Path) -> Iterator[Planted]:
    texts = (b"a\nb\nc\n", b"a\nB\nc\n")
    for tool, name in (("xz", "f.xz"), ("bzip2", "f.bz2"), ("zstd", "f.zst")):
        yield pair(
            name,
            both(lambda n: run(tool, "-c", data=texts[n])),  # noqa: B023
            "inflated > line 2",
        )
    yield pair(
        "f.xz",
        both(lambda n: run("xz", "-c", ("--check=crc32", "--check=crc64")[n], data=texts[0])),
        "check",
    )
    yield pair("f.bz2", both(lambda n: run("bzip2", "-c", f"-{n + 1}", data=b"x")), "block size")
    yield pair(
        "f.zst",
        both(lambda n: run("zstd", "-c", *(("--no-check",) if n else ()), data=texts[0])),
        "descriptor",
    )


TAR = ("tar", "--sort=name", "--owner=0", "--group=0", "--numeric-owner")
PAX = ("--format=pax", "--pax-option=delete=atime,delete=ctime")


def _tar(folder: Path) -> Iterator[Planted]:
    def of(*options: str, time: int = T1, **texts: str) -> bytes:
        return run(
            *TAR, *options, "-C", str(tree(folder / "t", time, **texts)), "-c", "a.txt", "b.txt"
        )

    for form in (("--format=gnu",), PAX, ("--format=ustar",)):
        times = ("--mtime=@1", "--mtime=@2")
        yield pair(
            "x.tar",
            both(lambda n: of(*form, times[n])),  # noqa: B023
            "member a.txt > mtime",
            "member b.txt > mtime",
        )
    yield pair(
        "x.tar",
        both(lambda n: of(f"--mode={('a=r', 'a=rw')[n]}")),
        "member a.txt > mode",
        "member b.txt > mode",
    )
    yield pair(
        "x.tar", both(lambda n: of(f"--owner={n}")), "member a.txt > owner", "member b.txt > owner"
    )
    yield pair(
        "x.tar", both(lambda n: of(**{"a.txt": f"one\n{n}\nthree\n"})), "member a.txt > line 2"
    )
    yield pair(
        "x.tar",
        both(lambda n: of(PAX[0], f"--pax-option=atime:=1,ctime:=1,comment:=c{n}")),
        "member a.txt > pax comment",
        "member b.txt > pax comment",
    )
    yield pair("x.tar", both(lambda n: of(f"--blocking-factor={(1, 20)[n]}")), "zeros at the end")
    yield pair(
        "x.tar",
        both(lambda n: of(f"--format={('ustar', 'gnu')[n]}")),
        "member a.txt > header",
        "member b.txt > header",
    )

    def ordered(*names: str) -> bytes:
        return run(*TAR, "-C", str(tree(folder / "t")), "-c", *names)

    yield pair("x.tar", (ordered("a.txt", "b.txt"), ordered("b.txt", "a.txt")), "order")
    yield pair("x.tar", (ordered("a.txt", "b.txt"), ordered("a.txt")), "member b.txt")
    deep = [run("gzip", "-nc", data=of(**{"b.txt": str(n)})) for n in (0, 1)]
    for number, side in enumerate(deep):
        (tree(folder / f"o{number}", T1) / "a.txt").write_bytes(side)
        os.utime(folder / f"o{number}" / "a.txt", (T1, T1))
    nested = [run(*TAR, "-C", str(folder / f"o{n}"), "-c", "a.txt") for n in (0, 1)]
    yield pair("x.tar", (nested[0], nested[1]), "member a.txt > inflated > member b.txt > line 1")
    long = "n" * 150
    yield pair("x.tar", both(lambda n: _long(folder, long, n)), f"member {long} > line 1")


def _long(folder: Path, name: str, n: int) -> bytes:
    return run(*TAR, "--format=gnu", "-C", str(tree(folder / "t", **{name: str(n)})), "-c", name)


def _zip(folder: Path) -> Iterator[Planted]:
    def of(*options: str, time: int = T1, mode: int = 0o644, **texts: str) -> bytes:
        place = tree(folder / "z", time, **texts)
        (place / "a.txt").chmod(mode)
        (folder / "z.zip").unlink(missing_ok=True)
        run("zip", "-q", *options, "../z.zip", "a.txt", "b.txt", cwd=place)
        return (folder / "z.zip").read_bytes()

    yield pair(
        "x.zip",
        both(lambda n: of("-X", time=(T1, T2)[n])),
        "member a.txt > mtime",
        "member b.txt > mtime",
    )
    yield pair("x.zip", both(lambda n: of("-X", mode=(0o644, 0o600)[n])), "member a.txt > mode")
    yield pair("x.zip", both(lambda n: of("-X", **{"a.txt": f"x\n{n}\n"})), "member a.txt > line 2")
    long = "".join(f"{n * n}\n" for n in range(900))
    yield pair(
        "x.zip",
        both(lambda n: of("-X", "-0" if n else "-6", **{"a.txt": long})),
        "member a.txt > internal attributes",
        "member a.txt > version needed",
        "member a.txt > method",
        "member a.txt > packed",
        "member b.txt > internal attributes",  # zip looks for text only in what it packs
    )

    def touched(n: int) -> bytes:
        place = tree(folder / "z")
        os.utime(place / "a.txt", ((T1, T2)[n], T1))
        (folder / "z.zip").unlink(missing_ok=True)
        run("zip", "-q", "../z.zip", "a.txt", cwd=place)
        return (folder / "z.zip").read_bytes()

    yield pair("x.zip", both(touched), "member a.txt > extra atime")


def _jar(folder: Path) -> Iterator[Planted]:
    def of(n: int) -> bytes:
        place = tree(folder / "j", **{"m.txt": f"Built-By: {('root', 'audit')[n]}\n"})
        (folder / "j.jar").unlink(missing_ok=True)
        run("jar", "--create", "--file", "../j.jar", "--manifest", "m.txt",
            "--date=2020-01-01T00:00:00Z", "a.txt", cwd=place)  # fmt: skip
        return (folder / "j.jar").read_bytes()

    if shutil.which("jar"):
        yield pair("usr/x.jar", both(of), "member META-INF/MANIFEST.MF > Built-By")


def _ar(folder: Path) -> Iterator[Planted]:
    def of(mode: str, n: int = 0, **texts: str) -> bytes:
        place = tree(folder / "ar", (T1, T2)[n], **texts)
        run("ar", mode, "x.a", "a.txt", "b.txt", cwd=place)
        return (place / "x.a").read_bytes()

    yield pair("x.a", both(lambda n: of("rcU", n)), "member a.txt > mtime", "member b.txt > mtime")
    yield pair("x.a", both(lambda n: of("rcD", **{"b.txt": f"{n}"})), "member b.txt > line 1")
    long = "a_name_that_is_longer_than_fifteen.txt"

    def named(n: int) -> bytes:
        place = tree(folder / "ar", **{long: f"{n}"})
        run("ar", "rcD", "x.a", long, cwd=place)
        return (place / "x.a").read_bytes()

    yield pair("x.a", both(named), f"member {long} > line 1")


def _deb(folder: Path) -> Iterator[Planted]:
    def of(n: int) -> bytes:
        control = (
            f"Package: x\nVersion: {n + 1}\nArchitecture: all\nMaintainer: m\nDescription: d\n"
        )
        place = tree(folder / "deb", **{"DEBIAN/control": control})
        argv = ("dpkg-deb", "--root-owner-group", "-Znone", "-b", str(place), str(folder / "x.deb"))
        run(*argv, SOURCE_DATE_EPOCH=str(T1))
        return (folder / "x.deb").read_bytes()

    yield pair("x.deb", both(of), "member control.tar > member ./control > package x:all > Version")


def _cpio(folder: Path) -> Iterator[Planted]:
    def of(time: int, *more: str, **texts: str) -> bytes:
        place = tree(folder / "cpio", time, **texts)
        options = ("cpio", "-o", "-H", "newc", "--quiet", "--reproducible", "-R", "0:0", *more)
        return run(*options, cwd=place, data=b"a.txt\nb.txt\n")

    yield pair(
        "initrd", both(lambda n: of((T1, T2)[n])), "member a.txt > mtime", "member b.txt > mtime"
    )
    early = of(T1)

    def stacked(n: int) -> bytes:
        return early + run("gzip", "-nc", data=of(T1, **{"b.txt": str(n)}))

    yield pair("initrd", both(stacked), "rest > inflated > member b.txt > line 1")


SOURCE = '#include <stdio.h>\nint main(void) {{ puts("built {0}"); return 0; }}\n'


def _elf(folder: Path) -> Iterator[Planted]:
    place = tree(folder / "elf")

    def of(text: str, *options: str) -> bytes:
        (place / "m.c").write_text(SOURCE.format(text))
        run("gcc", "-o", "m", *options, "m.c", cwd=place)
        return (place / "m").read_bytes()

    fixed = "-Wl,--build-id=none"
    yield pair("m", both(lambda n: of(f"{n}", fixed)), ".rodata > string 3")
    ids = ("-Wl,--build-id=0x1234", "-Wl,--build-id=0x5678")
    yield pair("m", both(lambda n: of("x", ids[n])), ".note.gnu.build-id")
    yield pair("m", both(lambda n: of(f"{n}")), ".note.gnu.build-id", ".rodata > string 3")
    for extra in ("-gz=none", "-gz=zlib"):
        options = ("-g", fixed, extra)
        # The linker orders strings by hash, so the path may not be the test's own folder.
        made = both(lambda n: of("x", *options, f"-fdebug-prefix-map={place}=/b/{n}"))  # noqa: B023
        yield pair("m", made, ".debug_line_str > string 2")


def _pyc(folder: Path) -> Iterator[Planted]:
    def of(time: int, text: str = "def f():\n    return 1\n", path: str = "/x/m.py") -> bytes:
        file = tree(folder / "py", time, **{"m.py": text}) / "m.py"
        mode = py_compile.PycInvalidationMode.TIMESTAMP
        py_compile.compile(str(file), str(folder / "m.pyc"), path, invalidation_mode=mode)
        return (folder / "m.pyc").read_bytes()

    yield pair("m.pyc", both(lambda n: of((T1, T2)[n])), "mtime")
    yield pair(
        "m.pyc",
        both(lambda n: of(T1, path=("/x/m.py", "/tmp/pip-target-x/lib/m.py")[n])),
        "source path",
    )
    yield pair("m.pyc", both(lambda n: of(T1, f"def f():\n    return {n + 2}\n")), "code")


def _texts(folder: Path) -> Iterator[Planted]:
    lines = [f"line {n}\n" for n in range(20)]

    def joined(*some: str) -> bytes:
        return "".join(some).encode()

    yield pair("x", (joined(*lines), joined(*lines[:4], "x\n", *lines[5:])), "line 5")
    yield pair("x", (joined(*lines), joined(*reversed(lines))), "order of lines")
    yield pair("x", (joined(*lines), joined(*lines[:4], "new\n", *lines[4:])), "after line 4")
    yield pair("x", (joined(*lines), joined(*lines[:4], *lines[5:])), "line 5")
    changed = joined(*lines[:2], "new\n", *lines[2:9], "x\n", *lines[10:])
    yield pair("x", (joined(*lines), changed), "after line 2", "line 10")
    yield pair("x", (b"caf\xe9 1\nb\n", b"caf\xe9 2\nb\n"), "line 1")
    yield pair("x", (b"\0\1\2", b"\0\1\3"), "content")
    yield pair("x", (b"", b"\0"), "content")


def _json(folder: Path) -> Iterator[Planted]:
    value = {"build": {"date": "today", "n": [1, 2.5, None]}, "odd key": True}
    other = {"build": {"date": "tomorrow", "n": [1, 2.5, None]}, "odd key": True}
    turned = dict(reversed(value.items()))
    yield pair("x.json", (_dumped(value), _dumped(other)), "$.build.date")
    yield pair("x.json", (_dumped(value), _dumped(turned)), "order of keys")
    yield pair("x.json", (_dumped(value), json.dumps(value, indent=1).encode()), "encoding")
    yield pair("x.json", (b'{"a": 1}', b'{"a": 1, "b": {}}'), "$.b")
    yield pair("x.json", (b'{"a": 1.0}', b'{"a": 1.00}'), "$.a")


def _dumped(value: object) -> bytes:
    return json.dumps(value).encode()


def _java(folder: Path) -> Iterator[Planted]:
    text = "#{0}\nversion=1\nby : {1}\nlong = a \\\n   b\n"
    sides = text.format("Mon", "me").encode(), text.format("Tue", "you").encode()
    yield pair("pom.properties", sides, "comment", "key by")
    manifest = "Manifest-Version: 1.0\r\nBnd-LastModified: {0}\r\n\r\n"
    manifest += "Name: a\r\nSHA-256-Digest: {1}\r\n\r\n"
    sides = manifest.format(1, "x").encode(), manifest.format(2, "y").encode()
    yield pair("META-INF/MANIFEST.MF", sides, "Bnd-LastModified")
    sides = manifest.format(1, "x").encode(), manifest.format(1, "y").encode()
    yield pair("META-INF/MANIFEST.MF", sides, "entry a > SHA-256-Digest")


def _sqlite(folder: Path) -> Iterator[Planted]:
    def of(*statements: str, mode: str = "delete") -> bytes:
        path = folder / "s.db"
        path.unlink(missing_ok=True)
        with closing(sqlite3.connect(path)) as database:
            database.execute(f"PRAGMA journal_mode = {mode}")
            database.execute("CREATE TABLE t (name TEXT, at INTEGER)")
            database.execute("INSERT INTO t VALUES ('a', 1), ('b', 2)")
            database.execute("CREATE TABLE w (k TEXT PRIMARY KEY, v) WITHOUT ROWID")
            database.execute("INSERT INTO w VALUES ('k', x'00ff')")
            database.commit()
            for statement in statements:
                database.execute(statement)
                database.commit()
        return path.read_bytes()

    at = [f"UPDATE t SET at = {n} WHERE name = 'b'" for n in (3, 4)]
    for mode in ("delete", "wal"):
        yield pair("s.db", both(lambda n: of(at[n], mode=mode)), "table t > row 2 > at")  # noqa: B023
    yield pair("s.db", both(lambda n: of(*at[1 - n :], at[0])), "change counter")
    yield pair("s.db", both(lambda n: of(f"PRAGMA user_version = {n + 1}")), "user version")
    row = ("UPDATE w SET v = 1", "UPDATE w SET v = 2")
    yield pair("s.db", both(lambda n: of(row[n])), "table w > row 0 > v")


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(year: int, pixel: int = 0, text: bytes = b"Software\0x") -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    time = chunk(b"tIME", struct.pack(">HBBBBB", year, 1, 2, 3, 4, 5))
    data = chunk(b"IDAT", zlib.compress(bytes([0, pixel])))
    return b"\x89PNG\r\n\x1a\n" + head + time + chunk(b"tEXt", text) + data + chunk(b"IEND", b"")


def _images(folder: Path) -> Iterator[Planted]:
    yield pair("x.png", (png(2020), png(2021)), "tIME")
    yield pair("x.png", (png(2020), png(2020, 9)), "IDAT")
    yield pair("x.png", (png(2020), png(2020, 0, b"Software\0y")), "tEXt Software")


def pdf(date: str, word: str = "hello", name: str = "aa") -> bytes:
    objects = [
        b"<< /Type /Catalog >>",
        f"<< /CreationDate (D:{date}) /Producer (p \\(q\\)) >>".encode(),
        f"<< /Length {len(word)} >>\nstream\n{word}\nendstream".encode(),
    ]
    body = b"%PDF-1.4\n"
    for number, one in enumerate(objects, 1):
        body += b"%d 0 obj\n%b\nendobj\n" % (number, one)
    trailer = f"trailer << /Size 4 /Root 1 0 R /ID [<{name}> <{name}>] >>\nstartxref\n"
    return body + b"xref\n0 4\n" + trailer.encode() + b"%d\n%%%%EOF\n" % len(body)


def _documents(folder: Path) -> Iterator[Planted]:
    yield pair("x.pdf", (pdf("2020"), pdf("2021")), "object 2 0 > /CreationDate")
    yield pair("x.pdf", (pdf("2020"), pdf("2020", "jello")), "object 3 0 > line 4")
    yield pair("x.pdf", (pdf("2020"), pdf("2020", name="bb")), "/ID")


def _lists(folder: Path) -> Iterator[Planted]:
    status = "Package: {0}\nStatus: ok\nVersion: {1}\n more\n\nPackage: z\nVersion: 1\n"
    one = status.format("a", 1).encode()
    yield pair("status", (one, status.format("a", 2).encode()), "package a > Version")
    yield pair("status", (one, one + b"\nPackage: new\nVersion: 1\n"), "package new")
    yield pair(
        "etc/shadow",
        (b"root:*:19000:0:99999:7:::\n", b"root:*:19400:0:99999:7:::\n"),
        "name root > last change",
    )
    yield pair(
        "etc/passwd",
        (b"a:x:1:1::/:/a\nb:x:2:2::/:/b\n", b"b:x:2:2::/:/b\na:x:1:1::/:/a\n"),
        "order",
    )
    yield pair("etc/group", (b"a:x:1:\n", b"a:x:2:\n"), "name a > gid")
    yield pair("etc/gshadow", (b"a:!:root:\n", b"a:!:me:\n"), "name a > administrators")
    digest = [hashlib.sha256(text).hexdigest()[:8] for text in (b"a", b"b")]
    record = [f"x/a.py,sha256={one},1\nx/b.py,,\n".encode() for one in digest]
    yield pair("x.dist-info/RECORD", (record[0], record[1]), "file x/a.py")
    entries = [f'{{"key":"a","time":{when}}}' for when in (T1, T2)]
    index = [f"\n{hashlib.sha1(text.encode()).hexdigest()}\t{text}".encode() for text in entries]
    yield pair("index-v5/00/2b/df", (index[0], index[1]), "entry > $.time")


def aux_cache(*libraries: tuple[int, str], last: int = 0) -> bytes:
    texts, entries = b"", b""
    for inode, name in libraries:
        entries += struct.pack("<4QiIII", inode, T1, 3, 4, 0x303, len(texts), 0, last)
        texts += name.encode() + b"\0"
    counts = struct.pack("<II", len(libraries), len(texts))
    return b"glibc-ld.so.auxcache-1.0" + counts + entries + texts


def _aux_cache(folder: Path) -> Iterator[Planted]:
    one = aux_cache((1, "liba.so"), (2, "libb.so"))
    yield pair(
        "aux-cache", (one, aux_cache((1, "liba.so"), (9, "libb.so"))), "library libb.so > inode"
    )


def _git(folder: Path) -> Iterator[Planted]:
    here = tree(folder / "checkout", **{"a-longer-name": "text"})
    for command in (("init", "--quiet"), ("add", ".")):
        run("git", *command, cwd=here)
    one = (here / ".git" / "index").read_bytes()
    # All else, the ctime above all, stays as git made it.
    other = one.replace(struct.pack(">I", T1), struct.pack(">I", T2), 1)
    yield pair(".git/index", (one, other), "file a-longer-name > mtime")
