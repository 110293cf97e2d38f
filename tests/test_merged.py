"""Images whose layers do not correspond, as the file systems that their layers make."""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repaudit.model.difference import Aspect
from repaudit.oci.image import read_images
from repaudit.oci.merged import merge
from repaudit.oci.shelf import Shelf
from repaudit.sources import Opened
from repaudit.stages.compare import Comparison, compare
from repaudit.stages.contents import Library
from repaudit.stages.reading import Reading
from tests.images import Store, header, member, root_of, tar

DIR = header(b"d/", kind=b"5", mode=0o755)


def merged(*layers: bytes) -> dict[str, int]:
    """The paths of an image of these layers, each with the number of the layer it comes from."""
    store = Store()
    image = read_images(store, root_of(store.image(*layers))).images[0]
    with TemporaryDirectory() as folder, ExitStack() as held:
        listings = Shelf(Path(folder)).read_each([(store, layer) for layer in image.layers])
        for listing in listings:
            held.enter_context(closing(listing))
        return {path: place[0] for path, place in merge(listings).items()}


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
    apart = (tar(DIR, member(b"d/a", b"1")), tar(member(b"d/b", b"2"), member(b"d/.wh.a")))
    squashed = (tar(DIR, member(b"d/b", b"2")),)
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
