"""Sources: each form of reference leads to the same image, and only one source claims it."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repaudit.model.errors import MalformedError, RepauditError, SourceError, UsageError
from repaudit.oci.image import read_images
from repaudit.oci.layer import contents, entries
from repaudit.sources import SOURCES, Opened, open_image, without_place
from repaudit.sources.skopeo import explain
from tests.images import (
    Store,
    archive,
    digest_of,
    header,
    member,
    root_of,
    tagged,
    tar,
    write_files,
)

LAYER = tar(member(b"hello", b"world"))


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


def hello(opened: Opened, image: int = 0) -> bytes:
    """Read an image's only file, every digest verified."""
    layer = opened.images.images[image].layers[0]
    found = list(entries(opened.blobs, layer))
    ((_, data),) = contents(opened.blobs, layer, [(entry, 99) for entry in found if entry.size])
    return data


def a_layout(**more: str) -> tuple[Store, dict, dict[str, bytes]]:
    store = Store()
    root = store.image(LAYER, compress=True)
    return store, root, store.layout(tagged(root, more["tag"]) if "tag" in more else root)


def docker_files(*tags: str, stored: bytes = LAYER) -> dict[str, bytes]:
    """What docker save writes: an image a tag, all of one layer; the second's file is a link."""
    config = json.dumps(
        {"os": "linux", "architecture": "amd64", "rootfs": {"diff_ids": [digest_of(LAYER)]}}
    ).encode()
    name = digest_of(config).removeprefix("sha256:") + ".json"
    images = [{"Config": name, "RepoTags": [tag], "Layers": ["id/layer.tar"]} for tag in tags]
    return {"id/layer.tar": stored, name: config, "manifest.json": json.dumps(images).encode()}


def both_files(**other: object) -> dict[str, bytes]:
    """What today's docker save writes: a layout, and a manifest.json of the same image."""
    _, root, files = a_layout(tag="v1")
    manifest = json.loads(files[blob_path(root["digest"])])
    item = {
        "Config": blob_path(manifest["config"]["digest"]),
        "RepoTags": ["app:v1"],
        "Layers": [blob_path(layer["digest"]) for layer in manifest["layers"]],
    }
    return {**files, "manifest.json": json.dumps([item | other]).encode()}


