"""`repaudit diff` of honest pairs, from the archive to the report: each has the cause that it has.

Beside each stands a neighbour that looks like it and has not.
"""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import struct
import subprocess
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import zstandard
from typer.testing import CliRunner

from repaudit.cli.app import app
from tests.images import (
    Store,
    archive,
    digest_of,
    header,
    member,
    pad,
    pax,
    records,
    tar,
    write_files,
)

_NIGHT = "2023-11-14T22:13:20", 1_700_000_000
_LATER = "2024-03-09T16:00:00", 1_710_000_000


def image(folder: Path, *layers: bytes, **more: Any) -> str:
    store = Store()
    return str(write_files(folder, store.layout(store.image(*layers, **more))))


def diff(left: str, right: str, *more: str) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["diff", left, right, "--quiet", "--format", "json", *more])
    return json.loads(done.stdout)


def shown(left: str, right: str, *more: str) -> str:
    return CliRunner().invoke(app, ["diff", left, right, "--quiet", *more]).stdout


def causes(report: Mapping[str, Any]) -> dict[str, set[str]]:
    """The places of each cause that a report names."""
    found: dict[str, set[str]] = {}
    for one in report["findings"]:
        places = {difference["path"] for difference in one["differences"]}
        found.setdefault(one["cause"]["slug"], set()).update(places)
    return found


def files(*paths: str, at: int = 0, **fields: Any) -> list[bytes]:
    return [member(path.encode(), b"x", mtime=b"%011o\0" % at, **fields) for path in paths]


# --- clamped times -----------------------------------------------------------------------------


def dated(folder: Path, created: str, *members: bytes, step: str = "") -> str:
    history = [{"created": step or created, "created_by": "RUN make"}]
    return image(folder, tar(*members), created=created, history=history)


def test_two_fixed_times_are_told_as_such(tmp_path: Path):
    sides = [
        dated(tmp_path / day, f"{day}Z", *files("a", "b", at=at)) for day, at in (_NIGHT, _LATER)
    ]
    found = causes(diff(*sides))
    assert found == {
        "times_clamped_differently": {"/config/created", "/history/0/created", "a", "b"}
    }


def test_what_is_older_than_a_clamp_keeps_its_time(tmp_path: Path):
    (day, early), (other, late) = _NIGHT, _LATER
    between = files("between", at=early + 9)
    one = dated(tmp_path / "l", f"{day}Z", *files("a", "between", at=early))
    two = dated(tmp_path / "r", f"{other}Z", *files("a", at=late), *between)
    assert causes(diff(one, two)).keys() == {"times_clamped_differently"}
    assert causes(diff(two, one)).keys() == {"times_clamped_differently"}
    newer = dated(tmp_path / "n", f"{other}Z", *files("a", at=late), *files("between", at=late + 1))
    assert causes(diff(one, newer)).keys() == {
        "creation_times_not_clamped",
        "layer_mtimes_not_clamped",
    }


@pytest.mark.parametrize("fraction", ["", ".5"])
def test_the_times_of_a_clock_are_no_clamp(tmp_path: Path, fraction: str):
    """A clock goes on between the file and the image, and has fractions."""
    late = 0 if fraction else 3
    sides = [
        dated(tmp_path / day, f"{day}{fraction}Z", *files("a", "b", at=at - late))
        for day, at in (_NIGHT, _LATER)
    ]
    assert causes(diff(*sides)).keys() == {"creation_times_not_clamped", "layer_mtimes_not_clamped"}


def test_of_a_clamped_image_a_step_of_another_time_is_none_of_the_clamp(tmp_path: Path):
    (day, early), (other, late) = _NIGHT, _LATER
    one = dated(tmp_path / "l", f"{day}Z", *files("a", at=early), step="2025-01-01T00:00:00Z")
    two = dated(tmp_path / "r", f"{other}Z", *files("a", at=late), step="2025-01-01T00:00:09Z")
    found = causes(diff(one, two))
    assert found["creation_times_not_clamped"] == {"/history/0/created"}
    assert found["times_clamped_differently"] == {"/config/created", "a"}


# --- docker archives ---------------------------------------------------------------------------

_NO_MANIFEST = "what the manifest says, and its digest, as a docker archive has none"


