"""What the order of entries decides, against a model of a runtime that unpacks them in turn."""

from __future__ import annotations

import tracemalloc
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repaudit.oci.changes import find_changes
from repaudit.oci.order import decided
from tests.images import header, member, octal, pax, tar
from tests.test_listing import Read

FOLDERS = {"d": "directory", "e": "directory"}


@dataclass
class Node:
    kind: str
    value: bytes = b""
    mode: int = 0o755


class BrokenError(Exception):
    """The layer cannot be unpacked."""


class Disk:
    """A file system, as runtimes fill it: links are followed, what is in the way is removed."""

    def __init__(self) -> None:
        self.nodes = {
            "a": Node("file", b"below", 0o644),
            "d": Node("directory"),
            "d/a": Node("file", b"below", 0o644),
            "e": Node("directory"),
        }
        self.own: set[str] = set()

    def place(self, path: str) -> str:
        folder, slash, name = path.rpartition("/")
        if not slash:
            return name
        node = self.nodes.setdefault(folder, Node("directory"))
        if node.kind == "symlink":
            folder = node.value.decode()
            node = self.nodes.setdefault(folder, Node("directory"))
        if node.kind != "directory":
            raise BrokenError
        return f"{folder}/{name}"

    def remove(self, path: str) -> None:
        for known in [p for p in self.nodes if p == path or p.startswith(f"{path}/")]:
            del self.nodes[known]

    def put(self, path: str, kind: str, value: bytes, mode: int) -> None:
        at = self.place(path)
        folder, slash, name = at.rpartition("/")
        if name == ".wh..wh..opq":
            for known in [p for p in self.nodes if p.startswith(f"{folder}/")]:
                if known not in self.own:
                    del self.nodes[known]
            return
        if name.startswith(".wh."):
            self.remove(folder + slash + name.removeprefix(".wh."))
            return
        if not (kind == "directory" == (self.nodes.get(at) or Node("")).kind):
            self.remove(at)
            self.nodes[at] = Node(kind, value, mode)
        if kind == "hardlink":
            del self.nodes[at]
            node = self.nodes.get(self.place(value.decode()))
            if node is None or node.kind == "directory":
                raise BrokenError
            node.mode = mode if node.kind == "file" else node.mode
            self.nodes[at] = node
        self.own.add(at)

    def state(self) -> object:
        names: dict[int, set[str]] = {}
        for path, node in self.nodes.items():
            names.setdefault(id(node), set()).add(path)
        return {
            path: (node.kind, node.value, node.mode, frozenset(names[id(node)]))
            for path, node in self.nodes.items()
        }


_TYPES = {"file": b"0", "hardlink": b"1", "symlink": b"2", "directory": b"5"}
One = tuple[str, str, bytes, int]


def unpacked(entries: list[One]) -> object:
    disk = Disk()
    try:
        for entry in entries:
            disk.put(*entry)
    except BrokenError:
        return "broken"
    return disk.state()


def layer(entries: list[One]) -> bytes:
    return tar(
        *(
            member(path.encode(), value, mode=mode)
            if kind == "file"
            else header(path.encode(), kind=_TYPES[kind], link=value, mode=mode)
            for path, kind, value, mode in entries
        )
    )


def file(path: str, value: bytes = b"1", mode: int = 0o644) -> One:
    return (path, "file", value, mode)


def link(path: str, target: bytes, mode: int = 0o644) -> One:
    return (path, "hardlink", target, mode)


def folder(path: str) -> One:
    return (path, "directory", b"", 0o755)


def symlink(path: str, target: bytes) -> One:
    return (path, "symlink", target, 0o777)


some_entries = st.lists(
    st.one_of(
        st.builds(
            file,
            st.sampled_from(("a", "b", "d/a", "d/b", "d/c/x", "e/x", "l/x", "d")),
            st.sampled_from((b"1", b"2")),
        ),
        st.builds(
            link,
            st.sampled_from(("b", "d/b", "h", "e/h")),
            st.sampled_from((b"a", b"b", b"d/a", b"d/b", b"h", b"l/a", b"l")),
            st.sampled_from((0o644, 0o600)),
        ),
        st.sampled_from((folder("d"), folder("e"), folder("d/c"), symlink("l", b"d"))),
        st.sampled_from([file(f".wh.{name}", b"") for name in "abd"]),
        st.sampled_from((file("d/.wh.a", b""), file("d/.wh..wh..opq", b""))),
    ),
    max_size=7,
)


@settings(deadline=None, max_examples=400)
@given(some_entries, st.randoms(use_true_random=False))
def test_an_order_that_is_said_to_decide_nothing_decides_nothing(entries, chance):
    other = list(entries)
    chance.shuffle(other)
    with Read(layer(entries), layer(other)) as read:
        found = find_changes(*read.sides)
        back = find_changes(*reversed(read.sides))

    assert found.decides == back.decides
    if not found.changed and found.decides is None:
        assert unpacked(entries) == unpacked(other)


SAME = [folder("d"), file("d/a"), file("d/b"), folder("e"), file("e/x"), symlink("l", b"d/a")]


