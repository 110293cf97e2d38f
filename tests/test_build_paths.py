"""What is built in two folders holds them: told as such where a path tells nothing but that.

Where a path decides what is run or loaded, the same two folders stay unexplained.
"""

from __future__ import annotations

import marshal
import os
import shutil
import struct
import subprocess
from importlib.util import MAGIC_NUMBER
from pathlib import Path, PurePosixPath
from types import CodeType

import pytest

from repaudit.comparison import DiffRequest, compare_images
from repaudit.model.finding import Confidence, Finding
from tests.images import Store, member, tar, write_files
from tests.test_forensics_uncovered import segment, told

BUILD_PATH, UNKNOWN = {"captures_build_path"}, {"unexplained"}
ID = "-4f89-41d3-9a0c-0305e82c3301"
TEXT = "import os\nclass A:\n    def f(self):\n        return [g for g in (1,) if g]\n"


def diff(left: bytes, right: bytes, path: str = "srv/file") -> dict[str, str]:
    """What is told of a file of two images of which nothing is known."""
    return told(left, right, path, vary=None)


# --- Python bytecode ---------------------------------------------------------------------------


CACHED = "srv/lib/__pycache__/m.cpython-311.pyc"


def bytecode(code: CodeType) -> bytes:
    return MAGIC_NUMBER + struct.pack("<III", 0, 1, 2) + marshal.dumps(code)


def module(name: str, text: str = TEXT) -> bytes:
    return bytecode(compile(text, name, "exec", dont_inherit=True))


@pytest.mark.parametrize(
    "folder", ["/build/b", "/build/longer", "/" + "x" * 300, "/b\u00fccher", "/with space", ""]
)
def test_bytecode_is_the_same_but_for_the_folder_of_its_source(folder: str):
    found = diff(module("/build/a/lib/m.py"), module(f"{folder}/lib/m.py"), CACHED)
    assert found.keys() == BUILD_PATH
    assert "'/build/a' on the left" in found["captures_build_path"]


def test_other_code_stands_beside_the_folder_of_its_source():
    found = diff(module("/build/a/m.py"), module("/build/b/m.py", TEXT + "x = 1\n"), CACHED)
    assert found.keys() == BUILD_PATH | UNKNOWN
    assert "code" in found["unexplained"]


@pytest.mark.parametrize(
    ("left", "right"),
    [("/build/a/m.py", "/build/b/n.py"), ("a/m.py", "b/m.py"), ("/build/a/m.py", "m.py")],
)
def test_another_name_of_the_source_is_no_folder(left: str, right: str):
    assert diff(module(left), module(right), CACHED).keys() == UNKNOWN


@pytest.mark.parametrize("name", ["m.py", "/usr/lib/m.py"])
def test_a_path_that_code_may_use_is_no_name_of_its_source(name: str):
    text = "import runpy\nrunpy.run_path('{}/m.py')\n"
    pair = (module(name, text.format(folder)) for folder in ("/usr/lib", "/tmp/evil"))
    assert diff(*pair, CACHED).keys() == UNKNOWN


@pytest.mark.parametrize("first", [True, False])
def test_a_constant_that_is_the_name_of_the_source_counts_as_a_constant(first: bool):
    def of(folder: str) -> bytes:
        name = "".join([folder, "/m.py"])  # one object, which marshal writes once
        inner = (lambda: 1).__code__.replace(co_filename=name)
        consts = (name, inner) if first else (inner, name)
        return bytecode(inner.replace(co_consts=consts))

    assert diff(of("/usr/lib"), of("/tmp/evil"), CACHED).keys() == UNKNOWN