def saved(folder: Path, *layers: bytes, compress: bool, other: Sequence[bytes] = ()) -> list[str]:
    """An image in a layout, and in what `docker save` writes of it, with `other` layers."""
    store = Store()
    root = store.image(*layers, compress=compress)
    layout = write_files(folder / "layout", store.layout(root))
    inner = Store()
    manifest = json.loads(inner.blobs[inner.image(*(other or layers))["digest"]])
    config = inner.blobs[manifest["config"]["digest"]]
    names = [f"{digest_of(layer)[7:]}/layer.tar" for layer in other or layers]
    name = f"{digest_of(config)[7:]}.json"
    listed = [{"Config": name, "RepoTags": ["app:1"], "Layers": names}]
    files = {"manifest.json": json.dumps(listed).encode(), name: config}
    file = folder / "saved.tar"
    file.write_bytes(archive({**files, **dict(zip(names, other or layers, strict=True))}))
    return [str(layout), f"docker-archive:{file}"]


@pytest.mark.parametrize("compress", [False, True])
def test_a_docker_archive_of_an_image_has_no_manifest_and_lacks_nothing_else(
    tmp_path: Path, compress: bool
):
    layers = tar(*files("a")), tar(*files("b"))
    sides = saved(tmp_path, *layers, compress=compress)
    for left, right in (sides, sides[::-1]):
        report = diff(left, right)
        assert causes(report) == {"no_manifest_in_docker_archive": {"/manifest"}}
        assert report["untold"] == [_NO_MANIFEST]
        (only,) = report["findings"][0]["differences"]
        assert "layers that hold the same: 2 of 2" in only["detail"]
        assert ("compressed on one side" in only["detail"]) is compress
        asked = diff(left, right, "--semantic")
        assert (asked["verdict"], asked["findings"]) == ("reproducible", [])
        assert asked["ignored"] == [{"count": 1, "kind": "no-manifest"}]
        assert asked["untold"] == [_NO_MANIFEST]


def test_a_docker_archive_has_no_index_either(tmp_path: Path):
    layer = tar(*files("a"))
    archived = saved(tmp_path, layer, compress=False)[1]
    index = attested(tmp_path / "index", b"one", amd64=layer)
    report = diff(index, archived)
    beside = {"unexplained": {"/index/manifests/1"}}
    assert causes(report) == {"no_manifest_in_docker_archive": {"/index", "/manifest"}} | beside
    details = [d["detail"] or "" for found in report["findings"] for d in found["differences"]]
    assert any("not compared: attestation of linux/amd64 sha256:" in one for one in details)
    bare = attested(tmp_path / "bare", b"", amd64=layer)
    for sides in ((index, archived), (archived, index), (bare, archived), (archived, bare)):
        asked = diff(*sides, "--semantic")
        assert causes(asked) == (beside if index in sides else {})
        assert asked["verdict"] == ("unreproducible" if index in sides else "reproducible")
        assert asked["ignored"] == [{"count": 2, "kind": "no-manifest"}]
    assert asked["untold"] == [
        "what index and manifest say, and their digests, as a docker archive has none"
    ]
    more = attested(tmp_path / "more", b"one", amd64=layer, arm64=layer)
    for report in (diff(more, archived), diff(more, archived, "--semantic")):
        found = causes(report)["unexplained"]
        assert found == {"/platforms/linux/arm64", "/index/manifests/2", "/index/manifests/3"}
    single = image(tmp_path / "single", layer)
    for report in (diff(index, single), diff(index, single, "--semantic")):
        assert "/index" in causes(report)["unexplained"]


@pytest.mark.parametrize("compress", [False, True])
def test_a_docker_archive_of_another_image_differs_in_that_too(tmp_path: Path, compress: bool):
    layers = tar(*files("a")), tar(*files("b"))
    sides = saved(tmp_path, *layers, compress=compress, other=(layers[0], tar(*files("evil"))))
    report = diff(*sides)
    found = causes(report)
    assert found.pop("no_manifest_in_docker_archive") == {"/manifest"}
    assert found == {"unexplained": {"b", "evil"}}
    detail = next(d for f in report["findings"] for d in f["differences"] if d["path"][:1] == "/")
    assert "layers that hold the same: 1 of 2" in detail["detail"]
    assert "the config" not in detail["detail"]
    asked = diff(*sides, "--semantic")
    assert asked["verdict"] == "unreproducible"
    assert causes(asked) == found


def test_two_manifests_are_compared_whatever_asked(tmp_path: Path):
    layer = tar(*files("a"))
    sides = [image(tmp_path / word, layer, compress=word == "r") for word in "lr"]
    for report in (diff(*sides), diff(*sides, "--semantic")):
        assert causes(report) == {"layer_compression_differs": {""}}
        assert report["untold"] == []


# --- what was not compared ---------------------------------------------------------------------


@pytest.mark.parametrize("compress", [False, True])
def test_how_hard_layers_were_compressed_is_asked_of_compressed_ones_alone(
    tmp_path: Path, compress: bool
):
    sides = [
        image(tmp_path / word, tar(member(b"a", word.encode())), compress=compress) for word in "lr"
    ]
    how = "how hard layers whose entries differ were compressed"
    assert diff(*sides)["untold"] == [how] * compress
    assert (how in shown(*sides)) is compress