@pytest.mark.parametrize(
    "entries",
    [
        SAME,
        [file("d/a"), file("e/x")],
        [*SAME, file("t"), link("u", b"t")],
        [*SAME, file("t"), link("u", b"t"), link("v", b"t"), link("w", b"t")],
        [*SAME, file(".wh.a", b""), file("d/.wh.gone", b"")],
        [*SAME, link("u", b"below")],
    ],
)
@settings(deadline=None, max_examples=25)
@given(chance=st.randoms(use_true_random=False))
def test_the_order_of_what_has_nothing_to_do_with_each_other_decides_nothing(entries, chance):
    """Folders after what is in them, too; only a link stays behind its target."""
    other = list(entries)
    chance.shuffle(other)
    other.sort(key=lambda one: one[1] == "hardlink")
    with Read(layer(entries), layer(other)) as read:
        assert find_changes(*read.sides).decides is None
    assert unpacked(entries) == unpacked(other) or link("u", b"below") in entries


@pytest.mark.parametrize(
    ("one", "other", "named"),
    [
        ([file("a"), link("b", b"a")], [link("b", b"a"), file("a")], "hard links to a"),
        (
            [file("x/a"), link("b", b"x/a", 0o600), link("c", b"x/a", 0o644)],
            [file("x/a"), link("c", b"x/a", 0o644), link("b", b"x/a", 0o600)],
            "hard links to x/a",
        ),
        (
            [file("a"), link("b", b"a"), link("c", b"b")],
            [file("a"), link("c", b"b"), link("b", b"a")],
            "hard links to a",
        ),
        (
            [file("a"), link("b", b"a"), file("a")],
            [file("a"), file("a"), link("b", b"a")],
            "hard links to a",
        ),
        (
            [file("y"), symlink("l", b"e"), file("l/x"), file("z")],
            [file("z"), symlink("l", b"e"), file("l/x"), file("y")],
            "what l is",
        ),
        ([file("x"), file("x/y")], [file("x/y"), file("x")], "what x is"),
        (
            [file(".wh.d", b""), folder("d"), file("d/a")],
            [folder("d"), file("d/a"), file(".wh.d", b"")],
            "whiteout leaves of d",
        ),
        (
            [file(".wh.a", b""), link("b", b"a")],
            [link("b", b"a"), file(".wh.a", b"")],
            "hard links to a",
        ),
        (
            [file(".wh..wh..opq", b""), file("n")],
            [file("n"), file(".wh..wh..opq", b"")],
            "whiteout leaves of /",
        ),
    ],
)
def test_what_an_order_decides_is_named(one, other, named):
    with Read(layer(one), layer(other)) as read:
        found = find_changes(*read.sides)
    assert found.changed == ()
    assert named in (found.decides or "")


def test_beside_a_whiteout_the_rest_of_its_layer_may_stand_anywhere():
    one = [file(".wh.d", b""), folder("d"), file("d/a"), file("d/b")]
    other = [file(".wh.d", b""), folder("d"), file("d/b"), file("d/a")]
    with Read(layer(one), layer(other)) as read:
        found = find_changes(*read.sides)
    assert found.order == ("d/a", "d/b")
    assert found.decides is None


def test_folders_beside_a_whiteout_are_counted():
    entries = [file(".wh.gone", b""), *(file(f"{number}/a") for number in range(20))]
    with Read(layer(entries), layer(entries[::-1])) as read:
        assert "cannot be told" in (decided(read.left, [(0, 0, 21)], (), most=4000) or "")
        assert decided(read.left, [(0, 0, 21)], (), most=8000) is None


def test_names_without_end_are_not_judged():
    entries = [file(f"{number}/a") for number in range(20)]
    with Read(layer(entries), layer(entries[::-1])) as read:
        assert "cannot be told" in (decided(read.left, [(0, 0, 20)], (), most=1000) or "")
        assert decided(read.left, [(0, 0, 20)], (), most=4000) is None


@pytest.mark.parametrize(("mtime", "said"), [(2, "hard links to a"), (1, None)])
def test_the_last_of_several_links_gives_a_file_its_time(mtime: int, said: str | None):
    links = [
        header(name, kind=b"1", link=b"a", mtime=octal(time, 12))
        for name, time in ((b"b", 1), (b"c", mtime))
    ]
    first = member(b"a", b"1")
    with Read(tar(first, *links), tar(first, *links[::-1])) as read:
        found = find_changes(*read.sides)

    assert (found.changed, found.order) == ((), ("b", "c"))
    assert (said or "None") in str(found.decides)


def test_what_links_say_is_not_held_in_memory():
    attribute = pax((b"SCHILY.xattr.user.x", b"x" * 30_000))
    links = [attribute + header(b"l%d" % n, kind=b"1", link=b"t%d" % n) for n in range(800)]
    with Read(tar(*links), tar()) as read:
        tracemalloc.start()
        try:
            assert decided(read.left, [(0, 0, len(links))], ()) is None
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak < 40 << 20  # of 48 MB in all, a third is read at once
