"""The merged file system of an image: what a container sees of all its layers."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repaudit.model.errors import MalformedError
from repaudit.oci.filesystem import Files, merge
from repaudit.oci.image import read_images
from tests.images import Store, digest_of, member, root_of, tar


def merged(*layers: bytes, compress: bool = False) -> Files:
    store = Store()
    descriptor = store.image(*layers, compress=compress)
    (image,) = read_images(store, root_of(descriptor)).images
    return merge(store, image)


def paths(*layers: bytes) -> list[str]:
    return sorted(merged(*layers).digests)


def test_the_last_layer_wins():
    files = merged(tar(member(b"a/b", b"1")), tar(member(b"a/b", b"2")))

    assert files.digests == {"a/b": digest_of(b"2")}
    assert list(files.contents({"a/b": 10})) == [("a/b", b"2")]


@pytest.mark.parametrize(
    ("upper", "left"),
    [
        ([member(b"a/.wh.b")], ["c"]),
        ([member(b".wh.a")], ["c"]),
        ([member(b"a/.wh..wh..opq")], ["c"]),
        ([member(b".wh..wh..opq")], []),
        ([member(b"a/b/x", b"new"), member(b"a/.wh..wh..opq")], ["a/b/x", "c"]),
        ([member(b"a/.wh.b"), member(b"a/b/x", b"new")], ["a/b/x", "c"]),
        ([member(b"a", b"a file now")], ["a", "c"]),
        ([member(b"a", kind=b"2", link=b"c")], ["c"]),
        ([member(b"c/d", b"a folder now")], ["a/b/1", "a/b/2", "c/d"]),
        ([member(b"c/", kind=b"5")], ["a/b/1", "a/b/2"]),
        ([member(b"a/", kind=b"5")], ["a/b/1", "a/b/2", "c"]),
        ([member(b".wh.none")], ["a/b/1", "a/b/2", "c"]),
        ([member(b"none/.wh..wh..opq")], ["a/b/1", "a/b/2", "c"]),
    ],
)
def test_whiteouts_and_what_takes_the_place_of_something(upper: list[bytes], left: list[str]):
    lower = tar(member(b"a/b/1", b"1"), member(b"a/b/2", b"2"), member(b"c", b"3"))

    assert paths(lower, tar(*upper)) == left


def test_a_hard_link_is_what_it_was_linked_to():
    lower = tar(member(b"a", b"old"), member(b"b", kind=b"1", link=b"a"))
    files = merged(lower, tar(member(b"a", b"new")))

    assert files.digests == {"a": digest_of(b"new"), "b": digest_of(b"old")}
    assert dict(files.contents({"a": 9, "b": 2})) == {"a": b"new", "b": b"ol"}


def test_whole_files_are_whole_or_refused(tmp_path: Path):
    files = merged(tar(member(b"b", b"22"), member(b"a", b"1"), member(b"c", b"333")))

    assert list(files.whole(lambda path: path < "c", 2).items()) == [("a", b"1"), ("b", b"22")]
    with pytest.raises(MalformedError, match="larger than 2 bytes"):
        files.whole(lambda path: path >= "b", 2)


def test_a_sparse_file_has_no_digest_and_is_not_read(tmp_path: Path):
    with (tmp_path / "s").open("wb") as file:
        file.truncate(1 << 20)
        file.write(b"x")
    ask = ["tar", "--sparse", "-C", tmp_path, "-cf", "-", "s"]
    layer = subprocess.run(ask, check=True, capture_output=True).stdout
    files = merged(layer, tar(member(b"a", b"1")))

    assert set(files.digests) == {"a"}
    with pytest.raises(MalformedError, match="sparse"):
        files.whole(lambda path: True, 2 << 20)


@pytest.mark.parametrize("compress", [False, True])
def test_contents_come_in_one_pass_and_cut_off(compress: bool):
    lower = tar(
        *(member(b"f%d" % n, b"x" * n) for n in range(5)), member(b"g", kind=b"1", link=b"f4")
    )
    files = merged(lower, tar(member(b"f1", b"y")), compress=compress)

    wanted = {"f4": 2, "g": 3, "f1": 9, "f3": 9}
    assert dict(files.contents(wanted)) == {"f4": b"xx", "g": b"xxx", "f1": b"y", "f3": b"xxx"}


def test_a_path_deeper_than_any_is_refused():
    with pytest.raises(MalformedError):
        paths(tar(member(b"a" + b"/a" * 40, b"")), tar(member(b"/".join([b"b"] * 50), b"")), deep())


def deep() -> bytes:
    from tests.images import pax

    return tar(pax((b"path", b"/".join([b"d"] * 600))), member(b"d", b""))


NAMES = st.sampled_from(
    ["a", "b", "a/a", "a/b", "b/a", "a/a/a", ".wh.a", "a/.wh.b", "a/.wh..wh..opq"]
)


@given(st.lists(st.lists(NAMES, max_size=4, unique=True), max_size=4))
def test_it_is_what_applying_the_layers_one_by_one_gives(layers: list[list[str]]):
    """By the book: a dictionary of paths, searched from end to end for each change."""
    state: dict[str, str] = {}
    for number, names in enumerate(layers):
        for name in names:
            folder, _, last = name.rpartition("/")
            if last == ".wh..wh..opq":
                state = {p: v for p, v in state.items() if not p.startswith(folder + "/")}
            elif last.startswith(".wh."):
                gone = f"{folder}/{last[4:]}".lstrip("/")
                state = {
                    p: v for p, v in state.items() if p != gone and not p.startswith(gone + "/")
                }
        for name in names:
            if ".wh." in name:
                continue
            parts = name.split("/")
            above = {"/".join(parts[:n]) for n in range(1, len(parts))}
            state = {
                p: v for p, v in state.items() if p not in above and not p.startswith(name + "/")
            }
            state[name] = str(number)
    tars = [
        tar(*(member(n.encode(), str(number).encode()) for n in names))
        for number, names in enumerate(layers)
        if names
    ]
    numbers = [number for number, names in enumerate(layers) if names]
    expected = {p: digest_of(v.encode()) for p, v in state.items()}
    assert all(int(v) in numbers for v in state.values())
    assert merged(*tars).digests == expected if tars else expected == {}