# --- layers that are cut differently -----------------------------------------------------------

_STEPS = [
    {"created_by": "ADD rootfs.tar /"},
    {"created_by": "ENV A=1", "empty_layer": True},
    {"created_by": "RUN make"},
    {"created_by": "RUN make install"},
]
_HOLDS = [("a",), ("b",), ("c",)]
#: Histories of a squashed image: as Docker, as others, and as buildah writes it.
_SQUASHED = [
    [*({**step, "empty_layer": True} for step in _STEPS), {"comment": "merge a to b"}],
    [{**step, "empty_layer": number < 3} for number, step in enumerate(_STEPS)],
    [{"created_by": "buildah"}],
]


def squashed(folder: Path, history: list[dict[str, Any]], *more: bytes) -> list[str]:
    apart = image(folder / "l", *(tar(*files(*paths)) for paths in _HOLDS), history=_STEPS)
    one = tar(*(entry for paths in _HOLDS for entry in files(*paths)), *more)
    return [apart, image(folder / "r", one, history=history)]


@pytest.mark.parametrize("history", _SQUASHED)
def test_a_squashed_image_is_one_finding(tmp_path: Path, history: list[dict[str, Any]]):
    sides = squashed(tmp_path, history)
    for report in (diff(*sides), diff(*sides[::-1])):
        (only,) = report["findings"]
        assert only["cause"]["slug"] == "other_number_of_layers"
        layers = [d["layer"] for d in only["differences"] if d["path"] == ""]
        assert layers == [1, 2]


@pytest.mark.parametrize("history", _SQUASHED)
def test_and_what_differs_in_its_files_stands_apart(tmp_path: Path, history: list[dict[str, Any]]):
    found = causes(diff(*squashed(tmp_path, history, *files("evil"))))
    assert found["unexplained"] == {"evil"}
    assert found.keys() == {"other_number_of_layers", "unexplained"}


def test_a_step_that_says_another_thing_is_no_matter_of_the_cut(tmp_path: Path):
    steps = [*_STEPS[:2], {"created_by": "RUN make evil", "empty_layer": True}, *_STEPS[3:]]
    found = causes(diff(*squashed(tmp_path, steps)))
    assert found["unexplained"] == {"/history/2/created_by"}
    told = {"created_by": "RUN make install", "empty_layer": "evil"}
    found = causes(diff(*squashed(tmp_path / "told", [*_STEPS[:3], told])))
    assert found["unexplained"] == {"/history/3/empty_layer"}


def test_of_as_many_layers_nothing_in_the_history_is_a_matter_of_the_cut(tmp_path: Path):
    layers = [tar(*files(*paths)) for paths in _HOLDS]
    one = image(tmp_path / "l", *layers, history=_STEPS)
    more = image(tmp_path / "m", *layers, history=[*_STEPS, {"created_by": "CMD evil"}])
    assert causes(diff(one, more)) == {"unexplained": {"/history/4"}}
    flag = image(tmp_path / "f", *layers, history=[*_STEPS[:3], {**_STEPS[3], "empty_layer": True}])
    assert causes(diff(one, flag)) == {"unexplained": {"/history/3/empty_layer"}}


# --- times in extended headers -----------------------------------------------------------------


def extended(folder: Path, key: bytes, *values: bytes) -> str:
    """A layer of a file for each value, with such a record."""
    pieces = [
        pax((key, value)) + member(b"file-%d" % number, b"x") for number, value in enumerate(values)
    ]
    return image(folder, tar(*pieces))


@pytest.mark.parametrize("key", [b"atime", b"ctime", b"LIBARCHIVE.creationtime"])
def test_other_times_of_files_are_shown_as_times(tmp_path: Path, key: bytes):
    sides = [
        extended(tmp_path / value.decode(), key, value, b"1") for value in (b"1700000000.25", b"-9")
    ]
    report = diff(*sides)
    assert causes(report) == {"times_in_extended_headers": {""}}
    (only,) = report["findings"][0]["differences"]
    assert (only["left"], only["right"], only["layer"]) == ("1700000000.25", "-9", 0)
    assert f"1 in record {key.decode()}, first file-0" in only["detail"]
    assert diff(*sides, "--semantic")["ignored"] == [{"count": 1, "kind": "file-timestamps"}]


