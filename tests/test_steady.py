"""A context that changes under the builds gives no answer; what they ignore may change."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from repaudit.containerfile.ignored import Ignored, ignored_by_all
from repaudit.host.context import changed, state
from repaudit.model.errors import SourceError
from repaudit.stages.steady import Steady
from tests.live import Done, Shell
from tests.mirror import asking, mirror

TEXT = b"FROM scratch\nCOPY . /\n"


@pytest.fixture
def context(tmp_path: Path) -> Path:
    (tmp_path / "Containerfile").write_bytes(TEXT)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a").write_text("one")
    (tmp_path / "link").symlink_to("src/a")
    return tmp_path


def _same_size_and_time(context: Path) -> None:
    path = context / "src" / "a"
    before = path.stat()
    path.write_text("two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _link(context: Path) -> None:
    (context / "link").unlink()
    (context / "link").symlink_to("src/b")


CHANGES: dict[str, Callable[[Path], object]] = {
    "src/a": _same_size_and_time,
    "src/b": lambda context: (context / "src" / "b").touch(),
    "src": lambda context: (context / "src").chmod(0o700),
    "link": _link,
    "Containerfile": lambda context: (context / "Containerfile").write_bytes(TEXT + b"#\n"),
    ".dockerignore": lambda context: (context / ".dockerignore").write_text("src\n"),
}


@pytest.mark.parametrize("path", CHANGES)
def test_what_changed_is_named(context: Path, path: str):
    steady = Steady(context, context / "Containerfile", TEXT)
    CHANGES[path](context)

    with pytest.raises(SourceError, match=f"changed while the builds ran: {path}$") as caught:
        steady.check()
    assert caught.value.exit_code == 3
    assert "audit a copy" in caught.value.hint


def test_what_is_read_and_left_alone_is_steady(context: Path):
    steady = Steady(context, context / "Containerfile", TEXT)
    (context / "src" / "a").read_text()

    steady.check()


def test_a_containerfile_that_changed_since_it_was_read_or_lies_elsewhere(context: Path):
    elsewhere = context.parent / f"{context.name}.file"
    elsewhere.write_bytes(TEXT)
    Steady(context, elsewhere, TEXT).check()

    with pytest.raises(SourceError, match=r"\.file$"):
        Steady(context, elsewhere, b"FROM scratch\n").check()


def test_many_changes_are_counted(context: Path):
    steady = Steady(context, context / "Containerfile", TEXT)
    for number in range(9):
        (context / f"new{number}").touch()

    with pytest.raises(SourceError, match=r"new0, new1, new2, new3, new4 and 4 more$"):
        steady.check()


def test_what_the_build_ignores_may_change(context: Path):
    (context / ".dockerignore").write_text("src\n")
    steady = Steady(context, context / "Containerfile", TEXT)
    CHANGES["src/a"](context)
    steady.check()

    CHANGES["link"](context)
    with pytest.raises(SourceError, match="link"):
        steady.check()


def test_a_folder_that_is_left_out_is_not_walked(context: Path):
    asked: list[str] = []

    def skip(path: str, folder: bool) -> bool:
        asked.append(path)
        return folder

    assert set(state(context, skip)) == {"Containerfile", "link"}
    assert "src/a" not in asked
    assert changed({"a": (1,), "b": (2,)}, {"b": (2,)}) == ["a"]


@pytest.mark.parametrize(
    ("rules", "ignored", "kept"),
    [
        ("node_modules", ["node_modules", "node_modules/a/b"], ["x/node_modules", "node_module"]),
        ("/a\n", ["a", "a/b"], ["b/a"]),
        ("*.log", ["x.log"], ["d/x.log", "x.logs"]),
        ("**/*.log", ["x.log", "d/e/x.log"], ["x.txt"]),
        ("d/**", ["d/x", "d/e/f"], ["d", "e/x"]),
        ("d/?", ["d/x", "d/x/y"], ["d/xy", "d"]),
        ("d\n!d/keep\n", ["d", "d/x"], ["d/keep", "d/keep/x"]),
        ("*\n!src\nsrc/tmp", ["x", "src/tmp/a"], ["src", "src/a"]),
        ("# a\n\n  b  \n", ["b"], ["a", "# a"]),
        ("a[b]\nc\n", [], ["ab", "c"]),  # what is not read beyond doubt ignores nothing
        ("", [], ["a"]),
    ],
)
def test_what_is_ignored(rules: str, ignored: list[str], kept: list[str]):
    read = Ignored(rules.encode())

    assert [path for path in ignored if not read.path(path)] == []
    assert [path for path in kept if read.path(path)] == []


def test_a_folder_with_something_that_is_kept_is_looked_into():
    assert Ignored(b"d").folder("d")
    assert not Ignored(b"d\n!d/keep").folder("d")
    assert Ignored(b"d\n!d/keep").path("d")


def test_of_two_files_each_must_ignore_it():
    one, other = Ignored(b"a\nb"), Ignored(b"a")

    assert ignored_by_all((one, other), "a")
    assert not ignored_by_all((one, other), "b")
    assert not ignored_by_all((), "a")


# With real builds, whose steps have the context changed.


def audited(shell: Shell, meddle: Callable[[Path], object], **files: str) -> Done:
    context = shell.context("", note="one", **files)

    def busy(asked: list[str]) -> bool:
        if len(asked) == 1:
            meddle(context)
        return False

    with mirror(busy) as port:
        (context / "Containerfile").write_text(asking(port) + "COPY note /srv/note\n")
        return shell("rebuild", "--quiet", "--timestamp=0", "--vary=umask", str(context))


@pytest.mark.live
@pytest.mark.parametrize("name", ["note", "new", "Containerfile"])
def test_a_context_that_changes_while_it_is_built_gives_no_verdict(
    tmp_path: Path, golden_storage: dict[str, str], name: str
) -> None:
    shell = Shell(tmp_path, golden_storage)
    done = audited(shell, lambda context: (context / name).write_text("FROM scratch\n"))

    assert (done.status, done.stdout) == (3, b"")
    assert done.error == f"the context changed while the builds ran: {name}"
    assert shell.scratch == []


@pytest.mark.live
def test_what_is_ignored_may_change_while_it_is_built(
    tmp_path: Path, golden_storage: dict[str, str]
) -> None:
    shell = Shell(tmp_path, golden_storage)
    done = audited(shell, lambda c: (c / "new").write_text("a"), __dockerignore="new\n")

    assert (done.status, done.text.split()[0]) == (0, "reproducible")
