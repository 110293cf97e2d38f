"""A clue accounts for no more than it explains: a payload beside an innocent cause is unexplained.

Each case is a pair of files that differ in what is innocent. Alone that is all that is said; with a
payload beside it, `unexplained` is said too, and names the payload.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from repaudit.forensics import FORENSICS
from repaudit.formats import FORMATS, Budget, apart
from tests.test_forensic_cases import case


def told(left: bytes, right: bytes, path: str = "srv/file", **more: object) -> dict[str, str]:
    """What all forensics say, by cause."""
    asked = case(left, right, path=path, **more)
    found = [clue for forensic in FORENSICS.all() for clue in forensic.examine(asked)]
    return {clue.slug: clue.detail for clue in found}


def hidden(left: bytes, right: bytes, innocent: bytes, path: str = "srv/file") -> str:
    """What is said of `right`, whose neighbour without a payload is `innocent`."""
    known = told(left, innocent, path)
    assert known and "unexplained" not in known
    with_payload = told(left, right, path)
    assert known.keys() - with_payload.keys() <= {"build_id_differences_only"}
    return with_payload["unexplained"]


# --- ELF ---------------------------------------------------------------------------------------


def built(folder: Path, text: str = "x", *flags: str) -> bytes:
    (folder / "m.c").write_text(f'#include <stdio.h>\nint main(void){{puts("{text}");return 1;}}\n')
    argv = ["gcc", *(flags or ("-Wl,--build-id=0x1234",)), "m.c", "-o", "m"]
    subprocess.run(argv, cwd=folder, check=True)
    return (folder / "m").read_bytes()


def segment(data: bytes, kind: int, number: int = 0) -> int:
    """Where the header of a segment of that kind is."""
    start, count = struct.unpack_from("<Q", data, 32)[0], struct.unpack_from("<H", data, 56)[0]
    places = range(start, start + 56 * count, 56)
    return [at for at in places if struct.unpack_from("<I", data, at)[0] == kind][number]


def put(data: bytes, at: int, value: bytes) -> bytes:
    return data[:at] + value + data[at + len(value) :]


def gap(data: bytes) -> int:
    """Where zeros stand between two sections: behind the code, up to the next page."""
    at = segment(data, 1, 1)
    offset, _, _, size = struct.unpack_from("<4Q", data, at + 8)
    return offset + size + 16


@pytest.mark.skipif(not shutil.which("gcc"), reason="needs gcc")
def test_only_the_build_id_differs_where_nothing_else_does(tmp_path: Path):
    one = built(tmp_path)
    other = built(tmp_path, "x", "-Wl,--build-id=0x5678")
    assert told(one, other).keys() == {"build_id_differences_only"}
    stack, code = segment(one, 0x6474E551), segment(one, 1, 1)
    payloads = {
        "entry": put(other, 0x18, bytes([other[0x18] ^ 1])),
        "flags": put(other, stack + 4, struct.pack("<I", 7)),
        "segment 3 > flags": put(other, code + 4, struct.pack("<I", 7)),
        "after the end": other + b"EVILPAYLOAD",
        "after .fini": put(other, gap(other), b"EVILCODE"),
    }
    for word, payload in payloads.items():
        assert word in hidden(one, payload, other), word


@pytest.mark.skipif(not shutil.which("gcc"), reason="needs gcc")
def test_what_moves_when_a_section_grows_is_no_payload(tmp_path: Path):
    built(tmp_path, "x", "-s", "-Wl,--build-id=none")

    def dated(text: str) -> bytes:
        (tmp_path / "made").write_text(text)
        argv = ["objcopy", "--add-section", ".made=made", "--add-section", ".more=made", "m", "n"]
        subprocess.run(argv, cwd=tmp_path, check=True)
        return (tmp_path / "n").read_bytes()

    one, other = dated("made 2026-11-22 at home\n"), dated("made Sun, 22 November 2026 at home\n")
    assert len(one) < len(other) and one[40:48] != other[40:48]
    both = [{p.name: p for p in FORMATS.load("elf").parts(s, Budget())} for s in (one, other)]
    assert set(apart(both)) == {".made", ".more"}
    moved = put(other, segment(other, 1, 1) + 4, struct.pack("<I", 7))
    assert "segment 3 > flags" in told(one, moved)["unexplained"]
    assert "segment" not in told(one, other).get("unexplained", "")
