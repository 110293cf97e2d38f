"""What is built in two folders holds them: told as such where a path tells nothing but that.

Where a path decides what is run or loaded, the same two folders stay unexplained.
"""

from __future__ import annotations

import marshal
import struct
from importlib.util import MAGIC_NUMBER
from types import CodeType

import pytest

from tests.test_forensics_uncovered import told

BUILD_PATH, UNKNOWN = {"captures_build_path"}, {"unexplained"}
TEXT = "import os\nclass A:\n    def f(self):\n        return [g for g in (1,) if g]\n"


def diff(left: bytes, right: bytes, path: str = "srv/file") -> dict[str, str]:
    """What is told of a file of two images of which nothing is known."""
    return told(left, right, path, vary=None)


# --- Python bytecode ---------------------------------------------------------------------------


def bytecode(code: CodeType) -> bytes:
    return MAGIC_NUMBER + struct.pack("<III", 0, 1, 2) + marshal.dumps(code)


def module(name: str, text: str = TEXT) -> bytes:
    return bytecode(compile(text, name, "exec", dont_inherit=True))


@pytest.mark.parametrize(
    "folder", ["/build/b", "/build/longer", "/" + "x" * 300, "/b\u00fccher", "/with space", ""]
)
def test_bytecode_is_the_same_but_for_the_folder_of_its_source(folder: str):
    found = diff(module("/build/a/lib/m.py"), module(f"{folder}/lib/m.py"), "m.pyc")
    assert found.keys() == BUILD_PATH
    assert "'/build/a' on the left" in found["captures_build_path"]


def test_other_code_stands_beside_the_folder_of_its_source():
    found = diff(module("/build/a/m.py"), module("/build/b/m.py", TEXT + "x = 1\n"), "m.pyc")
    assert found.keys() == BUILD_PATH | UNKNOWN
    assert "code" in found["unexplained"]


@pytest.mark.parametrize(
    ("left", "right"),
    [("/build/a/m.py", "/build/b/n.py"), ("a/m.py", "b/m.py"), ("/build/a/m.py", "m.py")],
)
def test_another_name_of_the_source_is_no_folder(left: str, right: str):
    assert diff(module(left), module(right), "m.pyc").keys() == UNKNOWN


@pytest.mark.parametrize("name", ["m.py", "/usr/lib/m.py"])
def test_a_path_that_code_may_use_is_no_name_of_its_source(name: str):
    text = "import runpy\nrunpy.run_path('{}/m.py')\n"
    pair = (module(name, text.format(folder)) for folder in ("/usr/lib", "/tmp/evil"))
    assert diff(*pair, "m.pyc").keys() == UNKNOWN


@pytest.mark.parametrize("first", [True, False])
def test_a_constant_that_is_the_name_of_the_source_counts_as_a_constant(first: bool):
    def of(folder: str) -> bytes:
        name = "".join([folder, "/m.py"])  # one object, which marshal writes once
        inner = (lambda: 1).__code__.replace(co_filename=name)
        consts = (name, inner) if first else (inner, name)
        return bytecode(inner.replace(co_consts=consts))

    assert diff(of("/usr/lib"), of("/tmp/evil"), "m.pyc").keys() == UNKNOWN
