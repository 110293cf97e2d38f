"""Hostile images, each made from a few lines; golden/hostile/refusals.toml says what they are."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zstandard

from tests.images import (
    CONFIG,
    INDEX,
    MANIFEST,
    Store,
    archive,
    digest_of,
    header,
    member,
    octal,
    pad,
    pax,
    tar,
    write_files,
)

MIB = 1 << 20
SOUND = tar(member(b"srv/a", b"sound"))
ANOTHER = tar(member(b"srv/a", b"sound too"))
#: Makes an image in a folder and returns what `diff` is to be given.
Build = Callable[[Path], str]
IMAGES: dict[str, Build] = {}


def hostile(name: str) -> Callable[[Build], Build]:
    def known(build: Build) -> Build:
        IMAGES[name] = build
        return build

    return known


def sound(folder: Path, plain: bytes = ANOTHER) -> str:
    """An image that is not hostile, to compare with."""
    store = Store()
    return layout(folder, store, store.image(plain, compress=True))


def layout(folder: Path, store: Store, root: dict[str, Any], **files: bytes) -> str:
    return str(write_files(folder, store.layout(root) | files))


def layer(name: str, make: Callable[[], bytes]) -> None:
    """An image whose only layer, of these bytes, is hostile; its digests are right."""

    def build(folder: Path) -> str:
        store = Store()
        return layout(folder, store, store.image(make(), compress=True))

    IMAGES[name] = build


def stored(name: str, make: Callable[[], bytes], plain: bytes = SOUND) -> None:
    """An image whose only blob is stored like this; its diff_id is that of `plain`."""

    def build(folder: Path) -> str:
        store = Store()
        return layout(folder, store, image(store, [store.add(make())], [digest_of(plain)]))

    IMAGES[name] = build


def image(
    store: Store, layers: list[dict[str, Any]], diff_ids: list[str], **more: Any
) -> dict[str, Any]:
    rootfs = {"type": "layers", "diff_ids": diff_ids}
    config = store.add_json({"os": "linux", "architecture": "amd64", "rootfs": rootfs}, CONFIG)
    value = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}
    return store.add_json(value | more, MANIFEST)


def _bomb_gzip() -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    one = b"".join([*(packer.compress(bytes(MIB)) for _ in range(64)), packer.flush()])
    return one * 20


def _bomb_zstd() -> bytes:
    return zstandard.ZstdCompressor(19).compress(bytes(64 * MIB)) * 20


def _sparse(*numbers: int, size: int, data: bytes = b"abc") -> bytes:
    table = ",".join(map(str, numbers)).encode()
    words = ((b"GNU.sparse.map", table), (b"GNU.sparse.size", b"%d" % size))
    return tar(pax(*words) + member(b"x", data))


def _sparse_without_end() -> bytes:
    data = (b"200001\n" + b"0\n" * 400_002).ljust(802_816, b"\0")
    words = (b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"), (b"GNU.sparse.realsize", b"9")
    return tar(pax(*words) + member(b"x", data))


def _signed(value: int) -> bytes:
    return b"\xff" + (value & ((1 << 88) - 1)).to_bytes(11, "big")


# The layer's form.
stored("bomb-gzip", _bomb_gzip, b"")
stored("bomb-zstd", _bomb_zstd, b"")
stored("gzip-cut-off", lambda: gzip.compress(SOUND, mtime=0)[:-9])
stored("gzip-wrong-checksum", lambda: gzip.compress(SOUND, mtime=0)[:-8] + bytes(8))
stored("gzip-and-more", lambda: gzip.compress(SOUND, mtime=0) + b"more")
stored("zstd-window-of-terabytes", lambda: b"\x28\xb5\x2f\xfd\x00\xff" + bytes(600))
stored("no-known-form", lambda: b"\xfd7zXZ\0" + bytes(600))
stored("another-diff-id", lambda: gzip.compress(SOUND, mtime=0), SOUND + bytes(512))
stored("diff-id-of-the-other-image", lambda: gzip.compress(SOUND, mtime=0), ANOTHER)

# Its members.
layer("name-leads-out", lambda: tar(member(b"srv/../../etc/passwd", b"x")))
layer("name-is-absolute", lambda: tar(member(b"/etc/passwd", b"x")))
layer("link-leads-out", lambda: tar(header(b"a", kind=b"1", link=b"../../etc/passwd")))
layer("name-with-nul", lambda: tar(pax((b"path", b"a\0b")) + member(b"a", b"x")))
layer("name-of-no-file", lambda: tar(member(b"./", b"x", b"7")))
layer("name-too-long", lambda: tar(member(b"L", b"n" * 70_000, b"L") + member(b"a", b"x")))
layer("pax-too-long", lambda: tar(pax((b"comment", b"x" * (2 * MIB))) + member(b"a", b"x")))
layer("pax-too-many", lambda: tar(pax((b"comment", b"x"), kind=b"g") * 65 + member(b"a", b"x")))
layer("pax-twice", lambda: tar(pax((b"path", b"a")) + pax((b"uid", b"1")) + member(b"b", b"x")))
layer("pax-length-lies", lambda: tar(member(b"p", b"99999999 path=x\n", b"x") + member(b"a")))
layer("pax-negative-size", lambda: tar(pax((b"size", b"-1")) + member(b"a", b"x")))
layer("pax-number-of-digits", lambda: tar(pax((b"uid", b"9" * 9000)) + member(b"a", b"x")))
layer("size-negative", lambda: tar(header(b"a", size_field=_signed(-512)) + pad(b"x")))
layer("size-beyond-the-end", lambda: tar(header(b"a", size_field=octal(1 << 32, 12)) + pad(b"x")))
layer("size-of-96-bits", lambda: tar(header(b"a", size_field=b"\xbf" + b"\xff" * 11)))
layer("sum-does-not-fit", lambda: tar(member(b"a", b"x").replace(b"a", b"b", 1)))
layer("type-unknown", lambda: tar(member(b"a", b"x", b"Z")))
layer("archive-cut-off", lambda: SOUND[:700])
layer("archive-after-the-end", lambda: SOUND + member(b"hidden", b"x") + bytes(1024))
layer("archive-empty-header", lambda: pax((b"path", b"x")) + bytes(1024))
layer("sparse-overlaps", lambda: _sparse(0, 2, 1, 1, size=10))
layer("sparse-does-not-add-up", lambda: _sparse(0, 2, size=10))
layer("sparse-of-an-exabyte", lambda: _sparse(0, 3, size=1 << 50))
layer("sparse-without-end", _sparse_without_end)
layer("repeats-without-end", lambda: tar(member(b"a") * 100_002))

# Blobs, manifests, configs and indexes.


@hostile("blob-of-other-bytes")
def _other_bytes(folder: Path) -> str:
    store = Store()
    root = store.image(SOUND)
    store.blobs[digest_of(SOUND)] = SOUND[:512] + pad(b"evil!") + SOUND[1024:]
    return layout(folder, store, root)


@hostile("blob-of-another-size")
def _other_size(folder: Path) -> str:
    store = Store()
    return layout(folder, store, image(store, [store.add(SOUND) | {"size": 7}], [digest_of(SOUND)]))


@hostile("blob-missing")
def _missing(folder: Path) -> str:
    store = Store()
    root = store.image(SOUND)
    del store.blobs[digest_of(SOUND)]
    return layout(folder, store, root)


@hostile("digest-leads-out")
def _digest(folder: Path) -> str:
    store = Store()
    layer = store.add(SOUND) | {"digest": "sha256:../../../../../../etc/passwd"}
    return layout(folder, store, image(store, [layer], [digest_of(SOUND)]))


@hostile("digest-of-no-algorithm")
def _algorithm(folder: Path) -> str:
    store = Store()
    layer = store.add(SOUND) | {"digest": "md5:" + "0" * 32}
    return layout(folder, store, image(store, [layer], [digest_of(SOUND)]))


@hostile("layers-and-diff-ids")
def _diff_ids(folder: Path) -> str:
    store = Store()
    return layout(folder, store, image(store, [store.add(SOUND)], []))


@hostile("layers-without-end")
def _layers(folder: Path) -> str:
    store = Store()
    some = 1025
    return layout(folder, store, image(store, [store.add(SOUND)] * some, [digest_of(SOUND)] * some))


@hostile("manifest-too-large")
def _large(folder: Path) -> str:
    store = Store()
    more = {"annotations": {"x": "x" * (5 * MIB)}}
    return layout(folder, store, image(store, [store.add(SOUND)], [digest_of(SOUND)], **more))


@hostile("manifest-and-index")
def _both(folder: Path) -> str:
    store = Store()
    return layout(folder, store, image(store, [store.add(SOUND)], [digest_of(SOUND)], manifests=[]))


@hostile("manifest-of-schema-1")
def _schema(folder: Path) -> str:
    store = Store()
    root = store.add_json({"schemaVersion": 1, "fsLayers": [], "history": []}, MANIFEST)
    return layout(folder, store, root)


@hostile("config-nested-deep")
def _nested(folder: Path) -> str:
    return _config(folder, b'{"a":' * 100 + b"1" + b"}" * 100)


@hostile("config-nested-beyond-the-stack")
def _stack(folder: Path) -> str:
    return _config(folder, b"[" * 200_000 + b"]" * 200_000)


@hostile("config-not-a-number")
def _nan(folder: Path) -> str:
    return _config(folder, b'{"a": NaN}')


@hostile("config-not-json")
def _binary(folder: Path) -> str:
    return _config(folder, bytes(range(256)))


def _config(folder: Path, data: bytes) -> str:
    store = Store()
    value = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": store.add(data, CONFIG),
        "layers": [store.add(SOUND)],
    }
    return layout(folder, store, store.add_json(value, MANIFEST))


@hostile("index-nested-deep")
def _deep(folder: Path) -> str:
    store = Store()
    root = store.image(SOUND)
    for _ in range(4):
        root = store.index(root)
    return layout(folder, store, root)


@hostile("index-of-itself")
def _loop(folder: Path) -> str:
    store = Store()
    inner = {"mediaType": INDEX, "digest": digest_of(b"no one"), "size": 2}
    return layout(folder, store, store.index(inner))


@hostile("index-without-end")
def _wide(folder: Path) -> str:
    store = Store()
    return layout(folder, store, store.index(*[store.image(SOUND)] * 257))


# Archives of images.


def _saved(folder: Path, files: dict[str, bytes], *more: bytes) -> str:
    path = folder / "image.tar"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(archive(files)[: -len(bytes(1024))] + b"".join(more) + bytes(1024))
    return str(path)


def _docker(**fields: Any) -> dict[str, bytes]:
    rootfs = {"type": "layers", "diff_ids": [digest_of(SOUND)]}
    config = json.dumps({"os": "linux", "architecture": "amd64", "rootfs": rootfs}).encode()
    item = {"Config": "config.json", "RepoTags": ["a:1"], "Layers": ["layer.tar"]} | fields
    return {"manifest.json": json.dumps([item]).encode(), "config.json": config}


@hostile("archive-link-leads-out")
def _out(folder: Path) -> str:
    link = header(b"layer.tar", kind=b"2", link=b"../../../../etc/passwd")
    return _saved(folder, _docker(), link)


@hostile("archive-link-in-a-ring")
def _ring(folder: Path) -> str:
    ring = header(b"layer.tar", kind=b"2", link=b"b") + header(b"b", kind=b"2", link=b"layer.tar")
    return _saved(folder, _docker(), ring)


@hostile("archive-with-two-of-a-name")
def _twice(folder: Path) -> str:
    return _saved(folder, _docker() | {"layer.tar": SOUND}, member(b"layer.tar", SOUND + SOUND))


@hostile("archive-below-a-link")
def _below(folder: Path) -> str:
    link = header(b"d", kind=b"2", link=b".")
    return _saved(folder, _docker() | {"layer.tar": SOUND}, link, member(b"d/manifest.json", b"[]"))


@hostile("archive-layer-of-other-bytes")
def _swapped(folder: Path) -> str:
    return _saved(folder, _docker() | {"layer.tar": tar(member(b"srv/a", b"evil!"))})


# What two readers take otherwise.


def _listed(folder: Path, text: str) -> str:
    """A layout whose index.json is `text`, with GOOD and EVIL for what it may list."""
    store = Store()
    good, evil = store.image(SOUND), store.image(tar(member(b"srv/a", b"evil!")))
    for word, root in (("GOOD", good), ("EVIL", evil)):
        text = text.replace(word, json.dumps(root))
    return layout(folder, store, good, **{"index.json": text.encode()})


@hostile("index-of-two-cases")
def _cases(folder: Path) -> str:
    return _listed(folder, '{"schemaVersion": 2, "manifests": [GOOD], "Manifests": [EVIL]}')


@hostile("index-of-two-lists")
def _lists(folder: Path) -> str:
    return _listed(folder, '{"schemaVersion": 2, "manifests": [EVIL], "manifests": [GOOD]}')


@hostile("descriptor-of-two-digests")
def _digests(folder: Path) -> str:
    store = Store()
    evil = store.image(tar(member(b"srv/a", b"evil!")))
    more = {"Digest": evil["digest"], "Size": evil["size"]}
    return layout(folder, store, store.image(SOUND) | more)


@hostile("manifest-of-two-cases")
def _layers_of_two_cases(folder: Path) -> str:
    store = Store()
    layers = [store.add(SOUND)]
    return layout(folder, store, image(store, layers, [digest_of(SOUND)], Layers=layers))


@hostile("archive-of-two-cases")
def _saved_cases(folder: Path) -> str:
    return _saved(folder, _docker(config="evil.json", layers=["evil.tar"]) | {"layer.tar": SOUND})
