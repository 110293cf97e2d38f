"""Known places in two images: one finding a place, and never a payload behind it.

Each case is a file that differs in what its program writes anew, which its grammar accounts for,
and the same file with a payload beside that.
"""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from repaudit.comparison import DiffRequest, compare_images
from repaudit.forensics import cause
from repaudit.model.difference import Aspect
from repaudit.model.finding import Confidence, Finding
from repaudit.stages.attribute import attribute
from repaudit.stages.scene import Scene
from tests.images import Store, member, tar, write_files
from tests.test_attribute import MOVED, a, contents_of

ONE, OTHER = "a1" * 20, "b2" * 20
SHADOW = "root:*:{}:0:99999:7:::\napp:!:{}:0:99999:7:::\n"
REFLOG = "0000000000000000000000000000000000000000 {} A B <a@b> {} +0000\t{}\n"
HSTS = "# HSTS 1.0 Known Hosts database for GNU Wget.\na.example\t0\t{}\t{}\t31536000\n"
NPM = (
    '{{"key":"make-fetch-happen:request-cache:https://r.example/a","integrity":"{}",'
    '"time":{},"size":3,"metadata":{{"time":{},"url":"https://r.example/a",'
    '"resHeaders":{{"date":"Sat, 28 Nov 2026 01:42:{} GMT"}}}}}}'
)


def entry(json: str, digest: str = "") -> str:
    return f"\n{digest or hashlib.sha1(json.encode()).hexdigest()}\t{json}"


def findings(folder: Path, path: str, left: bytes, right: bytes, scene: Scene) -> list[Finding]:
    place = a(path, Aspect.CONTENT, "sha256:a", "sha256:b")
    return list(attribute([place], contents_of(folder, left, right), scene))


FILES = [
    (
        "shadow_last_change_date",
        "etc/shadow",
        SHADOW.format(20779, 20779),
        SHADOW.format(20779, 20790),
        [
            SHADOW.format(20779, 20790).replace("!", ""),
            SHADOW.format(20779, 20790) + "eve::20790:0:99999:7:::\n",
            SHADOW.format(20779, 20790).replace("99999", "0", 1),
            SHADOW.format(20779, 0),
            SHADOW.format(20779, 99999),
        ],
    ),
    (
        "account_file_backups",
        "etc/shadow-",
        SHADOW.format(20779, 20779),
        SHADOW.format(20779, 20790),
        [SHADOW.format(20779, 20790).replace("!", "")],
    ),
    (
        "files_injected_by_runtime",
        "etc/hostname",
        "host-one\n",
        "host-two.example",
        ["host-two\nevil\n", "-x\n", "$(evil)\n", "a" * 64 + "\n"],
    ),
    (
        "files_injected_by_runtime",
        "etc/hosts",
        "127.0.0.1 localhost\n172.17.0.2\t0a1b2c3d4e5f\n",
        "127.0.0.1 localhost\n172.17.0.3\t5f4e3d2c1b0a\n",
        [
            "127.0.0.1 localhost\n172.17.0.3\tmirror.example\n",
            "127.0.0.1 localhost\n172.17.0.3\t5f4e3d2c1b0a mirror.example\n",
            "6.6.6.6 localhost\n172.17.0.3\t5f4e3d2c1b0a\n",
            "127.0.0.1 localhost\n6.6.6.6\t5f4e3d2c1b0a\n",
            "127.0.0.1 localhost\n::ffff:606:606\t5f4e3d2c1b0a\n",
            "127.0.0.1 localhost\n10.0.0\t5f4e3d2c1b0a\n",
            "127.0.0.1 localhost\n172.17.0.3\t5f4e3d2c1b0a\n6.6.6.6 mirror.example\n",
        ],
    ),
    (
        "files_injected_by_runtime",
        "etc/hosts",
        "10.88.0.2 0a1b2c3d4e5f\n",
        "fd00::3 5f4e3d2c1b0a\n",
        ["2001:4860::3 5f4e3d2c1b0a\n"],
    ),
    (
        "git_checkout_state",
        "srv/app/.git/logs/HEAD",
        REFLOG.format(ONE, 1700000000, "clone: from https://git.example/app"),
        REFLOG.format(OTHER, 1700009999, "clone: from https://git.example/app"),
        [
            REFLOG.format(OTHER, 1700009999, "clone: from https://evil.example/app"),
            REFLOG.format(OTHER, 1700009999, "clone: from https://git.example/app") * 2,
            REFLOG.format(OTHER[1:], 1700009999, "clone: from https://git.example/app"),
            REFLOG.format(OTHER, "x", "clone: from https://git.example/app"),
        ],
    ),
    (
        "git_checkout_state",
        "srv/app/.git/logs/refs/heads/main",
        REFLOG.format(ONE, 1700000000, "clone").replace("a@b", "a@0a1b2c3d4e5f.(none)"),
        REFLOG.format(ONE, 1700000009, "clone").replace("a@b", "a@f5e4d3c2b1a0.(none)"),
        [
            REFLOG.format(ONE, 1700000009, "clone").replace("a@b", "b@f5e4d3c2b1a0.(none)"),
            REFLOG.format(ONE, 1700000009, "clone").replace("a@b", "a@f5e4d3c2b1a0.evil"),
            REFLOG.format(ONE, 1700000009, "clone").replace("a@b", "a@evil.example.(none)"),
        ],
    ),
    (
        "wget_hsts",
        "root/.wget-hsts",
        HSTS.format(0, 1700000000),
        HSTS.format(0, 1700009999),
        [HSTS.format(1, 1700009999), HSTS.format(0, 1700009999) + "evil.example\t0\t0\t1\t1\n"],
    ),
    (
        "npm_cache_and_logs",
        "root/.npm/_cacache/index-v5/00/11/22",
        entry(NPM.format("sha512-aa", 1795830151110, 1795830151064, 31)),
        entry(NPM.format("sha512-aa", 1795830999999, 1795830999998, 59)),
        [
            entry(NPM.format("sha512-bb", 1795830999999, 1795830999998, 59)),
            entry(NPM.format("sha512-aa", 1795830999999, 1795830999998, 59), "0" * 40),
            entry(NPM.format("sha512-aa", 1795830999999, 1795830999998, "$(x)")),
        ],
    ),
]


