"""Each detector on a case that it must recognise, and on a neighbour where it must stay silent."""

from __future__ import annotations

import gzip
import io
import py_compile
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import msgspec
import pytest

from repaudit.forensics import FORENSICS, Case, Content
from repaudit.forensics._case import inflate
from repaudit.model.difference import Aspect, Difference
from repaudit.model.experiment import Level
from repaudit.model.finding import UNEXPLAINED, EvidenceKind

DAY = 86_400
CONTROL = {
    "time": "0",
    "timezone": "<+00>-00",
    "locale": "C.UTF-8",
    "umask": "0022",
    "hostname": "host-0123456789",
    "user": "root",
    "home": "",
    "cpus": "0,1,2,3",
    "kernel": "6.18.5-amd64",
    "file_order": "seed-a",
    "aslr": "off",
}
VARIANT = {
    "time": str(400 * DAY),
    "timezone": "<+14>-14",
    "locale": "et_EE.UTF-8",
    "umask": "0002",
    "hostname": "host-abcdef9876",
    "user": "user-5566778899",
    "home": "/dev/.h/home/77aa",
    "cpus": "3",
    "kernel": "2.6.78-amd64",
    "file_order": "seed-b",
    "aslr": "on",
}
CANARIES = ("timezone", "hostname", "user", "home")


def levels(values: dict[str, str]) -> tuple[Level, ...]:
    return tuple(
        Level(
            factor=factor,
            name=value,
            value=value,
            canaries=(value,) if factor in CANARIES and value not in ("", "root") else (),
        )
        for factor, value in values.items()
    )


def case(
    left: bytes | str,
    right: bytes | str,
    *,
    path: str = "srv/file",
    vary: tuple[str, ...] | None = tuple(CONTROL),
) -> Case:
    """A content case; `vary` names the factors that moved, None for two images without levels."""
    sides = [side.encode() if isinstance(side, str) else side for side in (left, right)]
    variant = {f: VARIANT[f] if vary and f in vary else CONTROL[f] for f in CONTROL}
    return Case(
        difference=Difference(layer=0, path=path, aspect=Aspect.CONTENT, left="a", right="b"),
        left=Content(data=sides[0], size=len(sides[0])),
        right=Content(data=sides[1], size=len(sides[1])),
        left_levels=() if vary is None else levels(CONTROL),
        right_levels=() if vary is None else levels(variant),
    )


def of(aspect: Aspect, left: str | None, right: str | None, path: str = "srv/file", **kw) -> Case:
    return msgspec.structs.replace(
        case("x", "y", **kw),
        difference=Difference(layer=0, path=path, aspect=aspect, left=left, right=right),
        left=None,
        right=None,
    )


def clues(name: str, of: Case) -> list:
    return list(FORENSICS.load(name).examine(of))


def slugs(name: str, of: Case) -> set[str]:
    return {clue.slug for clue in clues(name, of)}


# --- text --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "right", "quoted"),
    [
        ('  "level": 1,', '  "level": 2,', ("'\"level\": 1,'", "'\"level\": 2,'")),
        ("-O1", "-O2", ("'-O1'", "'-O2'")),
        ("a line with x", "a line with x y", ("'a line with x'", "'a line with x y'")),
        ("a" * 90 + " 1 " + "b" * 90, "a" * 90 + " 2 " + "b" * 90, (f"'{'a' * 24} 1 {'b' * 24}'",)),
        ("took 37 ms", "took 41 ms", ("'took 37 ms'", "'took 41 ms'")),
        ("port 8080", "port 9090", ("'8080' on the left", "'9090' on the right")),
    ],
)
def test_what_is_too_short_to_mean_anything_is_quoted_with_its_line(left, right, quoted):
    (found,) = clues("text", case(left, right))

    assert [words for words in quoted if words not in found.detail] == []


def test_no_half_of_a_password_is_quoted_with_what_stands_beside_it():
    line = "root:$6$salt$" + "Zk3uP0vXw1yR5tL8mNbVcDx2" * 4 + ":{}:0:99999:7:::"
    (found,) = clues("text", case(line.format(1), line.format(2)))

    assert "tL8mNb" not in found.detail
    assert "'1' on the left" in found.detail


DATE = {"captures_build_date"}
ZONE = {"captures_timezone"}
UNKNOWN = {"unexplained"}


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("built 2026-11-22T02:33:50Z", "built 2027-12-27T02:34:07Z"),
        ("built 2026-11-22 02:33:50.123", "built 2027-12-27 02:34:07.456"),
        ("Sun, 22 Nov 2026 02:33:50 +0000", "Mon, 27 Dec 2027 02:34:07 +0000"),
        ("Sun Nov 22 02:33:50 2026", "Mon Dec 27 02:34:07 2027"),
        ("Sun Nov 22 02:33:50 UTC 2026", "Mon Dec 27 02:34:07 UTC 2027"),
        ("Nov 22 2026", "Dec 27 2027"),
        ("[22/Nov/2026:02:33:50 +0000]", "[27/Dec/2027:02:34:07 +0000]"),
        ("version 20261122", "version 20271227"),
        ("v1.0-20261122023350", "v1.0-20271227023407"),
        ("stamp=1795314830", "stamp=1829874847"),
        ("stamp=1795314830123", "stamp=1829874847456"),
        ("November 2026", "December 2027"),
        ("Sunday", "Monday"),
        ("(c) 2026 me", "(c) 2027 me"),
        ("at 02:33:50", "at 02:34:07"),
        ("22.11.2026", "27.12.2027"),
        ("2026/11/22", "2027/12/27"),
        ("11/22/26", "12/27/27"),
        ("05:15 AM", "05:16 AM"),
    ],
)
def test_dates_are_of_the_time(left, right):
    assert slugs("text", case(left, right, vary=("time",))) == DATE
    assert slugs("text", case(left, right, vary=("time", "timezone"))) == DATE
    # The clock passes between two builds, whatever the experiment does.
    assert slugs("text", case(left, right, vary=())) == DATE


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("2026-11-22 02:33:50", "2026-11-22 16:34:01"),
        ("Sun Nov 22 02:33:50 2026", "Sun Nov 22 16:33:50 2026"),
        ("at 02:33:50", "at 16:33:50"),
        ("at  2:33 AM", "at  4:33 PM"),
        ("2026-11-22", "2026-11-23"),
        ("2026-11-22T02:33:50+0000", "2026-11-22T16:33:50+1400"),
        ("zone +00", "zone +14"),
        ("zone UTC", "zone +14"),
        ("TZ=<+00>-00", "TZ=<+14>-14"),
    ],
)
def test_hours_that_the_zone_moved_are_of_the_zone(left, right):
    found = slugs("text", case(left, right, vary=("timezone",)))
    assert found == (ZONE if "TZ=" not in left else set())  # canary.py has the last one
    assert slugs("text", case(left, right, vary=("time",))) - {"unexplained"} <= DATE | ZONE


