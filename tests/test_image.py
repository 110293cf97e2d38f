"""Images: manifests, indexes and configs, verified and within bounds."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repaudit.model.errors import MalformedError, SourceError
from repaudit.oci.image import load_manifest, platform, read_images, read_root
from tests.images import CONFIG, INDEX, LAYER, MANIFEST, Store, digest_of, member, root_of, tar

BASE, TOP = tar(member(b"base", b"1")), tar(member(b"top", b"2"))
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
UNKNOWN = {"platform": {"os": "unknown", "architecture": "unknown"}}
ATTESTS = {"annotations": {"vnd.docker.reference.type": "attestation-manifest"}}


def refused(store: Store, root: dict, words: str) -> None:
    with pytest.raises(MalformedError, match=words):
        read_images(store, root_of(root))


def test_a_manifest_is_one_image_of_verified_bytes():
    store = Store()
    root = store.image(BASE, TOP, compress=True)
    found = read_images(store, root_of(root))
    (image,) = found.images
    assert (found.digest, found.index) == (root["digest"], None)
    assert (image.platform, image.manifest_digest) == ("linux/amd64", root["digest"])
    assert image.manifest == store.blobs[root["digest"]]
    assert image.config == store.blobs[image.config_digest]
    assert [layer.diff_id for layer in image.layers] == [digest_of(BASE), digest_of(TOP)]
    assert [layer.index for layer in image.layers] == [0, 1]
    assert all(layer.descriptor.digest in store.blobs for layer in image.layers)
    assert load_manifest(store, root["digest"]) == found
    assert read_root(store, store.blobs[root["digest"]]) == found


def test_layers_are_not_opened():
    store = Store()
    root = store.image(BASE)
    del store.blobs[digest_of(BASE)]
    assert len(read_images(store, root_of(root)).images) == 1


def test_an_index_has_an_image_a_platform_in_its_order():
    store = Store()
    arm = store.image(TOP, architecture="arm64")
    root = store.index(arm, store.image(BASE))
    found = read_images(store, root_of(root))
    assert [image.platform for image in found.images] == ["linux/arm64", "linux/amd64"]
    assert (found.digest, found.index) == (root["digest"], store.blobs[root["digest"]])


def test_attestations_are_no_images_but_stay_in_the_index():
    store = Store()
    image = store.image(BASE)
    attestation = store.add_json({"not": "opened"}, MANIFEST)
    for more in (UNKNOWN, ATTESTS, UNKNOWN | ATTESTS):
        root = store.index(image, {**attestation, **more})
        found = read_images(store, root_of(root))
        assert [one.digest for one in found.images] == [image["digest"]]
        assert attestation["digest"].encode() in (found.index or b"")
    refused(store, store.index({**attestation, **UNKNOWN}), "holds no image")


@pytest.mark.parametrize(
    ("said", "own", "images"),
    [
        (UNKNOWN, {"architecture": "unknown", "os": "unknown"}, 1),
        (UNKNOWN, {}, 1),
        ({}, {"architecture": "unknown", "os": "unknown"}, 1),
        ({}, {}, 2),
        ({"platform": {}}, {}, 2),
        ({"platform": {"os": "linux", "architecture": "amd64"}}, {}, 2),
        ({"platform": {"os": "linux", "architecture": "amd64"}}, {"os": "unknown"}, 2),
    ],
)
def test_an_image_that_calls_itself_an_attestation_is_one_if_it_has_a_platform(
    said: dict, own: dict, images: int
):
    store = Store()
    fields = {"os": "linux", "architecture": "amd64", "rootfs": {"diff_ids": [digest_of(TOP)]}}
    liar = change(store, config=store.add_json(fields | own, CONFIG), layers=[store.add(TOP)])
    root = store.index(liar | ATTESTS | said, store.image(BASE))
    found = read_images(store, root_of(root))
    assert len(found.images) == images
    assert [one.other for one in found.listed] == ["attestation" if images == 1 else "", ""]
    nested = store.index(store.index(store.image(TOP)) | ATTESTS, store.image(BASE))
    assert len(read_images(store, root_of(nested)).images) == 2


def test_artifacts_are_no_images_but_listed_as_what_they_are():
    store = Store()
    image = store.image(BASE)
    empty = store.add(b"{}", "application/vnd.oci.empty.v1+json")
    typed = change(store, artifactType="application/spdx+json", config=empty)
    bare = change(store, config=empty)
    unheard = {"mediaType": "application/x-other", "digest": digest_of(b"away"), "size": 1}
    found = read_images(store, root_of(store.index(typed, image, bare, unheard)))
    assert [one.digest for one in found.images] == [image["digest"]]
    assert [one.other for one in found.listed] == [
        "application/spdx+json",
        "",
        "application/vnd.oci.empty.v1+json",
        "application/x-other",
    ]
    assert [one.where for one in found.listed] == [f"/manifests/{n}" for n in range(4)]
    refused(store, store.index(typed), "holds no image")
    refused(store, typed, "is no image")


def test_an_image_that_calls_itself_an_artifact_is_an_image():
    store = Store()
    root = store.index(change(store, artifactType="application/spdx+json"))
    assert len(read_images(store, root_of(root)).images) == 1


def test_nested_indexes_are_listed_before_what_they_list():
    store = Store()
    inner = store.index(store.image(BASE))
    found = read_images(store, root_of(store.index(inner, store.image(TOP))))
    assert [one.where for one in found.listed] == [
        "/manifests/0",
        "/manifests/0/manifests/0",
        "/manifests/1",
    ]
    assert found.listed[0].index == store.blobs[inner["digest"]]
    assert [one.image for one in found.listed[1:]] == list(found.images)


def test_dockers_formats_are_read_alike():
    store = Store()
    manifest = json.loads(store.blobs[store.image(BASE)["digest"]])
    manifest["mediaType"] = DOCKER
    manifest["config"]["mediaType"] = "application/vnd.docker.container.image.v1+json"
    item = store.add_json(manifest, DOCKER)
    value = {"schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": [item]}
    root = store.add_json(value, DOCKER_LIST)
    assert len(read_images(store, root_of(root)).images) == 1


def test_the_platform_of_the_descriptor_counts_where_the_config_has_none():
    assert platform({"os": "linux", "architecture": "arm", "variant": "v7"}) == "linux/arm/v7"
    assert platform({"os": "linux"}, {"os": "a", "architecture": "b"}) == "a/b"
    assert platform({"os": "linux", "architecture": ["x"]}, None, "x") == "unknown"


def test_nested_indexes_are_bounded_in_depth():
    store = Store()
    root = store.index(store.image(BASE))
    for _ in range(2):
        root = store.index(root)
    assert len(read_images(store, root_of(root)).images) == 1
    refused(store, store.index(root), "nested more than 3 deep")


def test_manifests_are_bounded_in_number():
    store = Store()
    image = store.image(BASE)
    assert len(read_images(store, root_of(store.index(*[image] * 256))).images) == 256
    refused(store, store.index(*[image] * 257), "more than 256 manifests")
    inner = store.index(*[image] * 200)
    refused(store, store.index(inner, inner), "more than 256 manifests")


def test_a_config_must_have_a_diff_id_for_each_layer():
    store = Store()
    manifest = json.loads(store.blobs[store.image(BASE, TOP)["digest"]])
    manifest["layers"].pop()
    refused(store, store.add_json(manifest, MANIFEST), "has 1 layers, but its config has 2")


def change(store: Store, **fields: object) -> dict:
    """Return the descriptor of an image whose manifest has these fields changed."""
    manifest = json.loads(store.blobs[store.image(BASE)["digest"]])
    return store.add_json({**manifest, **fields}, MANIFEST)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"schemaVersion": 1}, "of schema 1, not 2"),
        ({"schemaVersion": None}, "of schema None"),
        ({"manifests": []}, "neither an index nor an image manifest"),
        ({"layers": None, "config": None}, "neither an index nor"),
        ({"mediaType": INDEX}, "is not the .*index.* that it says"),
        ({"mediaType": ["x"], "layers": {}}, "the layers of .* are no list"),
        ({"layers": [1]}, "a layer of .* is no descriptor"),
        ({"layers": [{"size": 1}]}, "not a digest: None"),
        ({"layers": [{"size": True, "digest": digest_of(b"")}]}, "without a media type or a size"),
        ({"layers": [{"size": -1, "digest": digest_of(b"")}]}, "without a media type or a size"),
        ({"layers": [{"mediaType": 1, "size": 1}]}, "without a media type or a size"),
        ({"layers": [{"size": 1, "digest": "sha256:../../etc"}]}, "not a digest"),
        (
            {"layers": [{"size": 1, "digest": digest_of(b"x"), "data": "eQ=="}]},
            "embeds data that do",
        ),
        (
            {"layers": [{"size": 2, "digest": digest_of(b"x"), "data": "eA=="}]},
            "embeds data that do",
        ),
        ({"layers": [{"size": 1, "digest": digest_of(b"x"), "data": "eA"}]}, "are no base64"),
        ({"layers": [{"size": 1, "digest": digest_of(b"x"), "data": 1}]}, "are no base64"),
        ({"layers": [{}] * 1025}, "are 1025, more than 1024"),
        ({"config": {"mediaType": LAYER, "digest": digest_of(b""), "size": 0}}, "is no image"),
    ],
)
def test_manifests_that_break_their_format_are_refused(fields: dict, words: str):
    store = Store()
    refused(store, change(store, **fields), words)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ([], "no JSON object"),
        ({}, "rootfs.diff_ids of .* are no list"),
        ({"rootfs": {"diff_ids": "x"}}, "are no list"),
        ({"rootfs": {"diff_ids": ["x"]}}, "not a digest"),
        ({"rootfs": {"diff_ids": None}}, "its config has 0 diff_ids"),
    ],
)
def test_configs_that_break_their_format_are_refused(config: object, words: str):
    store = Store()
    refused(store, change(store, config=store.add_json(config, CONFIG)), words)


def test_a_descriptor_may_embed_its_blob():
    store = Store()
    config = store.add_json({"rootfs": {"diff_ids": None}}, CONFIG)
    data = base64.b64encode(store.blobs[config["digest"]]).decode()
    root = change(store, config={**config, "data": data}, layers=[])

    assert read_images(store, root_of(root)).images[0].layers == ()


def test_an_image_without_layers_is_one():
    store = Store()
    config = store.add_json({"rootfs": {"diff_ids": None}}, CONFIG)
    root = change(store, config=config, layers=[])
    assert read_images(store, root_of(root)).images[0].layers == ()


def test_what_is_not_its_digest_or_not_there_is_refused():
    for victim in range(3):
        store = Store()
        root = store.index(store.image(BASE))
        digests = [d for d in store.blobs if d != digest_of(BASE)]
        data = store.blobs[digests[victim]]
        store.blobs[digests[victim]] = data[:-1] + b" "
        refused(store, root, f"blob {digests[victim]} does not match its digest")
        del store.blobs[digests[victim]]
        with pytest.raises(SourceError):
            read_images(store, root_of(root))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "x", digest_of(b"")]),
    lambda nested: st.lists(nested, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["schemaVersion", "mediaType", "manifests", "layers", "config", "digest", "size",
             "annotations", "platform", "rootfs", "diff_ids", "vnd.docker.reference.type"]
        ),
        nested,
        max_size=6,
    ),
    max_leaves=20,
)  # fmt: skip


@given(_JSON, st.sampled_from(["manifests", "layers", "config", "x"]))
def test_any_manifest_gives_images_or_an_error_of_ours(value: object, key: str):
    store = Store()
    fields = {"schemaVersion": 2, key: value}
    for root in (fields, {"schemaVersion": 2, "manifests": [store.add_json(fields, MANIFEST)]}):
        try:
            read_root(store, json.dumps(root).encode())
        except (MalformedError, SourceError):
            pass


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ('"annotations": {"Digest": "a", "digest": "b"}', ""),
        ('"x": 1, "X": 2, "x": 3', ""),
        ('"platform": {"os": "linux", "architecture": "amd64"}', ""),
        ('"annotations": {"a": "1", "a": "2"}', "has 'a' twice"),
        ('"\\u0064igest": "sha256:0"', "has 'digest' twice"),
        ('"dige\u017ft": "sha256:0"', "which is 'digest' to some readers"),
        ('"platform": {"os": "linux", "OS": "plan9"}', "has 'OS', which is 'os'"),
        ('"Annotations": {}', "has 'Annotations', which is 'annotations'"),
    ],
)
def test_what_readers_may_take_from_two_places_is_refused(more: str, words: str):
    store = Store()
    root = f'{{"schemaVersion": 2, "manifests": [{json.dumps(store.image(BASE))[:-1]}, {more}}}]}}'
    if words:
        with pytest.raises(MalformedError, match=words):
            read_root(store, root.encode())
    else:
        assert len(read_root(store, root.encode()).images) == 1