@pytest.mark.parametrize(
    ("path", "folder"),
    [
        (CACHED, True),
        ("a.whl!/lib/__pycache__/m.pypy39.opt-1.pyc", True),
        ("srv/lib/m.pyc", False),
        ("srv/lib/__pycache__/m.pyc", False),
        ("srv/my__pycache__/m.cpython-311.pyc", False),
        ("srv/lib/m.cpython-311.pyc", False),
    ],
)
def test_code_that_is_no_cache_may_look_beside_its_source(path: str, folder: bool):
    for folders in (("/build/a", "/build/b"), ("/tmp/tmpAbcd1234", "/tmp/tmpEfgh5678")):
        pair = [module(f"{some}/m.py") for some in folders]
        assert (diff(*pair, path).keys() != UNKNOWN) is folder
    assert told(*pair, path).keys() == {"captures_temporary_path"}  # two runs of one build


# --- programs ----------------------------------------------------------------------------------

needs_gcc = pytest.mark.skipif(not shutil.which("gcc"), reason="needs gcc")
MAIN = """
#include <stdio.h>
int twice(int);
struct point { int x, y; const char *name; };
static struct point at = {1, 2, "origin"};
int main(int argc, char **argv) { printf("%s%d", at.name, twice(argc)); return RESULT; }
"""