def test_a_time_of_another_zone_at_another_instant_is_of_both():
    both = case("2026-11-22 02:33:50 +0000", "2027-12-27 16:34:07 +1400")
    assert slugs("text", both) == DATE | ZONE


def test_a_full_date_is_not_blamed_on_the_zone_when_the_clock_moved():
    moved = case("2026-11-22 02:33:50", "2027-12-27 16:33:50", vary=("time", "timezone"))
    assert slugs("text", moved) == DATE


def test_whole_hours_between_two_existing_images_are_of_the_zone():
    assert slugs("text", case("2026-11-22 02:33:50", "2026-11-22 04:33:50", vary=None)) == ZONE
    assert slugs("text", case("2026-11-22 02:33:50", "2026-11-22 04:33:51", vary=None)) == DATE


@pytest.mark.parametrize(
    ("left", "right", "wanted"),
    [
        # Two nights, whatever else is cut off.
        ("2026-11-21 00:00:00", "2026-11-22 00:00:00", DATE),
        ("2026-11-21 10:15:05,120", "2026-11-22 10:15:05,377", DATE),
        ("2026-11-21 02:33:50", "2026-11-23 02:33:50", DATE),
        # One place in summer and in winter, and two places.
        ("Sat Oct 24 10:00:00 CEST 2026", "Sun Nov 22 10:00:07 CET 2026", DATE),
        ("Sat Oct 24 10:00:00 PDT 2026", "Sun Nov 22 10:00:07 PST 2026", DATE),
        ("Sat Oct 24 10:00:00 CEST 2026", "Sun Nov 22 10:00:07 EST 2026", DATE | ZONE),
    ],
)
def test_days_and_seasons_between_two_existing_images_are_of_the_time(left, right, wanted):
    assert slugs("text", case(left, right, vary=None)) == wanted


@pytest.mark.parametrize(
    ("left", "right", "wanted"),
    [
        ("Sunday", "pühapäev", {"captures_locale"}),
        ("month November", "month detsember", {"captures_locale"}),
        ("22 nov 2026", "27 dets 2027", {"captures_locale", "captures_build_date"}),
        ("LANG=C.UTF-8", "LANG=et_EE.UTF-8", {"captures_locale"}),
        ("made with 4", "made with 1", {"captures_cpu_count"}),
        ("4 of one", "1 of other", {"unexplained"}),
        ("4 jobs of one", "1 jobs of other", {"captures_cpu_count", "unexplained"}),
        ("jobs = 4", "jobs = 1", {"captures_cpu_count"}),
        ("Linux 6.18.5-amd64 x86", "Linux 2.6.78-amd64 x86", {"captures_kernel_version"}),
        ("umask 0022", "umask 0002", {"different_due_to_umask"}),
        ("u=rwx,g=rx,o=rx", "u=rwx,g=rwx,o=rx", {"different_due_to_umask"}),
        ("-rw-r--r-- 1 f", "-rw-rw-r-- 1 f", {"different_due_to_umask"}),
        ("mode 0644", "mode 0664", {"different_due_to_umask"}),
        ("id 3f2504e0-4f89-41d3-9a0c-0305e82c3301", "id 9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d",
         {"embeds_random_value"}),
        ("token=9f8e7d6c5b4a", "token=0a1b2c3d4e5f", {"embeds_random_value"}),
        ("key kD93jfOsl20Dk1mX", "key Zp02mQwe8TyUi4vB", {"embeds_random_value"}),
        ("in /tmp/tmp.AbCdEf1234/x", "in /tmp/tmp.ZyXwVu9876/x", {"captures_temporary_path"}),
        ("in /tmp/build.AbC123", "in /tmp/build.Xy9Z00", {"captures_temporary_path"}),
        ("in /dev/shm/tmp0k_x9qf2/a", "in /dev/shm/tmpb3zz_h1w/a", {"captures_temporary_path"}),
        ("tmp0k_x9qf2.pyc", "tmpfiles_d1.pyc", {"captures_temporary_path"}),
        ("tmpfiles.conf", "tmpfolder.conf", {"unexplained"}),
        ("<object at 0x7f1234567890>", "<object at 0x7f0987654321>", {"captures_memory_address"}),
        ("<object at 0x555555554000>", "<object at 0x562f1e9c4000>", {"captures_memory_address"}),
        ("ran 3 tests in 0.12s", "ran 3 tests in 0.34s", {"captures_execution_time"}),
        ("took 37 ms", "took 41 ms", {"captures_execution_time"}),
        ("sha256=" + "a1" * 32, "sha256=" + "b2" * 32, {"unexplained"}),  # of no file
        ("a1" * 16 + "  ./a", "b2" * 16 + "  ./a", {"unexplained"}),
        ("{'a', 'b', 'c'}", "{'c', 'a', 'b'}", {"random_order_in_output"}),
        ("on host-0123456789", "on host-abcdef9876", set()),
        ("user root", "user user-5566778899", set()),
        ("home /root/x", "home /dev/.h/home/77aa/x", set()),
    ],
)  # fmt: skip
def test_words_are_told_apart(left, right, wanted):
    assert slugs("text", case(left, right)) == wanted


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("version 1.2.3", "version 1.2.4"),
        ("size 12345678", "size 87654321"),
        ("colour red", "colour blue"),
        ("jobs = 4", "jobs = 2"),
        ("Linux 5.10.0", "Linux 5.11.0"),
        ("umask 0077", "umask 0027"),
        ("at file.c:12:34", "at file.c:15:40"),
        ("one line", "one line and more"),
        ("decade", "facade"),
        ("9999999999", "1000000000"),
        ("/tmp/first", "/tmp/other-folder"),
    ],
)
def test_what_is_not_known_stays_unexplained(left, right):
    assert slugs("text", case(left, right)) == UNKNOWN


