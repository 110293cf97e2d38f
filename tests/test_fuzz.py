"""Readers on bytes that nobody wrote: they refuse in their own words, and come to an end."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import TARGETS, once, versions_of

#: What fuzzing found, by target; each was mended.
FOUND = (
    ("pdf file", b"%PDF-1.4\n" + b"/ID[" * 15_000),
    ("versions", versions_of("x", "3 \u017fep 2020".encode(), "4 \u017fep 2020".encode())),
    ("versions", versions_of("x", "juun\u0130 2020".encode(), "juun\u0130 2021".encode())),
)


@st.composite
def damaged(draw: st.DrawFn, seed: bytes) -> bytes:
    """The seed with some bytes changed, taken out, or put in."""
    data = bytearray(seed)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        what = draw(st.sampled_from(("change", "cut", "insert", "end")))
        if what == "change" and data:
            data[at] = draw(st.integers(0, 255))
        elif what == "cut":
            del data[at : at + draw(st.integers(1, 600))]
        elif what == "insert":
            data[at:at] = draw(st.binary(max_size=20))
        else:
            del data[at:]
    return bytes(data)


@pytest.mark.parametrize("target", sorted(TARGETS))
@settings(deadline=None, max_examples=20)
@given(data=st.data())
def test_damaged_input_is_read_or_refused(target: str, data: st.DataObject):
    seed = data.draw(st.sampled_from(TARGETS[target].seeds()))
    once(target, data.draw(damaged(seed)))


@pytest.mark.parametrize("target", sorted(TARGETS))
@settings(deadline=None, max_examples=20)
@given(data=st.binary(max_size=2000))
def test_any_bytes_are_read_or_refused(target: str, data: bytes):
    once(target, data)


@pytest.mark.parametrize(("target", "data"), FOUND)
def test_what_fuzzing_found_stays_mended(target: str, data: bytes):
    once(target, data)