@pytest.mark.parametrize(("slug", "path", "left", "right", "payloads"), FILES)
def test_where_a_grammar_accounts_for_each_byte_the_place_is_all_that_is_told(
    slug: str, path: str, left: str, right: str, payloads: list[str], tmp_path: Path
):
    for sides in ((left, right), (right, left)):
        (only,) = findings(tmp_path, path, *(side.encode() for side in sides), Scene())
        assert (only.cause.slug, only.confidence) == (slug, Confidence.INDICATED)
    for payload in payloads:
        for sides in ((left, payload), (payload, right)):
            (only,) = findings(tmp_path, path, *(side.encode() for side in sides), Scene())
            assert only.confidence is Confidence.UNEXPLAINED, payload
            assert only.evidence


@pytest.mark.parametrize(
    ("path", "left", "right", "slug"),
    [
        (
            "var/log/apt/history.log",
            "Start-Date: 2023-01-01  00:00:00\nInstall: a\n",
            "Start-Date: 2024-01-01  00:00:00\nInstall: evil\n",
            "apt_and_dpkg_logs",
        ),
        ("var/lib/apt/lists/a_InRelease", "Date: x\n", "Date: y\n", "apt_package_lists"),
        (
            "root/.wget-hsts",
            HSTS.format(0, 1700000000),
            HSTS.format(1, 1700009999),
            "wget_hsts",
        ),
    ],
)
def test_what_no_grammar_accounts_for_is_one_finding_that_names_the_place(
    path: str, left: str, right: str, slug: str, tmp_path: Path
):
    sides = left.encode(), right.encode()
    (only,) = findings(tmp_path, path, *sides, Scene())
    assert only.confidence is Confidence.UNEXPLAINED
    assert only.cause.title.startswith(cause(slug).title)
    assert only.cause.remedy == cause(slug).remedy
    # Two runs of one build come of the same lines, so that the remedy does away with it all.
    assert {found.cause.slug for found in findings(tmp_path, path, *sides, MOVED)} >= {slug}