@pytest.mark.parametrize(
    ("key", "values"),
    [
        (b"atime", (b"1700000000", b"payload")),
        (b"atime", (b"1700000000", b"1700000000.1234567890")),
        (b"atime", (b"1700000000", b"1" * 40)),
        (b"comment", (b"1700000000", b"1710000000")),
        (b"SCHILY.dev", (b"17", b"18")),
    ],
)
def test_what_is_no_time_stands_under_none(tmp_path: Path, key: bytes, values: tuple[bytes, ...]):
    sides = [extended(tmp_path / str(n), key, value) for n, value in enumerate(values)]
    assert causes(diff(*sides)) == {"unexplained": {""}}
    beside = [extended(tmp_path / f"b{n}", key, b"%d" % n, v) for n, v in enumerate(values)]
    assert "unexplained" in causes(diff(*beside))


def test_a_time_that_one_side_alone_has_is_another_way_to_write(tmp_path: Path):
    one = extended(tmp_path / "l", b"atime", b"1700000000")
    other = image(tmp_path / "r", tar(member(b"file-0", b"x")))
    assert causes(diff(one, other)) == {"unexplained": {""}}


def stamped(when: int) -> dict[str, bytes]:
    """Layers that hold a time, each in another header, of a file that was written in 5."""
    field, fixed = b"%011o\0" % when, (b"mtime", b"5.5")
    said = records(fixed)
    times = [(key, b"%d.5" % when) for key in (b"atime", b"ctime", b"mtime")]
    head = header(b"PaxHeaders.0/x", len(said), b"x", mtime=field)
    return {
        "of all files": tar(pax(*times, kind=b"g"), member(b"a", b"x")),
        "of a header": tar(head, pad(said), member(b"a", b"x")),
        "beside a record": tar(pax((b"mtime", b"5")), member(b"a", b"x", mtime=field)),
    }


@pytest.mark.parametrize("place", stamped(1))
def test_times_in_any_header_are_shown_as_times(tmp_path: Path, place: str):
    when = 1_700_000_000, 1_710_000_000
    sides = [image(tmp_path / f"{at}", stamped(at)[place]) for at in when]
    report = diff(*sides)
    assert causes(report) == {"times_in_extended_headers": {""}}
    (only,) = report["findings"][0]["differences"]
    assert [only[side].partition(".")[0] for side in ("left", "right")] == [*map(str, when)]


@pytest.mark.parametrize(
    "records",
    [[(b"comment", b"evil")], [(b"atime", b"payload")], [(b"path", b"evil"), (b"mtime", b"2.5")]],
)
def test_what_else_is_said_of_all_files_is_no_time(
    tmp_path: Path, records: list[tuple[bytes, bytes]]
):
    known = [(b"atime", b"1.5"), (b"mtime", b"1.5")]
    sides = [
        image(tmp_path / f"{number}", tar(pax(*some, kind=b"g"), member(b"a", b"x")))
        for number, some in enumerate((known, records))
    ]
    assert "unexplained" in causes(diff(*sides))
    twice = tar(pax(*known, kind=b"g"), pax(*records, kind=b"g"), member(b"a", b"x"))
    assert "unexplained" in causes(diff(sides[0], image(tmp_path / "twice", twice)))


@pytest.mark.parametrize("kind", [b"x", b"g"])
@pytest.mark.parametrize("key", [b"mtime", b"atime", b"ctime"])
def test_in_an_archive_of_the_image_too(tmp_path: Path, kind: bytes, key: bytes):
    sides = [
        holding(tmp_path / value.decode(), "a.tar", tar(pax((key, value), kind=kind), *files("b")))
        for value in (b"1.5", b"2.25", b"payload")
    ]
    assert causes(diff(*sides[:2])) == {"timestamps_in_tarball": {"a.tar"}}
    assert "unexplained" in causes(diff(sides[0], sides[2]))


# --- umasks ------------------------------------------------------------------------------------


def masked(folder: Path, umask: int, *layers: tuple[tuple[str, bytes, int], ...]) -> str:
    """Layers of a path, a type and the mode that a program asks for."""
    made = [
        tar(*(member(path.encode(), b"", kind, mode=mode & ~umask) for path, kind, mode in layer))
        for layer in layers
    ]
    return image(folder, *made)


_FOLDER, _PROGRAM = ("d", b"5", 0o777), ("d/p", b"0", 0o777)


@pytest.mark.parametrize("umask", [0o027, 0o077])
@pytest.mark.parametrize(
    "layers",
    [
        [(_FOLDER, _PROGRAM, ("d/f", b"0", 0o666))],
        [(_FOLDER,), (_PROGRAM,), (("e", b"0", 0o666), ("f", b"0", 0o444))],
    ],
)
def test_a_umask_is_told_by_all_that_it_made(tmp_path: Path, umask: int, layers: list[Any]):
    sides = [masked(tmp_path / f"{mask}", mask, *layers) for mask in (0o022, umask)]
    paths = {path for layer in layers for path, _, _ in layer}
    assert causes(diff(*sides)) == {"different_due_to_umask": paths}


