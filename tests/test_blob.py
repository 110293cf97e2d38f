"""Blobs: what does not match its digest, its size or its compression is refused by name."""

from __future__ import annotations

import gzip
import io
import json

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from repaudit.model.digest import Descriptor
from repaudit.model.errors import MalformedError
from repaudit.oci import blob as oci_blob
from repaudit.oci.blob import open_layer, parse_object, read_blob, read_digest
from repaudit.oci.compression import Bounds, Plain, sniff
from tests.images import Store, describe, digest_of, layer_of, member, root_of, tar

PLAIN = tar(*(member(b"f%d" % n, b"line\n" * 300 * n) for n in range(20)))
ZSTD = zstandard.ZstdCompressor()
SKIPPABLE = b"\x5a\x2a\x4d\x18\x04\0\0\0meta"
HALF = len(PLAIN) // 2
FORMS = {
    "tar": PLAIN,
    "gzip": gzip.compress(PLAIN, mtime=0),
    "gzip members": gzip.compress(PLAIN[:HALF], mtime=0)
    + gzip.compress(b"", mtime=0)
    + gzip.compress(PLAIN[HALF:], mtime=0),
    "zstd": ZSTD.compress(PLAIN),
    "zstd frames": SKIPPABLE
    + ZSTD.compress(PLAIN[:HALF])
    + SKIPPABLE
    + ZSTD.compress(PLAIN[HALF:]),
    "zstd with more frames": ZSTD.compress(PLAIN) + SKIPPABLE,
}
COMPRESSED = sorted(FORMS.keys() - {"tar"})


def read_plain(stored: bytes, plain: bytes = PLAIN, bounds: Bounds | None = None) -> bytes:
    store = Store()
    store.add(stored)
    with open_layer(store, layer_of(stored, plain), bounds or Bounds()) as stream:
        return b"".join(iter(lambda: stream.read(1000), b""))


@pytest.mark.parametrize("form", sorted(FORMS))
def test_every_form_gives_the_plain_layer(form: str):
    assert read_plain(FORMS[form]) == PLAIN
    assert sniff(FORMS[form][:512]) == form.split()[0]


@pytest.mark.parametrize("form", sorted(FORMS))
def test_a_wrong_diff_id_is_refused(form: str):
    with pytest.raises(MalformedError, match=r"layer 0 \(blob sha256:.*does not match its diff_id"):
        read_plain(FORMS[form], PLAIN + b"\0")


@pytest.mark.parametrize("form", sorted(FORMS))
def test_a_blob_that_is_not_its_digest_is_refused(form: str):
    stored = FORMS[form]
    layer = layer_of(stored, PLAIN)
    for other in (stored[:-1] + bytes([stored[-1] ^ 1]), stored[:-1], stored + b"\0"):
        store = Store()
        store.blobs[layer.descriptor.digest] = other
        with pytest.raises(MalformedError, match=f"blob {layer.descriptor.digest} "):
            with open_layer(store, layer) as stream:
                stream.drain()


@pytest.mark.parametrize("form", COMPRESSED)
@pytest.mark.parametrize("cut", [1, 3, 8, 100])
def test_truncated_compression_is_refused_though_its_digest_is_right(form: str, cut: int):
    stored = FORMS[form][:-cut]
    if form == "zstd with more frames" and cut == len(SKIPPABLE):
        pytest.skip("this cuts a whole frame")
    with pytest.raises(MalformedError, match="corrupt compressed data: it ends too early"):
        read_plain(stored)


@pytest.mark.parametrize("form", COMPRESSED)
def test_garbage_after_compression_is_refused(form: str):
    with pytest.raises(MalformedError, match="corrupt compressed data"):
        read_plain(FORMS[form] + b"garbage")


@pytest.mark.parametrize("stored", [b"", b"x" * 512, b"BZh9" + bytes(600), PLAIN[:300]])
def test_what_is_no_known_form_is_refused(stored: bytes):
    with pytest.raises(MalformedError, match="is none of gzip, zstd, tar"):
        read_plain(stored)