class Shop:
    """Compiles in a folder of any name below the test's own."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def folder(self, name: str) -> Path:
        folder = self.home / name
        (folder / "src").mkdir(parents=True, exist_ok=True)
        (folder / "src" / "main.c").write_text(MAIN)
        (folder / "src" / "twice.c").write_text("int twice(int a) { return 2 * a; }\n")
        return folder

    def built(self, name: str, *flags: str, result: int = 1) -> bytes:
        folder = self.folder(name)
        sources = ["src/twice.c", folder / "src" / "main.c"]
        if "-c" in flags:
            del sources[0]
        argv = ["gcc", f"-DRESULT={result}", *flags, *sources, "-o", "out"]
        subprocess.run(argv, cwd=folder, check=True)
        return (folder / "out").read_bytes()

    def program(self, text: str, *flags: str) -> bytes:
        """One that holds `text`."""
        (self.home / "m.c").write_text(f"#include <stdio.h>\nint main(void){{{text}}}\n")
        argv = ["gcc", *flags, "m.c", "-o", "m"]
        subprocess.run(argv, cwd=self.home, check=True)
        return (self.home / "m").read_bytes()


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@needs_gcc
@pytest.mark.parametrize(
    ("other", "flags"),
    [
        ("two", ()),
        ("another", ()),
        ("two", ("-gdwarf-4",)),
        ("another", ("-gdwarf-4",)),
        ("two", ("-gz=zlib",)),
        ("a-name-with-which-it-pays-to-pack" * 2, ("-gz=zlib",)),
        ("another", ("-c",)),
    ],
)
def test_debug_information_differs_in_the_folder_and_what_follows(
    shop: Shop, other: str, flags: tuple[str, ...]
):
    one, two, changed = (
        shop.built(name, "-g", *flags, result=result)
        for name, result in (("one", 1), (other, 1), (other, 3))
    )
    found = diff(one, two)
    assert found.keys() == BUILD_PATH
    assert found["captures_build_path"].startswith("debug information: ")
    assert ".text" in diff(one, changed)["unexplained"]


@needs_gcc
def test_debug_information_that_says_another_thing_is_no_folder(shop: Shop):
    one, two = (shop.built(name, "-g") for name in ("one", "two"))
    assert diff(one, two).keys() == BUILD_PATH
    for name, at in (
        (".debug_info", 40),
        (".debug_line", 0),
        (".debug_line", 8),
        (".debug_line", 60),
        (".debug_abbrev", 3),
    ):
        start, size = section(two, name)
        tampered = bytearray(two)
        tampered[start + min(at, size - 1)] ^= 1
        assert name in diff(one, bytes(tampered))["unexplained"]
    renamed = two.replace(b"\0origin\0", b"\0stolen\0").replace(b"\0twice\0", b"\0trick\0")
    assert diff(one, renamed).keys() >= UNKNOWN


@needs_gcc
def test_a_folder_that_was_drawn_is_a_temporary_one_in_debug_information_too(shop: Shop):
    one, two, other = (
        shop.program("", "-g", f"-fdebug-prefix-map={shop.home}=/tmp/{name}")
        for name in ("pip-req-build-ab12cd34", "pip-req-build-ef56ab78", "build")
    )
    assert diff(one, two).keys() == {"captures_temporary_path"}
    assert diff(one, other).keys() == BUILD_PATH


@needs_gcc
def test_a_damaged_program_is_no_harm(shop: Shop):
    one, two = (shop.built(name, "-g") for name in ("one", "another"))
    table = struct.unpack_from("<Q", two, 40)[0]
    for at in (*range(0, len(two), 997), *range(table, table + 3 * 64)):
        for damaged in (two[:at], two[:at] + bytes([two[at] ^ 1]) + two[at + 1 :]):
            assert diff(one, damaged).keys() <= BUILD_PATH | UNKNOWN


def section(data: bytes, name: str) -> tuple[int, int]:
    return struct.unpack_from("<QQ", data, section_header(data, name) + 24)


def section_header(data: bytes, name: str) -> int:
    table, count, names = (
        struct.unpack_from("<Q", data, 40)[0],
        *struct.unpack_from("<HH", data, 60),
    )
    headers = range(table, table + 64 * count, 64)
    texts = struct.unpack_from("<Q", data, headers[names] + 24)[0]
    return next(
        at
        for at in headers
        if data.startswith(name.encode() + b"\0", texts + struct.unpack_from("<I", data, at)[0])
    )


@needs_gcc
@pytest.mark.parametrize("source", ["lib/m.c", "x.hpp", "a/b.rs"])
def test_the_name_of_a_source_in_a_program_may_be_what_it_runs(shop: Shop, source: str):
    pair = [shop.program(f'puts("{folder}/{source}");') for folder in ("/build/a", "/build/b")]
    found = diff(*pair)
    assert found == {"unexplained": "folders: '/build/a' on the left, '/build/b' on the right"}
    drawn = [shop.program(f'puts("/tmp/tmp{word}/{source}");') for word in ("Abcd1234", "Efgh5678")]
    assert told(*drawn).keys() == {"captures_temporary_path"}  # two runs of one build


@needs_gcc
def test_debug_information_hides_no_segment_that_leads_elsewhere(shop: Shop):
    """A loader goes by the segments, of which some are found in what nothing else reads."""
    one, two = (shop.built(name, "-g") for name in ("one", "another"))
    assert diff(one, two).keys() == BUILD_PATH
    load, dynamic, interpreter, stack = 1, 2, 3, 0x6474E551
    debug = section(two, ".debug_str")[0]
    for kind, field, value in (
        (interpreter, 8, debug),
        (dynamic, 8, debug),
        (dynamic, 16, 0x4008),
        (load, 16, 0x1000),
        (load, 40, 0x9000),
        (stack, 32, 64),
    ):
        at = segment(two, kind) + field
        evil = two[:at] + struct.pack("<Q", value) + two[at + 8 :]
        assert "place" in diff(one, evil)["unexplained"]
        assert "place" not in str(told(one, evil))  # two runs of one build: it follows


@needs_gcc
def test_nor_does_it_hide_where_a_section_is_or_what_it_refers_to(shop: Shop):
    one, two = (shop.built(name, "-g", "-c") for name in ("one", "another"))
    assert diff(one, two).keys() == BUILD_PATH
    evil = bytearray(two)
    header = section_header(two, ".rela.text")
    struct.pack_into("<I", evil, header + 44, 1 + struct.unpack_from("<I", evil, header + 44)[0])
    assert ".rela.text > refers to" in diff(one, bytes(evil))["unexplained"]
    one, two = (shop.built(name, "-g") for name in ("one", "another"))
    evil = bytearray(two)
    struct.pack_into("<Q", evil, section_header(two, ".rodata") + 16, 0x2008)
    assert "addresses of '.rodata'" in diff(one, bytes(evil))["unexplained"]


@needs_gcc
def test_a_build_id_is_a_hash_and_no_text(shop: Shop):
    def named(value: bytes) -> bytes:
        return shop.program("", f"-Wl,--build-id=0x{value.hex()}")

    one, other, evil = map(named, (b"\1" * 20, b"\2" * 20, b"/usr/local/bin/evil\0"))
    assert diff(one, other).keys() == {"build_id_differences_only"}
    assert ".note.gnu.build-id" in diff(one, evil)["unexplained"]
    assert ".note.gnu.build-id" in diff(*map(named, (b"\1" * 64, b"\2" * 64)))["unexplained"]
    assert told(one, evil).keys() == {"build_id_differences_only"}  # two runs of one build


@needs_gcc
def test_a_debug_link_may_have_another_checksum_and_the_name_of_the_build_id(shop: Shop):
    def linked(letter: bytes, name: str, text: bytes) -> bytes:
        program = shop.home / "m"
        program.write_bytes(shop.program("", f"-Wl,--build-id=0x{letter.hex() * 20}"))
        (shop.home / name).write_bytes(text)
        argv = ["objcopy", f"--add-gnu-debuglink={name}", "m", "n"]
        subprocess.run(argv, cwd=shop.home, check=True)
        return (shop.home / "n").read_bytes()

    one, other = linked(b"\1", "m.debug", b"a"), linked(b"\2", "m.debug", b"b")
    assert diff(one, other).keys() == {"build_id_differences_only"}
    by_id = (linked(a, f"{a.hex() * 19}.debug", b"a") for a in (b"\1", b"\2"))
    assert diff(*by_id).keys() == {"build_id_differences_only"}
    evil = linked(b"\2", "evil", b"b")
    assert ".gnu_debuglink" in diff(one, evil)["unexplained"]


@needs_gcc
def test_what_a_segment_loads_is_no_debug_information_whatever_its_section_says(shop: Shop):
    def program(folder: str, flags: int) -> bytes:
        text = f'static const char p[] __attribute__((section("xdebug_str"))) = "{folder}/run";'
        data = bytearray(shop.program(f"{text}puts(p);", "-s", "-Wl,--build-id=none"))
        names = section(bytes(data), ".shstrtab")[0]
        header = section_header(bytes(data), "xdebug_str")
        data[names + struct.unpack_from("<I", data, header)[0]] = ord(".")
        struct.pack_into("<Q", data, header + 8, flags)
        return bytes(data)

    for flags in (0, 2):
        pair = [program(folder, flags) for folder in ("/usr/lib64", "/tmp/evil1")]
        assert diff(*pair).keys() == UNKNOWN


@needs_gcc
@pytest.mark.parametrize(
    "text",
    [
        'puts("{}/python");',  # what is run
        'puts("{}/a.so");',  # what is loaded
        'puts("{}/a.py");',
        'puts("{}/a.c.sh");',
        'puts("{}");',
        'puts("sh {}/a.c");',  # no path alone
        'puts("https:/{}/a.c");',
        'asm(".pushsection .debug_gdb_scripts,\\"MS\\",@progbits,1;.byte 1;'
        '.asciz \\"{}/a.py\\";.popsection");',
    ],
)
def test_a_path_that_a_program_may_use_is_no_build_path(shop: Shop, text: str):
    pair = [shop.program(text.replace("{}", f)) for f in ("/usr/lib64", "/tmp/evil1")]
    assert diff(*pair).keys() == UNKNOWN


@needs_gcc
@pytest.mark.parametrize(
    ("left", "right", "slug", "known"),
    [
        ("2026-11-22 10:00", "2026-11-23 10:00", "captures_build_date", True),
        ("/tmp/tmp.AbCdEf1234/x", "/tmp/tmp.ZyXwVu9876/x", "captures_temporary_path", False),
        ("sh /tmp/tmpab12cd34/x", "sh /tmp/tmpev1lev1l/x", "captures_temporary_path", False),
        (f"3f2504e0{ID}", f"9b1deb4d{ID}", "embeds_random_value", False),
        ("took 10 seconds", "took 99 seconds", "captures_execution_time", False),
        ("at 0x7ffd12345678", "at 0x7ffd12345abc", "captures_memory_address", False),
    ],
)
def test_a_program_may_use_what_it_has_in_memory(
    shop: Shop, left: str, right: str, slug: str, known: bool
):
    pair = [shop.program(f'puts("{text}");') for text in (left, right)]
    assert diff(*pair).keys() == ({slug} if known else UNKNOWN)
    assert told(*pair).keys() == {slug}  # two runs of one build
    ignored = [f'__asm__(".section .comment;.asciz \\"{text}\\";.text");' for text in (left, right)]
    assert diff(*map(shop.program, ignored)).keys() == {slug}


@needs_gcc
@pytest.mark.parametrize("flag", ["-Wl,-rpath,{}", "-Wl,--dynamic-linker={}/ld.so"])
def test_where_a_program_finds_its_libraries_is_no_build_path(shop: Shop, flag: str):
    pair = [shop.program("", flag.format(f)) for f in ("/usr/lib64", "/tmp/evil1")]
    assert diff(*pair).keys() == UNKNOWN


@needs_gcc
def test_a_folder_in_debug_information_hides_none_in_the_program(shop: Shop):
    """An attacker may build in folders of his choice."""
    text = 'puts("{}/python");'
    pair = [
        shop.program(text.replace("{}", folder), "-g", f"-fdebug-prefix-map={shop.home}={folder}")
        for folder in ("/usr/lib64", "/tmp/evil1")
    ]
    found = diff(*pair)
    assert found.keys() == BUILD_PATH | UNKNOWN
    assert found["unexplained"] == "folders: '/usr/lib64' on the left, '/tmp/evil1' on the right"


needs_go = pytest.mark.skipif(not shutil.which("go"), reason="needs Go")


def gone(folder: Path, text: str = "x", *flags: str) -> bytes:
    """A Go program that was built in `folder`."""
    (folder / "inner").mkdir(parents=True, exist_ok=True)
    (folder / "go.mod").write_text("module example.org/hello\n")
    (folder / "inner" / "a.go").write_text("package inner\nfunc F() { println(1) }\n")
    program = 'import "example.org/hello/inner"\nfunc main() { println("%s"); inner.F() }\n'
    (folder / "main.go").write_text(f"package main\n{program % text}")
    argv = ["go", "build", "-buildvcs=false", *flags, "-o", "out", "."]
    subprocess.run(argv, cwd=folder, check=True, env=os.environ | {"GOTOOLCHAIN": "local"})
    return (folder / "out").read_bytes()


@needs_go
@pytest.mark.parametrize("other", ["two", "a-longer-name-of-a-folder" * 4])
def test_a_go_program_names_its_sources_and_the_build_id_follows(tmp_path: Path, other: str):
    one = gone(tmp_path / "one")
    assert diff(one, gone(tmp_path / other)).keys() == BUILD_PATH
    assert "rodata" in diff(one, gone(tmp_path / other, "y"))["unexplained"]
    named = gone(tmp_path / other, "x", "-ldflags=-buildid=evil")
    assert ".note.go.buildid" in diff(one, named)["unexplained"]


@needs_go
def test_a_go_program_that_is_led_elsewhere_is_unexplained(tmp_path: Path):
    one, two = gone(tmp_path / "one"), gone(tmp_path / "another-name")
    assert diff(one, two).keys() == BUILD_PATH
    for name, places in {".go.module": (0, 8, 40, 120), ".gopclntab": (8, 48, 400)}.items():
        start, size = section(two, name)
        for at in (*places, size - 300):
            other = bytearray(two)
            other[start + at] ^= 8
            assert name in diff(one, bytes(other))["unexplained"], at


def tables(source: bytes) -> bytes:
    """Go's tables of a program of one source."""
    parts = b"main\0\0\0\0", bytes(4), source, bytes(4), b"\1\2\3\4"
    starts = [72 + len(b"".join(parts[:n])) for n in range(5)]
    return struct.pack("<IHBB8Q", 0xFFFFFFF1, 0, 1, 8, 1, 1, 0x1000, *starts) + b"".join(parts)


