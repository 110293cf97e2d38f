"""Files that hold another's digest stand under it; what differs in anything else does not."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from repaudit.model.difference import Aspect, Difference
from repaudit.model.digest import sha256
from repaudit.model.finding import Instruction
from repaudit.stages.attribute import attribute
from repaudit.stages.contents import Contents, Kept
from repaudit.stages.derive import derived
from repaudit.stages.scene import Scene
from tests import images

A, B = b"built 2024-01-01\n", b"built 2025-02-05\n"


def _hex(name: str) -> Callable[[bytes], bytes]:
    return lambda data: hashlib.new(name, data).hexdigest().encode()


def _record(data: bytes) -> bytes:
    return b"sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=")


def _integrity(data: bytes) -> bytes:
    return b"sha512-" + base64.b64encode(hashlib.sha512(data).digest())


FORMS = {
    **{name: _hex(name) for name in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")},
    "upper": lambda data: _hex("sha256")(data).upper(),
    "RECORD": _record,
    "integrity": _integrity,
    "Content-MD5": lambda data: base64.b64encode(hashlib.md5(data).digest()),
}


def pair(folder: Path, files: dict[str, tuple[bytes, bytes]]) -> tuple[list[Difference], Contents]:
    differences, contents = [], {}
    for number, (path, (left, right)) in enumerate(files.items()):
        sides = [folder / f"{number}-{side}" for side in "ab"]
        for file, data in zip(sides, (left, right), strict=True):
            file.write_bytes(data)
        one, other = sha256(left), sha256(right)
        differences.append(
            Difference(layer=0, path=path, aspect=Aspect.CONTENT, left=one, right=other)
        )
        contents[one, other] = Kept(
            left=sides[0], right=sides[1], left_size=len(left), right_size=len(right)
        )
    return differences, contents


def roots(folder: Path, files: dict[str, tuple[bytes, bytes]]) -> dict[str, list[str]]:
    found = derived(*pair(folder, files))
    return {place[1]: [root[1] for root in under] for place, under in found.items()}


def test_what_a_digest_is_masked_with_cannot_be_written_in_its_place(tmp_path: Path) -> None:
    for text in (b"<digest of 0 'srv/a'>", b"<%b 0 'srv/a'>" % (b"0" * 64), b"srv/a"):
        lists = _hex("sha256")(A) + b" x\n", text + b" x\n"
        assert roots(tmp_path, {"srv/a": (A, B), "srv/list": lists}) == {}


@pytest.mark.parametrize("form", FORMS)
def test_a_list_of_digests_stands_under_what_it_lists(form: str, tmp_path: Path) -> None:
    lists = tuple(b"same\n" + FORMS[form](data) + b"  srv/a\n" for data in (A, B))
    assert {"srv/list": ["srv/a"]} == roots(tmp_path, {"srv/a": (A, B), "srv/list": lists})


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (FORMS["md5"](A) + b" 1", FORMS["md5"](B) + b" 2"),  # a cause of its own besides
        (FORMS["md5"](A), FORMS["md5"](A + B)),  # of a file that is not there
        (FORMS["md5"](B), FORMS["md5"](A)),  # of the other build's
        (b"0" + FORMS["md5"](A), b"0" + FORMS["md5"](B)),  # part of a longer number
        (A + A, B + B),
        (hashlib.md5(A).digest() + b"\n", hashlib.md5(B).digest() + b"\n"),
    ],
)
def test_what_differs_in_more_stands_for_itself(left: bytes, right: bytes, tmp_path: Path) -> None:
    assert not roots(tmp_path, {"srv/a": (A, B), "srv/list": (left, right)})


def test_a_digest_of_a_list_stands_under_what_is_listed(tmp_path: Path) -> None:
    md5, record = FORMS["md5"], FORMS["RECORD"]
    other = (A * 2, B * 2)
    lists = tuple(md5(one) + b"\n" + md5(two) for one, two in zip((A, B), other, strict=True))
    sums = (record(lists[0]), record(lists[1]))
    files = {"sums": sums, "list": lists, "x": other, "a": (A, B)}
    assert {"list": ["a", "x"], "sums": ["a", "x"]} == roots(tmp_path, files)


def tar(data: bytes, mtime: int = 0) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("a")
        member.size, member.mtime = len(data), mtime
        archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def test_an_archive_stands_under_what_it_holds(tmp_path: Path) -> None:
    packed = (gzip.compress(tar(A), mtime=0), gzip.compress(tar(B), mtime=0))
    assert {"x.tgz": ["a"]} == roots(tmp_path, {"a": (A, B), "x.tgz": packed})


@pytest.mark.parametrize(
    "packed",
    [
        (tar(A), tar(B, mtime=1)),  # which has a cause of its own besides
        (tar(A), tar(B + B)),
        (tar(A * 2), tar(B * 2)),
    ],
)
def test_an_archive_that_differs_in_more_stands_for_itself(
    packed: tuple[bytes, bytes], tmp_path: Path
) -> None:
    assert not roots(tmp_path, {"a": (A, B), "x.tar": packed})


def test_what_is_short_is_the_same_by_chance(tmp_path: Path) -> None:
    assert not roots(tmp_path, {"a": (b"1\n", b"2\n"), "x.tar": (tar(b"1\n"), tar(b"2\n"))})


def test_a_json_lock_stands_under_what_it_locks(tmp_path: Path) -> None:
    locks = [json.dumps({"v": 1, "h": FORMS["sha256"](d).decode()}).encode() for d in (A, B)]
    assert {"lock.json": ["a"]} == roots(tmp_path, {"a": (A, B), "lock.json": tuple(locks)})


def test_a_cut_off_file_has_no_digest(tmp_path: Path) -> None:
    lists = (FORMS["md5"](A), FORMS["md5"](B))
    differences, contents = pair(tmp_path, {"a": (A, B), "list": lists})
    key = (differences[0].left, differences[0].right)
    kept = contents[key]
    cut = Kept(left=kept.left, right=kept.right, left_size=999, right_size=999)
    assert not derived(differences, {**contents, key: cut})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_bytes_are_looked_through(tmp_path: Path, left: bytes, right: bytes) -> None:
    assert not roots(tmp_path, {"a": (A, B), "b": (left, right + b"!")})


def test_a_derived_file_is_told_in_its_roots_finding(tmp_path: Path) -> None:
    lists = tuple(FORMS["md5"](data) + b"  srv/a\n" for data in (A, B))
    findings = attribute(*pair(tmp_path, {"srv/a": (A, B), "srv/list": lists}), Scene())

    held = [d for f in findings for d in f.differences if d.path == "srv/list"]
    assert len(findings) == len(held)
    assert {("srv/a",)} == {d.derived_from for d in held}
    details = {e.detail for f in findings for e in f.evidence if e.source == "derive"}
    assert {"srv/list differs only in what it holds of srv/a"} == details


NOTE, LATER = (b"Notes: since 2024-01-%d 10:00:00 UTC\n" % day for day in (11, 12))


def archive_of(name: str, data: bytes) -> bytes:
    return images.tar(images.member(name.encode(), data))


def digest_in(text: str) -> tuple[bytes, bytes]:
    one, other = (text.encode() % FORMS["sha256"](data) for data in (NOTE, LATER))
    return one, other


@pytest.mark.parametrize(
    ("path", "sides", "follows"),
    [
        ("srv/SHA256SUMS", digest_in("%b  notes\n"), True),
        ("var/lib/dpkg/info/a.md5sums", digest_in("%b  notes\n"), True),
        ("srv/a-1.dist-info/RECORD", digest_in("notes,sha256=%b,9\n"), True),
        ("etc/allow.conf", digest_in("exec %b\n"), False),
        ("srv/run", digest_in("#!/bin/sh\nrun %b\n"), False),
        ("srv/a.tar", tuple(archive_of("app/notes", each) for each in (NOTE, LATER)), True),
        ("srv/a.tar", tuple(archive_of("etc/cron.d/x", each) for each in (NOTE, LATER)), False),
        ("srv/a.tar", tuple(archive_of("./a/../bin/x", each) for each in (NOTE, LATER)), False),
        ("srv/a.tar", tuple(archive_of("a\\bin\\x", each) for each in (NOTE, LATER)), True),
        ("srv/a.tar", tuple(archive_of("usr\\bin\\x", each) for each in (NOTE, LATER)), False),
        ("srv/a.tar", tuple(archive_of("app/x.conf", each) for each in (NOTE, LATER)), False),
        (
            "srv/a.tgz",
            tuple(
                gzip.compress(archive_of("in.tar", archive_of("root/x", each)), mtime=0)
                for each in (NOTE, LATER)
            ),
            False,
        ),
        ("srv/a.tar", tuple(archive_of("app/run", each) for each in digest_in("#!a %b")), False),
    ],
)
def test_of_two_images_what_decides_something_does_not_stand_under_what_it_holds(
    path: str, sides: tuple[bytes, bytes], follows: bool, tmp_path: Path
):
    """A cause that explains a text does not explain a job with the same bytes."""
    files = {"usr/share/doc/notes": (NOTE, LATER), path: sides}
    differences, contents = pair(tmp_path, files)
    held = derived(differences, contents, one_build=False)
    assert [place[1] for place in held] == ([path] if follows else [])
    assert [place[1] for place in derived(differences, contents)] == [path]


def test_and_has_no_cause_but_its_own(tmp_path: Path):
    jobs = tuple(archive_of("etc/cron.d/x", each) for each in (NOTE, LATER))
    sums, allowed = digest_in("%b  notes\n"), digest_in("exec %b\n")
    files = {"notes": (NOTE, LATER), "a.tar": jobs, "sums": sums, "etc/allow": allowed}
    told = {
        d.path: f.cause.slug
        for f in attribute(*pair(tmp_path, files), Scene())
        for d in f.differences
    }
    dated = dict.fromkeys(("notes", "sums"), "captures_build_date")
    assert told == {**dated, **dict.fromkeys(("a.tar", "etc/allow"), "unexplained")}


# What a layer has from the one below.


def _mode(layer: int, left: str, right: str, path: str = "etc/app") -> Difference:
    return Difference(layer=layer, path=path, aspect=Aspect.MODE, left=left, right=right)


def _umasks(*differences: Difference) -> dict[int, list[tuple[int | None, bool]]]:
    """By the line that is blamed, the layers of its places, and whether they only follow."""
    lines = tuple(
        Instruction(file="Containerfile", line=n, text=f"RUN step {n}", stage="0") for n in range(5)
    )
    findings = attribute(differences, {}, Scene(instructions=lines))
    assert {f.cause.slug for f in findings} == {"different_due_to_umask"}
    assert all(f.instruction for f in findings)
    return {
        f.instruction.line: [(d.layer, bool(d.derived_from)) for d in f.differences]
        for f in findings
        if f.instruction
    }


def test_a_folder_that_is_copied_up_stands_under_the_line_that_made_it():
    seen = _umasks(*(_mode(n, "0755", "0775") for n in (1, 2, 4)))
    assert seen == {1: [(1, False), (2, True), (4, True)]}


def test_a_line_that_gives_a_folder_another_mode_answers_for_it_and_for_what_follows():
    one, other = ("0755", "0775"), ("0750", "0770")
    seen = _umasks(_mode(1, *one), _mode(2, *other), _mode(3, *other), _mode(3, *one, "etc/b"))
    assert seen == {1: [(1, False)], 2: [(2, False), (3, True)], 3: [(3, False)]}


def _contents(*lines: str) -> list[tuple[int | None, bool]]:
    """The layers of a file that differs in the same way in each layer, and which only follow."""
    same = [replace(_mode(n, "a", "b"), aspect=Aspect.CONTENT) for n in range(len(lines))]
    told = tuple(
        Instruction(file="Containerfile", line=n, text=text, stage="0")
        for n, text in enumerate(lines)
    )
    findings = attribute(same, {}, Scene(instructions=told))
    return sorted((d.layer, bool(d.derived_from)) for f in findings for d in f.differences)


def test_a_content_that_is_there_twice_is_the_doing_of_both_lines():
    assert _contents("RUN make", "RUN make again") == [(0, False), (1, False)]
    assert _contents("COPY a /", "COPY chmod /") == [(0, False), (1, False)]


@pytest.mark.parametrize(
    "line",
    [
        "RUN hostname > /etc/app && chmod 644 /etc/app",
        "RUN make install && chown 1:1 /etc/app",
        "RUN chmod 644 $(make) /etc/app",
        "RUN echo chmod 644 /etc/app",
        "RUN chmod 644 /etc/app > /etc/app",
        'RUN ["make", "chmod"]',
    ],
)
def test_a_line_that_may_have_written_a_file_answers_for_it(line: str):
    assert _contents("RUN make", line) == [(0, False), (1, False)]


@pytest.mark.parametrize(
    "line", ["RUN chmod -R 755 /etc", "RUN set -e; chown -R 1:1 \\\n  /etc/app && chmod g+w /etc"]
)
def test_a_content_comes_along_with_another_mode_or_owner(line: str):
    assert _contents("RUN make", line, line) == [(0, False), (1, True), (2, True)]


def test_what_a_later_line_only_renames_stands_under_the_line_that_wrote_it():
    same = [
        replace(_mode(n, "a", "b", path), aspect=Aspect.CONTENT)
        for n, path in enumerate(("out/conf", "out/renamed", "out/other"))
    ]
    lines = ("RUN make", "RUN mv out/conf out/renamed", "RUN make other")
    told = tuple(
        Instruction(file="Containerfile", line=n, text=text, stage="0")
        for n, text in enumerate(lines)
    )
    modes = [_mode(n, "0644", "0664", d.path) for n, d in enumerate(same)]
    for differences in (same, [*same, *modes]):
        findings = attribute(differences, {}, Scene(instructions=told))
        seen = {(d.layer, d.derived_from) for f in findings for d in f.differences}
        assert seen == {(0, ()), (1, ("out/conf",)), (2, ())}

    other = _mode(1, "0600", "0660", "out/renamed")  # which the later line gave it
    findings = attribute([*same, modes[0], other], {}, Scene(instructions=told))
    assert (1, ()) in {(d.layer, d.derived_from) for f in findings for d in f.differences}
