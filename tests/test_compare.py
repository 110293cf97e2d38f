"""Two images compared from the outside in: nothing is missed, and nothing equal is opened."""

from __future__ import annotations

import base64
import gzip
import io
import json
import time
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from repaudit.model.difference import Aspect, Difference
from repaudit.model.errors import MalformedError, SourceError
from repaudit.model.image import Entry, Kind, Layer
from repaudit.oci.changes import find_changes
from repaudit.oci.compression import wrapper
from repaudit.oci.image import read_images
from repaudit.oci.listing import Listing, Writer
from repaudit.oci.record import encode
from repaudit.sources import Opened
from repaudit.stages.compare import Comparison, compare, compare_entries
from repaudit.stages.contents import Library
from repaudit.stages.documents import load
from repaudit.stages.reading import LayerPair, Reading
from tests import strategies
from tests.fakes import SealedBlobs
from tests.images import (
    CONFIG,
    INDEX,
    LAYER,
    MANIFEST,
    Store,
    describe,
    digest_of,
    header,
    member,
    pad,
    pax,
    root_of,
    tar,
)
from tests.records import from_entry

timeless = settings(deadline=None)


def a_layer(name: str) -> Layer:
    return Layer(index=2, descriptor=describe(name.encode()), diff_id=digest_of(name.encode()))


DIGESTS = digest_of(b"a"), digest_of(b"b")
LEFT, RIGHT = a_layer("left"), a_layer("right")
ENTRY = Entry(
    path="srv/a",
    kind=Kind.FILE,
    mode=0o644,
    uid=0,
    gid=0,
    uname="",
    gname="",
    mtime=0,
    size=1,
    digest=DIGESTS[0],
    link=None,
    device=None,
    xattrs=(),
    position=0,
    offset=512,
    stored=1,
)
LINK = replace(ENTRY, kind=Kind.SYMLINK, digest=None, size=0, stored=0, link="b")
DEVICE = replace(LINK, kind=Kind.CHARACTER, link=None, device=(1, 3))


def listed(found: dict[str, Entry], path: Path) -> Listing:
    with Writer(path) as writer:
        for entry in found.values():
            record = from_entry(entry)
            writer.add(record.path, encode(record), entry.offset)
        return writer.finish("", "")


def pair(left: dict[str, Entry], right: dict[str, Entry]) -> LayerPair:
    with TemporaryDirectory() as folder:
        sides = [listed(side, Path(folder, name)) for side, name in ((left, "l"), (right, "r"))]
        with closing(sides[0]), closing(sides[1]):
            found = find_changes(*sides)
    return LayerPair(left=LEFT, right=RIGHT, changed=found.changed, order=found.order)


def entries_of(*found: Entry) -> dict[str, Entry]:
    return {entry.path: entry for entry in found}


def told(left: dict[str, Entry], right: dict[str, Entry]) -> list[Difference]:
    return list(compare_entries(pair(left, right)))


def mirrored(difference: Difference) -> Difference:
    return replace(difference, left=difference.right, right=difference.left)


# Entries.


@timeless
@given(strategies.layers())
def test_equal_entries_of_other_bytes_differ_in_their_encoding_only(layer: dict[str, Entry]):
    (only,) = told(layer, dict(layer))

    assert (only.aspect, only.path, only.layer) == (Aspect.COMPRESSION, "", 2)
    assert (only.left, only.right) == (LEFT.diff_id, RIGHT.diff_id)


@timeless
@given(strategies.layers(), strategies.layers())
def test_left_against_right_mirrors_right_against_left(left, right):
    forth = compare_entries(pair(left, right))
    back = compare_entries(replace(pair(right, left), left=RIGHT, right=LEFT))

    assert list(forth) == [mirrored(difference) for difference in back]


@timeless
@given(strategies.layers(), strategies.layers())
def test_every_path_that_differs_is_named_and_no_other(left, right):
    named = {
        d.path for d in told(left, right) if d.aspect not in {Aspect.ORDER, Aspect.COMPRESSION}
    }
    plain = [
        {p: replace(e, position=0, offset=0, size=0, stored=0) for p, e in side.items()}
        for side in (left, right)
    ]
    changed = {p for p in left.keys() | right.keys() if plain[0].get(p) != plain[1].get(p)}

    assert named == changed


@timeless
@given(strategies.layers(), st.randoms(use_true_random=False))
def test_permuting_members_changes_the_order_only(layer: dict[str, Entry], chance):
    paths = list(layer)
    chance.shuffle(paths)
    assume(paths != list(layer))
    found = told(layer, {path: layer[path] for path in paths})

    (only,) = found
    assert (only.aspect, only.path) == (Aspect.ORDER, "")
    assert only.left != only.right


def test_a_file_more_is_no_other_order():
    a, b, c = (replace(ENTRY, path=path) for path in "abc")

    assert [d.aspect for d in told(entries_of(a, c), entries_of(a, b, c))] == [Aspect.PRESENCE]


