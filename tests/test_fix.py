"""Fixes: which edit a finding gets, which it does not, and how they go together."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from repaudit.containerfile import parse
from repaudit.containerfile.rewrite import REWRITERS
from repaudit.forensics import Change, cause, causes, fix_of
from repaudit.host.scratch import rewrite
from repaudit.model.difference import Aspect, Difference
from repaudit.model.errors import UsageError
from repaudit.model.finding import Finding, Instruction
from repaudit.stages.fix import Fixes, propose

BASE = "FROM x AS one\n"


def finding(slug: str, line: int, text: str, *paths: str, stage: str = "one") -> Finding:
    return Finding(
        id=f"{slug}-{line}",
        cause=cause(slug),
        factors=(),
        instruction=Instruction(file="Containerfile", line=line, text=text, stage=stage),
        process=None,
        evidence=(),
        differences=tuple(
            Difference(layer=1, path=path, aspect=Aspect.CONTENT, left="a", right="b")
            for path in paths or ("srv/a",)
        ),
    )


def fixes(text: str, *slugs: str, paths: tuple[str, ...] = ()) -> Fixes:
    """What is proposed for findings of these causes, all at the last line of `BASE + text`."""
    file = parse((BASE + text).encode())
    last = file.statements[-1]
    stage = file.stages()[-1].label
    found = [finding(slug, last.line, last.text, *paths, stage=stage) for slug in slugs]
    return propose(file, found)


def edited(text: str, *slugs: str, paths: tuple[str, ...] = ()) -> str:
    made = fixes(text, *slugs, paths=paths)
    assert not made.refused
    return made.edited().decode().removeprefix(BASE)


def test_every_fix_of_the_catalogue_can_be_made() -> None:
    mends = [mend for one in causes() for mend in fix_of(one.slug)]

    assert {m.text for m in mends if m.change is Change.REWRITE} == set(REWRITERS)
    assert all(m.text.isidentifier() for m in mends if m.change is Change.ARGUMENT)
    assert all("=" in m.text for m in mends if m.change is Change.EXPORT)
    for mend in mends:
        if mend.change in {Change.APPEND, Change.BEGIN}:
            subprocess.run(["sh", "-n"], input=mend.text.encode(), check=True)


def test_what_a_container_may_want_is_not_taken_away() -> None:
    for slug in (
        "ssh_host_keys",
        "snakeoil_certificate",
        "database_made_at_build",
        "java_keystore",
    ):
        assert fix_of(slug) == ()


@pytest.mark.parametrize(
    ("slug", "before", "after"),
    [
        ("different_due_to_umask", "RUN a", "RUN umask 022 && a"),
        ("captures_timezone", "RUN a && b", "RUN export TZ=UTC && a && b"),
        ("captures_user_name", "RUN a", "RUN export USER=root LOGNAME=root && a"),
        ("captures_user_name", "USER app\nRUN a", "USER app\nRUN export USER=app LOGNAME=app && a"),
        ("captures_home_dir", "USER 0:0\nRUN a", "USER 0:0\nRUN export HOME=/root && a"),
        ("captures_build_date", "RUN groff a", "ARG SOURCE_DATE_EPOCH\nRUN groff a"),
        ("shadow_last_change_date", "RUN useradd a", "ARG SOURCE_DATE_EPOCH\nRUN useradd a"),
        ("shadow_last_change_date", 'RUN ["useradd"]', 'ARG SOURCE_DATE_EPOCH\nRUN ["useradd"]'),
        (
            "apt_package_lists",
            "RUN apt-get update",
            "RUN apt-get update && rm -rf /var/lib/apt/lists/*",
        ),
        ("configure_logs", "RUN make", "RUN make && rm -f '/srv/a b'"),
        ("random_order_in_output", "RUN ./a.py", "RUN export PYTHONHASHSEED=0 && ./a.py"),
        ("random_order_in_output", "RUN perl a", "RUN export PERL_HASH_SEED=0 && perl a"),
    ],
)
def test_a_cause_has_its_edit_and_a_second_run_changes_nothing(
    slug: str, before: str, after: str
) -> None:
    assert edited(before, slug, paths=("srv/a b",)) == after
    again = fixes(after, slug, paths=("srv/a b",))
    assert again.proposals == ()
    assert again.edited().decode() == BASE + after


@pytest.mark.parametrize(
    ("slug", "text", "reason"),
    [
        ("captures_timezone", 'RUN ["a"]', "not plain shell"),
        ("captures_timezone", "RUN <<E\na\nE", "not plain shell"),
        ("captures_timezone", "RUN a & b", "not plain shell"),
        ("configure_logs", "RUN a; exec b", "not plain shell"),
        ("captures_build_date", "RUN python3 a.py", "does not call"),
        ("captures_build_date", "RUN date -d @0", "does not call"),
        ("random_order_in_output", "RUN shuf a", "does not call"),
        ("captures_home_dir", "USER app\nRUN a", "home of the user 'app'"),
        ("captures_user_name", "USER $X\nRUN a", "name of the user '$X'"),
        ("captures_timezone", "COPY a /", "no step is known"),
        ("captures_timezone", "COPY --from=img a /", "no step is known"),
        (
            "npm_cache_and_logs",
            "RUN --mount=type=cache,target=/root/.npm npm i",
            "mounts /root/.npm",
        ),
        (
            "apt_package_lists",
            "RUN --mount=type=cache,dst=/var/lib/apt apt update",
            "mounts /var/lib",
        ),
    ],
)
def test_what_cannot_be_edited_safely_is_left_alone(slug: str, text: str, reason: str) -> None:
    made = fixes(text, slug)

    assert made.proposals == ()
    assert reason in next(iter(made.refused.values()))
    assert made.edited() == (BASE + text).encode()


@pytest.mark.parametrize(
    ("slug", "step", "later", "needed"),
    [
        ("apt_package_lists", "RUN apt-get update", "RUN apt-get install -y a", True),
        (
            "apt_package_lists",
            "RUN apt-get update",
            "RUN apt-get update && apt-get install a",
            False,
        ),
        ("apt_package_lists", "RUN apt-get update", "RUN echo", False),
        ("temporary_files_left_behind", "RUN a", "RUN dpkg -i /tmp/a.deb", True),
        ("temporary_files_left_behind", "RUN a", "COPY --from=one /var/tmp/b /", True),
        ("temporary_files_left_behind", "RUN a", "RUN b /tmpfiles", False),
    ],
)
def test_what_a_later_step_needs_stays(slug: str, step: str, later: str, needed: bool) -> None:
    file = parse(f"{BASE}{step}\n{later}\n".encode())
    made = propose(file, [finding(slug, 2, step)])

    assert bool(made.refused) is needed
    assert bool(made.proposals) is not needed


def test_a_cause_without_a_fix_is_silent() -> None:
    made = fixes("RUN a", "embeds_random_value")

    assert (made.proposals, dict(made.refused)) == ((), {})
    (shown,) = made.shown_in([finding("embeds_random_value", 2, "RUN a")])
    assert shown.fix is None


def test_fixes_of_one_line_go_together() -> None:
    text = "RUN env > /a"
    slugs = [
        "captures_environment",
        "captures_locale",
        "different_due_to_umask",
        "captures_timezone",
    ]

    wanted = 'RUN umask 022 && export LC_ALL=C.UTF-8 TZ=UTC && env -i PATH="$PATH" env > /a'
    assert edited(text, *slugs) == wanted
    assert fixes(wanted, *slugs).proposals == ()


def test_one_argument_line_a_stage_before_the_first_step_that_needs_it() -> None:
    file = parse(
        b"FROM x AS one\nRUN a\n# why\nRUN useradd b\nRUN useradd c\n"
        b"FROM one AS two\nRUN useradd d\n"
    )
    found = [
        finding("shadow_last_change_date", line, f"RUN useradd {name}", stage=stage)
        for line, name, stage in ((5, "c", "one"), (4, "b", "one"), (7, "d", "two"))
    ]
    made = propose(file, found)

    argument = b"ARG SOURCE_DATE_EPOCH\n"
    assert made.edited() == (
        b"FROM x AS one\nRUN a\n" + argument + b"# why\nRUN useradd b\nRUN useradd c\n"
        b"FROM one AS two\n" + argument + b"RUN useradd d\n"
    )


@pytest.mark.parametrize("line", ["ARG SOURCE_DATE_EPOCH=0", "ENV A=b SOURCE_DATE_EPOCH=0"])
def test_what_the_stage_sets_already_is_not_declared_again(line: str) -> None:
    assert fixes(f"{line}\nRUN useradd a", "shadow_last_change_date").proposals == ()
    wanted = 'RUN date -u -d "@${SOURCE_DATE_EPOCH:-$(date +%s)}"'
    assert edited(f"{line}\nRUN date", "captures_build_date") == f"{line}\n{wanted}"


def test_what_was_copied_from_a_stage_is_mended_there() -> None:
    text = "RUN date > /stamp\nRUN date > /other\nFROM one\nCOPY --from=one /stamp /srv/stamp"

    after = edited(text, "captures_timezone", paths=("srv/stamp",))
    assert after == text.replace("RUN date > /stamp", "RUN export TZ=UTC && date > /stamp")


def test_the_nearest_of_equal_lines_is_edited() -> None:
    file = parse(b"FROM x AS one\nRUN a\nRUN b\nRUN a\n")

    made = propose(file, [finding("captures_timezone", 5, "RUN a")])
    assert made.edited() == b"FROM x AS one\nRUN a\nRUN b\nRUN export TZ=UTC && a\n"


def test_a_finding_shows_its_own_edit_alone_and_its_line() -> None:
    made = fixes("\n# why\nRUN a\n", "captures_timezone", "shadow_last_change_date")
    one, two = made.shown_in(
        [finding(s, 4, "RUN a") for s in ("captures_timezone", "shadow_last_change_date")]
    )

    assert one.fix is not None
    assert two.fix is not None
    assert (one.fix.line, two.fix.line) == (4, 3)
    assert (one.fix.outcome, one.fix.reason) == (None, None)
    assert "+RUN export TZ=UTC && a" in (one.fix.edit or "")
    assert "ARG" not in (one.fix.edit or "")
    assert "+ARG SOURCE_DATE_EPOCH" in (two.fix.edit or "")


def test_no_newline_at_the_end_is_told_in_the_diff() -> None:
    (one,) = fixes("RUN a", "captures_timezone").shown_in(
        [finding("captures_timezone", 2, "RUN a")]
    )

    assert one.fix is not None
    assert (one.fix.edit or "").count("\\ No newline at end of file\n") == 2


def test_a_file_is_rewritten_with_its_mode_through_a_link(tmp_path: Path) -> None:
    path, link = tmp_path / "real", tmp_path / "link"
    path.write_bytes(b"a")
    path.chmod(0o751)
    link.symlink_to(path)
    rewrite(link, b"b")

    assert link.is_symlink()
    assert (path.read_bytes(), path.stat().st_mode & 0o7777) == (b"b", 0o751)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link", "real"]
    with pytest.raises(UsageError):
        rewrite(tmp_path / "none", b"b")