def test_few_modes_are_what_somebody_may_have_decided(tmp_path: Path):
    sides = [masked(tmp_path / f"{mask}", mask, (_FOLDER, _PROGRAM)) for mask in (0o022, 0o077)]
    assert causes(diff(*sides)) == {"unexplained": {"d", "d/p"}}


def test_other_rights_are_none_of_the_umask_beside_them(tmp_path: Path):
    plain = [("a", b"0", 0o666), ("b", b"0", 0o777), ("c", b"0", 0o666)]
    one = masked(tmp_path / "l", 0o022, (*plain, ("d", b"0", 0o600)))
    two = masked(tmp_path / "r", 0o027, (*plain, ("d", b"0", 0o644)))
    found = causes(diff(one, two))
    assert found == {"different_due_to_umask": {"a", "b", "c"}, "unexplained": {"d"}}


@pytest.mark.parametrize("further", [(), (tar(),)])  # layer by layer, and as file systems
def test_a_file_that_anybody_may_read_was_made_under_no_umask_that_forbids_it(
    tmp_path: Path, further: tuple[bytes, ...]
):
    own = [("d", b"5", 0o777), ("d/p", b"0", 0o777), ("d/e", b"0", 0o666)]

    def made(folder: str, umask: int, *more: bytes, end: tuple[bytes, ...] = ()) -> str:
        some = (member(path.encode(), b"", kind, mode=mode & ~umask) for path, kind, mode in own)
        return image(tmp_path / folder, tar(*some, *more), *end)

    paths = {path for path, _, _ in own}
    found = causes(diff(made("a", 0o022), made("b", 0o077, end=further)))
    assert found["different_due_to_umask"] == paths
    readable = member(b"f", b"", mode=0o644)
    found = causes(diff(made("c", 0o022, readable), made("d", 0o077, readable, end=further)))
    assert found["unexplained"] == paths
    assert "different_due_to_umask" not in found


# --- compressors -------------------------------------------------------------------------------

_TEXT = b"".join(b"%d line %d\n" % (number * number, number) for number in range(20_000))
_IN_TAR = tar(member(b"a", _TEXT))


def zstd(data: bytes, level: int) -> bytes:
    return zstandard.ZstdCompressor(level=level).compress(data)


def streams(pack: Callable[[bytes], bytes], data: bytes) -> bytes:
    """As several threads write it: a stream for each piece."""
    return b"".join(pack(data[at : at + 99_999]) for at in range(0, len(data), 99_999))


_WAYS: dict[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]] = {
    "gzip": (lambda data: gzip.compress(data, 1, mtime=0), partial(gzip.compress, mtime=0)),
    "bzip2": (lambda data: bz2.compress(data, 1), bz2.compress),
    "bzip2 in pieces": (partial(streams, bz2.compress), bz2.compress),
    "xz": (lambda data: lzma.compress(data, preset=1), lzma.compress),
    "xz with another check": (partial(lzma.compress, check=lzma.CHECK_CRC32), lzma.compress),
    "xz in pieces": (partial(streams, lzma.compress), lzma.compress),
    "zstd": (lambda data: zstd(data, 1), lambda data: zstd(data, 19)),
    "zstd in pieces": (partial(streams, lambda data: zstd(data, 1)), lambda data: zstd(data, 1)),
}


def holding(folder: Path, name: str, data: bytes) -> str:
    return image(folder, tar(member(name.encode(), data)))


@pytest.mark.parametrize("way", _WAYS)
@pytest.mark.parametrize("data", [_TEXT, _IN_TAR], ids=["text", "tar"])
def test_the_same_bytes_compressed_in_two_ways(tmp_path: Path, way: str, data: bytes):
    packed = [pack(data) for pack in _WAYS[way]]
    sides = [holding(tmp_path / f"{n}", "srv/packed", side) for n, side in enumerate(packed)]
    assert causes(diff(*sides)) == {"compressor_differs": {"srv/packed"}}
    inner = [tar(member(b"a", side)) for side in packed]
    sides = [holding(tmp_path / f"i{n}", "srv/a.tar", side) for n, side in enumerate(inner)]
    assert causes(diff(*sides)) == {"compressor_differs": {"srv/a.tar"}}