def test_files_at_one_place_are_one_finding_behind_what_is_at_none(tmp_path: Path):
    for folder in ("usual", "strange"):
        (tmp_path / folder).mkdir()
    usual = contents_of(tmp_path / "usual", b"Date: x\n", b"Date: y\n")
    script = b"#!/bin/sh\nevil\n"
    strange = contents_of(tmp_path / "strange", b"Date: x\n", script, ("sha256:a", "sha256:c"))
    lists = [a(f"var/lib/apt/lists/{n}/x", Aspect.CONTENT, "sha256:a", "sha256:b") for n in "abc"]
    payload = a("var/lib/apt/lists/d/x", Aspect.CONTENT, "sha256:a", "sha256:c")
    other = a("srv/x", Aspect.CONTENT, "sha256:a", "sha256:b")

    found = attribute([*lists, payload, other], usual | strange, Scene())
    assert all(one.confidence is Confidence.UNEXPLAINED for one in found)
    told = {one.differences: cause("apt_package_lists").title in one.cause.title for one in found}
    assert told == {(payload,): False, (other,): False, tuple(lists): True}
    assert found[-1].differences == tuple(lists)


@pytest.mark.parametrize(
    ("path", "text"),
    [("heads/main", "{}\n"), ("packed-refs", "# pack-refs with: peeled\n{} refs/tags/v1\n")],
)
def test_another_commit_is_another_source(tmp_path: Path, path: str, text: str):
    both = [text.format(commit).encode() for commit in (ONE, OTHER)]
    (only,) = findings(tmp_path, f"srv/app/.git/refs/{path}", *both, Scene())
    assert only.cause.slug == "unexplained"


def test_the_day_of_a_password_that_ends_decides_when(tmp_path: Path):
    both = [SHADOW.format(20779, day).replace("99999", "90").encode() for day in (20779, 20001)]
    (only,) = findings(tmp_path, "etc/shadow", *both, Scene())
    assert only.cause.slug == "unexplained"


def git(folder: Path, *argv: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=b@c", *argv], cwd=folder, check=True
    )


def test_an_index_of_git_differs_in_what_it_saw_of_the_files_and_in_no_more(tmp_path: Path):
    origin = tmp_path / "origin"
    origin.mkdir()
    for name in ("a", "b/c", "a-longer-name"):
        (origin / name).parent.mkdir(exist_ok=True)
        (origin / name).write_text(name)
    git(origin, "init", "-q")
    git(origin, "add", ".")
    git(origin, "commit", "-qm", "x")
    indexes = []
    for clone in ("one", "two", "other"):
        if clone == "other":
            (origin / "a").write_text("evil")
            git(origin, "commit", "-qam", "y")
        git(tmp_path, "clone", "-q", "origin", clone)
        indexes.append((tmp_path / clone / ".git/index").read_bytes())
    one, two, other = indexes
    path = "srv/.git/index"

    (only,) = findings(tmp_path, path, one, two, Scene())
    assert only.cause.slug == "git_checkout_state"
    damaged = two[:-30] + b"evil" + two[-26:]
    for payload in (
        other,
        damaged,
        two + b"x",
        damaged[:-20] + hashlib.sha1(damaged[:-20]).digest(),
    ):
        (only,) = findings(tmp_path, path, one, payload, Scene())
        assert only.confidence is Confidence.UNEXPLAINED


# --- what one side alone has -------------------------------------------------------------------


def layout(folder: Path, *layers: dict[str, bytes], modes: dict[str, int] | None = None) -> Path:
    """An image of these files, layer by layer."""
    store = Store()
    tars = [
        tar(
            *(
                member(name.encode(), data, mode=(modes or {}).get(name, 0o644))
                for name, data in sorted(files.items())
            )
        )
        for files in layers
    ]
    return write_files(folder, store.layout(store.image(*tars)))