@needs_gcc
@pytest.mark.parametrize(("flags", "causes"), [("a", BUILD_PATH), ("", UNKNOWN)])
def test_tables_of_go_that_are_not_in_memory_are_none(shop: Shop, flags: str, causes: set[str]):
    pair = []
    for folder in (b"/build/aa", b"/build/bb"):
        (shop.home / "tables").write_bytes(tables(folder + b"/x.go\0"))
        into = f'.pushsection .gopclntab,\\"{flags}\\",@progbits'
        pair.append(shop.program(f'asm("{into}\\n.incbin \\"tables\\"\\n.popsection");'))
    assert diff(*pair).keys() == causes


@needs_go
def test_a_go_program_of_no_folder_is_the_same(tmp_path: Path):
    assert len({gone(tmp_path / name, "x", "-trimpath") for name in ("one", "two")}) == 1


# --- text --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("srv/venv/pyvenv.cfg", "command = /usr/bin/python3 -m venv {}/venv"),
        ("srv/x.i", '#line 12 "{}/src/parser.y"'),
        ("srv/x.ii", '# 1 "{}/src/x.cc" 2 3'),
    ],
)
def test_a_line_that_nothing_reads_tells_the_folder(path: str, line: str):
    pair = [f"a\n{line}\nb\n".replace("{}", folder) for folder in ("/build/a", "/build/longer")]
    found = diff(*(side.encode() for side in pair), path)
    assert found.keys() == BUILD_PATH and "'/build/longer' on the right" in str(found)
    beside = pair[1].replace("\nb\n", "\nc\n").encode()
    assert diff(pair[0].encode(), beside, path).keys() == BUILD_PATH | UNKNOWN


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("srv/run", "#!{}/python3"),
        ("srv/venv/pyvenv.cfg", "home = {}/bin"),
        ("srv/other.cfg", "command = {}/bin/x"),
        ("srv/venv/bin/activate", "VIRTUAL_ENV={}/venv"),
        ("srv/site-packages/x.pth", "{}/lib"),
        ("etc/ld.so.conf.d/x.conf", "{}/lib"),
        ("srv/parser.c", '#include "{}/x.h"'),
        ("srv/app.conf", 'plugin "{}/x.so"'),
        ("srv/run", '# 1 "x"; {}/run'),
        ("srv/jobs.txt", '#1 "{}/run"'),
        ("srv/jobs.lua", '# 1 "{}/run"'),
        ("srv/parser.c", '#line 12 "{}/src/parser.y"'),  # __FILE__ is that
        ("srv/x.i", '#1 "{}/run"'),
    ],
)
def test_a_line_that_something_may_read_is_unexplained(path: str, line: str):
    pair = [line.replace("{}", folder).encode() for folder in ("/usr/lib64", "/tmp/evil/x")]
    found = diff(*(b"a\n%b\nb\n" % side for side in pair), path)
    assert found.keys() == UNKNOWN and "evil" in found["unexplained"]