@pytest.mark.parametrize("way", _WAYS)
def test_other_bytes_are_no_matter_of_the_compressor(tmp_path: Path, way: str):
    one, other = _WAYS[way]
    plain = holding(tmp_path / "l", "srv/packed", one(_TEXT))
    evil = holding(tmp_path / "e", "srv/packed", other(_TEXT.replace(b"1 line 1\n", b"evil\n")))
    assert "compressor_differs" not in causes(diff(plain, evil))
    behind = holding(tmp_path / "b", "srv/packed", other(_TEXT) + b"payload")
    assert "unexplained" in causes(diff(plain, behind))
    cut = holding(tmp_path / "c", "srv/packed", other(_TEXT)[:-9])
    assert causes(diff(plain, cut)).keys() == {"unexplained"}


# --- indexes of static libraries ---------------------------------------------------------------


def library(folder: Path, *names: str) -> bytes:
    folder.mkdir()
    for name in names:
        text = f"int {name}(void) {{ return 1; }}\nint {name}2(void) {{ return {ord(name)}; }}\n"
        (folder / f"{name}.c").write_text(text)
    objects = [f"{name}.o" for name in names]
    subprocess.run(["gcc", "-c", *(f"{name}.c" for name in names)], cwd=folder, check=True)
    subprocess.run(["ar", "Dcr", "x.a", *objects], cwd=folder, check=True)
    return (folder / "x.a").read_bytes()


def test_the_index_of_a_library_follows_from_its_members(tmp_path: Path):
    one, two = library(tmp_path / "1", *"badce"), library(tmp_path / "2", *"dbeac")
    assert one.count(b"a2\0") == two.count(b"a2\0") == 2  # of the index, and of the member
    plain = holding(tmp_path / "l", "x.a", one)
    found = causes(diff(plain, holding(tmp_path / "r", "x.a", two)))
    assert found == {"random_order_in_static_libraries": {"x.a"}}
    at = two.index(b"a2\0")
    for number, evil in enumerate(
        (two[:at] + b"a3" + two[at + 2 :], two.replace(b"a2\0", b"\0a2", 1))
    ):
        found = causes(diff(plain, holding(tmp_path / f"{number}", "x.a", evil)))
        assert "unexplained" in found
    swapped = bytearray(two)  # the first symbol is said to be in the second member
    first, third = 72, 80
    swapped[first : first + 4] = two[third : third + 4]
    found = causes(diff(plain, holding(tmp_path / "s", "x.a", bytes(swapped))))
    assert "unexplained" in found


def test_a_date_in_a_member_hides_no_index_that_leads_to_another_one(tmp_path: Path):
    def dated(name: str, lead: int, day: int) -> str:
        some = {"good.o/": b"GOOD", "evil.o/": b"EVIL", "note/": b"built 2026-11-%d\n" % day}
        members = [ar_member(key, data) for key, data in some.items()]
        at = 8 + len(ar_member("/", bytes(13))) + 1
        index = struct.pack(">II", 1, at + lead * len(members[0])) + b"auth\0"
        data = b"".join((b"!<arch>\n", ar_member("/", index), *members))
        return holding(tmp_path / name, "x.a", data)

    one, dated_only, evil = dated("l", 0, 22), dated("r", 0, 23), dated("e", 1, 23)
    assert causes(diff(one, dated_only)).keys() == {"captures_build_date"}
    assert causes(diff(one, evil)).keys() == {"captures_build_date", "unexplained"}


def ar_member(name: str, data: bytes) -> bytes:
    fields = name.ljust(16) + "0".ljust(12) + "0".ljust(6) * 2 + "644".ljust(8)
    return fields.encode() + b"%-10d`\n" % len(data) + data + b"\n" * (len(data) % 2)


def test_of_two_members_that_have_a_symbol_the_order_decides(tmp_path: Path):
    texts = {"a": "int f(void) { return 1; }", "b": "int f(void) { return 2; }"}
    for name, text in texts.items():
        (tmp_path / f"{name}.c").write_text(text)
    subprocess.run(["gcc", "-c", "a.c", "b.c"], cwd=tmp_path, check=True)
    libraries = []
    for some in ("ab", "ba"):
        subprocess.run(["ar", "Dcr", f"{some}.a", *(f"{n}.o" for n in some)], cwd=tmp_path)
        libraries.append((tmp_path / f"{some}.a").read_bytes())
    found = diff(*(holding(tmp_path / f"{n}", "x.a", x) for n, x in enumerate(libraries)))
    assert causes(found).keys() == {"random_order_in_static_libraries", "unexplained"}


# --- cpio archives -----------------------------------------------------------------------------

_Members = Mapping[str, tuple[int, bytes]]