@given(st.sampled_from(COMPRESSED), st.data())
def test_any_mutation_gives_the_same_bytes_or_malformed(form: str, data: st.DataObject):
    stored = bytearray(FORMS[form])
    for _ in range(data.draw(st.integers(1, 5))):
        stored[data.draw(st.integers(0, len(stored) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert read_plain(bytes(stored)) == PLAIN
    except MalformedError:
        pass


# --- bombs ----------------------------------------------------------------------------------

ZEROS = bytes(4 << 20)
SMALL = Bounds(free=1 << 20, ratio=200, total=3 << 20)


@pytest.mark.parametrize(
    "stored", [gzip.compress(ZEROS, mtime=0), ZSTD.compress(ZEROS)], ids=["gzip", "zstd"]
)
def test_a_bomb_is_refused_before_it_goes_off(stored: bytes):
    stream = Plain(io.BytesIO(stored), "blob x", SMALL)
    given = 0
    with pytest.raises(MalformedError, match="blob x is a decompression bomb"):
        while data := stream.read(1 << 16):
            given += len(data)
    assert given <= SMALL.free + (1 << 18)


@pytest.mark.parametrize(
    "stored", [gzip.compress(ZEROS, mtime=0), ZSTD.compress(ZEROS)], ids=["gzip", "zstd"]
)
def test_a_dense_layer_within_the_bounds_is_read(stored: bytes):
    assert read_plain(stored, ZEROS) == ZEROS
    loose = Bounds(free=1 << 20, ratio=100_000, total=4 << 20)
    assert read_plain(stored, ZEROS, loose) == ZEROS


def test_the_total_is_bounded_at_any_ratio():
    with pytest.raises(MalformedError, match="bomb"):
        read_plain(FORMS["tar"], bounds=Bounds(total=len(PLAIN) - 1))
    assert read_plain(FORMS["tar"], bounds=Bounds(total=len(PLAIN))) == PLAIN


# --- small blobs ----------------------------------------------------------------------------


def test_a_small_blob_is_read_whole_and_verified():
    store = Store()
    root = root_of(store.add(b"{}"))
    assert read_blob(store, root) == read_digest(store, root.digest) == b"{}"
    store.blobs[root.digest] = b"[]"
    for read in (lambda: read_blob(store, root), lambda: read_digest(store, root.digest)):
        with pytest.raises(MalformedError, match=f"blob {root.digest} does not match its digest"):
            read()


@pytest.mark.parametrize("size", [1, 3])
def test_a_wrong_size_is_refused(size: int):
    store = Store()
    digest = root_of(store.add(b"{}")).digest
    with pytest.raises(MalformedError, match="does not match its digest: "):
        read_blob(store, Descriptor(media_type="", digest=digest, size=size))


def test_other_algorithms_are_verified_too():
    import hashlib

    store = Store()
    digest = "sha512:" + hashlib.sha512(b"{}").hexdigest()
    store.blobs[digest] = b"{}"
    assert read_blob(store, Descriptor(media_type="", digest=digest, size=2)) == b"{}"


def test_large_manifests_are_refused_unread():
    huge = Descriptor(media_type="", digest=digest_of(b""), size=oci_blob.MAX_JSON + 1)
    with pytest.raises(MalformedError, match="too large"):
        read_blob(Store(), huge)
    store = Store()
    data = bytes(oci_blob.MAX_JSON + 1)
    store.add(data)
    with pytest.raises(MalformedError, match="more than"):
        read_digest(store, describe(data).digest)


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"1", b"null", b"{", b"\xff", b"\xef\xbb\xbf{}", b'{"a": NaN}', b'{"a":' * 70,
     b'{"a": ' + b"[" * 100_000, b'{"a": ' + b"[" * 64 + b"]" * 64 + b"}",
     b'{"a": ' + b"9" * 5000 + b"}", "{}".encode("utf-16")],
)  # fmt: skip
def test_what_is_no_json_object_is_refused(data: bytes):
    with pytest.raises(MalformedError, match=r"^it is"):
        parse_object(data, "it")


def test_json_objects_are_read_and_the_last_of_equal_keys_counts():
    assert parse_object(b'{"a": 1, "a": [[2]]}', "it") == {"a": [[2]]}
    assert parse_object(b'{"a": ' + b"[" * 62 + b"]" * 62 + b"}", "it")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda nested: st.lists(nested, max_size=3) | st.dictionaries(st.text(), nested, max_size=3),
    max_leaves=9,
)


@given(_JSON)
def test_any_json_is_an_object_or_malformed(value: object):
    try:
        assert parse_object(json.dumps(value).encode(), "it") == value
    except MalformedError:
        assert not isinstance(value, dict)