# --- folders -----------------------------------------------------------------------------------


def compared(folder: Path, *sides: dict[str, bytes]) -> list[Finding]:
    """What is found of two images of these files, with the folders that they are in."""
    layouts = []
    for name, files in zip(("l", "r"), sides, strict=True):
        folders = {str(parent): None for path in files for parent in PurePosixPath(path).parents}
        some = [member(name.encode(), kind=b"5", mode=0o755) for name in folders if name != "."]
        some += [member(name.encode(), data) for name, data in files.items()]
        store = Store()
        image = store.image(tar(*some))
        layouts.append(str(write_files(folder / name, store.layout(image))))
    request = DiffRequest(left=layouts[0], right=layouts[1], diffoscope=False)
    return list(compare_images(request, lambda _: None, 1).findings)


def test_one_folder_of_one_image_alone_is_one_finding_with_all_that_is_in_it(tmp_path: Path):
    both = {"opt/x": b"both have this"}
    inside = {f"opt/app/{a}/{b}/f": b"%d and %d" % (a, b) for a in range(5) for b in range(5)}

    app, evil, file = sorted(
        compared(tmp_path, both, both | inside | {"opt/evil/f": b"evil", "opt/f": b"alone"}),
        key=lambda finding: finding.differences[0].path,
    )
    assert {d.path for d in app.differences} >= inside.keys()
    assert len(app.differences) == 1 + 5 + 25 + 25
    assert {d.path for d in evil.differences} == {"opt/evil", "opt/evil/f"}
    assert {d.path for d in file.differences} == {"opt/f"}
    assert app.confidence is Confidence.UNEXPLAINED