def cpio(members: _Members, at: int, *, mode: int = 0o100644, links: int = 1) -> bytes:
    """An archive of members, each with its inode and its bytes."""
    out = b""
    for name, (inode, data) in {**members, "TRAILER!!!": (0, b"")}.items():
        when = at if inode else 0
        fields = (inode, mode, 0, 0, links, when, len(data), 8, 1, 0, 0, len(name) + 1, 0)
        out += b"070701" + b"".join(b"%08X" % field for field in fields)
        out += name.encode() + b"\0"
        out += bytes(-len(out) % 4) + data
        out += bytes(-len(out) % 4)
    return out


@pytest.mark.parametrize(
    "pack", [bytes, partial(gzip.compress, mtime=0), lzma.compress, zstandard.compress]
)
def test_a_cpio_archive_has_times_and_inodes(tmp_path: Path, pack: Callable[[bytes], bytes]):
    def side(word: str, *files: bytes) -> str:
        return holding(tmp_path / word, "boot/initrd", pack(b"".join(files)))

    one = side("l", cpio({"a": (7, b"x"), "b": (8, b"y")}, 5))
    two = side("r", cpio({"a": (17, b"x"), "b": (18, b"y")}, 6))
    both = {"captures_inode_number", "timestamps_in_cpio_archive"}
    assert causes(diff(one, two)).keys() == both
    evil = {
        "bytes": cpio({"a": (17, b"x"), "b": (18, b"evil")}, 6),
        "links": cpio({"a": (17, b"x"), "b": (17, b"y")}, 6),
        "count": cpio({"a": (17, b"x"), "b": (18, b"y")}, 6, links=2),
        "mode": cpio({"a": (17, b"x"), "b": (18, b"y")}, 6, mode=0o104755),
        "more": cpio({"a": (17, b"x"), "b": (18, b"y"), "c": (19, b"")}, 6),
    }
    for word, data in evil.items():
        assert "unexplained" in causes(diff(one, side(word, data))), word
    behind = [
        side(f"{word}{at}", cpio({"a": (7, b"x")}, at), cpio({"b": (8, word.encode())}, at))
        for word, at in (("y", 5), ("y", 6), ("evil", 6))
    ]
    assert causes(diff(*behind[:2])).keys() == {"timestamps_in_cpio_archive"}
    assert "unexplained" in causes(diff(behind[0], behind[2]))


def test_members_of_a_cpio_archive_in_another_order(tmp_path: Path):
    names = "badce"
    sides = [
        holding(tmp_path / word, "initrd", cpio({name: (ord(name), b"") for name in some}, 5))
        for word, some in (("l", names), ("r", "dbeac"))
    ]
    assert causes(diff(*sides)) == {"random_order_in_cpio_archive": {"initrd"}}


# --- what Java's tools write -------------------------------------------------------------------


def log(took: str, finished: str, module: str = "1.234 s") -> bytes:
    return (
        f"[INFO] app ................................ SUCCESS [{module:>9}]\n[INFO] BUILD SUCCESS\n"
        f"[INFO] Total time:  {took}\n[INFO] Finished at: {finished}\n"
    ).encode()


@pytest.mark.parametrize("took", [("3.251 s", "4.001 s"), ("59.9 s", "01:02 min")])
def test_mavens_log_tells_when_and_how_long(tmp_path: Path, took: tuple[str, str]):
    days = ("2026-11-22T10:11:12Z", "2026-11-23T10:11:19Z")
    modules = ("1.234 s", "11.234 s")
    logs = [log(*pair) for pair in zip(took, days, modules, strict=True)]
    sides = [holding(tmp_path / f"{n}", "srv/build.log", data) for n, data in enumerate(logs)]
    both = {"captures_build_date", "captures_execution_time"}
    assert causes(diff(*sides)).keys() == both
    evil = holding(tmp_path / "e", "srv/build.log", logs[1].replace(b"BUILD SUCCESS", b"EVIL"))
    assert causes(diff(sides[0], evil)).keys() == {*both, "unexplained"}


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("timeout 3.251 s", "timeout 4.001 s"),
        ("Total time: 3.251 kg", "Total time: 4.001 kg"),
        ("Total time: 3.251 s of 1", "Total time: 4.001 s of 2"),
    ],
)
def test_not_each_number_is_a_duration(tmp_path: Path, left: str, right: str):
    sides = [holding(tmp_path / f"{n}", "a", text.encode()) for n, text in enumerate((left, right))]
    assert "unexplained" in causes(diff(*sides))


def jar_manifest(who: str, jdk: str, when: int, main: str = "App") -> bytes:
    return (
        f"Manifest-Version: 1.0\r\nBuilt-By: {who}\r\nBuild-Jdk: {jdk}\r\n"
        f"Bnd-LastModified: {when}\r\nMain-Class: {main}\r\n\r\n"
    ).encode()