@pytest.mark.parametrize(
    ("entry", "change", "expected"),
    [
        (ENTRY, {"mode": 0o4755}, (Aspect.MODE, "0644", "4755")),
        (ENTRY, {"uid": 7}, (Aspect.OWNER, "0:0", "7:0")),
        (ENTRY, {"gid": 7}, (Aspect.OWNER, "0:0", "0:7")),
        (ENTRY, {"uname": "root"}, (Aspect.OWNER, "0:0", "0:0 root:")),
        (ENTRY, {"gname": "root"}, (Aspect.OWNER, "0:0", "0:0 :root")),
        (ENTRY, {"mtime": 1_000_000_000}, (Aspect.MTIME, "0", "1")),
        (ENTRY, {"mtime": 1}, (Aspect.MTIME, "0", "0.000000001")),
        (ENTRY, {"digest": DIGESTS[1]}, (Aspect.CONTENT, DIGESTS[0], DIGESTS[1])),
        (ENTRY, {"xattrs": (("user.a", "1"),)}, (Aspect.XATTR, None, "user.a=1")),
        (LINK, {"link": "c"}, (Aspect.LINK, "b", "c")),
        (LINK, {"kind": Kind.HARDLINK}, (Aspect.KIND, "symlink", "hardlink")),
        (
            DEVICE,
            {"device": (1, 5)},
            (Aspect.KIND, "character device 1:3", "character device 1:5"),
        ),
    ],
)
def test_each_aspect_is_a_difference_of_its_own(entry: Entry, change: dict[str, Any], expected):
    (only,) = told(entries_of(entry), entries_of(replace(entry, **change)))

    assert (only.layer, only.path) == (2, "srv/a")
    assert (only.aspect, only.left, only.right) == expected


def test_several_aspects_are_several_differences():
    other = replace(ENTRY, mode=0o600, uid=1, mtime=1, digest=DIGESTS[1], xattrs=(("user.a", "1"),))

    assert [d.aspect for d in told(entries_of(ENTRY), entries_of(other))] == [
        Aspect.CONTENT,
        Aspect.MODE,
        Aspect.OWNER,
        Aspect.MTIME,
        Aspect.XATTR,
    ]


def test_another_kind_has_no_content_to_compare():
    aspects = [d.aspect for d in told(entries_of(ENTRY), entries_of(LINK))]

    assert aspects == [Aspect.KIND, Aspect.LINK]


@pytest.mark.parametrize("side", [0, 1])
def test_what_one_side_lacks_is_a_difference_of_presence(side: int):
    sides = [entries_of(ENTRY), {}]
    (only,) = told(*(sides if side == 0 else sides[::-1]))

    assert only.aspect is Aspect.PRESENCE
    assert [(only.left, only.right)[n] for n in (side, 1 - side)] == ["present", None]


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ({"uname": "a:b", "gname": "c"}, {"uname": "a", "gname": "b:c"}),
        ({"xattrs": (("user.a", "1 user.b=2"),)}, {"xattrs": (("user.a", "1"), ("user.b", "2"))}),
    ],
    ids=["owner", "xattr"],
)
def test_two_values_with_one_readable_form_differ_all_the_same(left, right):
    found = told(entries_of(replace(ENTRY, **left)), entries_of(replace(ENTRY, **right)))

    assert [d.aspect for d in found] != [Aspect.COMPRESSION]


def test_a_time_before_the_epoch_is_told_as_it_is():
    (only,) = told(entries_of(ENTRY), entries_of(replace(ENTRY, mtime=-500_000_000)))

    assert only.right == "-0.500000000"


# Images.


class Images:
    """Two images in one store, each from a config, a manifest and layers."""

    def __init__(self) -> None:
        self.store = Store()

    def image(
        self,
        *layers: bytes,
        config: dict[str, Any] | None = None,
        manifest: dict[str, Any] | None = None,
        stored: tuple[bytes, ...] = (),
        **descriptor: Any,
    ) -> dict[str, Any]:
        """Add an image; `config` and `manifest` are added to what they hold anyway."""
        plain = {
            "os": "linux",
            "architecture": "amd64",
            "rootfs": {"type": "layers", "diff_ids": [digest_of(layer) for layer in layers]},
        }
        value = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.store.add_json(plain | (config or {}), CONFIG),
            "layers": [self.store.add(blob) for blob in stored or layers],
        }
        return self.store.add_json(value | (manifest or {}), MANIFEST, **descriptor)

    def compare(self, left: dict[str, Any], right: dict[str, Any]) -> Comparison:
        with TemporaryDirectory() as folder:
            return compare(self.open(left), self.open(right), Reading.below(Path(folder)))

    def open(self, root: dict[str, Any]) -> Opened:
        return Opened(images=read_images(self.store, root_of(root)), blobs=self.store)


A, B = tar(member(b"srv/a", b"1")), tar(member(b"srv/a", b"2"))


@pytest.fixture
def images() -> Images:
    return Images()


def places(found: Comparison) -> list[tuple[int | None, str, str]]:
    return [(d.layer, d.path, d.aspect.value) for d in found.differences]


def test_an_image_and_itself_do_not_differ(images: Images):
    one = images.image(A)

    assert images.compare(one, one) == Comparison(differences=(), pairs=())


def test_equal_digests_are_never_opened(images: Images, tmp_path: Path):
    base = tar(member(b"base", b"0"))
    sides = [
        Opened(images=images.open(images.image(base, config={"author": who})).images, blobs=blobs)
        for who, blobs in (("a", SealedBlobs()), ("b", SealedBlobs()))
    ]

    assert places(compare(*sides, Reading.below(tmp_path))) == [(None, "/config/author", "config")]


def test_only_the_layer_that_differs_is_opened(images: Images):
    base = tar(member(b"base", b"0"))
    one, other = images.image(base, A), images.image(base, B)
    del images.store.blobs[digest_of(base)]

    found = images.compare(one, other)
    assert places(found) == [(1, "srv/a", "content")]
    assert [left.index for left, _ in found.pairs] == [1]