def test_a_folder_of_another_name_is_one_finding_and_what_moved_within_another(tmp_path: Path):
    names = [f"{a}/{b}" for a in range(3) for b in range(3)]
    files = {name: b"these bytes are of %b\n" % name.encode() for name in names}
    left = {f"opt/one/{name}": data for name, data in files.items()}
    swapped = files | {"0/0": files["1/1"], "1/1": files["0/0"]}
    right = {f"opt/two/{name}": data for name, data in swapped.items()}

    found = compared(tmp_path, left, right)
    moved = {d.path: one.id for one in found for d in one.differences if d.path.count("/") == 3}
    same = {moved[f"opt/{side}/{n}"] for side in ("one", "two") for n in names if n[0] != n[2]}
    assert len(same) == 1
    assert same.isdisjoint(
        moved[f"opt/{side}/{n}"] for side in ("one", "two") for n in ("0/0", "1/1")
    )


def test_one_folder_of_a_build_is_one_finding_however_many_files_hold_it(tmp_path: Path):
    def of(folder: str) -> dict[str, bytes]:
        names = [f"lib/{n % 7}/__pycache__/m{n}.cpython-311.pyc" for n in range(100)]
        files = {f"srv/{name}": module(f"{folder}/{name}") for name in names}
        return files | {"srv/bin/run": b"#!%b/bin/python3\n" % folder.encode()}

    run, path = compared(tmp_path, of("/build/a"), of("/build/longer"))
    assert run.confidence is Confidence.UNEXPLAINED
    assert [d.path for d in run.differences] == ["srv/bin/run"]
    assert path.cause.slug in BUILD_PATH and len(path.differences) == 100
    assert [f"{s.factor} {s.confidence}" for s in path.factors] == ["build_path indicated"]
    (evidence,) = path.evidence
    assert evidence.detail == "co_filename: '/build/a' on the left, '/build/longer' on the right"


