"""What is read quickly of a header is what is read of it in full."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from repaudit.model.errors import MalformedError
from repaudit.oci.header import parse
from repaudit.oci.plain import plain
from repaudit.oci.record import encode, has_data, record
from tests.images import header, seal

NAMES = st.sampled_from(
    b"./usr/bin a a/ a// /a ./  .. a/../b a/.b .wh.a a/.wh.b a//b ./a\0b \xff/\xfe n".split(b" ")
)
KINDS = st.sampled_from([b"%c" % kind for kind in b"01234567SxgLKVZ\0"])
TAILS = st.sampled_from(
    [b"", b"root".ljust(32, b"\0") + b"wheel", bytes(64) + 2 * b"0000005\0" + b"prefix"]
)
MAGICS = st.sampled_from([b"ustar\x0000", b"ustar  \0", b""])
SIZES = st.sampled_from([b"00000000017\0", b"\x80" + bytes(10) + b"\x07", b"\xff" * 12, b"9"])


def read(block: bytes) -> tuple[bytes, bytes, int] | None:
    """What `header` and `record` say of a block; None if they refuse it."""
    try:
        found = parse(block)
        full = record(found, 0)
    except MalformedError:
        return None
    if has_data(found):
        full.content = b"digest"
    return full.path, encode(full), found.size


def quickly(block: bytes) -> tuple[bytes, bytes, int] | None:
    found = plain(block)
    if found is None:
        return None
    return found.path, found.encode(b"digest" if found.has_data else None), found.size


@given(NAMES, KINDS, SIZES, MAGICS, TAILS, st.integers(0, 0o7777), st.binary(max_size=3))
@example(b"a", b"5", b"9", b"", b"", 0, b"")
def test_a_plain_member_is_what_its_header_says(name, kind, size, magic, tail, mode, link):
    fields = {"link": link, "mode": mode, "magic": magic, "tail": tail}
    block = header(name, 0, kind, size_field=size.ljust(12, b"\0"), **fields)
    assert quickly(block) in (None, read(block))


@given(st.binary(min_size=512, max_size=512), st.booleans())
def test_any_block_is_read_as_its_header_or_left(block: bytes, sealed: bool):
    block = seal(block) if sealed else block
    assert quickly(block) in (None, read(block))


@pytest.mark.parametrize(
    ("name", "kind"), [(b"./usr/bin/env", b"0"), (b"usr/", b"5"), (b"lib", b"2"), (b"c", b"3")]
)
def test_what_is_usual_is_plain(name: bytes, kind: bytes):
    block = header(name, 0, kind, link=b"usr/lib" if kind == b"2" else b"")
    assert quickly(block) == read(block) is not None


@pytest.mark.parametrize("name", [b"a/../b", b"/a", b".wh.a", b"a/.wh..wh..opq", b"a//b", b""])
def test_what_needs_a_closer_look_is_not(name: bytes):
    assert plain(header(name)) is None


def test_a_wrong_sum_is_not():
    block = bytearray(header(b"a"))
    block[0] ^= 1
    assert plain(bytes(block)) is None