def test_a_layer_that_cannot_be_had_is_an_error_and_not_a_difference(images: Images):
    one, other = images.image(A), images.image(B)
    del images.store.blobs[digest_of(B)]

    with pytest.raises(SourceError):
        images.compare(one, other)


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ({"author": "a"}, {"author": "b"}, [("/config/author", "a", "b")]),
        ({}, {"author": "b"}, [("/config/author", None, "b")]),
        (
            {"config": {"Env": ["A=1"]}},
            {"config": {"Env": ["A=2"]}},
            [("/config/config/Env/0", "A=1", "A=2")],
        ),
        (
            {"config": {"Env": ["A"]}},
            {"config": {"Env": ["A", "B"]}},
            [("/config/config/Env", '["A"]', '["A", "B"]')],
        ),
        (
            {"config": {"Labels": {"a/b": "1"}}},
            {"config": {"Labels": {"a/b": "2"}}},
            [("/config/config/Labels/a~1b", "1", "2")],
        ),
        (
            {"config": {"Labels": {"a~b": "1", "~1": "1"}}},
            {"config": {"Labels": {"a~b": "2", "~1": "2"}}},
            [("/config/config/Labels/a~0b", "1", "2"), ("/config/config/Labels/~01", "1", "2")],
        ),
        ({"x": {"b": 1, "a": 2}}, {"x": 3}, [("/config/x", '{"a": 2, "b": 1}', "3")]),
        ({"": "1"}, {"": "2"}, [("/config/", "1", "2")]),
    ],
)
def test_a_config_differs_at_json_pointers(images: Images, left, right, expected):
    found = images.compare(images.image(A, config=left), images.image(A, config=right))

    assert [(d.path, d.left, d.right) for d in found.differences] == expected
    assert {(d.layer, d.aspect) for d in found.differences} == {(None, Aspect.CONFIG)}


def test_a_history_differs_entry_by_entry(images: Images):
    sides = [
        images.image(A, config={"history": [{"created_by": "FROM"}, {"created": when}]})
        for when in ("2001", "2002")
    ]

    assert places(images.compare(*sides)) == [(None, "/history/1/created", "history")]


def test_long_histories_of_few_steps_are_compared_in_no_time(images: Images):
    def of(*steps: str) -> str:
        history = [{"created_by": step, "empty_layer": True} for step in steps]
        return images.image(A, config={"history": history})

    many = [f"RUN {n}" for n in range(998)]
    one, other = of(*["a", "b"] * 499), of(*["a", "c"] * 499, "a")
    plain, longer = of(*many), of(*many[:500], "RUN evil", *many[500:])
    began = time.process_time()
    assert len(images.compare(one, other).differences) >= 499
    assert places(images.compare(plain, longer)) == [(None, "/history/500", "history")]
    assert time.process_time() - began < 1.5


def test_what_is_no_history_is_a_field_like_others(images: Images):
    found = images.compare(images.image(A), images.image(A, config={"history": "abc"}))

    assert (None, "/history", "config") in places(found)


def test_no_history_and_an_empty_one_differ_in_nothing_that_matters(images: Images):
    sides = [images.image(A, config=config) for config in ({}, {"history": []})]

    assert places(images.compare(*sides)) == [(None, "", "compression")]


def test_annotations_of_a_manifest_differ_at_json_pointers(images: Images):
    sides = [images.image(A, manifest={"annotations": {"org.x/when": w}}) for w in ("1", "2")]

    assert places(images.compare(*sides)) == [
        (None, "/manifest/annotations/org.x~1when", "annotation")
    ]


def test_annotations_of_a_layers_descriptor_differ_too(images: Images):
    sides = [
        images.image(
            A,
            config={"author": who},
            manifest={"layers": [images.store.add(A, annotations={"when": who})]},
        )
        for who in ("1", "2")
    ]

    assert len(images.compare(*sides).differences) == 2


def test_null_and_nothing_are_not_the_same(images: Images):
    sides = [
        images.image(A, config=config) for config in ({"x": None, "author": "1"}, {"author": "2"})
    ]

    assert len(images.compare(*sides).differences) == 2


@pytest.mark.parametrize(("left", "right"), [(1, True), (0, False), (1, 1.0)])
def test_values_of_other_types_are_not_the_same(images: Images, left, right):
    sides = [images.image(A, config={"x": value}) for value in (left, right)]

    assert places(images.compare(*sides)) == [(None, "/config/x", "config")]


def test_a_layer_more_is_a_difference_of_presence(images: Images):
    found = images.compare(images.image(A), images.image(A, B))
    content, layer = found.differences

    assert (layer.layer, layer.path, layer.aspect) == (1, "", Aspect.PRESENCE)
    assert (layer.left, layer.right) == (None, "present")
    assert (content.path, content.aspect) == ("srv/a", Aspect.CONTENT)
    assert found.pairs == ()
    assert [view.counts for view in found.merged] == [(1, 2)]


def test_a_platform_that_one_side_lacks_is_a_difference(images: Images):
    amd, arm = images.image(A), images.image(A, config={"architecture": "arm64"})
    found = images.compare(images.store.index(amd, arm), images.store.index(amd))
    (only,) = found.differences

    assert (only.path, only.aspect) == ("/platforms/linux/arm64", Aspect.PRESENCE)
    assert (only.left, only.right) == ("present", None)