def test_texts_that_name_the_same_two_folders_are_one_finding_and_other_folders_another(
    tmp_path: Path,
):
    def of(folder: str, evil: str, beside: str) -> dict[str, bytes]:
        some = {f"srv/{n}/run": f"#!{folder}/python3\n# {n}\n".encode() for n in range(30)}
        more = f"#!{folder}/python3\n{beside}\n".encode()
        return some | {"bin/x": f"#!{evil}/python3\n".encode(), "bin/y": more}

    left = of("/build/a/bin", "/usr/bin", "run")
    found = compared(tmp_path, left, of("/build/b/bin", "/tmp/evil", "rm"))
    assert {one.confidence for one in found} == {Confidence.UNEXPLAINED}
    places = {one.evidence[0].detail: [d.path for d in one.differences] for one in found}
    assert len(places) == 3
    folders = places["folders: '/build/a' on the left, '/build/b' on the right"]
    assert len(folders) == 31 and "bin/y" in folders
    assert places["folders: '/usr/bin' on the left, '/tmp/evil' on the right"] == ["bin/x"]
    (rest,) = (paths for detail, paths in places.items() if not detail.startswith("folders"))
    assert rest == ["bin/y"]


def test_a_bare_slash_is_no_folder():
    assert set(told(b"/\n_b", b"/b@\n_b", "srv/file", vary=None)) == {"unexplained"}
