"""What keeps packages of two images apart, what bounds them, and where a name more decides more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from repaudit.comparison import DiffRequest, compare_images
from repaudit.forensics import Content
from repaudit.model.deciding import beyond, of_system, taken_whole
from repaudit.model.difference import Aspect, Difference, Place
from repaudit.oci.spool import Spool
from repaudit.stages.alone import Alone
from repaudit.stages.packages_wheel import _files
from tests.test_upgrades import (
    AFTER,
    BEFORE,
    INFO,
    ONE,
    OTHER,
    PLAIN,
    SITE,
    STATUS,
    TWO,
    UPGRADE,
    Files,
    image,
    module,
    package,
    paths,
    stanza,
    told,
    wheel,
    write,
)


@pytest.mark.parametrize(
    ("decides", "path"),
    [
        (beyond, "etc/profile.d/a\n.sh"),
        (beyond, "root/a\nb"),
        (taken_whole, "srv/a\nb/bin/x"),
        (of_system, "usr/bin/a\nb"),
    ],
)
def test_a_name_of_two_lines_decides_as_much(decides, path: str):
    assert decides(path)
    assert not decides(f"srv/{path}".replace("bin", "doc").replace("root", "home-of"))


class Lists:
    """A RECORD in the place of what one image alone has."""

    def __init__(self, data: bytes) -> None:
        self._content = Content(data=data, size=len(data))

    def content(self, _: object) -> Content:
        return self._content


def listed(data: bytes) -> dict[str, str | None] | None:
    path = "p/x-1.dist-info/RECORD"
    one = Difference(path=path, layer=0, aspect=Aspect.PRESENCE, left=None, right="x")
    return _files(one, "p/", Lists(data))


def test_the_folders_of_a_record_are_named_once_and_come_to_no_more_than_a_record():
    found = listed(b"a/b/c/d,,\na/b/e,,\n")
    assert found is not None
    assert {"p/a", "p/a/b", "p/a/b/c"} < found.keys()
    deep = b"".join(b"%d/" % n + b"a/" * 2000 + b"x,,\n" for n in range(20))
    assert listed(deep[: len(deep) // 20]) is not None
    assert listed(deep) is None


class Asked(dict[Place, str]):
    """Digests that count how often they are asked for."""

    asked = 0

    def get(self, *named: Any) -> Any:
        self.asked += 1
        return super().get(*named)


def test_the_outermost_folder_of_one_image_alone_is_climbed_to_once(tmp_path: Path):
    folders = ["srv/d" + "/d" * number for number in range(200)]
    digests = Asked({(0, name, Aspect.PRESENCE.value): "" for name in folders})
    alone = Alone([], digests, Spool(tmp_path), {})
    asked = digests.asked

    assert {alone.folder(0, name) for name in reversed(folders)} == {"srv/d"}
    assert {alone.folder(0, f"{name}/file") for name in folders} == {"srv/d"}
    assert digests.asked - asked < 8 * len(folders)
    assert alone.folder(0, "srv/file") == "srv"
    assert alone.folder(0, "file") == "."
    assert alone.folder(1, "srv/d/d/file") == "srv/d/d"


def shared(version: str) -> Files:
    """A library of two architectures."""
    own = {}
    for name in ("amd64", "i386"):
        path, data = f"usr/lib/{name}/libx.so", f"{name} {version}".encode()
        files = package(f"libx:{name}", {path: data})
        own |= {**files, STATUS: own.get(STATUS, b"") + multiarch("libx", version, name)}
    return own


def multiarch(name: str, version: str, architecture: str) -> bytes:
    return stanza(name, version).replace(
        b"Architecture: all", f"Architecture: {architecture}".encode()
    )


def moved(files: Files, folder: str) -> Files:
    return {path.replace(SITE, folder): data for path, data in files.items()}


LONE_AT = (f"{SITE[:-1]} on the left", "opt/venv/lib/site-packages on the right")
VENV = "opt/venv/lib/site-packages/"
BOTH = [
    (
        {**wheel("1", ONE), **moved(wheel("1", ONE), VENV)},
        {**wheel("2", TWO), **moved(wheel("2", TWO), VENV)},
    ),
    (shared("1"), shared("2")),
    (
        {"srv/a": b"1"},
        {
            "srv/a": b"1",
            **module("1", {}, "a/node_modules/q"),
            **module("3", {}, "b/node_modules/q"),
        },
    ),
    ({**wheel("1", ONE)}, {**moved(wheel("1", ONE), VENV)}),
]


@pytest.mark.parametrize(
    ("sides", "words"),
    [
        (BOTH[0], {f"my-app 1 -> 2 in {name}: 7 files" for name in (SITE[:-1], VENV[:-1])}),
        (BOTH[1], {f"libx:{name} 1 -> 2: 2 files" for name in ("amd64", "i386")}),
        (
            BOTH[2],
            {f"q {n} in {at}/node_modules on the right alone: 1 file" for n, at in ("1a", "3b")},
        ),
        (BOTH[3], {f"my-app 1 in {at} alone: 5 files" for at in LONE_AT}),
    ],
)
def test_packages_of_one_name_are_told_apart(
    sides: tuple[Files, Files], words: set[str], tmp_path: Path
):
    left, right = (write(tmp_path / name, files) for name, files in zip("lr", sides, strict=True))
    request = DiffRequest(left=left, right=right, diffoscope=False)
    found = compare_images(request, lambda _: None, 1).findings

    assert len({one.id for one in found}) == len(found)
    assert words <= {each.detail for one in found for each in one.evidence}


def test_a_package_is_called_the_same_from_one_comparison_to_the_next(tmp_path: Path):
    left = write(tmp_path / "l", image("1", BEFORE))
    first, again = (
        {one.id for one in told(left, write(tmp_path / name, image("2", files)))[UPGRADE]}
        for name, files in (("r", AFTER), ("s", {**AFTER, "usr/share/app/more": b"x"}))
    )
    assert first == again


LISTS = f"{INFO}app.list", f"{INFO}app.md5sums"


@pytest.mark.parametrize(
    "away",
    [
        {f"{INFO}.wh.app.list": b"", f"{INFO}.wh.app.md5sums": b""},
        {f"{INFO}.wh..wh..opq": b""},
        {"var/lib/.wh.dpkg": b"", STATUS: stanza("app", "2") + OTHER},
        {".wh..wh..opq": b"", STATUS: stanza("app", "2") + OTHER},
        {INFO[:-1]: b"no folder"},
    ],
)
def test_a_list_that_a_later_layer_takes_away_says_nothing(away: Files, tmp_path: Path):
    left = write(tmp_path / "l", image("1", BEFORE))
    found = told(left, write(tmp_path / "r", image("2", AFTER), away))
    assert "usr/bin/app" not in paths(found.get(UPGRADE, []))


@pytest.mark.parametrize(
    "other",
    [
        {f"{INFO}.wh.app.lis": b"", f"{INFO}app/.wh..wh..opq": b"", "var/.wh.li": b""},
        {f"{INFO}.wh..wh..opq": b"", **{name: image("2", AFTER)[name] for name in LISTS}},
        {f"{INFO}x": b""},
    ],
)
def test_one_that_is_still_there_says_as_much_as_before(other: Files, tmp_path: Path):
    left = write(tmp_path / "l", image("1", BEFORE))
    found = told(left, write(tmp_path / "r", image("2", AFTER), other))
    assert "usr/bin/app" in paths(found[UPGRADE])


@pytest.mark.parametrize(("more", "heard"), [(b"/\n" * 1000, True), (b"/\n" * 1_000_000, False)])
def test_lists_of_more_lines_than_a_system_has_are_not_heard(
    more: bytes, heard: bool, tmp_path: Path
):
    right = image("2", AFTER)
    right[LISTS[0]] += more
    found = told(write(tmp_path / "l", image("1", BEFORE)), write(tmp_path / "r", right))
    assert ("usr/bin/app" in paths(found.get(UPGRADE, []))) is heard


@pytest.mark.parametrize(("length", "heard"), [(1 << 10, True), (64 << 20, False)])
def test_nor_are_longer_ones(length: int, heard: bool, tmp_path: Path):
    right = image("2", AFTER)
    right[LISTS[0]] += b"/" + b"x" * length + b"\n"
    found = told(write(tmp_path / "l", image("1", BEFORE)), write(tmp_path / "r", right))
    assert ("usr/bin/app" in paths(found.get(UPGRADE, []))) is heard


@pytest.mark.parametrize(("before", "heard"), [(7, True), (8, False)])
def test_eight_packages_that_list_one_file_are_heard(before: int, heard: bool, tmp_path: Path):
    """The last one says that it has other bytes."""
    sides = []
    for version in "12":
        own: Files = {}
        for number in range(before):
            own |= package(f"p{number}", {"usr/share/app/a": version.encode()})
        own |= package("q", {"usr/share/app/a": b"other"}) | {"usr/share/app/a": version.encode()}
        names = [*(f"p{number}" for number in range(before)), "q"]
        sides.append({**own, STATUS: b"".join(stanza(name, version) for name in names)})
    found = told(write(tmp_path / "l", sides[0]), write(tmp_path / "r", sides[1]))
    assert ("usr/share/app/a" in paths(found.get(PLAIN, []))) is heard


@pytest.mark.parametrize(
    ("own", "new"),
    [
        ("var/www/html/index.html", "var/www/html/shell.php"),
        ("etc/app.conf", "etc/inetd.conf"),
        ("etc/perl/App.pm", "etc/perl/strict.pm"),
        ("usr/include/app.h", "usr/include/stdio.h"),
        ("usr/lib/git-core/own", "usr/lib/git-core/git-evil"),
        ("usr/lib/cgi-bin/own", "usr/lib/cgi-bin/evil"),
        ("usr/lib/app/methods/own", "usr/lib/app/methods/evil"),
        ("usr/lib/docker/cli-plugins/own", "usr/lib/docker/cli-plugins/docker-evil"),
        ("usr/lib/systemd/own", "usr/lib/systemd/system-sleep/evil"),
        ("usr/lib/python3.11/lib-dynload/a.so", "usr/lib/python3.11/lib-dynload/evil.so"),
        ("usr/lib/x86_64-linux-gnu/libapp.so.1", "usr/lib/x86_64-linux-gnu/libcrypt.so.9"),
        ("usr/share/perl5/App.pm", "usr/share/perl5/Carp.pm"),
        ("usr/share/bash-completion/completions/a", "usr/share/bash-completion/completions/ls"),
    ],
)
def test_a_new_file_where_programs_look_for_one_is_not_the_packages(
    own: str, new: str, tmp_path: Path
):
    both = {own: b"same"}
    left = write(tmp_path / "l", image("1", both))
    found = told(left, write(tmp_path / "r", image("2", {**both, new: b"evil"})))
    assert new in paths(found[PLAIN])
    assert new not in paths(found[UPGRADE])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("usr/lib/x86_64-linux-gnu/libapp.so.1.2", "usr/lib/x86_64-linux-gnu/libapp.so.1.10"),
        ("usr/lib/python3/dist-packages/app/a.py", "usr/lib/python3/dist-packages/app/b.py"),
        ("usr/share/app/a", "usr/share/app/b"),
        ("usr/share/man/man1/a.1", "usr/share/man/man1/b.1"),
    ],
)
def test_one_in_the_place_of_another_is_and_so_is_data(old: str, new: str, tmp_path: Path):
    left = write(tmp_path / "l", image("1", {old: b"one"}))
    found = told(left, write(tmp_path / "r", image("2", {new: b"two"})))
    assert {old, new} <= paths(found[UPGRADE])
