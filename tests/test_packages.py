"""What keeps packages of two images apart, what bounds them, and where a name more decides more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from repaudit.forensics import Content
from repaudit.model.deciding import beyond, of_system, taken_whole
from repaudit.model.difference import Aspect, Difference, Place
from repaudit.oci.spool import Spool
from repaudit.stages.alone import Alone
from repaudit.stages.packages_wheel import _files


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