def test_an_index_and_its_only_image_differ_in_the_index(images: Images):
    one = images.image(A)
    found = images.compare(images.store.index(one), one)

    assert places(found) == [(None, "/index", "presence")]


def test_annotations_of_an_index_differ_at_json_pointers(images: Images):
    one = images.image(A)
    sides = []
    for when in ("1", "2"):
        value = {"schemaVersion": 2, "manifests": [one], "annotations": {"when": when}}
        sides.append(images.store.add_json(value, "application/vnd.oci.image.index.v1+json"))

    assert places(images.compare(*sides)) == [(None, "/index/annotations/when", "annotation")]


# What an index lists.

AMD, ARM = ({"os": "linux", "architecture": name} for name in ("amd64", "arm64"))
ATTESTED = "vnd.docker.reference.type", "vnd.docker.reference.digest"
UNKNOWN = {"platform": {"os": "unknown", "architecture": "unknown"}}


class Indexes(Images):
    """Pairs of indexes whose images differ in their author, so that nothing is found for want."""

    def pair(self, *descriptors: dict[str, Any], more: Any = lambda root, side: ()) -> Comparison:
        """Compare two indexes of an image: `descriptors` are the fields that its own has more."""
        sides = []
        for side, fields in enumerate(descriptors):
            root = self.image(A, config={"author": str(side)}) | fields
            sides.append(self.store.index(root, *more(root, side)))
        return self.compare(*sides)

    def attestation(self, root: dict[str, Any], text: str, **more: Any) -> dict[str, Any]:
        notes = dict(zip(ATTESTED, ("attestation-manifest", root["digest"]), strict=True))
        return self.store.add_json({"says": text}, MANIFEST, annotations=notes | more, **UNKNOWN)

    def artifact(self, text: str, **more: Any) -> dict[str, Any]:
        value = {
            "schemaVersion": 2,
            "artifactType": "application/spdx+json",
            "config": self.store.add(b"{}", "application/vnd.oci.empty.v1+json"),
            "layers": [self.store.add(text.encode(), "text/plain")],
        }
        return self.store.add_json(value, MANIFEST, **more)


AUTHOR = (None, "/config/author", "config")


@pytest.fixture
def indexes() -> Indexes:
    return Indexes()


def beside_the_author(found: Comparison) -> list[tuple[str, str, str | None, str | None]]:
    assert AUTHOR in places(found)
    return [
        (d.path, d.aspect.value, d.left, d.right)
        for d in found.differences
        if d.path != "/config/author"
    ]


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ({}, {}, []),
        ({"platform": AMD}, {"platform": AMD}, []),
        (
            {"platform": AMD | {"os.version": "1"}},
            {"platform": AMD | {"os.version": "2"}},
            ("platform/os.version", "1", "2"),
        ),
        ({"platform": AMD}, {"platform": ARM}, ("platform/architecture", "amd64", "arm64")),
        ({"platform": AMD}, {}, ("platform", '{"architecture": "amd64", "os": "linux"}', None)),
        (
            {"annotations": {"a/b": "1"}},
            {"annotations": {"a/b": "2"}},
            ("annotations/a~1b", "1", "2"),
        ),
        ({"urls": ["x"]}, {"urls": ["y"]}, ("urls/0", "x", "y")),
        ({"artifactType": "a/b"}, {}, ("artifactType", "a/b", None)),
        ({"unheard-of": 1}, {"unheard-of": 2}, ("unheard-of", "1", "2")),
    ],
)
def test_nothing_hides_how_an_index_describes_an_image(indexes: Indexes, left, right, expected):
    found = beside_the_author(indexes.pair(left, right))

    wanted = (
        [(f"/index/manifests/0/{expected[0]}", "annotation", *expected[1:])] if expected else []
    )
    assert found == wanted


def test_what_a_descriptor_embeds_is_told(indexes: Indexes):
    root = indexes.image(A)
    data = base64.b64encode(indexes.store.blobs[root["digest"]]).decode()
    found = indexes.compare(indexes.store.index(root | {"data": data}), indexes.store.index(root))

    assert [(d.path, d.left, d.right) for d in found.differences] == [
        ("/index/manifests/0/data", data, None)
    ]


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({}, None),
        ({"size": len(A) + 5}, "size"),
        ({"mediaType": "application/x-wrong"}, "mediaType"),
        ({"mediaType": "application/vnd.docker.image.rootfs.diff.tar"}, "mediaType"),
        ({"annotations": {"x": "y"}}, "annotations"),
        ({"urls": ["x"]}, "urls"),
    ],
)
def test_nothing_hides_how_a_manifest_describes_a_layer(indexes: Indexes, fields, path):
    layer = indexes.store.add(A)
    sides = [
        indexes.image(A, config={"author": who}, manifest={"layers": [{**layer, **more}]})
        for who, more in (("1", {}), ("2", fields))
    ]

    found = [where for where, *_ in beside_the_author(indexes.compare(*sides))]
    assert found == ([f"/manifest/layers/0/{path}"] if path else [])


def test_another_kind_of_layer_is_no_other_compression(images: Images):
    foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar"
    sides = [
        images.image(blob, manifest={"layers": [images.store.add(blob, kind)]})
        for blob, kind in ((A, LAYER), (B, foreign))
    ]

    assert places(images.compare(*sides)) == [
        (None, "/manifest/layers/0/mediaType", "annotation"),
        (0, "srv/a", "content"),
    ]