def blob_path(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


# --- which source claims what ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("reference", "source"),
    [
        ("oci:x", "layout"),
        ("oci-archive:x", "oci_archive"),
        ("docker-archive:x", "docker_archive"),
        ("docker://debian:12", "skopeo"),
        ("containers-storage:localhost/x:1", "skopeo"),
        ("docker-daemon:x:1", "skopeo"),
        ("dir:x", "skopeo"),
        ("LAYOUT", "layout"),
        ("LAYOUT:tag", "layout"),
        ("ARCHIVE", "oci_archive"),
        ("ARCHIVE:tag", "oci_archive"),
        ("FOLDER", None),
        ("FILE", None),
        ("debian:12", None),
        ("docker:dind", None),
        ("docker", None),
        ("nosuch:x", None),
        ("", None),
        (":", None),
        ("\0", None),
        ("x" * 5000, None),
    ],
)
def test_at_most_one_source_claims_a_reference(
    reference: str, source: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    write_files(tmp_path / "LAYOUT", a_layout()[2])
    write_files(tmp_path / "FOLDER", {"manifest.json": b"{}"})
    write_files(tmp_path, {"ARCHIVE": archive(a_layout()[2]), "FILE": b"text"})
    monkeypatch.chdir(tmp_path)
    claiming = [one.name for one in SOURCES.all() if one.claims(reference)]
    assert claiming == ([source] if source else [])
    if source is None:
        with pytest.raises(UsageError) as caught:
            open_image(reference, tmp_path)
        assert all(one.summary in caught.value.hint for one in SOURCES.all())


def test_sources_are_called_as_their_files():
    assert [source.name for source in SOURCES.all()] == list(SOURCES.names())


@given(st.text(max_size=30))
def test_any_reference_is_claimed_once_or_not_at_all(reference: str):
    assert sum(source.claims(reference) for source in SOURCES.all()) <= 1


# --- layouts and archives -------------------------------------------------------------------


def test_a_layout_and_its_archives_are_the_same_image(tmp_path: Path, scratch: Path):
    store, root, files = a_layout(tag="v1")
    folder = write_files(tmp_path / "lay:out", files)
    data = archive(files)
    write_files(tmp_path, {"a:b.tar": data, "c.tgz": gzip.compress(data, mtime=0)})
    expected = read_images(store, root_of(root))
    paths = [folder, tmp_path / "a:b.tar", tmp_path / "c.tgz"]
    prefixes = ["oci:", "oci-archive:", "oci-archive:"]
    for path, prefix in zip(paths, prefixes, strict=True):
        for reference in (f"{path}", f"{path}:v1", f"{prefix}{path}", f"{prefix}{path}:v1"):
            opened = open_image(reference, scratch)
            assert opened.images == expected
            assert hello(opened) == b"world"
        with pytest.raises(SourceError) as caught:
            open_image(f"{path}:v2", scratch)
        assert caught.value.hint == "it has: v1"


def test_several_manifests_are_an_index_unless_a_tag_chooses(tmp_path: Path, scratch: Path):
    store = Store()
    one, two = store.image(LAYER), store.image(tar(member(b"x", b"2")), architecture="arm64")
    files = store.layout(tagged(one, "a"), tagged(two, "b"))
    folder = write_files(tmp_path / "l", files)
    opened = open_image(str(folder), scratch)
    assert [image.digest for image in opened.images.images] == [one["digest"], two["digest"]]
    assert opened.images.index == files["index.json"]
    assert hello(open_image(f"{folder}:b", scratch)) == b"2"
    write_files(folder, store.layout(tagged(one, "a"), tagged(two, "a")))
    with pytest.raises(SourceError, match="several images with the tag"):
        open_image(f"{folder}:a", scratch)


def test_linked_blobs_are_followed_and_pipes_are_not_opened(tmp_path: Path, scratch: Path):
    _, root, files = a_layout()
    folder = write_files(tmp_path / "l", files)
    blob = folder / "blobs" / root["digest"].replace(":", "/")
    blob.rename(tmp_path / "elsewhere")
    blob.symlink_to(tmp_path / "elsewhere")
    assert hello(open_image(str(folder), scratch)) == b"world"
    blob.unlink()
    import os

    os.mkfifo(blob)
    with pytest.raises(SourceError, match="has no blobs/sha256/"):
        open_image(str(folder), scratch)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"oci-layout": b"{}"}, "layout of version None"),
        ({"oci-layout": b"x"}, "oci-layout is not JSON"),
        ({"index.json": b"[]"}, "index.json is no JSON object"),
        ({"index.json": b'{"manifests": []}'}, "lists no manifests"),
        ({"index.json": b'{"manifests": [1]}'}, "is no descriptor"),
        ({"index.json": b'{"manifests": [1, 2]}'}, "of schema None"),
        ({"index.json": bytes((4 << 20) + 1)}, "larger than 4194304 bytes"),
    ],
)
def test_broken_layouts_are_refused(tmp_path: Path, scratch: Path, files: dict, words: str):
    broken = {**a_layout()[2], **files}
    for reference in (write_files(tmp_path / "l", broken), tmp_path / "a"):
        write_files(tmp_path, {"a": archive(broken)})
        with pytest.raises(MalformedError, match=words):
            open_image(str(reference), scratch)


def test_what_is_missing_is_said(tmp_path: Path, scratch: Path):
    _, root, files = a_layout()
    del files["blobs/" + root["digest"].replace(":", "/")]
    for reference in (f"oci:{write_files(tmp_path / 'l', files)}", "oci:/nosuch", "dir:/nosuch",
                      "oci-archive:/nosuch", "docker-archive:/nosuch"):  # fmt: skip
        with pytest.raises(SourceError) as caught:
            open_image(reference, scratch)
        assert caught.value.hint


# --- hostile archives -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (member(b"index.json", b"{}"), "two members are called 'index.json'"),
        (member(b"../x"), r"`\.\.` in it"),
        (member(b"/x"), "absolute name"),
        (header(b"x", 1 << 30), "ends in the middle"),
        (member(b"d", kind=b"2", link=b".") + member(b"d/index.json"), "'d' is a folder and a sym"),
        (member(b"d/e/index.json") + member(b"d", kind=b"2", link=b"."), "'d' is a folder and a"),
        (member(b"index.json/", kind=b"5"), "'index.json' is a folder and a"),
    ],
)
def test_hostile_archives_are_refused(tmp_path: Path, scratch: Path, extra: bytes, words: str):
    files = a_layout()[2]
    data = tar(*(member(name.encode(), data) for name, data in files.items()), extra)
    write_files(tmp_path, {"a": data, "z": gzip.compress(data, mtime=0)})
    for name in ("a", "z"):
        with pytest.raises(MalformedError, match=f"{tmp_path / name}: .*{words}"):
            open_image(str(tmp_path / name), scratch)


