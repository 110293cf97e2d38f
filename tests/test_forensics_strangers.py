"""Two images of which nothing is known: what only looks innocent there is unexplained.

Two runs of one build come of the same lines, so that another order, or another random value, is
just that. Between two existing images somebody may have put it there.
"""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from repaudit.model.difference import Aspect
from tests.test_forensic_cases import of, slugs
from tests.test_forensics_uncovered import case, told

UNEXPLAINED = {"unexplained"}
ORDERS = {
    "collation_order_varies_by_locale",
    "random_order_in_output",
    "random_order_of_directory_entries",
}


def differ(left: str, right: str, path: str = "srv/file") -> set[str]:
    """What all forensics say of a file of two existing images."""
    return set(told(left.encode(), right.encode(), path, vary=None))


# --- another order -----------------------------------------------------------------------------


def shuffled(*lines: str) -> tuple[str, str]:
    """Lines, and the same ones with the first at the end: no rule of sorting gives either."""
    return "\n".join(lines) + "\n", "\n".join([*lines[1:], lines[0]]) + "\n"


@pytest.mark.parametrize(
    ("path", "lines"),
    [
        ("srv/listed", ("d.py", "a.py", "c.py", "b.py", "e.py")),
        ("srv/sums", tuple(f"{n}{'a' * 31}  ./{name}" for n, name in enumerate("dacbe"))),
        ("srv/variables", ("D=1", "A=2", "C=3:4", "B=x", "E=/y")),
        ("var/lib/dpkg/info/a.list", ("/.", "/usr", "/bin/d", "/bin/a", "/bin/c")),
        ("srv/a.tar!/listed", ("d", "a", "c", "b", "e")),
    ],
)
def test_the_lines_of_a_listing_may_stand_in_any_order(path: str, lines: tuple[str, ...]):
    assert differ(*shuffled(*lines), path) <= ORDERS


@pytest.mark.parametrize(
    ("path", "lines"),
    [
        ("srv/run", ("#!/bin/sh", "first", "second")),
        ("srv/run", ("umask 077", "touch /secret", "chmod 600 /secret")),
        ("srv/rules", ("deny all", "allow 10.0.0.0/8")),
        ("srv/sudoers", ("ALL ALL=(ALL) ALL", "app ALL=(ALL) NOPASSWD:ALL")),
        ("srv/a.ini", ("[one]", "a=1", "[two]", "b=2")),
        ("srv/settings", ("a=1", "[two]", "b=2")),
        ("srv/server", ("location / {", "deny all;", "}", "allow all;")),
        ("srv/Dockerfile", ("FROM", "RUN")),
        ("srv/requirements.txt", ("b==1", "a==2")),
        ("srv/pins", ("b==1", "a==2")),
        ("srv/.gitignore", ("secret", "public")),
        ("srv/patterns", ("*.key", "!public.key")),
        ("srv/settings", ("a=1", "b=2", "a=3")),
        ("srv/main.py", ("a()", "b()")),
        ("srv/steps", ("b", "  when: never", "a")),
        ("etc/ld.so.conf.d/x.conf", ("/opt/evil", "/usr/lib")),
        ("etc/shells", ("/bin/sh", "/bin/bash")),
        ("srv/a.tar!/etc/ld.so.conf", ("/opt/evil", "/usr/lib")),
    ],
)
def test_where_the_order_decides_it_explains_nothing(path: str, lines: tuple[str, ...]):
    assert differ(*shuffled(*lines), path) == UNEXPLAINED
    # Of two runs of one build it is an order, whatever it is of.
    left, right = shuffled(*lines)
    assert slugs("text", case(left.encode(), right.encode(), path=path)) <= ORDERS


def test_what_stands_between_moved_lines_counts_and_what_is_around_does_not():
    head, end = "made by hand:\n", "the end of it\n"
    left, right = shuffled("c", "a", "b")
    assert differ(head + left + end, head + right + end) <= ORDERS
    assert differ("c\n" + head + "a\nb\n", "b\n" + head + "a\nc\n") == UNEXPLAINED
    dated = "2026-11-22\n" + left + end, "2027-12-27\n" + right + end
    assert differ(*dated) - ORDERS == {"captures_build_date"}
    ruled = "at 2026-11-22\nallow all\nx\ndeny all\n", "at 2027-12-27\ndeny all\nx\nallow all\n"
    assert differ(*ruled) == {"captures_build_date", "unexplained"}


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("{'a', 'b', 'c'}", "{'c', 'a', 'b'}"),
        ("x = {'a': 1, 'b': (2, 3)}", "x = {'b': (2, 3), 'a': 1}"),
        ('{"a":{"x":1,"y":[1,2]},"b":2}', '{"b":2,"a":{"y":[1,2],"x":1}}'),
        ('{\n  "a": 1,\n  "b": 2\n}', '{\n  "b": 2,\n  "a": 1\n}'),
        ('[{"a": 1, "b": "}"}]', '[{"b": "}", "a": 1}]'),
    ],
)
def test_keys_in_another_order_say_the_same(left: str, right: str):
    assert differ(left, right) == {"random_order_in_output"}
    assert slugs("text", case(left.encode(), right.encode())) == {"random_order_in_output"}


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ('{"a":1,"b":2}', '{"a":2,"b":1}'),
        ("{'a': 1, 'b': 2}", "{'a': 2, 'b': 1}"),
        ('{"a":{"x":1,"y":2},"b":{"x":3,"y":4}}', '{"a":{"x":1,"y":4},"b":{"x":3,"y":2}}'),
        ('{\n  "a": 1,\n  "b": 2\n}', '{\n  "a": 2,\n  "b": 1\n}'),
        ("pip install a==1 b==2", "pip install a==2 b==1"),
    ],
)
def test_values_that_were_exchanged_are_no_order_at_all(left: str, right: str):
    assert differ(left, right) == UNEXPLAINED
    assert slugs("text", case(left.encode(), right.encode())) == UNEXPLAINED


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("cp a b", "cp b a"),
        ("PATH=/usr/bin:/opt/bin", "PATH=/opt/bin:/usr/bin"),
        ('["cp", "a", "b"]', '["cp", "b", "a"]'),
        ("int of[] = {1, 2, 3};", "int of[] = {3, 1, 2};"),
        ('char *of[] = {"a", "b"};', 'char *of[] = {"b", "a"};'),
        ('{"run": ["cp", "a", "b"]}', '{"run": ["cp", "b", "a"]}'),
        ('{"a":1,"a":2}', '{"a":2,"a":1}'),
        ('{"a":1, "b":2}', '{"a":1,"b":2}'),
    ],
)
def test_words_of_one_line_are_no_listing(left: str, right: str):
    assert differ(left, right) == UNEXPLAINED


@pytest.mark.parametrize(
    ("decides", "vary", "wanted"),
    [
        (None, None, {"random_order_of_layer_entries"}),
        ("the last of several hard links says what mode it has", None, set()),
        (
            "the last of several hard links says what mode it has",
            ("file_order",),
            {"random_order_of_layer_entries"},
        ),
    ],
)
def test_an_order_of_entries_that_decides_something_is_unexplained(decides, vary, wanted):
    asked = of(Aspect.ORDER, "a", "b", "", vary=vary)
    order = replace(asked, difference=replace(asked.difference, detail=decides))
    assert slugs("aspect", order) == wanted