def test_another_compression_of_other_entries_is_told_with_the_layer(images: Images):
    sides = [
        images.image(blob, manifest={"layers": [images.store.add(stored, kind)]})
        for blob, stored, kind in ((A, A, LAYER), (B, gzip.compress(B), f"{LAYER}+gzip"))
    ]

    assert places(images.compare(*sides)) == [(0, "", "compression"), (0, "srv/a", "content")]


def test_one_blob_cannot_hold_two_layers(images: Images):
    """A blob of one digest is not opened: what the configs say of it is all that there is."""
    layer = images.store.add(A)
    sides = [
        images.image(plain, config={"author": who}, manifest={"layers": [layer]})
        for who, plain in (("1", A), ("2", B))
    ]

    assert places(images.compare(*sides)) == [
        AUTHOR,
        (None, "/config/rootfs/diff_ids/0", "config"),
    ]


def test_a_platform_that_two_descriptors_have_swapped_is_seen(indexes: Indexes):
    sides = []
    for who, said in (("1", (AMD, ARM)), ("2", (ARM, AMD))):
        roots = [
            indexes.image(A, config={"author": who, **own}, platform=platform)
            for own, platform in zip((AMD, ARM), said, strict=True)
        ]
        sides.append(indexes.store.index(*roots))
    found = indexes.compare(*sides).differences

    assert [(d.path, d.platform, d.left, d.right) for d in found] == [
        ("/config/author", "linux/amd64", "1", "2"),
        ("/index/manifests/0/platform/architecture", "linux/amd64", "amd64", "arm64"),
        ("/config/author", "linux/arm64", "1", "2"),
        ("/index/manifests/1/platform/architecture", "linux/arm64", "arm64", "amd64"),
    ]


def test_an_attestation_is_told_by_its_digest_and_as_what_it_is(indexes: Indexes):
    same = indexes.pair({}, {}, more=lambda root, _: [indexes.attestation(root, "good")])
    found = indexes.pair({}, {}, more=lambda root, n: [indexes.attestation(root, "ab"[n])])
    ((path, aspect, *sides),) = beside_the_author(found)

    assert beside_the_author(same) == []
    assert (path, aspect) == ("/index/manifests/1/digest", "annotation")
    assert all((side or "").startswith("attestation of linux/amd64 sha256:") for side in sides)
    assert sides[0] != sides[1]


def test_an_attestation_of_something_else_is_another_one(indexes: Indexes):
    stray = {"digest": digest_of(b"elsewhere")}
    found = indexes.pair(
        {}, {}, more=lambda root, side: [indexes.attestation(stray if side else root, "x")]
    )

    assert [path for path, *_ in beside_the_author(found)] == [
        "/index/manifests/1/annotations/vnd.docker.reference.digest"
    ]


def test_a_size_that_lies_of_what_nobody_opens_is_told(indexes: Indexes):
    found = indexes.pair(
        {}, {}, more=lambda root, side: [indexes.attestation(root, "x") | {"size": 1 + side}]
    )

    assert beside_the_author(found) == [("/index/manifests/1/size", "annotation", "1", "2")]


def test_what_is_no_image_is_compared_by_its_digest(indexes: Indexes):
    found = indexes.pair({}, {}, more=lambda _, side: [indexes.artifact("ab"[side])])
    ((path, aspect, left, right),) = beside_the_author(found)

    assert (path, aspect) == ("/index/manifests/1/digest", "annotation")
    assert [side.partition(" ")[0] for side in (left or "", right or "")] == [
        "application/spdx+json"
    ] * 2
    same = indexes.pair({}, {}, more=lambda *_: [indexes.artifact("a")])
    assert beside_the_author(same) == []


def test_an_artifact_that_one_side_lacks_is_a_difference(indexes: Indexes):
    one = indexes.artifact("a")
    found = indexes.pair({}, {}, more=lambda _, side: [one] * side)

    says = f"application/spdx+json {one['digest']}"
    assert beside_the_author(found) == [("/index/manifests/1", "presence", None, says)]


def test_an_index_in_the_place_of_an_artifact_is_one_difference(indexes: Indexes):
    inner = indexes.store.index(indexes.image(A, config=ARM))
    both = indexes.artifact("a"), inner
    found = indexes.pair({}, {}, more=lambda _, side: [both[side]])

    assert [(path, aspect) for path, aspect, *_ in beside_the_author(found)] == [
        ("/index/manifests/1/digest", "annotation"),
        ("/index/manifests/1/mediaType", "annotation"),
        ("/platforms/linux/arm64", "presence"),
    ]


def test_what_is_listed_twice_is_counted(indexes: Indexes):
    found = indexes.pair({}, {}, more=lambda _, side: [indexes.artifact("a")] * (1 + side))

    assert [path for path, *_ in beside_the_author(found)] == ["/index/manifests/2"]


def test_another_order_of_an_index_is_a_difference_of_its_own(indexes: Indexes):
    arm = indexes.image(A, config=ARM)
    sides = []
    for step, who in ((1, "1"), (-1, "2")):
        both = [indexes.image(A, config={"author": who}), arm]
        sides.append(indexes.store.index(*both[::step]))
    found = indexes.compare(*sides)

    assert beside_the_author(found) == [("/index/manifests", "order", "linux/amd64", "linux/arm64")]