def test_links_and_folders_that_nothing_hides_behind_are_read(tmp_path: Path, scratch: Path):
    more = [member(b"d", kind=b"2", link=b"."), member(b"e/", kind=b"5"), member(b"e/dd", b"x")]
    members = [member(name.encode(), data) for name, data in a_layout()[2].items()]
    write_files(tmp_path, {"a": tar(*members, *more)})
    assert hello(open_image(str(tmp_path / "a"), scratch)) == b"world"


@given(st.data())
def test_any_mutated_archive_gives_an_image_or_an_error_of_ours(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
):
    folder = tmp_path_factory.mktemp("mutated")
    files = docker_files("x:1") if data.draw(st.booleans()) else a_layout()[2]
    raw = bytearray(archive(files))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    (folder / "a").write_bytes(raw[: data.draw(st.integers(0, len(raw)))])
    try:
        hello(open_image(str(folder / "a"), folder))
    except RepauditError:
        pass


# --- docker save ----------------------------------------------------------------------------


@pytest.mark.parametrize("stored", [LAYER, gzip.compress(LAYER, mtime=0)], ids=["tar", "gzip"])
def test_a_docker_archive_is_read_with_and_without_a_prefix(
    tmp_path: Path, scratch: Path, stored: bytes
):
    files = docker_files("example.org/x:1", stored=stored)
    write_files(tmp_path, {"d": archive(files), "z": gzip.compress(archive(files), mtime=0)})
    for name in ("d", "z"):
        for reference in (f"{tmp_path / name}", f"docker-archive:{tmp_path / name}",
                          f"docker-archive:{tmp_path / name}:x:1"):  # fmt: skip
            opened = open_image(reference, scratch)
            (image,) = opened.images.images
            assert (image.manifest, image.manifest_digest) == (None, None)
            assert opened.images.digest == image.digest == image.config_digest
            assert image.layers[0].descriptor.digest == digest_of(stored)
            assert hello(opened) == b"world"


def test_one_tag_of_two_images_chooses_none(tmp_path: Path, scratch: Path):
    (tmp_path / "a.tar").write_bytes(archive(docker_files("app:1", "app:1", "app:2")))
    with pytest.raises(UsageError) as caught:
        open_image(f"docker-archive:{tmp_path}/a.tar:app:1", scratch)

    assert caught.value.hint.endswith(":TAG: @0, @1, app:2")


def test_several_docker_images_need_a_choice(tmp_path: Path, scratch: Path):
    write_files(tmp_path, {"d": archive(docker_files("x:1", "y:1"))})
    for wrong in ("", ":z:1"):
        with pytest.raises(UsageError) as caught:
            open_image(f"docker-archive:{tmp_path / 'd'}{wrong}", scratch)
        assert "TAG: x:1, y:1" in caught.value.hint
    for right in (":y:1", ":@0"):
        assert hello(open_image(f"docker-archive:{tmp_path / 'd'}{right}", scratch)) == b"world"


@pytest.mark.parametrize(
    ("link", "good"),
    [
        (b"../id/layer.tar", True),
        (b"loop", False),
        (b"../../etc/x", False),
        (b"/id/layer.tar", False),
    ],
)
def test_linked_layers_are_followed_inside_the_archive(
    tmp_path: Path, scratch: Path, link: bytes, good: bool
):
    files = docker_files("x:1")
    files["manifest.json"] = files["manifest.json"].replace(b"id/layer.tar", b"other/loop")
    members = [member(name.encode(), data) for name, data in files.items()]
    write_files(tmp_path, {"d": tar(*members, header(b"other/loop", 0, b"2", link=link))})
    if good:
        assert hello(open_image(str(tmp_path / "d"), scratch)) == b"world"
    else:
        with pytest.raises(MalformedError, match=r"links out of|link to a link"):
            open_image(str(tmp_path / "d"), scratch)


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        (b"", "not JSON"),
        (b"{}", "lists no images"),
        (b"[]", "lists no images"),
        (b"[1]", "without a config"),
        (b'[{"Config": "c", "Layers": null}]', "without a config"),
        (b'[{"Config": "c", "Layers": [1]}]', "without a config"),
        (b"[" * 9999, "not JSON"),
        (b'[{"Config": "c", "Layers": [], "layers": []}]', "which is 'Layers' to some readers"),
        (b'[{"Config": "c", "Layers": [], "repotags": []}]', "which is 'RepoTags'"),
        (b'[{"Config": "a", "Layers": [], "Config": "c"}]', "has 'Config' twice"),
    ],
)
def test_broken_docker_archives_are_refused(
    tmp_path: Path, scratch: Path, manifest: bytes, words: str
):
    write_files(tmp_path, {"d": archive({**docker_files("x:1"), "manifest.json": manifest})})
    with pytest.raises(MalformedError, match=words):
        open_image(str(tmp_path / "d"), scratch)