def test_the_first_unknown_pair_is_quoted():
    (clue,) = clues("text", case("a = red\nb = 1\n", "a = blue\nb = 9\n"))
    assert "'red' on the left, 'blue' on the right (and 1 more)" in clue.detail


def test_known_and_unknown_words_of_one_file_are_both_told():
    mixed = case("date 2026-11-22\ncolour red\n", "date 2027-12-27\ncolour blue\n")
    assert [clue.slug for clue in clues("text", mixed)] == ["captures_build_date", "unexplained"]


@pytest.mark.parametrize(
    ("left", "right"),
    [  # what date(1) prints in both locales: plain, +%c, +%x, +%A %d %B %Y
        ("Sun Nov 22 05:20:38 +00 2026", "P 22 nov   2026 05:20:38 +00"),
        ("Sun Nov 22 05:20:38 2026", "P 22 nov   2026 05:20:38"),
        ("11/22/26", "22.11.2026"),
        ("Sunday 22 November 2026", "pühapäev 22 november 2026"),
    ],
)
def test_one_instant_in_two_languages_is_of_the_locale(left, right):
    assert slugs("text", case(left, right, vary=("locale",))) == {"captures_locale"}
    later = right.replace("22", "27").replace("11", "12").replace("2026", "2027")
    found = slugs("text", case(left, later, vary=("locale", "time")))
    assert found == {"captures_locale", "captures_build_date"}


def test_fractions_of_a_second_are_time():
    assert slugs("text", case("2026-11-22 02:33:50.1", "2026-11-22 02:33:50.2")) == DATE
    assert slugs("text", case("at 02:33:50,123 x", "at 02:33:50,456 x")) == DATE


def test_one_instant_written_in_two_ways_stays_unexplained_under_one_locale():
    two_ways = case("22 Nov 2026", "Nov 22 2026", vary=("time",))
    assert slugs("text", two_ways) == UNKNOWN


ENGLISH, ESTONIAN = "Sun Nov 22 02:33:50 +00 2026", "P 22 nov 2026 16:33:50 +14"


def test_a_date_in_another_language_is_of_the_locale():
    found = slugs("text", case(ENGLISH, ESTONIAN, vary=("locale", "timezone")))
    assert found == {"captures_locale", "captures_timezone"}


@pytest.mark.parametrize(
    ("left", "right", "vary", "wanted"),
    [
        ("s t z", "s z t", None, "collation_order_varies_by_locale"),
        ("s t z", "s z t", ("file_order",), "random_order_of_directory_entries"),
        ("t z", "z t", None, "collation_order_varies_by_locale"),
        ("B C a b", "a B b C", None, "collation_order_varies_by_locale"),
        # what sort(1) makes of the same words in both locales
        (
            "Boat _x apple table user vale zebra Õun ž",
            "apple Boat zebra ž table user vale Õun _x",
            None,
            "collation_order_varies_by_locale",
        ),
        ("a b c d e f", "f e d c b a", None, "random_order_in_output"),
        ("c a b e d", "b c a d e", None, "random_order_in_output"),
        ("c a b e d", "b c a d e", ("file_order",), "random_order_of_directory_entries"),
        ("c a b e d", "b c a d e", ("time",), "random_order_in_output"),
        ("a b c d e", "b d a c e", ("file_order",), "random_order_of_directory_entries"),
    ],
)
def test_the_order_of_lines(left, right, vary, wanted):
    left, right = left.replace(" ", "\n"), right.replace(" ", "\n")
    assert slugs("text", case(left, right, vary=vary)) == {wanted}


def test_moved_lines_beside_a_date():
    left = "2026-11-22\nc\na\nb\nend\n"
    right = "2027-12-27\nb\nc\na\nend\n"
    found = slugs("text", case(left, right, vary=("file_order", "time")))
    assert found == {"captures_build_date", "random_order_of_directory_entries"}


def test_a_private_key_is_random_and_a_binary_is_no_text():
    pem = "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n"
    assert slugs("text", case(pem.format("AAAA"), pem.format("BBBB"))) == {"embeds_random_key"}
    assert slugs("text", case(b"\0date 2026-11-22", b"\0date 2027-12-27")) == set()


def test_an_annotation_is_text_and_a_known_place_is_not_told_twice():
    label = of(Aspect.CONFIG, "2026-11-22", "2027-12-27", "/config/config/Labels/build-date")
    assert slugs("text", label) == DATE
    times = "2026-11-22T00:00:00Z", "2027-12-27T00:00:00Z"
    created = of(Aspect.CONFIG, *times, "/config/created")
    assert slugs("text", created) == set()
    assert slugs("known_path", created) == {"creation_times_not_clamped"}