def test_a_nested_index_is_compared_too(indexes: Indexes):
    sides = []
    for who in ("1", "2"):
        inner = indexes.store.index(indexes.image(A, config={"author": who}))
        value = json.loads(indexes.store.blobs[inner["digest"]]) | {"annotations": {"w": who}}
        noted = indexes.store.add_json(value, inner["mediaType"], annotations={"v": who})
        sides.append(indexes.store.index(noted))

    assert [path for path, *_ in beside_the_author(indexes.compare(*sides))] == [
        "/index/manifests/0/annotations/v",
        "/index/manifests/0/index/annotations/w",
    ]


def test_an_image_cannot_take_the_name_of_another(images: Images):
    """A platform may be called what the second image of another would be: both are compared."""
    sides = []
    for blob in (A, B):
        liar = images.image(A, config={"architecture": "amd64 (2)"})
        sides.append(images.store.index(images.image(A), liar, images.image(blob)))
    found = images.compare(*sides)

    assert [(d.path, d.platform) for d in found.differences] == [("srv/a", "linux/amd64 (3)")]


def test_the_platform_is_told_where_there_are_several_and_only_there(images: Images):
    arm = images.image(A, config=ARM)
    both = [images.store.index(images.image(blob), arm) for blob in (A, B)]
    alone = [images.store.index(images.image(blob)) for blob in (A, B)]

    assert [d.platform for d in images.compare(*both).differences] == ["linux/amd64"]
    assert [d.platform for d in images.compare(*alone).differences] == [None]


def test_what_differs_on_two_platforms_is_two_places(images: Images):
    sides = [
        images.store.index(images.image(blob), images.image(blob, config=ARM)) for blob in (A, B)
    ]
    found = images.compare(*sides).differences

    assert [(d.path, d.platform) for d in found] == [
        ("srv/a", "linux/amd64"),
        ("srv/a", "linux/arm64"),
    ]
    assert len({d.place for d in found}) == 2


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("0 1", "0 1", []),
        ("0 1", "2 1", [("/config/User (earlier 1)", "0", "2")]),
        ("1", "0 1", [("/config/User (earlier 1)", None, "0")]),
        ("0 1", "1 0", [("/config/User", "1", "0"), ("/config/User (earlier 1)", "0", "1")]),
        ("3 0 1", "4 0 1", [("/config/User (earlier 2)", "3", "4")]),
    ],
)
def test_a_key_that_stands_twice_is_compared_twice(images: Images, left, right, expected):
    sides = []
    for side, values in enumerate((left, right)):
        plain = json.loads(images.store.blobs[images.image(A)["digest"]])["config"]
        config = images.store.blobs[plain["digest"]].decode()
        users = "".join(f'"User": "{value}", ' for value in values.split())
        twice = config.replace("{", f'{{"author": "{side}", {users}', 1).encode()
        sides.append(images.image(A, manifest={"config": images.store.add(twice, CONFIG)}))
    found = [(d.path, d.left, d.right) for d in images.compare(*sides).differences]

    assert found == [*expected, ("/config/author", "0", "1")]


@pytest.mark.parametrize(
    ("left", "right", "last"),
    [
        ("User user", "User user", None),
        ("User user", "user User", ("user", "User")),
        ("User other", "other User", None),
        ("User USER user", "user User USER", ("user", "USER")),
    ],
)
def test_keys_that_are_one_to_a_reader_are_compared_by_the_last_of_them(
    images: Images, left: str, right: str, last: tuple[str, str] | None
):
    sides = []
    for side, keys in enumerate((left, right)):
        plain = json.loads(images.store.blobs[images.image(A)["digest"]])["config"]
        config = images.store.blobs[plain["digest"]].decode()
        users = "".join(f'"{key}": "{key}", ' for key in keys.split())
        own = config.replace("{", f'{{"author": "{side}", {users}', 1).encode()
        sides.append(images.image(A, manifest={"config": images.store.add(own, CONFIG)}))
    found = [(d.path, d.left, d.right) for d in images.compare(*sides).differences]

    names = ", ".join(sorted(left.split()))
    told = [(f"/config/{names} (the last one)", *last)] if last else []
    assert found == [*told, ("/config/author", "0", "1")]


def sparse(table: bytes, size: int = 2048) -> bytes:
    words = (b"GNU.sparse.map", table), (b"GNU.sparse.size", b"%d" % size)
    return tar(pax(*words), member(b"s", b"x" * 1024))


@pytest.mark.parametrize(
    ("left", "right", "unsure"),
    [
        # The same bytes, cut into regions otherwise; and another length, which is known to differ.
        (sparse(b"0,512,512,512"), sparse(b"0,1024"), True),
        (sparse(b"0,1024"), tar(member(b"s", b"x" * 1024 + bytes(1024))), True),
        (sparse(b"0,1024"), sparse(b"0,1024", 2049), False),
        (tar(member(b"s", b"x" * 1024)), tar(member(b"s", b"y" * 1024)), False),
    ],
)
def test_what_sparse_files_hold_is_not_told(images: Images, left, right, unsure):
    differences = images.compare(images.image(left), images.image(right)).differences
    (found,) = [d for d in differences if d.aspect is not Aspect.COMPRESSION]

    assert (found.path, found.aspect) == ("s", Aspect.CONTENT)
    assert bool(found.detail) is unsure