def test_the_manifest_of_a_jar_is_read_outside_of_one_too(tmp_path: Path):
    one = jar_manifest("jenkins", "17.0.2", 1_700_000_000_123)
    two = jar_manifest("root", "17.0.9", 1_710_000_000_123)
    evil = jar_manifest("root", "17.0.9", 1_710_000_000_123, "Evil")
    wanted = {
        "user_in_java_jar_manifest",
        "toolchain_in_java_jar_manifest",
        "timestamp_in_java_bnd_manifest",
    }
    path = "srv/app/META-INF/MANIFEST.MF"
    sides = [holding(tmp_path / f"{n}", path, data) for n, data in enumerate((one, two, evil))]
    assert causes(diff(*sides[:2])).keys() == wanted
    assert causes(diff(sides[0], sides[2])).keys() == {*wanted, "unexplained"}
    other = [holding(tmp_path / f"o{n}", "srv/notes", data) for n, data in enumerate((one, two))]
    assert "unexplained" in causes(diff(*other))


# --- a container's ID as the host name ---------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "known"),
    [
        ("HOSTNAME={}", True),
        ("built on host {}", True),
        ('{{"build_host": "{}"}}', True),
        ("Linux version 6.1.0 (root@{}) (gcc 12)", True),
        ("{}", False),
        ("commit {}", False),
        ("uses: some/action@{}", False),
        ("REDIS_HOST={}", False),
        ("hostname={}.example", False),
        ("hostname=x{}", False),
    ],
)
def test_a_host_is_named_after_a_container_where_the_line_says_so(
    tmp_path: Path, line: str, known: bool
):
    ids = ("3f2a1b4c5d6e", "9a8b7c6d5e4f")
    sides = [holding(tmp_path / one, "srv/info", line.format(one).encode()) for one in ids]
    assert causes(diff(*sides)).keys() == {"captures_hostname" if known else "unexplained"}
    short = [holding(tmp_path / one, "srv/info", line.format(one[1:]).encode()) for one in ids]
    assert causes(diff(*short)).keys() == {"unexplained"}


# --- what stands beside images -----------------------------------------------------------------

_BESIDE = "the same on both sides; the index around, and so its digest, is not."


def attested(folder: Path, said: bytes, **layers: bytes) -> str:
    """An index as BuildKit writes it: an image for each architecture, and what it `said` of it."""
    store = Store()
    images, attestations = [], []
    for name, layer in layers.items():
        platform = {"os": "linux", "architecture": name}
        images.append(store.image(layer, architecture=name, platform=platform))
        notes = {
            "vnd.docker.reference.digest": images[-1]["digest"],
            "vnd.docker.reference.type": "attestation-manifest",
        }
        unknown = {"os": "unknown", "architecture": "unknown"}
        if said:
            made = store.image(
                said + name.encode(), architecture="unknown", annotations=notes, platform=unknown
            )
            attestations.append(made)
    return str(write_files(folder, store.layout(store.index(*images, *attestations))))


@pytest.mark.parametrize("said", [b"two", b""])
@pytest.mark.parametrize("names", [("amd64",), ("amd64", "arm64")])
def test_where_attestations_alone_differ_the_images_are_said_to_be_the_same(
    tmp_path: Path, said: bytes, names: tuple[str, ...]
):
    layers = {name: tar(member(name.encode(), b"x")) for name in names}
    sides = [attested(tmp_path / f"{n}", word, **layers) for n, word in enumerate((b"one", said))]
    report = diff(*sides)
    assert causes(report).keys() == {"unexplained"}
    assert [one["platform"] for one in report["same"]] == [f"linux/{name}" for name in names]
    text = shown(*sides)
    assert _BESIDE in text
    assert f"linux/{names[-1]}: the image itself, sha256:" in " ".join(text.split())
    read = [one["detail"] for found in report["findings"] for one in found["evidence"]]
    assert any("read it" in detail for detail in read)


def test_an_image_that_differs_is_none_of_the_same(tmp_path: Path):
    plain, other = (tar(member(b"a", data)) for data in (b"x", b"evil"))
    one = attested(tmp_path / "l", b"one", amd64=plain, arm64=plain)
    two = attested(tmp_path / "r", b"two", amd64=plain, arm64=other)
    assert [image["platform"] for image in diff(one, two)["same"]] == ["linux/amd64"]
    assert _BESIDE not in shown(one, two)
    more = attested(tmp_path / "m", b"one", amd64=plain)
    assert _BESIDE not in shown(one, more)
    assert diff(one, one)["same"] == []