def test_a_docker_config_must_be_what_its_name_says(tmp_path: Path, scratch: Path):
    files = docker_files("x:1")
    config = next(name for name in files if len(name) == 69)
    write_files(tmp_path, {"d": archive({**files, config: files[config] + b" "})})
    with pytest.raises(MalformedError, match="does not match its name"):
        open_image(str(tmp_path / "d"), scratch)


def test_what_two_readers_take_of_one_archive_is_one_image(tmp_path: Path, scratch: Path):
    _, root, _ = a_layout(tag="v1")
    path = tmp_path / "a.tar"
    path.write_bytes(archive(both_files()))
    assert open_image(str(path), scratch).images.digest == root["digest"]

    alone = docker_files("app:v1", stored=tar(member(b"evil")))
    other = next(name for name in alone if name.endswith(".json") and name != "manifest.json")
    for change in ({"Config": other}, {"Layers": ["id/layer.tar"]}, {"Layers": []}):
        path.write_bytes(archive({**alone, **both_files(**change)}))
        for tag in ("", ":v1"):
            with pytest.raises(MalformedError, match=r"lists an image that index\.json has not"):
                open_image(f"{path}{tag}", scratch)
        # Who names the reader gets what that one takes.
        opened = open_image(f"oci-archive:{path}", scratch)
        assert opened.images.digest == root["digest"]


def test_a_list_of_images_before_manifest_json_is_refused_beside_a_layout(
    tmp_path: Path, scratch: Path
):
    path = tmp_path / "a.tar"
    repositories = {"repositories": b'{"app": {"v1": "%s"}}' % (b"a" * 64)}
    path.write_bytes(archive(a_layout()[2] | repositories))
    with pytest.raises(MalformedError, match="repositories without digests"):
        open_image(str(path), scratch)
    assert hello(open_image(f"oci-archive:{path}", scratch)) == b"world"
    path.write_bytes(archive(both_files() | repositories))  # as today's docker save writes them
    assert hello(open_image(str(path), scratch)) == b"world"


def test_layers_that_a_list_calls_otherwise_are_known_by_their_bytes(tmp_path: Path, scratch: Path):
    files = both_files()
    layer = next(name for name in json.loads(files["manifest.json"])[0]["Layers"])
    files = {**both_files(Layers=["id/layer.tar"]), "id/layer.tar": files[layer]}
    (tmp_path / "a.tar").write_bytes(archive(files))

    assert open_image(str(tmp_path / "a.tar"), scratch).images.images


def test_a_tar_that_holds_no_image_is_refused(tmp_path: Path, scratch: Path):
    write_files(tmp_path, {"d": LAYER})
    with pytest.raises(MalformedError, match="no archive of an image"):
        open_image(str(tmp_path / "d"), scratch)


# --- skopeo ---------------------------------------------------------------------------------


