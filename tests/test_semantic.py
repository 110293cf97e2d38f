"""`repaudit diff --semantic`: what it leaves out has a name and a count, and all else stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from repaudit.cli.app import app
from repaudit.model.difference import Aspect, Difference
from repaudit.model.report import Ignored
from repaudit.stages.semantic import CLASSES, class_of, split
from tests.images import MANIFEST, Store, header, member, pad, pax, tar, write_files

ID, LABELS = "sha256:" + "a" * 64, "/config/config/Labels"


TIMES = {"left": "2026-01-01T00:00:00Z", "right": "2026-11-27T20:15:00.5+01:00"}


def difference(
    aspect: Aspect,
    path: str = "a",
    layer: int | None = 0,
    left: str | None = "1",
    right: str = "2",
) -> Difference:
    return Difference(layer=layer, path=path, aspect=aspect, left=left, right=right)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (difference(Aspect.MTIME), "file-timestamps"),
        (difference(Aspect.ORDER, ""), "file-order"),
        (difference(Aspect.COMPRESSION, "", left=ID), "tar-format"),
        (difference(Aspect.HISTORY, "/history/0/created_by", None), "history"),
        (difference(Aspect.HISTORY, "/history/0/created", None, **TIMES), "image-timestamps"),
        (difference(Aspect.CONFIG, "/config/created", None, **TIMES), "image-timestamps"),
        (
            difference(
                Aspect.CONFIG,
                "/config/config/Labels/org.opencontainers.image.created",
                None,
                left=None,
                right=TIMES["right"],
            ),
            "image-timestamps",
        ),
        (
            difference(
                Aspect.ANNOTATION, "/index/annotations/org.opencontainers.image.ref.name", None
            ),
            "image-name",
        ),
    ],
)
def test_what_may_be_left_out_has_a_class(found: Difference, expected: str):
    assert class_of(found) == expected
    assert expected in CLASSES


@pytest.mark.parametrize(
    "found",
    [
        difference(Aspect.CONTENT),
        difference(Aspect.MODE),
        difference(Aspect.OWNER),
        difference(Aspect.LINK),
        difference(Aspect.XATTR),
        difference(Aspect.KIND),
        difference(Aspect.PRESENCE),
        difference(Aspect.PRESENCE, ""),
        replace(difference(Aspect.ORDER, ""), detail="the order decides what l is"),
        difference(Aspect.COMPRESSION, "", left="application/x.tar+gzip sha256:1"),
        difference(Aspect.COMPRESSION, "", None, left=ID),
        difference(Aspect.CONFIG, "/config/config/Env/0", None),
        difference(Aspect.CONFIG, "/config/created/more", None),
        difference(Aspect.CONFIG, "/config/created", None, **TIMES | {"right": "$(date)"}),
        difference(Aspect.ANNOTATION, "/manifest/annotations/org.x", None),
        difference(Aspect.ANNOTATION, "/index/manifests/0/platform/architecture", None),
        difference(Aspect.ANNOTATION, "/index/manifests/1/digest", None),
        difference(Aspect.ANNOTATION, "/manifest/layers/0/size", None),
        difference(Aspect.PRESENCE, "/index/manifests/1", None),
        difference(Aspect.ORDER, "/index/manifests", None),
    ],
)
def test_what_an_image_does_is_never_left_out(found: Difference):
    assert class_of(found) is None


def test_nothing_is_dropped_without_being_counted():
    found = [difference(Aspect.MTIME, name) for name in "abc"] + [difference(Aspect.CONTENT)]
    left, ignored = split(found)

    assert left == (found[3],)
    assert ignored == (Ignored(kind="file-timestamps", count=3),)


def image(folder: Path, layer: bytes) -> str:
    store = Store()
    return str(write_files(folder, store.layout(store.image(layer))))


def diff(left: str, right: str, *more: str) -> tuple[int, dict]:
    done = CliRunner().invoke(app, ["diff", left, right, "--quiet", "--format", "json", *more])
    return done.exit_code, json.loads(done.stdout)


def test_images_that_differ_in_times_alone_are_the_same_if_asked(tmp_path: Path):
    left = image(tmp_path / "l", tar(header(b"a", 1, mtime=b"%011o\0" % 1) + pad(b"x")))
    right = image(tmp_path / "r", tar(header(b"a", 1, mtime=b"%011o\0" % 2) + pad(b"x")))

    assert diff(left, right)[0] == 1
    status, report = diff(left, right, "--semantic")
    assert (status, report["verdict"]) == (0, "reproducible")
    assert report["ignored"] == [{"count": 1, "kind": "file-timestamps"}]
    text = CliRunner().invoke(app, ["diff", left, right, "--quiet", "--semantic"])
    assert "1 file-timestamps" in text.stdout


def test_an_order_is_left_out_only_where_it_decides_nothing(tmp_path: Path):
    """By what runtimes unpack: b is 1 on the left, and on the right what a layer below has."""
    first, linked = member(b"a", b"1"), header(b"b", kind=b"1", link=b"a")
    others = member(b"c", b"2"), member(b"d", b"3")
    left = image(tmp_path / "l", tar(first, linked, *others))
    right = image(tmp_path / "r", tar(linked, first, *others))
    aside = image(tmp_path / "a", tar(*others, first, linked))

    status, report = diff(left, right, "--semantic")
    ((found,),) = [f["differences"] for f in report["findings"]]
    assert (status, report["ignored"]) == (1, [])
    assert found["aspect"] == "order"
    assert found["detail"] == "the order decides what hard links to a hold"
    status, report = diff(left, aside, "--semantic")
    assert (status, report["ignored"]) == (0, [{"count": 1, "kind": "file-order"}])
    # Not asked to leave anything out, it tells both.
    assert [diff(left, side)[0] for side in (right, aside)] == [1, 1]


def test_a_content_beside_them_is_told(tmp_path: Path):
    left = image(tmp_path / "l", tar(header(b"a", 1, mtime=b"%011o\0" % 1) + pad(b"x")))
    right = image(tmp_path / "r", tar(header(b"a", 1, mtime=b"%011o\0" % 2) + pad(b"y")))
    status, report = diff(left, right, "--semantic")

    assert status == 1
    assert [d["aspect"] for f in report["findings"] for d in f["differences"]] == ["content"]
    assert report["ignored"] == [{"count": 1, "kind": "file-timestamps"}]


def test_what_an_index_says_is_told_beside_what_is_left_out(tmp_path: Path):
    """Each pair differs in `created` too, which is left out: nothing may go with it."""
    stray = {"platform": {"os": "unknown", "architecture": "unknown"}}
    says = [
        lambda store, root: [root | {"platform": {"os": "linux", "architecture": "arm64"}}],
        lambda store, root: [root | {"annotations": {"x": "y"}}],
        lambda store, root: [root, store.add(b"attested", MANIFEST, **stray)],
        lambda store, root: [root],
    ]
    found = []
    for number, listed in enumerate(says):
        sides = []
        for side in range(2):
            store = Store()
            root = store.image(tar(member(b"a", b"x")), created=f"2026-01-0{side + 1}T00:00:00Z")
            items = listed(store, root) if side else [root]
            files = store.layout(store.index(*items))
            sides.append(str(write_files(tmp_path / f"{number}{side}", files)))
        status, report = diff(*sides, "--semantic")
        assert report["ignored"] == [{"count": 1, "kind": "image-timestamps"}]
        found.append((status, [d["path"] for f in report["findings"] for d in f["differences"]]))

    assert found == [
        (1, ["/index/manifests/0/platform"]),
        (1, ["/index/manifests/0/annotations"]),
        (1, ["/index/manifests/1"]),
        (0, []),
    ]


def test_another_form_of_the_same_headers_is_the_tar_format(tmp_path: Path):
    left = image(tmp_path / "l", tar(member(b"a", b"x")))
    right = image(tmp_path / "r", tar(pax((b"path", b"a")) + member(b"a", b"x")))
    status, report = diff(left, right, "--semantic")

    assert (status, report["ignored"]) == (0, [{"count": 1, "kind": "tar-format"}])


def test_the_report_says_that_it_shows_file_systems(tmp_path: Path):
    store = Store()
    layers = tar(member(b"a", b"x")), tar(member(b"b", b"y"))
    apart = str(write_files(tmp_path / "l", store.layout(store.image(*layers))))
    squashed = image(tmp_path / "r", tar(member(b"a", b"x"), member(b"b", b"z")))
    _, report = diff(apart, squashed)

    assert report["views"] == [
        {
            "platform": "linux/amd64",
            "reason": "2 layers stand against 1",
            "view": "merged file systems",
        }
    ]
    assert "b" in {d["path"] for f in report["findings"] for d in f["differences"]}
    _, turned = diff(squashed, apart)
    assert [view["reason"] for view in turned["views"]] == ["1 layer stands against 2"]
    text = CliRunner().invoke(app, ["diff", apart, squashed, "--quiet"])
    assert "merged file systems" in text.stdout


def test_layer_by_layer_nothing_is_said_of_views(tmp_path: Path):
    sides = [image(tmp_path / name, tar(member(b"a", name.encode()))) for name in "lr"]

    assert diff(*sides)[1]["views"] == []


def test_what_lists_an_only_image_is_no_part_of_it_and_counted(tmp_path: Path):
    store = Store()
    root = store.image(tar(member(b"a", b"x")))
    named = {"annotations": {"org.opencontainers.image.ref.name": "b"}}
    platform = {"platform": {"os": "linux", "architecture": "arm64"}}
    sides = [
        str(write_files(tmp_path / name, store.layout(root | more)))
        for name, more in (("a", {}), ("b", named), ("c", named | platform), ("d", {}))
    ]
    found = [diff(sides[0], side) for side in sides[1:]]

    assert [status for status, _ in found] == [0, 0, 0]
    assert [[(one["kind"], one["count"]) for one in report["ignored"]] for _, report in found] == [
        [("packaging", 1)],
        [("packaging", 2)],
        [],
    ]


def test_what_index_json_says_beside_its_only_image_is_counted(tmp_path: Path):
    store = Store()
    root = store.image(tar(member(b"a", b"x")))
    files = store.layout(root)
    plain = json.loads(files["index.json"])
    says = {}, {"annotations": {"a": "b"}}, {"annotations": {"a": "b"}, "subject": root}, {}
    sides = []
    for number, more in enumerate(says):
        own = files | {"index.json": json.dumps(plain | more).encode()}
        sides.append(str(write_files(tmp_path / f"{number}", own)))
    found = [diff(sides[0], side) for side in sides[1:]]

    assert [status for status, _ in found] == [0, 0, 0]
    counts = [sum(one["count"] for one in report["ignored"]) for _, report in found]
    assert counts == [1, 2, 0]


def test_what_a_reader_may_take_for_an_attribute_is_no_format(tmp_path: Path):
    left = image(tmp_path / "l", tar(member(b"a", b"x")))
    acl = image(tmp_path / "r", tar(pax((b"SCHILY.acl.access", b"user::---")) + member(b"a", b"x")))
    status, report = diff(left, acl, "--semantic")
    ((found,),) = [f["differences"] for f in report["findings"]]

    assert (status, report["ignored"]) == (1, [])
    assert (found["layer"], found["path"], found["aspect"]) == (0, "", "annotation")
    assert "1 in record SCHILY.acl.access, first a: none → user::---" in found["detail"]
    text = CliRunner().invoke(app, ["diff", left, acl, "--quiet"]).stdout
    assert "SCHILY.acl.access" in text
    assert "unexplained" in text


@pytest.mark.parametrize(("kind", "status"), [(b"7", 1), (b"\0", 0)])
def test_a_type_that_some_runtimes_refuse_is_no_format(tmp_path: Path, kind: bytes, status: int):
    left = image(tmp_path / "l", tar(member(b"a", b"x")))
    right = image(tmp_path / "r", tar(member(b"a", b"x", kind)))

    assert [diff(left, right, "--semantic")[0], diff(left, right)[0]] == [status, 1]
