"""Two images of which nothing is known: in what is run or obeyed, no look of a word is innocent."""

from __future__ import annotations

import pytest

from repaudit.model.difference import Aspect
from tests.test_forensic_cases import of, slugs
from tests.test_forensics_strangers import UNEXPLAINED, differ
from tests.test_forensics_uncovered import case

DATED = {"captures_build_date"}
ID = "-4f89-41d3-9a0c-0305e82c3301"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("root/.npmrc", "before=@"),
        ("etc/rules.v4", "--from @ -j ACCEPT"),
        ("srv/x.timer", "OnCalendar=@ 08:30:00"),
        ("srv/bomb", "#!/bin/sh\n[ $day = @ ] && x"),
        ("srv/a.tar!/etc/x", "since @"),
        ("srv/policy.json", '{"less": "@"}'),
        ("srv/Dockerfile", "# syntax = @\nFROM a"),
        ("srv/run", "#!/bin/sh\n: <<EOF\n# @\nEOF"),
        ("srv/a.yml", "run: |\n  # @\n"),
        ("srv/a.c", "#define NOW @"),
        ("srv/a.h.in", "#define NOW @"),
        ("srv/a.js", "/* */ run(@) /* */"),
        ("srv/a.php", "// @ ?> @"),
        ("srv/a.go", "//go:embed @"),
        ("srv/a.ts", "/// @"),
        ("srv/prod.env", "A=@"),
        ("etc/cron.d/x", "* * * * * root updatedb --since @"),
        ("etc/sudoers", "#includedir @"),
        ("srv/a.sh", '[ "@" != "$last_modified" ] && x'),
        ("srv/a.js", "if (check(c)) allow('@')"),
        ("srv/a.sh", "built() { x; }; y @ # built @"),
    ],
)
def test_what_may_decide_something_is_unexplained(path: str, text: str):
    left, right = (text.replace("@", day) for day in ("2026-11-22", "2026-12-24"))
    assert differ(left, right, path) == UNEXPLAINED
    plain = [side.removeprefix("#!") for side in (left, right)]
    assert differ(*plain, "srv/plain") == DATED


@pytest.mark.parametrize(
    ("path", "left", "right"),
    [
        ("srv/who.yml", f"id: 3f2504e0{ID}", f"id: 9b1deb4d{ID}"),
        ("srv/who.yml", f"created_by: 3f2504e0{ID}", f"created_by: 9b1deb4d{ID}"),
        ("srv/Makefile", "OBJS = ccsafe01.o", "OBJS = ccevil01.o"),
        ("etc/ld.so.preload", "/tmp/aB3dE6fG/lib.so", "/tmp/xY9zW8vU/lib.so"),
        ("srv/a.sh", ". /tmp/tmp.aB3dE6fG/prebuilt.sh", ". /tmp/tmp.xY9zW8vU/prebuilt.sh"),
        ("srv/lock.yml", "took: 600 s", "took: 0 s"),
        ("srv/.git/config", "hooksPath = /tmp/tmpab1cd2ef", "hooksPath = /tmp/tmpzz9yy8xx"),
    ],
)
def test_so_are_other_looks(path: str, left: str, right: str):
    assert differ(left, right, path) == UNEXPLAINED
    assert "unexplained" not in differ(left, right, "srv/plain")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("srv/log", "started @ 10:00:00"),
        ("srv/index.html", "<p>@</p>"),
        ("etc/x.conf", "a=1\n# by hand, @\n"),
        ("etc/build", "BUILD_DATE=@"),
        ("etc/motd", "Last updated on @"),
        ("srv/a.json", '{"createdAt": "@"}'),
        ("srv/a.json", '{"date": "@"}'),
        ("srv/a.json", '{"buildTime" : "@T10:00:00Z"}'),
        ("srv/a.properties", "#@ 10:00:00\nv=1"),
        ("srv/a.h", '#define BUILT "@"'),
        ("srv/a.js", "// @\nx()"),
        ("srv/a.js", "/* @ */\nx()"),
        ("srv/a.js", "/*! a.js, built on @ */x()"),
        ("srv/a.sql", "-- @\nselect 1"),
        ("srv/a.py", "# -*- mode -*-\n# @"),
        ("srv/run", "#!/bin/sh\n# @\nx"),
    ],
)
def test_a_comment_decides_nothing_nor_what_says_when_it_was_made(path: str, text: str):
    left, right = (text.replace("@", day) for day in ("2026-11-22", "2026-12-24"))
    assert differ(left, right, path) == DATED


def test_so_does_a_year_of_copyright():
    for text in ("x()  # copyright {}", "copyright = '(c) {}'", "# Copyright (c) 2020-{} A"):
        assert differ(text.format(2026), text.format(2027), "srv/a.py") == DATED