def test_many_and_long_lines_are_bounded():
    left = "\n".join(f"{i} 2026-11-22" for i in range(9000))
    assert slugs("text", case(left, left.replace("2026", "2027"))) == DATE
    line = "x" * 200_000
    assert slugs("text", case(line + " 2026-11-22", line + " 2027-11-22")) == DATE


@pytest.mark.parametrize(("word", "cause"), [("b", UNEXPLAINED), ("2026", "captures_build_date")])
def test_so_are_blanks(word: str, cause: str):
    left = "".join(f"{n}{' ' * 3900}{word}\n" for n in range(30))
    began = time.process_time()
    assert slugs("text", case(left, left.replace(word, {"b": "c"}.get(word, "2027")))) == {cause}
    assert time.process_time() - began < 10


def test_latin_1_is_text_too():
    assert (
        slugs("text", case("caf\xe9 2026".encode("latin-1"), "caf\xe9 2027".encode("latin-1")))
        == DATE
    )


# --- canaries ----------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_a_canary_on_both_sides_names_the_factor(encoding):
    left, right = (
        "name=host-0123456789;".encode(encoding),
        "name=host-abcdef9876;".encode(encoding),
    )
    (clue,) = clues("canary", case(b"\0\1" + left, b"\0\1" + right))
    assert (clue.slug, clue.factors) == ("captures_hostname", ("hostname",))
    assert clue.kind is EvidenceKind.CANARY
    assert "host-0123456789" in clue.detail and "host-abcdef9876" in clue.detail


def test_a_canary_of_one_level_only():
    assert slugs("canary", case("by root", "by user-5566778899")) == {"captures_user_name"}
    assert slugs("canary", case("/root/x", "/dev/.h/home/77aa/x")) == {"captures_home_dir"}


def test_canaries_in_names_links_and_configuration():
    assert slugs("canary", of(Aspect.LINK, "/x/host-0123456789", "/x/host-abcdef9876")) == {
        "captures_hostname"
    }
    assert slugs("canary", of(Aspect.PRESENCE, "present", None, "var/host-0123456789.log")) == {
        "captures_hostname"
    }
    assert slugs("canary", of(Aspect.PRESENCE, None, "present", "var/host-0123456789.log")) == set()


def test_canaries_that_do_not_correspond_are_no_evidence():
    assert slugs("canary", case("x host-0123456789", "x other")) == set()
    assert (
        slugs("canary", case("host-0123456789 aaaaaaaaaaaa", "bbbbbbbbbbb host-abcdef9876"))
        == set()
    )
    assert slugs("canary", case("host-0123456789 a", "host-abcdef9876 a", vary=("time",))) == set()
    assert slugs("canary", case("host-0123456789 a", "host-abcdef9876 a", vary=None)) == set()


# --- the line -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "left", "right", "wanted"),
    [
        ("RUN head -c 9 /dev/urandom > f", "\x01a", "\x02b", {"embeds_random_value"}),
        ("RUN echo $RANDOM > f", "17", "9", {"embeds_random_value"}),
        ("RUN echo ${RANDOM} > f", "17", "9", {"embeds_random_value"}),
        ("RUN openssl rand 8 > f", "x", "y", {"embeds_random_value"}),
        ("RUN stat -c '%n %i' f > g", "f 17", "f 912", {"captures_inode_number"}),
        ("RUN ls -li > g", "17 f", "912 f", {"captures_inode_number"}),
        ("RUN stat -c '%n %i' f > g", "f a", "f b", set()),
        ("RUN stat -c %s f > g", "17", "912", set()),
        ("RUN echo $RANDOMIZE reshuf mktemp.d > f", "17", "9", set()),
        ("RUN head -c 9 /dev/urandom > f", "same", "same", set()),
        (None, "17", "9", set()),
    ],
)
def test_what_the_line_says_that_it_draws(text, left, right, wanted):
    assert slugs("line", msgspec.structs.replace(case(left, right), instruction=text)) == wanted


def test_a_temporary_file_that_the_line_makes():
    def named(text: str, aspect: Aspect = Aspect.PRESENCE) -> set[str]:
        found = of(aspect, "0644", None, path="tmp.0PqdQp")
        return slugs("line", msgspec.structs.replace(found, instruction=text))

    assert named("RUN mktemp -p / tmp.XXXXXX") == {"captures_temporary_path"}
    assert named("RUN touch /tmp.0PqdQp") == set()
    assert named("RUN mktemp -p / tmp.XXXXXX", Aspect.MODE) == set()


# --- known places ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("var/log/dpkg.log", {"apt_and_dpkg_logs"}),
        ("var/log/apt/history.log", {"apt_and_dpkg_logs"}),
        ("var/cache/apt/pkgcache.bin", {"apt_caches"}),
        ("var/cache/apt/archives/a_1_all.deb", {"apt_caches"}),
        ("var/cache/apt/archives/a_1_all.deb.sh", set()),
        ("etc/shadow-", {"account_file_backups"}),
        ("root/.npm/_cacache/index-v5/00/11", {"npm_cache_and_logs"}),
        ("var/lib/mysql/ibdata1", {"database_made_at_build"}),
        ("srv/app/.git/index", {"git_checkout_state"}),
        ("srv/app/.git/refs/heads/a/b", {"git_checkout_state"}),
        ("srv/app/.git/objects/3f/9a1", {"git_checkout_state"}),
        ("srv/app/.git/config", set()),
        ("srv/app/.git/objects/info/packs", set()),
        ("root/.wget-hsts", {"wget_hsts"}),
        ("usr/lib/jvm/jdk/lib/security/cacerts", {"java_keystore"}),
        ("home/dpkg.log", set()),
        ("srv/var/log/dpkg.log", set()),
    ],
)
def test_known_places(path, wanted):
    assert slugs("known_path", case("a", "b", path=path)) == wanted