@pytest.mark.parametrize(
    ("left", "right", "told"),
    [
        ('"x": 1e999', '"x": 2e999', "/index/manifests/0/x"),
        ('"x": 0, "x": 1', '"x": 2, "x": 1', "/index/manifests/0/x (earlier 1)"),
        ('"x": 1e999', '"x":  1e999', ""),
    ],
)
def test_what_an_index_lists_is_compared_as_it_is_written(indexes: Indexes, left, right, told):
    one = json.dumps(indexes.image(A))
    sides = []
    for more in (left, right):
        text = f'{{"schemaVersion": 2, "manifests": [{one[:-1]}, {more}}}]}}'
        sides.append(indexes.store.add(text.encode(), INDEX))
    (found,) = indexes.compare(*sides).differences

    assert found.path == told


def test_what_another_value_of_its_key_hides_is_not_nested_without_end():
    def twice(depth: int) -> bytes:
        return b'{"a": %s%s, "a": 1}' % (b"[" * depth, b"]" * depth)

    assert "a (earlier 1)" in load(twice(60))
    with pytest.raises(MalformedError, match="nested more than"):
        load(twice(600))


@pytest.mark.parametrize(
    ("left", "right", "told"),
    [
        ("1e999", "2e999", [("/config/x", "1e999", "2e999")]),
        ("1.00000000000000001", "1.0", [("/config/x", "1.00000000000000001", "1.0")]),
        ("1", "1.0", [("/config/x", "1", "1.0")]),
        ('"1.0"', "1.0", [("/config/x", "1.0", "1.0")]),
        (f"{2**80}", f"{2**80 + 1}", [("/config/x", f"{2**80}", f"{2**80 + 1}")]),
        ('[{"b":1e999,"a":[]}]', "[]", [("/config/x", '[{"a": [], "b": 1e999}]', "[]")]),
        ('{"y":[1e999]}', '{ "y": [ 1e999 ] }', []),
    ],
)
def test_numbers_are_compared_as_they_are_written(images: Images, left, right, told):
    sides = []
    for value in (left, right):
        plain = json.loads(images.store.blobs[images.image(A)["digest"]])["config"]
        config = images.store.blobs[plain["digest"]].decode()
        other = config.replace("{", f'{{"x": {value}, ', 1).encode()
        sides.append(images.image(A, manifest={"config": images.store.add(other, CONFIG)}))
    (found,) = images.compare(*sides).differences

    where = (found.path, found.left, found.right)
    assert where in told or (told, found.aspect) == ([], Aspect.COMPRESSION)


def test_no_key_takes_the_place_of_another_and_many_take_no_time():
    data = b'{"a": 1, "a (earlier 1)": 2, "a": 3, %s "b": 0}' % (b'"b": 0, ' * 300_000)

    found = load(data)
    assert len(found) == 300_004
    assert (found["a"], found["a (earlier 1)"], found["a (earlier 2)"]) == (3, 2, 1)


def test_two_images_of_one_platform_are_both_compared(images: Images):
    same = images.image(A)
    sides = [images.store.index(images.image(blob), same) for blob in (A, B)]

    assert (0, "srv/a", "content") in places(images.compare(*sides))


def test_the_bytes_of_two_platforms_are_kept_apart(images: Images, tmp_path: Path):
    sides = []
    for side in ("left", "right"):
        both = [
            images.image(
                tar(member(b"a", f"{side} {arch}".encode())), config={"architecture": arch}
            )
            for arch in ("amd64", "arm64")
        ]
        sides.append(images.open(images.store.index(*both)))
    reading = Reading.below(tmp_path)
    differences = compare(*sides, reading).differences
    contents = Library(reading.spool)

    both = [contents.get((one.left, one.right)) for one in differences]
    kept = {side.data for one in both if one for side in one.load()}
    assert kept == {b"left amd64", b"left arm64", b"right amd64", b"right arm64"}


def test_the_same_layer_stored_in_another_way_differs_in_compression_only(images: Images):
    slow, fast = (gzip.compress(A, level, mtime=0) for level in (9, 0))
    found = images.compare(images.image(A, stored=(slow,)), images.image(A, stored=(fast,)))
    (only,) = found.differences

    assert (only.layer, only.path, only.aspect) == (0, "", Aspect.COMPRESSION)
    assert digest_of(slow) in (only.left or "")
    assert digest_of(fast) in (only.right or "")
    assert found.pairs == ()


def test_other_headers_of_the_same_entries_are_other_bytes(images: Images):
    """A PAX path says what the header says already: the entries are equal, the bytes are not."""
    wordy = tar(pax((b"path", b"srv/a")), member(b"srv/a", b"1"))
    (only,) = images.compare(images.image(A), images.image(wordy)).differences

    assert (only.layer, only.path, only.aspect) == (0, "", Aspect.COMPRESSION)
    assert (only.left, only.right) == (digest_of(A), digest_of(wordy))


def test_padding_is_other_bytes(images: Images):
    found = images.compare(images.image(A), images.image(A + bytes(1024)))

    assert places(found) == [(0, "", "compression")]


def test_other_bytes_with_the_same_meaning_are_told(images: Images):
    """White space, key order: the digests differ, and no one may say that the images are equal."""
    one = images.image(A)
    spaced = json.dumps(json.loads(images.store.blobs[one["digest"]]), indent=3).encode()
    other = images.store.add(spaced, MANIFEST)
    (only,) = images.compare(one, other).differences

    assert (only.layer, only.path, only.aspect) == (None, "", Aspect.COMPRESSION)
    assert (only.left, only.right) == (one["digest"], other["digest"])