def compared(
    folder: Path, left: dict[str, bytes], right: dict[str, bytes], **more
) -> list[Finding]:
    sides = [layout(folder / name, files, **more) for name, files in (("l", left), ("r", right))]
    request = DiffRequest(left=str(sides[0]), right=str(sides[1]), diffoscope=False)
    return list(compare_images(request, lambda _: None, 1).findings)


LOG = "root/.npm/_logs/2026-11-{}T00_00_00_000Z-debug-0.log"


def test_what_one_side_alone_has_at_a_known_place_is_one_finding_there(tmp_path: Path):
    left = {LOG.format(n): b"0 verbose cli %d\n" % n for n in (10, 11, 12)}
    right = {LOG.format(n): b"0 verbose cli %d\n" % n for n in (13, 14)}
    right |= {"root/.npm/_cacache/content-v2/sha512/aa/bb/cc": b"\x1f\x8b"}

    (only,) = compared(tmp_path, left, right)
    assert only.confidence is Confidence.UNEXPLAINED
    assert only.cause.title.startswith(cause("npm_cache_and_logs").title)
    assert only.cause.remedy == cause("npm_cache_and_logs").remedy
    assert len(only.differences) == 6
    details = {one.path: one.detail for one in only.differences}
    assert details[LOG.format(10)] == "only on the left\n-0 verbose cli 10"
    assert details[LOG.format(13)] == "only on the right\n+0 verbose cli 13"


@pytest.mark.parametrize(
    ("path", "data", "mode"),
    [
        (LOG.format(13), b"\x7fELF\2\1\1" + bytes(80), 0o644),
        (LOG.format(13), b"#!/bin/sh\nevil\n", 0o644),
        (LOG.format(13), b"0 verbose\n", 0o755),
        ("root/.npmrc", b"0 verbose\n", 0o644),
    ],
)
def test_and_a_program_there_stands_apart_and_first(
    path: str, data: bytes, mode: int, tmp_path: Path
):
    left, right = {LOG.format(10): b"0 verbose cli\n"}, {path: data}

    payload, known = compared(tmp_path, left, right, modes={path: mode})
    assert [one.path for one in payload.differences] == [path]
    assert payload.confidence is known.confidence is Confidence.UNEXPLAINED
    assert payload.cause.title == cause("unexplained").title


def test_the_same_bytes_under_another_name_are_said_to_be_that_and_stay_unexplained(tmp_path: Path):
    text = b"one\ntwo\nthree\nfour\n"
    left = {"srv/app-1.0/a": text, "srv/x": b"left alone has this"}
    right = {"etc/cron.d/a": text, "srv/y": b"right alone has that"}

    found = compared(tmp_path, left, right)
    assert all(one.confidence is Confidence.UNEXPLAINED for one in found)
    named = {tuple(d.path for d in one.differences): one for one in found}
    moved = named["etc/cron.d/a", "srv/app-1.0/a"]
    assert moved.cause.title == cause("same_bytes_under_another_name").title
    assert {d.detail for d in moved.differences} == {
        "only on the right\nthe same bytes are at srv/app-1.0/a on the left",
        "only on the left\nthe same bytes are at etc/cron.d/a on the right",
    }
    (others,) = (one for one in found if one is not moved)
    assert others.cause.title == cause("unexplained").title


def test_short_files_are_the_same_by_chance(tmp_path: Path):
    (only,) = compared(tmp_path, {"srv/a": b"1\n"}, {"srv/b": b"1\n"})
    assert only.cause.title == cause("unexplained").title


def test_what_layers_make_together_is_looked_into_as_well(tmp_path: Path):
    left = layout(tmp_path / "l", {"srv/a": b"a"}, {LOG.format(10): b"0 verbose\n"})
    right = layout(tmp_path / "r", {"srv/a": b"a"})
    request = DiffRequest(left=str(left), right=str(right), diffoscope=False)
    for _ in range(2):  # the second time what is in the cache is taken
        found = compare_images(request, lambda _: None, 1).findings
        (known,) = (one for one in found if LOG.format(10) in {d.path for d in one.differences})
        assert known.cause.title.startswith(cause("npm_cache_and_logs").title)