def test_of_two_runs_of_one_build_it_is_a_date_wherever_it_stands():
    found = case(b"before=2026-11-22\n", b"before=2021-10-22\n", path="root/.npmrc")
    assert slugs("text", found) == DATED


@pytest.mark.parametrize(
    ("aspect", "path", "known"),
    [
        (Aspect.CONFIG, "/config/config/Cmd/0", False),
        (Aspect.CONFIG, "/config/config/Labels/x", True),
        (Aspect.LINK, "usr/bin/python3", False),
    ],
)
def test_what_a_runtime_follows_is_obeyed(aspect: Aspect, path: str, known: bool):
    found = slugs(
        "text", of(aspect, "run at 2026-11-22", "run at 2026-12-24", path=path, vary=None)
    )
    assert found == (DATED if known else UNEXPLAINED)


def test_a_comment_is_one_only_where_all_readers_end_the_line_before_it():
    assert differ("a # x\n# 2026-11-22\n", "a # x\n# 2026-12-24\n", "etc/x") == DATED
    assert differ("a\v# 2026-11-22\n", "a\v# 2026-12-24\n", "etc/x") == UNEXPLAINED


@pytest.mark.parametrize("end", ["\v", "\r", "\f", "\u2028"])
def test_an_end_of_a_line_has_its_place(end: str):
    one = f"# built 2026-11-22\non\n# a{end}off\n"
    other = f"# built 2026-12-24{end}on\n# a\noff\n"
    assert differ(one, other) == DATED | UNEXPLAINED
    assert differ(one, one.replace("11-22", "12-24")) == DATED


def test_a_line_that_moves_is_not_the_one_that_it_was():
    one, other = (f"[ -e /debug ] || exit 0 # built {day}" for day in ("2026-11-22", "2026-12-24"))
    assert differ(f"{one}\nfetch\nrun\n", f"fetch\nrun\n{other}\n") == DATED | UNEXPLAINED
    assert differ(f"{one}\nfetch\nrun\n", f"{other}\nfetch\nrun\n") == DATED


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("        grant()  # copyright 2026", "    grant()      # copyright 2027", False),
        ("    grant()  # took 5 ms", "grant()  # took 50 ms", False),
        ("a b  # took 5 ms", "a  b # took 50 ms", False),
        ("    grant()  # took  5 ms", "    grant()  # took 50 ms", True),
        ("ran in  1.25 s", "ran in 12.50 s", True),
    ],
)
def test_blanks_count_unless_they_fill_up_what_differs(left: str, right: str, same: bool):
    assert ("unexplained" not in differ(left, right)) is same


def test_a_line_that_was_not_compared_is_known_by_lines_like_it():
    left = [f"took 5 ms step{n:06}" for n in range(12_000)]
    right = [line.replace("5 ms", "0 ms", 1) for line in left]
    assert differ("\n".join(left), "\n".join(right)) == {"captures_execution_time"}
    left[-1], right[-1] = "lockout_after 5 tries", "lockout_after 0 tries"
    assert "unexplained" in differ("\n".join(left), "\n".join(right))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("june may log in", "april may log in"),
        ("run on mon", "run on sun"),
        ("lib@7f3c9a1b2d4e", "lib@55aabbccddee"),
        ("<CERTIFICATE>", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"),
        ('{"cmd":"a","\\u0063md":"b"}', '{"\\u0063md":"b","cmd":"a"}'),
    ],
)
def test_what_only_looks_like_something_else(left: str, right: str):
    assert differ(left, right) == UNEXPLAINED


@pytest.mark.parametrize("path", ["srv/a.html", "srv/a.unknown", "srv/.x", "srv/a.db.idx"])
def test_of_a_file_that_some_program_may_run_dates_alone_are_known(path: str):
    drawn = "/tmp/tmpab1cd2ef/run", "/tmp/tmpzz9yy8xx/run"
    assert differ(*drawn, path) == UNEXPLAINED
    assert differ(*drawn, "srv/plain") == differ(*drawn, "srv/a.b.log") != UNEXPLAINED
    if path != "srv/.x" and not path.endswith("idx"):
        assert differ("<p>2026-11-22</p>", "<p>2026-12-24</p>", path) == DATED


def test_keys_of_a_json_file_have_no_order_but_where_a_loader_goes_by_it():
    left, right = '{"a": {"b": 1, "c": 2}}', '{"a": {"c": 2, "b": 1}}'
    assert differ(left, right, "srv/a.json") == {"random_order_in_output"}
    assert differ(left, right, "srv/x/package.json") == UNEXPLAINED
    assert differ(left, right, "etc/x/routes.json") == UNEXPLAINED
    calls = "[{'a': check(), 'b': run()}]", "[{'b': run(), 'a': check()}]"
    assert differ(*calls, "srv/a.js") == UNEXPLAINED