def test_a_manifest_that_one_side_lacks_is_told_as_that(images: Images, tmp_path: Path):
    """What `docker save` writes has none: of the same image it is no other spelling."""
    opened = images.open(images.image(A))
    (image,) = opened.images.images
    bare = replace(image, manifest=None, manifest_digest=None)
    saved = replace(opened, images=replace(opened.images, digest=bare.digest, images=(bare,)))
    found = compare(opened, saved, Reading.below(tmp_path))

    assert places(found) == [(None, "/manifest", "presence")]


def test_two_entries_of_one_path_are_compared_in_their_order(images: Images):
    twice = [tar(member(b"a", b"1"), member(b"a", last)) for last in (b"2", b"3")]
    found = images.compare(*(images.image(layer) for layer in twice))

    assert places(found) == [(0, "a (entry 2)", "content")]


def test_every_planted_difference_of_real_layers_is_found(images: Images):
    left = tar(
        header(b"dir/", kind=b"5", mode=0o755),
        member(b"dir/same", b"x"),
        member(b"dir/mode", b"x"),
        member(b"dir/time", b"x"),
        member(b"gone", b"x"),
        header(b"link", kind=b"2", link=b"a"),
    )
    right = tar(
        header(b"dir/", kind=b"5", mode=0o755),
        member(b"dir/same", b"x"),
        header(b"dir/mode", 1, mode=0o600) + pad(b"x"),
        header(b"dir/time", 1, mtime=b"%011o\0" % 7) + pad(b"x"),
        header(b"link", kind=b"2", link=b"b"),
        member(b"new", b"x"),
    )
    found = images.compare(images.image(left), images.image(right))

    assert places(found) == [
        (0, "dir/mode", "mode"),
        (0, "dir/time", "mtime"),
        (0, "gone", "presence"),
        (0, "link", "link"),
        (0, "new", "presence"),
    ]


def test_differences_come_sorted_by_what_they_are_alone(images: Images):
    sides = [
        images.image(layer, layer, config={"author": who, "z": who})
        for layer, who in ((A, "a"), (B, "b"))
    ]
    found = images.compare(*sides).differences

    assert list(found) == sorted(found, key=lambda d: d.key)
    assert found == tuple(
        sorted(map(mirrored, images.compare(*sides[::-1]).differences), key=lambda d: d.key)
    )


def test_how_a_layer_is_written_is_told_beside_what_differs_in_it(images: Images):
    rest = [member(b"srv/%d" % n) for n in range(20)]
    gnu = [member(b"srv/%d" % n, magic=b"ustar  \0") for n in range(20)]
    layers = tar(*rest, member(b"z", b"1")), tar(*gnu, member(b"z", b"2"))
    written, content = images.compare(*map(images.image, layers)).differences

    assert (content.path, content.aspect, content.detail) == ("z", Aspect.CONTENT, None)
    assert (written.path, written.aspect, written.layer) == ("", Aspect.COMPRESSION, 0)
    assert (written.left, written.right) == tuple(map(digest_of, layers))
    assert written.detail == (
        "20 entries are written otherwise, first srv/0\n"
        "20 in magic (bytes 257 to 264), first srv/0: as usual → ustar  \\x00"
    )


def test_layers_that_do_not_correspond_are_not_compared_as_they_are_written(images: Images):
    gnu = tar(member(b"srv/a", b"1", magic=b"ustar  \0"))
    sides = images.image(A), images.image(gnu, tar(member(b"srv/b")))

    assert places(images.compare(*sides)) == [(1, "", "presence"), (1, "srv/b", "presence")]


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize(
    ("field", "left", "right"),
    [
        ("mtime", {"mtime": 0}, {"mtime": 1}),
        ("name", {"filename": "a"}, {"filename": "b"}),
        ("", {"mtime": 0}, {"mtime": 0}),
    ],
)
def test_fields_of_the_compressed_header_are_told_whatever_differs_besides(
    images: Images, field: str, left: dict[str, Any], right: dict[str, Any], beside: bool
):
    def packed(data: bytes, mtime: int = 0, filename: str = "") -> bytes:
        out = io.BytesIO()
        with gzip.GzipFile(filename, "wb", mtime=mtime, fileobj=out) as file:
            file.write(data)
        return out.getvalue()

    sides = [(A, packed(A, **left)), (B if beside else A, packed(B if beside else A, **right))]
    found = images.compare(*(images.image(plain, stored=(stored,)) for plain, stored in sides))
    told = [d for d in found.differences if d.aspect is Aspect.COMPRESSION]

    assert [d.aspect for d in found.differences if d not in told] == [Aspect.CONTENT] * beside
    assert bool(told) is bool(field)
    assert all(d.detail and f"{field} in the compressed header: " in d.detail for d in told)


@pytest.mark.parametrize("cut", range(30))
def test_a_compressed_header_that_is_cut_is_read_all_the_same(cut: int):
    whole = b"\x1f\x8b\x08\x1c" + bytes(6) + b"\x02\0ab" + b"name\0" + b"comment\0" + bytes(9)

    assert wrapper(whole[:cut])[0] == ("form", "gzip" if cut > 1 else "")
    assert ("name", "name") in wrapper(whole)
    assert ("comment", "comment") in wrapper(whole)