def test_a_dir_folder_is_read_without_skopeo(tmp_path: Path, scratch: Path):
    store = Store()
    image = store.image(LAYER)
    root = store.index(image)
    files = {digest.removeprefix("sha256:"): data for digest, data in store.blobs.items()}
    files["manifest.json"] = files.pop(root["digest"].removeprefix("sha256:"))
    instance = image["digest"].removeprefix("sha256:")
    files[f"{instance}.manifest.json"] = files.pop(instance)
    opened = open_image(f"dir:{write_files(tmp_path / 'd', files)}", scratch)
    assert opened.images == read_images(store, root_of(root))
    assert hello(opened) == b"world"


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        ('level=fatal msg="a \\"b\\": unauthorized"', 'a "b": unauthorized', "skopeo login"),
        ('level=fatal msg="dial tcp: connection refused"', "dial tcp", "reached"),
        ('level=fatal msg="x does not resolve to an image ID"', "x does", "no image of this name"),
        ('level=fatal msg="reading manifest for image instance x: no such"', "reading", "buildah"),
        ("anything else", "anything else", "skopeo inspect"),
    ],
)
def test_what_skopeo_says_becomes_a_message_and_a_hint(words: str, message: str, hint: str):
    said, way_out = explain(words)
    assert said.startswith(message)
    assert hint in way_out


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("/srv/nosuch/app.tar", "app.tar"),
        ("oci:/srv/nosuch/app:1", "oci:app:1"),
        ("containers-storage:[vfs@/srv/root]app:1", "containers-storage:app:1"),
        ("docker://registry.example/team/app:1", "docker://registry.example/team/app:1"),
        ("oci:///srv/nosuch/app", "oci:app"),
        ("builds/1/app.tar", "app.tar"),
        ("oci-archive:../nosuch/app.tar", "oci-archive:app.tar"),
        (".", "."),
        ("docker-daemon:team/app:1", "docker-daemon:team/app:1"),
        ("docker:dind", "docker:dind"),
    ],
)
def test_where_an_image_lies_on_this_machine_is_no_part_of_its_name(reference: str, name: str):
    assert without_place(reference) == name


def test_a_tag_is_a_part_of_its_name_whatever_is_in_it(tmp_path: Path):
    (tmp_path / "app.tar").touch()
    reference = f"docker-archive:{tmp_path}/app.tar:registry.example/team/app:1"

    assert without_place(reference) == "docker-archive:app.tar:registry.example/team/app:1"


skopeo = pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo is not installed")
buildah = pytest.mark.skipif(shutil.which("buildah") is None, reason="buildah is not installed")


def call(*argv: object) -> None:
    subprocess.run([str(word) for word in argv], check=True, capture_output=True)


@skopeo
@pytest.mark.live
def test_skopeo_copies_what_it_wrote_itself(tmp_path: Path, scratch: Path):
    folder = write_files(tmp_path / "l", a_layout(tag="v1")[2])
    for target in (f"oci-archive:{tmp_path / 'o'}:x:1", f"docker-archive:{tmp_path / 'd'}:x:1",
                   f"dir:{tmp_path / 'dir'}"):  # fmt: skip
        call("skopeo", "--insecure-policy", "copy", f"oci:{folder}:v1", target)
        assert hello(open_image(target, scratch)) == b"world"
    assert hello(open_image(str(tmp_path / "d"), scratch)) == b"world"


@skopeo
@buildah
@pytest.mark.live
def test_local_storage_is_read_and_its_lists_are_explained(tmp_path: Path, scratch: Path):
    store = [f"--root={tmp_path / 'root'}", f"--runroot={tmp_path / 'run'}"]
    build = ["buildah", *store, "--storage-driver=vfs", "bud", "--quiet"]
    write_files(tmp_path / "c", {"Containerfile": b"FROM scratch\nCOPY f /\n", "f": b"world"})
    call(*build, "--tag", "localhost/one", tmp_path / "c")
    platforms = "--platform=linux/amd64,linux/arm64"
    call(*build, platforms, "--manifest", "localhost/many", tmp_path / "c")
    place = f"containers-storage:[vfs@{tmp_path / 'root'}+{tmp_path / 'run'}]localhost/"
    assert hello(open_image(f"{place}one", scratch)) == b"world"
    with pytest.raises(SourceError) as caught:
        open_image(f"{place}many", scratch)
    assert "buildah manifest push --all" in caught.value.hint
    with pytest.raises(SourceError) as caught:
        open_image(f"{place}none", scratch)
    assert "no image of this name" in caught.value.hint
    push = ["buildah", *store, "--storage-driver=vfs", "manifest", "push", "--all"]
    call(*push, "localhost/many", f"oci-archive:{tmp_path / 'many'}")
    opened = open_image(str(tmp_path / "many"), scratch)
    # buildah lists them in the order in which their builds ended.
    assert {image.platform for image in opened.images.images} == {"linux/amd64", "linux/arm64"}


@skopeo
@pytest.mark.live
@pytest.mark.parametrize("reference", ["docker://localhost:1/x", "docker-daemon:nosuch:1"])
def test_what_cannot_be_reached_is_a_source_error_with_a_hint(reference: str, scratch: Path):
    with pytest.raises(SourceError, match="cannot be had") as caught:
        open_image(reference, scratch)
    assert caught.value.hint