SHADOW = "root:*:{}:0:99999:7:::\napp:{}:{}:0:99999:7:::\n"


def test_shadow_shows_the_day_or_the_salt():
    day = case(SHADOW.format(1, "!", 20779), SHADOW.format(1, "!", 21179), path="etc/shadow")
    assert slugs("known_path", day) == {"shadow_last_change_date"}
    salt = case(SHADOW.format(1, "$y$a", 2), SHADOW.format(1, "$y$b", 2), path="etc/shadow")
    assert slugs("known_path", salt) == {"random_salt_in_shadow"}
    shell = case(
        SHADOW.format(1, "!", 2), SHADOW.format(1, "!", 2) + "x:!:2::::::\n", path="etc/shadow"
    )
    assert slugs("known_path", shell) == set()


def test_a_salted_password_is_one_word():
    line = "app:${}${}:20779:0:99999:7:::"
    hashes = "Zk3/uP.q0vXw1yR5tL8mNbVcDx2", "pL8m.NbVcDx2Zk3/uP0vXw1yR5t"
    for method in ("y$j9T$abc./1", "6$rounds=5000$abc./1", "1$abc./1"):
        one, other = method, method.replace("abc", "xyz")
        salted = case(line.format(one, hashes[0]), line.format(other, hashes[1]))
        assert slugs("text", salted) == {"embeds_random_value"}
        # With one salt, two passwords: that is nobody's chance.
        given = case(line.format(one, hashes[0]), line.format(one, hashes[1]))
        assert slugs("text", given) == {"unexplained"}
    bcrypt = [f"app:$2b$10${salt * 22}{end * 31}" for salt, end in ("ac", "bd", "ad")]
    assert slugs("text", case(bcrypt[0], bcrypt[1])) == {"embeds_random_value"}
    assert slugs("text", case(bcrypt[0], bcrypt[2])) == {"unexplained"}


def test_a_known_place_must_show_its_symptom():
    world = ".build-deps={}\nbusybox\n"
    dated = case(
        world.format("20261122.023350"), world.format("20271227.023407"), path="etc/apk/world"
    )
    assert slugs("known_path", dated) == {"apk_virtual_package_version"}
    fixed = case("busybox\n", "busybox=1\n", path="etc/apk/world")
    assert slugs("known_path", fixed) == set()
    for right, wanted in (("b" * 32, {"machine_id"}), ("not an id", set())):
        assert slugs("known_path", case("a" * 32, right, path="etc/machine-id")) == wanted


# --- formats -----------------------------------------------------------------------------------


def gzipped(folder: Path, name: str, data: bytes, mtime: int, *options: str) -> bytes:
    file = folder / name
    file.write_bytes(data)
    subprocess.run(["touch", "-d", f"@{mtime}", file], check=True)
    return subprocess.run(["gzip", "-c", *options, file], check=True, capture_output=True).stdout


def test_gzip_header(tmp_path):
    one, other = (gzipped(tmp_path, "f", b"same" * 99, t) for t in (10**9, 10**9 + 60))
    assert slugs("gzip", case(one, other)) == {"timestamps_in_gzip_headers"}
    renamed = gzipped(tmp_path, "g", b"same" * 99, 10**9)
    assert slugs("gzip", case(one, renamed)) == {"file_name_in_gzip_headers"}
    one, other = (gzipped(tmp_path, n, b"same" * 99, t, "-n") for n, t in (("f", 1), ("g", 2)))
    assert one == other


def test_gzip_stream_and_contents(tmp_path):
    text = b"".join(b"line %d\n" % i for i in range(3000))
    fast, best = (gzipped(tmp_path, "f", text, 1, "-n", level) for level in ("-1", "-9"))
    assert slugs("compressor", case(fast, best)) == {"compressor_differs"}
    assert slugs("gzip", case(fast, best)) == set()
    broken = best[:-1] + b"\x01"  # another length in the trailer: something else differs
    assert slugs("gzip", case(fast, broken)) == {"unexplained"}
    assert slugs("compressor", case(fast, broken)) == set()
    one, other = (gzipped(tmp_path, "f", text + d, 1, "-n") for d in (b"2026-11-22", b"2027-12-27"))
    (clue,) = clues("gzip", case(one, other, vary=("time",)))
    assert clue.slug == "captures_build_date" and "(inflated)" in clue.detail


def compiled(folder: Path, source: str, mtime: int, name: str = "m.py") -> bytes:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(source)
    subprocess.run(["touch", "-d", f"@{mtime}", file], check=True)
    mode = py_compile.PycInvalidationMode.TIMESTAMP
    py_compile.compile(str(file), cfile=str(folder / "m.pyc"), dfile=name, invalidation_mode=mode)
    return (folder / "m.pyc").read_bytes()


def test_pyc(tmp_path):
    one, other = (compiled(tmp_path, "x = 1\n", t) for t in (10**9, 10**9 + 60))
    assert slugs("pyc", case(one, other)) == {"timestamps_in_pyc_headers"}
    edited = compiled(tmp_path, "y = 12\n", 10**9)
    assert slugs("pyc", case(one, edited)) == {"unexplained"}
    assert slugs("pyc", case(one[16:], other[12:])) == set()


