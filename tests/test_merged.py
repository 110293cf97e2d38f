"""Images whose layers do not correspond, as the file systems that their layers make."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repaudit.model.difference import Aspect
from repaudit.model.errors import MalformedError
from repaudit.oci.image import read_images
from repaudit.oci.merged import System
from repaudit.oci.shelf import Shelf
from repaudit.sources import Opened
from repaudit.stages.compare import Comparison, compare
from repaudit.stages.contents import Library
from repaudit.stages.reading import Reading
from tests.images import Store, header, member, octal, pax, root_of, tar

DIR = header(b"d/", kind=b"5", mode=0o755)


def merged(*layers: bytes) -> dict[str, int]:
    """The paths of an image of these layers, each with the number of the layer it comes from."""
    store = Store()
    image = read_images(store, root_of(store.image(*layers))).images[0]
    with TemporaryDirectory() as folder, ExitStack() as held:
        listings = Shelf(Path(folder)).read_each([(store, layer) for layer in image.layers])
        for listing in listings:
            held.enter_context(closing(listing))
        return {path: place[0] for path, place in System(listings).places.items()}


def opened(layers: tuple[bytes, ...]) -> Opened:
    store = Store()
    return Opened(images=read_images(store, root_of(store.image(*layers))), blobs=store)


def compared(left: tuple[bytes, ...], right: tuple[bytes, ...], folder: Path) -> Comparison:
    return compare(opened(left), opened(right), Reading.below(folder))


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ((tar(member(b"a")), tar(member(b"b"))), {"a": 0, "b": 1}),
        ((tar(member(b"a")), tar(member(b"a", b"2"))), {"a": 1}),
        ((tar(member(b"a")), tar(member(b".wh.a"))), {}),
        ((tar(member(b"a")), tar(member(b".wh.a")), tar(member(b"a"))), {"a": 2}),
        ((tar(DIR, member(b"d/a")), tar(member(b".wh.d"))), {}),
        ((tar(DIR, member(b"d/a")), tar(member(b"d/.wh.a"))), {"d": 0}),
        (
            (tar(DIR, member(b"d/a")), tar(DIR, member(b"d/.wh..wh..opq"), member(b"d/b"))),
            {"d": 1, "d/b": 1},
        ),
        ((tar(member(b"a")), tar(member(b".wh..wh..opq"), member(b"b"))), {"b": 1}),
        ((tar(DIR, member(b"d/a")), tar(member(b"d"))), {"d": 1}),
        ((tar(DIR, member(b"d/a")), tar(header(b"d", kind=b"2", link=b"e"))), {"d": 1}),
        ((tar(DIR, member(b"d/a")), tar(DIR)), {"d": 1, "d/a": 0}),
        ((tar(member(b"a")), tar(member(b".wh.a"), member(b"a"))), {"a": 1}),
        ((tar(member(b"ab")), tar(member(b".wh.a"))), {"ab": 0}),
        ((tar(member(b"d/a/b/c")), tar(member(b"d/.wh.a"))), {}),
        ((tar(member(b"a"), member(b"a", b"2")),), {"a": 0}),
        # Back as a directory, and what was below it before it was a file is not.
        ((tar(DIR, member(b"d/a")), tar(member(b"d")), tar(DIR)), {"d": 2}),
        # Some readers follow the link, and some put a directory in its place: both are told.
        ((tar(header(b"d", kind=b"2", link=b"e")), tar(member(b"d/a"))), {"d": 0, "d/a": 1}),
        ((tar(member(b"d/a"), header(b"d", kind=b"2", link=b"e")),), {"d": 0, "d/a": 0}),
        # What is no link, a layer's folder takes the place of.
        ((tar(member(b"d")), tar(member(b"d/a"))), {"d/a": 1}),
        # An empty directory stays, and what is beside it.
        ((tar(DIR, member(b"d/a")), tar(member(b"d/.wh..wh..opq"))), {"d": 0}),
    ],
)
def test_what_lies_on_top_wins_and_whiteouts_hide(layers, expected):
    assert merged(*layers) == expected


def test_a_squashed_image_differs_in_its_layers_alone(tmp_path: Path):
    apart = (tar(DIR, member(b"d/a", b"1")), tar(member(b"d/b", b"2")))
    squashed = (tar(DIR, member(b"d/a", b"1"), member(b"d/b", b"2")),)
    found = compared(apart, squashed, tmp_path)

    assert [(d.layer, d.path, d.aspect) for d in found.differences] == [(1, "", Aspect.PRESENCE)]
    assert [view.counts for view in found.merged] == [(2, 1)]


def test_what_differs_below_the_shapes_is_told_with_its_bytes(tmp_path: Path):
    apart = (tar(DIR, member(b"d/a", b"left")), tar(member(b"d/b", b"2")))
    squashed = (tar(DIR, member(b"d/a", b"right"), member(b"d/c", b"3")),)
    reading = Reading.below(tmp_path)
    found = compare(opened(apart), opened(squashed), reading)

    assert [(d.layer, d.path, d.aspect) for d in found.differences] == [
        (0, "d/a", Aspect.CONTENT),
        (0, "d/c", Aspect.PRESENCE),
        (1, "", Aspect.PRESENCE),
        (1, "d/b", Aspect.PRESENCE),
    ]
    content = found.differences[0]
    kept = Library(reading.spool).get((content.left, content.right))
    assert kept
    assert [side.data for side in kept.load()] == [b"left", b"right"]


def test_a_file_that_a_whiteout_left_is_not_overlooked(tmp_path: Path):
    hidden = (tar(member(b"secret", b"x")), tar(member(b".wh.secret")))
    found = compared(hidden, (tar(member(b"secret", b"x")),), tmp_path)

    assert ("secret", Aspect.PRESENCE) in {(d.path, d.aspect) for d in found.differences}


BASE = tar(DIR, member(b"d/b", b"2"))
KEY, OTHER = member(b"d/key", b"x"), member(b"d/key", b"y")
GONE = tar(member(b"d/.wh.key"))
HIDDEN = "d/key (hidden by a later entry)"


@pytest.mark.parametrize(
    ("left", "right", "told"),
    [
        # A layer of the one image alone has it, whether it is taken away or written over.
        ((BASE,), (BASE, tar(KEY), GONE), [(1, HIDDEN, Aspect.PRESENCE)]),
        ((BASE, tar(OTHER)), (BASE, tar(KEY), tar(OTHER)), [(1, HIDDEN, Aspect.PRESENCE)]),
        ((tar(KEY, OTHER), BASE), (tar(OTHER),), [(0, HIDDEN, Aspect.PRESENCE)]),
        # Both hide one, which is not the same, or is.
        ((tar(KEY), GONE), (tar(OTHER), GONE, GONE), [(0, HIDDEN, Aspect.CONTENT)]),
        ((tar(KEY), tar(OTHER)), (tar(), tar(KEY), tar(OTHER)), []),
        # Layers that both have hide the same; folders and whiteouts are none of a file.
        ((tar(KEY), GONE), (tar(KEY), GONE, tar()), []),
        ((BASE,), (BASE, tar(DIR), GONE, tar(DIR)), []),
        # Twice in one layer, and in the next.
        (
            (BASE,),
            (BASE, tar(KEY, KEY), tar(OTHER), GONE),
            [
                (1, "d/key (hidden by a later entry)", Aspect.PRESENCE),
                (1, "d/key (hidden by a later entry, the 2. time)", Aspect.PRESENCE),
                (2, "d/key (hidden by a later entry, the 3. time)", Aspect.PRESENCE),
            ],
        ),
    ],
)
def test_what_a_later_layer_hides_is_told(left, right, told, tmp_path: Path):
    found = compared(left, right, tmp_path)
    hidden = [(d.layer, d.path, d.aspect) for d in found.differences if "hidden" in d.path]

    assert hidden == told


def test_the_bytes_of_what_is_hidden_are_kept(tmp_path: Path):
    reading = Reading.below(tmp_path)
    found = compare(opened((tar(KEY), GONE)), opened((tar(OTHER), GONE, GONE)), reading)
    content = next(d for d in found.differences if d.path == HIDDEN)
    kept = Library(reading.spool).get((content.left, content.right))

    assert kept
    assert [side.data for side in kept.load()] == [b"x", b"y"]


@pytest.mark.parametrize(
    ("left", "right", "told"),
    [
        ("ab", "aXb", [(1, None, "present")]),
        ("aXb", "ab", [(1, "present", None)]),
        ("ab", "abX", [(2, None, "present")]),
        ("abc", "X", [(1, "present", None), (2, "present", None)]),
        ("aXbY", "Zab", [(0, None, "present"), (1, "present", None), (3, "present", None)]),
    ],
)
def test_a_layer_more_is_told_where_it_stands(left: str, right: str, told, tmp_path: Path):
    sides = [tuple(tar(member(name.encode())) for name in side) for side in (left, right)]
    found = compared(sides[0], sides[1], tmp_path)

    assert [(d.layer, d.left, d.right) for d in found.differences if not d.path] == told


def link(name: bytes, target: bytes, **fields: Any) -> bytes:
    return header(name, kind=b"1", link=target, **fields)


def symlink(name: bytes, target: bytes) -> bytes:
    return header(name, kind=b"2", link=target)


def said(name: bytes, attribute: bytes) -> bytes:
    """A hard link to `a` that gives it an extended attribute."""
    return pax((b"SCHILY.xattr.user." + attribute, b"1")) + link(name, b"a")


A, B, LINKED = member(b"a", b"1"), member(b"b", b"1"), link(b"b", b"a")
NEW = member(b"a", b"2")


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((tar(A), tar(LINKED)), (tar(A, LINKED),)),
        # A name that is written anew, or gone, leaves the others what they were.
        ((tar(A, LINKED), tar(NEW)), (tar(NEW, B),)),
        ((tar(A, LINKED), tar(member(b".wh.a"))), (tar(B),)),
        ((tar(A), tar(LINKED, member(b".wh.a"))), (tar(B),)),
        ((tar(A, LINKED, NEW), tar()), (tar(NEW, B),)),
        # Whichever name comes first, and through whichever other name it is linked.
        ((tar(B, link(b"a", b"b")), tar()), (tar(A, LINKED),)),
        ((tar(A, LINKED, link(b"c", b"b")), tar()), (tar(A, LINKED, link(b"c", b"a")),)),
        ((tar(header(b"a", kind=b"2", link=b"x"), LINKED), tar()),
         (tar(header(b"a", kind=b"2", link=b"x"), header(b"b", kind=b"2", link=b"x")),)),
        # What a link's header says of the file counts, and where it is silent the file's does.
        ((tar(A, link(b"b", b"a", mode=0o600)), tar()),
         (tar(A, link(b"b", b"a", mode=0o600)),)),
        ((tar(pax((b"SCHILY.xattr.user.x", b"1")) + A, LINKED), tar(member(b".wh.a"))),
         (tar(pax((b"SCHILY.xattr.user.x", b"1")) + B),)),
        ((tar(A, said(b"b", b"x"), said(b"c", b"y")), tar()),
         (tar(A, said(b"b", b"y"), said(b"c", b"x")),)),
        # It counts for all names of the file, until another link says something else.
        ((tar(member(b"a", b"1", mode=0o600), link(b"b", b"a", mode=0o600)), tar()),
         (tar(A, link(b"b", b"a", mode=0o600)),)),
        ((tar(A, LINKED, link(b"c", b"a", mode=0o600, mtime=octal(5, 12))), tar()),
         (tar(A, link(b"b", b"a", mode=0o755), link(b"c", b"b", mode=0o600, mtime=octal(5, 12))),)),
        ((tar(A), tar(link(b"b", b"a", mode=0o600)), tar(member(b".wh.a"))),
         (tar(member(b"b", b"1", mode=0o600)),)),
    ],
)  # fmt: skip
def test_a_hard_link_is_the_file_that_it_was_made_of(left, right, tmp_path: Path):
    for number, sides in enumerate(((left, right), (right, left))):
        found = compared(*sides, tmp_path / str(number))
        assert {(d.path, d.aspect) for d in found.differences} == {("", Aspect.PRESENCE)}


@pytest.mark.parametrize(
    ("left", "right", "told"),
    [
        # One text, `b is a`, and two contents.
        (
            (tar(A, LINKED), tar(NEW)),
            (tar(NEW, LINKED),),
            {("b", Aspect.CONTENT), ("b", Aspect.LINK)},
        ),
        (
            (tar(A), tar(LINKED), tar(member(b".wh.a"))),
            (tar(member(b"b", b"2")),),
            {("b", Aspect.CONTENT)},
        ),
        ((tar(A, LINKED), tar()), (tar(A, B),), {("b", Aspect.LINK)}),
        (
            (tar(A, LINKED, member(b"c", b"1")), tar()),
            (tar(A, B, link(b"c", b"b")),),
            {("b", Aspect.LINK), ("c", Aspect.LINK)},
        ),
        (
            (tar(A, link(b"b", b"a", mode=0o600)), tar()),
            (tar(A, LINKED),),
            {("a", Aspect.MODE), ("b", Aspect.MODE)},
        ),
        # The link is gone, but not what it made of the file.
        (
            (tar(A), tar(link(b"b", b"a", mode=0o600)), tar(member(b".wh.b"))),
            (tar(A),),
            {("a", Aspect.MODE)},
        ),
        (
            (tar(A, said(b"b", b"x"), said(b"c", b"y")), tar()),
            (tar(A, said(b"b", b"x"), link(b"c", b"a")),),
            {("a", Aspect.XATTR), ("b", Aspect.XATTR), ("c", Aspect.XATTR)},
        ),
        ((tar(A, LINKED), tar(member(b".wh.b"))), (tar(A, LINKED),), {("b", Aspect.PRESENCE)}),
        (
            (tar(member(b"a", b"x" * 700), LINKED), tar(member(b".wh.a"))),
            (tar(header(b"b", kind=b"2", link=b"a")),),
            {("b", Aspect.KIND), ("b", Aspect.LINK)},
        ),
    ],
)
def test_what_differs_behind_hard_links_is_told(left, right, told, tmp_path: Path):
    for number, sides in enumerate(((left, right), (right, left))):
        found = compared(*sides, tmp_path / str(number))
        assert {(d.path, d.aspect) for d in found.differences} - {("", Aspect.PRESENCE)} == told


def test_the_bytes_behind_a_hard_link_are_read_where_they_are(tmp_path: Path):
    apart = (tar(A, member(b"o", b"other")), tar(LINKED), tar(member(b".wh.a")))
    reading = Reading.below(tmp_path)
    squashed = (tar(member(b"o", b"other"), member(b"b", b"2")),)
    found = compare(opened(apart), opened(squashed), reading)

    (content,) = [d for d in found.differences if d.aspect is Aspect.CONTENT]
    kept = Library(reading.spool).get((content.left, content.right))
    assert kept
    assert [side.data for side in kept.load()] == [b"1", b"2"]


@pytest.mark.parametrize(
    "layer",
    [
        tar(LINKED),
        tar(link(b"a", b"a")),
        tar(A, link(b"a", b"a")),
        tar(link(b"a", b"b"), link(b"b", b"a")),
        tar(DIR, link(b"b", b"d")),
        tar(DIR, member(b"d/a"), symlink(b"l", b"e"), link(b"b", b"l/a")),
        tar(DIR, member(b"d/a"), symlink(b"l", b"d/a"), link(b"b", b"l/a")),
        tar(symlink(b"l", b"m"), symlink(b"m", b"l"), link(b"b", b"l/a")),
        tar(symlink(b"l", b"l/" * 40), link(b"b", b"l/a")),
    ],
)
def test_a_hard_link_to_nothing_is_refused(layer: bytes, tmp_path: Path):
    with pytest.raises(MalformedError, match="hard link"):
        compared((layer, tar()), (layer,), tmp_path)


@pytest.mark.parametrize(
    "layer",
    [tar(A, link(b"a", b"a")), tar(DIR, symlink(b"l", b"d"), A, link(b"d/a", b"l/a"))],
)
def test_a_hard_link_to_itself_is_refused_in_words_of_its_own(layer: bytes, tmp_path: Path):
    with pytest.raises(MalformedError, match="hard link to itself"):
        compared((layer, tar()), (layer,), tmp_path)


USR = tar(header(b"usr/lib/", kind=b"5"), member(b"usr/lib/y", b"1"), member(b"y", b"2"))


@pytest.mark.parametrize(
    ("links", "target"),
    [
        ((symlink(b"lib", b"usr/lib"),), b"lib/y"),
        ((symlink(b"lib", b"/usr/lib/"),), b"lib/y"),
        ((symlink(b"lib", b"x"), symlink(b"x", b"./usr/../usr/lib")), b"lib/y"),
        ((symlink(b"usr/x", b"lib"),), b"usr/x/y"),
        ((symlink(b"usr/x", b"../usr/lib"),), b"usr/x/y"),
    ],
)
def test_a_hard_link_through_a_link_to_a_folder_is_of_the_file_there(
    links: tuple[bytes, ...], target: bytes, tmp_path: Path
):
    way = tar(*links)
    same = compared((USR, way, tar(link(b"z", target))),
                    (USR, tar(*links, link(b"z", b"usr/lib/y"))), tmp_path / "1")  # fmt: skip
    other = compared((USR, way, tar(link(b"z", target))),
                     (USR, tar(*links, link(b"z", b"y"))), tmp_path / "2")  # fmt: skip

    assert {(d.path, d.aspect) for d in same.differences} == {("", Aspect.PRESENCE)}
    told = {(d.path, d.aspect) for d in other.differences}
    assert {("z", Aspect.CONTENT), ("z", Aspect.LINK)} <= told


def test_links_that_each_bring_other_attributes_are_refused_where_they_are_many(tmp_path: Path):
    links = [said(b"l%d" % number, b"x%d" % number) for number in range(65)]
    same = [said(b"l%d" % number, b"x") for number in range(65)]

    assert len(compared((tar(A, *same), tar()), (tar(A, *same),), tmp_path / "1").differences) == 1
    with pytest.raises(MalformedError, match="other extended attributes"):
        compared((tar(A, *links), tar()), (tar(A, *links),), tmp_path / "2")


def test_a_chain_of_hard_links_is_soon_at_its_end(tmp_path: Path):
    """Each of them is settled once: ten times as many take no hundred times as long."""

    def seconds(count: int) -> float:
        links = [link(b"l%d" % n, b"l%d" % (n - 1) if n else b"a") for n in range(count)]
        began = time.process_time()
        found = compared((tar(A, *links), tar()), (tar(A, *links),), tmp_path / str(count))
        assert len(found.differences) == 1
        return time.process_time() - began

    assert seconds(20_000) < 40 * seconds(2_000)


def test_layers_that_correspond_are_shown_as_layers(tmp_path: Path):
    found = compared((tar(member(b"a", b"1")),), (tar(member(b"a", b"2")),), tmp_path)

    assert found.merged == ()
    assert len(found.pairs) == 1


paths = st.sampled_from(("a", "d", "d/a", "d/b", "d/e/f", "g"))
operations = st.tuples(st.sampled_from(("put", "delete", "empty")), paths)


@settings(deadline=None)
@given(st.lists(st.lists(operations, max_size=3, unique_by=lambda o: o[1]), max_size=4))
def test_merging_is_what_applying_one_layer_after_another_does(changes):
    """Against a model: a set of files, changed layer by layer as a runtime does it."""
    model: set[str] = set()
    layers = []
    for some in changes:
        removed = [path for what, path in some if what == "delete"]
        emptied = [path for what, path in some if what == "empty"]
        added = [path for what, path in some if what == "put"]
        for path in removed:
            model = {p for p in model if p != path and not p.startswith(f"{path}/")}
        for path in emptied:
            model = {p for p in model if not p.startswith(f"{path}/")}
        for path in added:
            model = {p for p in model if not p.startswith(f"{path}/")} | {path}
        whiteouts = [str(PurePosixPath(p).with_name(f".wh.{p.split('/')[-1]}")) for p in removed]
        opaque = [f"{path}/.wh..wh..opq" for path in emptied]
        layers.append(tar(*(member(n.encode()) for n in (*whiteouts, *opaque, *added))))
    if _sound(changes):
        assert set(merged(*layers or [tar()])) == model


def _sound(changes: list[list[tuple[str, str]]]) -> bool:
    """Whether no layer puts a file below what is a file: no file system could hold that."""
    puts = {path for some in changes for what, path in some if what == "put"}
    return not any(other.startswith(f"{path}/") for path in puts for other in puts)


HIDES, FILE = member(b"d/.wh.b"), member(b"d/b", b"3")
INSIDE, LINK = member(b"a/passwd", b"x"), header(b"a", kind=b"2", link=b"etc")
HARD = header(b"h", kind=b"1", link=b"d/b")


@pytest.mark.parametrize(
    ("left", "right", "told"),
    [
        # Some runtimes take away the layer's own file, where the whiteout comes after it.
        ((HIDES, FILE), (FILE, HIDES), {"d/b (before a whiteout of it)"}),
        ((HIDES, FILE), (HIDES, FILE), set()),
        ((FILE, HIDES), (FILE, HIDES), set()),
        (
            (member(b".wh.d"), member(b"d/.wh.b"), FILE),
            (member(b".wh.d"), FILE, member(b"d/.wh.b")),
            {"d/b (before a whiteout of it)"},
        ),
        ((member(b"d/.wh..wh..opq"), DIR, FILE), (member(b"d/.wh..wh..opq"), DIR, FILE), set()),
        (
            (member(b"d/.wh..wh..opq"), FILE),
            (FILE, member(b"d/.wh..wh..opq")),
            {"d/b (before a whiteout of it)"},
        ),
        # Some follow the link, where it comes first.
        (
            (INSIDE, LINK),
            (LINK, INSIDE),
            {
                "a/passwd (before what is no folder above it)",
                "a/passwd (behind what is no folder above it)",
            },
        ),
        ((LINK, INSIDE), (LINK, INSIDE), set()),
        ((INSIDE, member(b"z")), (member(b"z"), INSIDE), set()),
        ((HARD, HIDES), (HIDES, HARD), {"h (a link behind a whiteout of its target)"}),
    ],
)
def test_the_turn_of_entries_is_told_where_runtimes_make_another_thing_of_it(
    left, right, told, tmp_path: Path
):
    found = compared((BASE, tar(*left)), (BASE, tar(*right), tar()), tmp_path)
    assert {d.path for d in found.differences if not d.is_layer} == told


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ((b"LIBARCHIVE.xattr.security.capability", b"AQAAAgEAAAA="), True),
        ((b"SCHILY.acl.access", b"user::rw-,user:1000:rwx"), True),
        ((b"comment", b"made by hand"), False),
        ((b"atime", b"1700000000"), False),
    ],
)
def test_what_a_reader_may_take_for_an_attribute_is_told_of_file_systems_too(
    record, told: bool, tmp_path: Path
):
    apart = (BASE, tar(member(b"a")))
    for number, more in enumerate((b"", pax(record))):
        squashed = (tar(DIR, more + member(b"d/b", b"2"), member(b"a")),)
        found = compared(apart, squashed, tmp_path / str(number))
        written = [d for d in found.differences if d.aspect is Aspect.ANNOTATION]
        assert bool(written) is (told and bool(more))