def test_pip_target_path_in_pyc(tmp_path):
    sides = []
    for random in ("ab_d3f1h", "zy9w_u2s"):
        name = f"/tmp/pip-target-{random}/lib/python/m.py"
        cfile = tmp_path / "m.pyc"
        (tmp_path / "m.py").write_text("def f(): return 1\n")
        py_compile.compile(
            str(tmp_path / "m.py"),
            cfile=str(cfile),
            dfile=name,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
        sides.append(cfile.read_bytes())
    assert slugs("pyc", case(*sides)) == {"temporary_path_in_pyc"}


def zipped(
    path: Path, times: dict[str, tuple[int, ...]], manifest: str = "", mode: int = 0o644
) -> bytes:
    with zipfile.ZipFile(path, "w") as archive:
        for name, time in times.items():
            info = zipfile.ZipInfo(name, time)
            info.external_attr = (0o100000 | mode) << 16
            archive.writestr(info, name.encode())
        if manifest:
            archive.writestr(zipfile.ZipInfo("META-INF/MANIFEST.MF"), manifest)
    return path.read_bytes()


A, B, EAST = (2026, 11, 22, 2, 33, 50), (2027, 12, 27, 2, 34, 8), (2026, 11, 22, 16, 33, 52)


def test_zip_times(tmp_path):
    one, later = zipped(tmp_path / "z", {"a": A}), zipped(tmp_path / "z", {"a": B})
    for path, slug in (
        ("x.zip", "timestamps_in_zip"),
        ("x.jar", "timestamps_in_jar"),
        ("x.whl", "python_wheel_package"),
    ):
        (clue,) = clues("zip", case(one, later, path=path))
        assert (clue.slug, clue.factors) == (slug, ("time",))
    east = zipped(tmp_path / "z", {"a": EAST})
    (clue,) = clues("zip", case(one, east, vary=("timezone",)))
    assert clue.factors == ("timezone",)
    assert slugs("zip", case(one[:-3], later)) == set()


def stored(path: Path, members: dict[str, bytes]) -> bytes:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, A), data)
    return path.read_bytes()


def test_an_archive_in_an_archive(tmp_path):
    def fat(user: str, host: str, date: str) -> bytes:
        inner = stored(
            tmp_path / "i",
            {
                "META-INF/MANIFEST.MF": f"Built-By: {user}\n".encode(),
                "git.properties": f"host={host}\ndate={date}\n".encode(),
            },
        )
        return stored(tmp_path / "o", {"BOOT-INF/lib/app.jar": inner, "same": b"same"})

    one, other = (
        fat("root", CONTROL["hostname"], "2026-11-22"),
        fat("audit", VARIANT["hostname"], "2027-12-27"),
    )
    found = case(one, other, path="app.jar")
    assert slugs("zip", found) == {
        "user_in_java_jar_manifest",
        "captures_hostname",
        "captures_build_date",
    }
    assert slugs("zip", case(one, one, path="app.jar")) == set()


def test_archives_are_opened_so_deep_and_no_deeper(tmp_path):
    def boxed(data: bytes, times: int) -> bytes:
        return data if not times else stored(tmp_path / "b", {"in.zip": boxed(data, times - 1)})

    def found(times: int) -> set[str]:
        return slugs("zip", case(*(boxed(day, times) for day in (b"2026-11-22", b"2027-12-27"))))

    assert found(3) == {"captures_build_date"}
    assert found(4) == {"unexplained"}


def packed(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as jar:
        for name, data in members.items():
            jar.writestr(zipfile.ZipInfo(name), data, method)
    return out.getvalue()


@pytest.mark.parametrize(
    ("size", "wanted"),
    [(10, {"captures_build_date"}), (30 << 20, {"captures_build_date", "unexplained"})],
)
def test_the_archives_of_an_archive_are_opened_up_to_a_bound(size: int, wanted: set[str]):
    def many(day: bytes) -> bytes:
        inner = packed({"a": day, "same": bytes(size)})
        return packed({f"{n}.zip": inner for n in range(5)})

    found = clues("zip", case(many(b"2026-11-22"), many(b"2027-12-27")))
    assert {clue.slug for clue in found} == wanted
    told = [clue.detail for clue in found if clue.slug == "unexplained"]
    assert all("was not opened" in detail for detail in told)


def dated_text(day: int, size: int) -> bytes:
    return gzip.compress(b"built 2026-11-%d\n" % day + b"a line\n" * (size // 7), 1, mtime=0)


@pytest.mark.parametrize(("size", "all_of_it"), [(8 << 20, True), (80 << 20, False)])
def test_what_a_short_file_unpacks_to_is_looked_at_up_to_a_bound(size: int, all_of_it: bool):
    data = dated_text(22, size), dated_text(23, size)
    assert max(map(len, data)) < 1 << 20
    found = [*clues("text", case(*data)), *clues("uncovered", case(*data))]
    known = {clue.slug for clue in found if clue.slug != UNEXPLAINED}
    said = [clue.detail for clue in found if clue.slug == UNEXPLAINED]
    assert known == {"captures_build_date"}
    assert said == ([] if all_of_it else ["of its 83886092 bytes not all are unpacked"])
    assert len(inflate(data[0])) == min(size // 7 * 7 + 17, 64 << 20)
    assert inflate(data[0]) is inflate(data[0])  # once for all who ask


@pytest.mark.slow
@pytest.mark.parametrize("count", [4, 9])
def test_what_all_archives_in_a_short_archive_unpack_to_is_bounded(count: int):
    """However deep they are: the fifth goes beyond what there is room for."""

    def many(day: int) -> bytes:
        texts = dict.fromkeys([f"{n}.gz" for n in range(count)], dated_text(day, 14 << 20))
        inner = packed(dict([*texts.items()][:2]))
        return packed({"0.zip": inner} | {name: texts[name] for name in [*texts][2:]})

    found = clues("zip", case(many(22), many(23)))
    assert found[0].slug == "captures_build_date"
    refused = "in 4.gz: this archive in an archive was not opened"
    assert [clue.detail for clue in found[1:]] == ([] if count == 4 else [refused])


def test_each_module_of_a_large_archive_is_opened():
    def many(day: bytes) -> bytes:
        return packed({f"m{n}.txt": b"built %s" % day for n in range(500)})

    assert slugs("zip", case(many(b"2026-11-22"), many(b"2027-12-27"))) == {"captures_build_date"}


def test_zip_order_modes_and_manifest(tmp_path):
    one = zipped(tmp_path / "z", {"a": A, "b": A, "c": A})
    swapped = zipped(tmp_path / "z", {"b": A, "c": A, "a": A})
    assert slugs("zip", case(one, swapped)) == {"random_order_in_zip"}
    wider = zipped(tmp_path / "z", {"a": A, "b": A, "c": A}, mode=0o664)
    assert slugs("zip", case(one, wider)) == {"different_due_to_umask"}
    assert slugs("zip", case(one, wider, vary=("time",))) == {"unexplained"}
    head = "Built-By: {}\nBuild-Jdk: {}\nBnd-LastModified: {}\nBuild-Date: {}\n"
    left = zipped(tmp_path / "z", {}, head.format("me", "17", "1795314830123", "2026-11-22"))
    right = zipped(tmp_path / "z", {}, head.format("you", "18", "1829874847456", "2027-12-27"))
    assert slugs("zip", case(left, right, path="x.jar")) == {
        "user_in_java_jar_manifest",
        "toolchain_in_java_jar_manifest",
        "timestamp_in_java_bnd_manifest",
        "captures_build_date",
    }


def tarred(path: Path, *infos: dict, mode: str = "w") -> bytes:
    with tarfile.open(path, mode) as archive:
        for fields in infos:
            info = tarfile.TarInfo(fields.pop("name"))
            data = fields.pop("data", b"")
            for field, value in fields.items():
                setattr(info, field, value)
            (path.parent / "member").write_bytes(data)
            info.size = len(data)
            with (path.parent / "member").open("rb") as stream:
                archive.addfile(info, stream)
    return path.read_bytes()


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz", "w:bz2"])
def test_tar_times(tmp_path, mode):
    one, later = (tarred(tmp_path / "t", {"name": "a", "mtime": t}, mode=mode) for t in (1, 2))
    assert slugs("tar", case(one, later)) == {"timestamps_in_tarball"}
    assert slugs("tar", case(one, one)) == set()


@pytest.mark.parametrize(
    ("field", "values", "slug"),
    [
        ("uid", (0, 1000), "users_and_groups_in_tarball"),
        ("gname", ("root", "me"), "users_and_groups_in_tarball"),
        ("pax_headers", ({"ctime": "1.5"}, {"ctime": "2.5"}), "timestamps_in_tarball"),
        ("mode", (0o644, 0o664), "different_due_to_umask"),
        ("mode", (0o644, 0o755), "unexplained"),
        ("data", (b"2026-11-22", b"2027-12-27"), "captures_build_date"),
        ("data", (b"\0\1", b"\0\2"), "unexplained"),
        ("data", (b"host-0123456789", b"host-abcdef9876"), "captures_hostname"),
    ],
)
def test_tar_fields(tmp_path, field, values, slug):
    one, other = (tarred(tmp_path / "t", {"name": "a", field: value}) for value in values)
    assert slugs("tar", case(one, other)) == {slug}


def test_tar_order_and_lone_members(tmp_path):
    one = tarred(tmp_path / "t", *({"name": n} for n in "abcd"))
    other = tarred(tmp_path / "t", *({"name": n} for n in "bdac"))
    assert slugs("tar", case(one, other)) == {"random_order_in_tarball"}
    assert slugs("tar", case(one, other, vary=("time",))) == {"random_order_in_output"}
    lone = tarred(tmp_path / "t", *({"name": n} for n in "abc"))
    assert slugs("tar", case(one, lone)) == {"unexplained"}


@pytest.mark.skipif(not shutil.which("ar"), reason="needs binutils")
def test_ar(tmp_path):
    for name in ("a_rather_long_member_name.o", "b.o"):
        (tmp_path / name).write_bytes(b"\0object " + name.encode())

    def library(mtime: int, flags: str, *names: str) -> bytes:
        for name in names:
            subprocess.run(["touch", "-d", f"@{mtime}", tmp_path / name], check=True)
        (tmp_path / "l.a").unlink(missing_ok=True)
        subprocess.run(["ar", flags, "l.a", *names], cwd=tmp_path, check=True)
        return (tmp_path / "l.a").read_bytes()

    names = ("a_rather_long_member_name.o", "b.o")
    one, later = library(10**9, "qcU", *names), library(10**9 + 60, "qcU", *names)
    (clue,) = clues("ar", case(one, later))
    assert clue.slug == "timestamps_in_static_libraries" and "a_rather_long" in clue.detail
    assert library(10**9, "qcD", *names) == library(10**9 + 60, "qcD", *names)
    swapped = library(10**9, "qcU", *reversed(names))
    assert slugs("ar", case(one, swapped)) == {"random_order_in_static_libraries"}


@pytest.mark.skipif(not shutil.which("gcc"), reason="needs gcc")
def test_elf(tmp_path):
    def built(define: str, *flags: str) -> bytes:
        code = '#include <stdio.h>\nint main(void){puts("made " ' + define + ");return 0;}\n"
        (tmp_path / "m.c").write_text(code)
        subprocess.run(["gcc", "-s", *flags, "m.c", "-o", "m"], cwd=tmp_path, check=True)
        return (tmp_path / "m").read_bytes()

    one, other = built('"Nov 22 2026 02:33:50"'), built('"Dec 27 2027 02:34:07"')
    assert slugs("elf", case(one, other)) == {"timestamps_from_cpp_macros"}
    one, other = built('"2026-11-22"'), built('"2027-12-27"')
    assert slugs("elf", case(one, other)) == {"captures_build_date"}
    one, other = built('"x"', "-Wl,--build-id=0x1234"), built('"x"', "-Wl,--build-id=0x5678")
    assert slugs("elf", case(one, other)) == {"build_id_differences_only"}
    one, other = built('"x"'), built('"x");puts("y"')
    assert slugs("elf", case(one, other)) == {"unexplained"}
    one, other = built('"in /tmp/tmp.AbCdEf1234/x"'), built('"in /tmp/tmp.ZyXwVu9876/x"')
    assert slugs("elf", case(one, other)) == {"captures_temporary_path"}


# --- aspects -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "right", "vary", "wanted"),
    [
        ("0644", "0664", ("umask",), {"different_due_to_umask"}),
        ("0755", "0775", ("umask",), {"different_due_to_umask"}),
        ("2755", "2775", ("umask",), {"different_due_to_umask"}),
        ("0644", "0664", None, {"different_due_to_umask"}),
        ("0644", "0664", ("time",), set()),
        ("0644", "0755", ("umask",), set()),
        ("0664", "0644", ("umask",), set()),
        ("0755", "4755", ("umask",), set()),
        ("0644", "0755", None, set()),
    ],
)
def test_modes(left, right, vary, wanted):
    assert slugs("aspect", of(Aspect.MODE, left, right, vary=vary)) == wanted


@pytest.mark.parametrize(
    ("aspect", "left", "right", "wanted"),
    [
        (Aspect.MTIME, "1", "2", {"layer_mtimes_not_clamped"}),
        (Aspect.ORDER, "a", "b", {"random_order_of_layer_entries"}),
        (Aspect.OWNER, "0:0", "1000:1000", {"owner_follows_build_user"}),
        (Aspect.XATTR, "security.selinux=1", "security.selinux=2", {"xattrs_follow_filesystem"}),
        (
            Aspect.XATTR,
            "security.capability=1 user.overlay.origin=2",
            "security.capability=1",
            {"xattrs_follow_filesystem"},
        ),
        (Aspect.XATTR, "security.capability=1", "security.capability=2", set()),
        (Aspect.XATTR, "user.sig=1 security.selinux=1", "user.sig=2 security.selinux=2", set()),
        (Aspect.COMPRESSION, "a/b sha256:1", "a/b sha256:2", {"layer_compression_differs"}),
        (Aspect.COMPRESSION, "sha256:1", "sha256:2", set()),
        (Aspect.KIND, "file", "directory", set()),
        (Aspect.MTIME, "1", None, set()),
    ],
)
def test_other_aspects(aspect, left, right, wanted):
    assert slugs("aspect", of(aspect, left, right)) == wanted


@pytest.mark.parametrize(
    ("left", "right", "blamed"),
    [
        ("0:0", "1000:1000", True),
        ("1000:1000 a:a", "1001:1001 b:b", True),
        ("0:0 root:root", "0:0 root:wheel", False),
        ("0:0", "33:33", False),
        ("33:33", "1000:1000", False),
        ("100:0", "101:0", False),
    ],
)
def test_of_two_images_an_owner_who_is_a_person_follows_who_builds(left, right, blamed):
    alone = of(Aspect.OWNER, left, right, vary=None)
    several = msgspec.structs.replace(alone, alike=2)
    assert slugs("aspect", several) == ({"owner_follows_build_user"} if blamed else set())
    assert slugs("aspect", alone) == set()  # who builds has more than one file


@pytest.mark.parametrize(
    ("aspect", "path", "wanted"),
    [
        (Aspect.HISTORY, "/history/3/created", {"creation_times_not_clamped"}),
        (Aspect.HISTORY, "/history/3/comment", {"names_of_intermediate_images"}),
        (Aspect.HISTORY, "/history/3/created_by", set()),
        (Aspect.CONFIG, "/config/config/Labels/io.buildah.version", {"builder_version_in_label"}),
        (Aspect.CONFIG, "/config/config/Hostname", {"container_id_in_config"}),
        (
            Aspect.ANNOTATION,
            "/manifest/annotations/org.opencontainers.image.created",
            {"creation_times_not_clamped"},
        ),
    ],
)
def test_what_the_builder_writes(aspect, path, wanted):
    sides = "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"
    assert slugs("known_path", of(aspect, *sides, path)) == wanted


def test_what_is_no_time_is_not_the_time_of_the_build():
    found = of(Aspect.CONFIG, "2026-01-01T00:00:00Z", "$(curl evil)", "/config/created")
    assert slugs("known_path", found) == set()


def test_no_forensic_imports_an_effect():
    script = (
        "import sys; from repaudit.forensics import FORENSICS; before = set(sys.modules);"
        "FORENSICS.all(); new = set(sys.modules) - before;"
        "print(sorted({'subprocess', 'socket', 'uuid'} & new))"
    )
    out = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert out.stdout.strip() == "[]"


def test_words_in_another_order_are_a_hash_as_well_as_a_listing():
    """Permuted keys in one line do not tell a directory from a hash: both are blamed."""
    (found,) = clues("text", case("k,c,m,a,g,q\n", "m,q,a,k,g,c\n", vary=("file_order",)))

    assert found.slug == "random_order_in_output"
    assert found.factors == ("random", "file_order")


def test_nothing_in_two_images_tells_a_listing_from_a_hash_or_a_race():
    lines = "c\na\nb\ne\nd\n", "b\nc\na\nd\ne\n"
    (unknown,) = clues("text", case(*lines, vary=None))
    assert unknown.factors == ("file_order", "random", "concurrency")
    (moved,) = clues("text", case(*lines, vary=("file_order",)))
    assert moved.factors == ("file_order",)
    (held,) = clues("text", case(*lines, vary=("time",)))
    assert held.factors == ("random", "concurrency")
