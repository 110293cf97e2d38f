"""Edits of a Containerfile: what they change, and that they change nothing else."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repaudit.containerfile import Containerfile, parse
from repaudit.containerfile.edit import (
    Splice,
    append,
    begin,
    clash,
    insert_before,
    splice,
    unified,
)
from repaudit.containerfile.rewrite import REWRITERS
from repaudit.containerfile.shell import Script, script

dockerfile = pytest.importorskip("dockerfile", reason="BuildKit's parser has no wheel here")


def read(text: str) -> tuple[Containerfile, Script | None]:
    """A Containerfile that ends in `text`, and the script of its last statement."""
    file = parse(b"FROM x\n" + text.encode())
    return file, script(file, file.statements[-1])


def rewritten(name: str, text: str) -> str:
    """`RUN text` with a rewriter's splices made."""
    file, run = read("RUN " + text)
    assert run is not None
    splices = [one for command in run.commands for one in REWRITERS[name](command)]
    return splice(file.data, splices).decode().removeprefix("FROM x\nRUN ")


# --- what a script is -------------------------------------------------------------------------


def test_a_word_knows_its_bytes_across_continuations_comments_and_indents() -> None:
    text = "RUN --network=none a \\\r\n# why\r\n\r\n   && 'b c' \\\r\n d\r\n"
    file, run = read(text)

    assert run is not None
    first, second = run.commands
    assert (first.name, second.name, second.texts) == ("a", "b c", ("d",))
    words = [file.data[w.start : w.end] for c in run.commands for w in c.words]
    assert words == [b"a", b"'b c'", b"d"]
    assert file.data[run.start : run.end].startswith(b"a \\")
    assert file.data[run.end :] == b"\r\n"


@pytest.mark.parametrize(
    "text",
    [
        'RUN ["a", "b"]',
        "RUN <<E\na\nE",
        "RUN cat <<E > f\na\nE",
        "RUN if true",
        "RUN echo 'open",
        'SHELL ["powershell", "-Command"]\nRUN a',
        "CMD a",
        "RUN",
        "RUN " + "(" * 300 + "a" + ")" * 300,
        "RUN a " + "b" * 70_000,
    ],
)
def test_what_is_not_certain_is_no_script(text: str) -> None:
    assert read(text)[1] is None


@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
def test_a_relative_of_sh_is_read(shell: str) -> None:
    assert read(f'SHELL ["{shell}", "-ec"]\nRUN a')[1] is not None


def test_text_that_is_no_utf_8_is_no_script() -> None:
    file = parse(b"FROM x\nRUN echo \xff\n")

    assert script(file, file.statements[-1]) is None


def test_commands_are_found_where_the_shell_runs_them_and_not_in_quotes() -> None:
    _, run = read('RUN for f in $(date +1); do "da"te +2; done; echo "$(date +3)" \'date +4\' date')

    assert run is not None
    assert [c.texts for c in run.commands if c.name == "date"] == [("+1",), ("+2",), ("+3",)]


def test_what_only_the_shell_knows_is_unknown() -> None:
    _, run = read('RUN a "$X" *.c \'y z\' "q" b\\ c {} \\; ~/d')

    assert run is not None
    assert run.commands[0].texts == (None, None, "y z", "q", None, "{}", ";", None)


# --- before and behind ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["a", "a && b", "a; b", "a || b", "a | b > c", "set -e; a", "if a; then b; fi", "! a"]
)
def test_a_command_can_stand_before_and_behind(text: str) -> None:
    file, run = read(f"RUN {text} \\\n\n# the end\n")

    assert run is not None
    before, behind = begin(run, "x"), append(run, "y")
    assert before is not None
    assert behind is not None
    after = splice(file.data, [before, behind])
    assert after.decode() == f"FROM x\nRUN x && {text} && y \\\n\n# the end\n"


@pytest.mark.parametrize("text", ["a & b", "a &", "a # why", "a;", "# nothing", "a && exec b"])
def test_no_command_stands_where_it_might_not_run(text: str) -> None:
    _, run = read(f"RUN {text}")

    assert run is None or append(run, "y") is None


@pytest.mark.parametrize("text", ["a & b", "# why"])
def test_no_command_stands_before_what_it_would_not_reach(text: str) -> None:
    _, run = read(f"RUN {text}")

    assert run is None or begin(run, "x") is None


def test_what_is_put_in_at_one_place_has_an_order() -> None:
    texts = [" | sort", "export A=1 && ", " && rm x", "umask 022 && ", "export B=2 && ", " -n"]
    splices = [Splice(start=0, end=0, text=text) for text in texts]

    after = splice(b"", [*splices, *splices])
    assert after == b"umask 022 && export A=1 B=2 &&  | sort -n && rm x"


@pytest.mark.parametrize(
    ("one", "two", "clashes"),
    [
        ((0, 2), (1, 3), True),
        ((0, 2), (0, 2), True),
        ((0, 2), (2, 4), False),
        ((1, 1), (1, 3), False),
        ((1, 1), (0, 3), True),
        ((1, 1), (1, 1), False),
    ],
)
def test_two_that_want_the_same_bytes_clash(one, two, clashes: bool) -> None:
    a, b = (Splice(start=s, end=e, text=t) for (s, e), t in ((one, "x"), (two, "y")))

    assert clash([a, b]) is clash([b, a]) is clashes
    assert not clash([a, a])
    if clashes:
        with pytest.raises(ValueError, match="same bytes"):
            splice(b"abcdef", [a, b])


# --- a new line -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("FROM x\nRUN a", "FROM x\nARG N\nRUN a"),
        ("FROM x\r\nRUN a\r\n", "FROM x\r\nARG N\r\nRUN a\r\n"),
        ("\ufeffFROM x\n\n  # why\n  RUN a\n", "\ufeffFROM x\n\nARG N\n  # why\n  RUN a\n"),
        ("FROM x\nENV A=b \\\n# in\n C=d\nRUN a", "FROM x\nENV A=b \\\n# in\n C=d\nARG N\nRUN a"),
        ("FROM x\nRUN <<#\na\n#\nRUN a", "FROM x\nRUN <<#\na\n#\nARG N\nRUN a"),
        ("# escape=`\nFROM x\nRUN a `\n b", "# escape=`\nFROM x\nARG N\nRUN a `\n b"),
    ],
)
def test_a_line_goes_above_the_comments_of_its_statement(before: str, after: str) -> None:
    file = parse(before.encode())
    line = insert_before(file, file.statements[-1], "ARG N")

    assert splice(file.data, [line]).decode() == after


# --- known commands ---------------------------------------------------------------------------

EPOCH = "${SOURCE_DATE_EPOCH:-$(date +%s)}"


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("date", "date +%F > f", f'date -u -d "@{EPOCH}" +%F > f'),
        ("date", 'echo "on $(date -u)"', f'echo "on $(date -d "@{EPOCH}" -u)"'),
        ("date", "echo `date`", f"echo `date -u -d @{EPOCH}`"),
        ("gzip", "a && \\\n  gzip \\\n -9 f", "a && \\\n  gzip -n \\\n -9 f"),
        ("gzip", "cat f | gzip > g", "cat f | gzip -n > g"),
        ("tar_order", "tar -czf x.tgz y", "tar --sort=name -czf x.tgz y"),
        ("tar_order", "tar czf x.tgz y", "tar czf x.tgz --sort=name y"),
        ("tar_order", "tar --create -f x y", "tar --sort=name --create -f x y"),
        ("tar_times", "tar -cf x y", f'tar --mtime="@{EPOCH}" --clamp-mtime -cf x y'),
        (
            "tar_times",
            "tar --format=posix -cf x y",
            f'tar --mtime="@{EPOCH}" --clamp-mtime --pax-option=delete=atime,delete=ctime'
            " --format=posix -cf x y",
        ),
        ("ar", "ar rcs liba.a a.o && ranlib liba.a", "ar rcsD liba.a a.o && ranlib -D liba.a"),
        ("ar", "ar rcU liba.a a.o", "ar rcD liba.a a.o"),
        ("ar", "ar cruU l.a a.o && ranlib -U l.a", "ar crD l.a a.o && ranlib -D l.a"),
        (
            "zip_order",
            "a && zip -qr9 o.zip d 'e f'",
            "a && find d 'e f' | LC_ALL=C sort | zip -q9 o.zip -@",
        ),
        ("zip_order", "TZ=UTC zip -r o.zip d", "find d | LC_ALL=C sort | TZ=UTC zip o.zip -@"),
        (
            "zip_times",
            "a || zip o.zip d > l",
            f'a || {{ find d -newermt "@{EPOCH}" -exec touch -hd "@{EPOCH}" {{}} +'
            " && TZ=UTC zip -X o.zip d; } > l",
        ),
        ("hostname", 'echo "$(hostname) `uname -n`"', 'echo "$(echo localhost) `echo localhost`"'),
        (
            "hostname",
            'test "$(hostname)" && h=$(hostname) && hostname 2>/dev/null > f',
            'test "$(hostname)" && h=$(echo localhost) && echo localhost 2>/dev/null > f',
        ),
        ("env", "env | sort > f", 'env -i PATH="$PATH" env | sort > f'),
        ("ls", "ls -U a > f", "LC_ALL=C ls a > f"),
        ("ls", "ls -lU a > f", "LC_ALL=C ls -l a > f"),
        ("find", "find a -type f > f", "find a -type f | LC_ALL=C sort > f"),
        ("find", "find a 2> e | head > f", "find a 2> e | LC_ALL=C sort | head > f"),
        ("find", "x && find a 2> e", "x && find a 2> e | LC_ALL=C sort"),
        (
            "find",
            "for f in $(find a); do b; done",
            "for f in $(find a | LC_ALL=C sort); do b; done",
        ),
        ("find", "find a -print0 | xargs b", "find a -print0 | LC_ALL=C sort -z | xargs b"),
        ("wget", "wget -q u", "wget --no-hsts -q u"),
        ("pip", "pip3 install -t x y", "pip3 install --no-compile -t x y"),
        ("pip", "python3 -m pip install y", "python3 -m pip install --no-compile y"),
    ],
)
def test_a_command_that_varies_is_rewritten_once(name: str, before: str, after: str) -> None:
    assert rewritten(name, before) == after
    assert rewritten(name, after) == after


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("date", 'date -d "@0" +%F'),
        ("date", "date -r f"),
        ("date", "date --date=now; date -ud now; date 010100001970"),
        ("date", "echo 'date +%F'; sh -c 'date +%F'; update +%F; echo date"),
        ("gzip", "gzip -dc f; gunzip f; gzip -n f; gzip -9n f; gzip --no-name f; echo gzip f"),
        (
            "tar_order",
            "tar -xf x; tar xf x; tar -tzf x; tar -cf x -T list; tar -cf x --sort=name y",
        ),
        ("tar_order", "tar -xf cats.tar; tar -xfcats.tar"),
        ("tar_times", "tar -cf x --mtime=@0 y"),
        ("ar", "ar t a; ar x a; ar Drc a b; ranlib -D a; arp -U a"),
        ("hostname", "hostname new; hostname -I; uname; uname -a; uname -r; hostnamectl"),
        ("hostname", 'test "$(hostname)" = a && cat /etc/hostname > h; [ `hostname` ] && b'),
        ("hostname", "if [[ $(uname -n) = a ]]; then b; fi; hostname > /dev/null 2>&1 && b"),
        ("date", "while test $(date +%s) -lt 9; do a; done; date > /dev/null"),
        ("env", "env X=1 a; env -i a; printenv PATH; env a"),
        ("ls", "ls a; ls -l; ls --help; ls -fU"),
        ("find", "find a -exec b {} +; find a -delete; find a -printf %p; find a | sort"),
        ("find", "find a -print0 | sort -z | xargs -0 b; find a 2>e >f; find a $X; 2>e find a"),
        (
            "zip_order",
            "zip o.zip d; unzip o.zip; zip -r o.zip *; zip -r -x a o.zip d; zip -r o.zip -@",
        ),
        ("zip_times", "zip o.zip; zip -d o.zip a; zip -u o.zip d; zip -; zip $X d"),
        ("wget", "wget --no-hsts u; curl u"),
        ("pip", "pip download y; pip install --no-compile y; python -m build; pipx install y"),
    ],
)
def test_a_command_that_does_not_vary_is_left_alone(name: str, text: str) -> None:
    assert rewritten(name, text) == text


def test_what_is_rewritten_writes_the_same_twice(tmp_path: Path) -> None:
    """With the real tools: another clock, another order of the folder."""
    text = (
        "tar cf x.tar d && gzip -k d/a && (cd d && ar rc ../l.a a b) && date > now && ls -U d > l"
    )
    zips = shutil.which("zip") is not None
    text += " && zip -r z.zip d" if zips else ""
    for name in ("tar_order", "tar_owner", "tar_times", "gzip", "ar", "date", "ls", "zip_times"):
        text = rewritten(name, text)
    results = []
    for number, names in enumerate(("ab", "ba")):
        folder = tmp_path / str(number)
        (folder / "d").mkdir(parents=True)
        for name in names:
            (folder / "d" / name).write_text(name)
            subprocess.run(["touch", "-d", f"@{2_000_000_000 + number}", folder / "d" / name])
        environment = {"SOURCE_DATE_EPOCH": "1000000000", "PATH": "/usr/bin:/bin"}
        subprocess.run(["sh", "-ec", text], cwd=folder, env=environment, check=True)
        results.append(
            {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        )
    assert set(results[0]) - {"z.zip"} == {"a", "a.gz", "b", "l", "l.a", "now", "x.tar"}
    assert ("z.zip" in results[0]) is zips
    assert results[0] == results[1]


# --- any file ---------------------------------------------------------------------------------

lines = st.sampled_from(
    [
        "RUN gzip a",
        "RUN  a \\\n# gzip\n\n  && gzip b \\ \n",
        "run set -e; date +%F > 'gzip date'; tar cf x y",
        'RUN ["gzip", "a"]',
        "RUN <<E\ngzip a\nE",
        "COPY <<E /x\nRUN gzip a\nE",
        "RUN --mount=type=cache,target=/a gzip c || date",
        "# RUN gzip\n",
        "ENV A=b \\\n  C=d",
        "USER x",
        "RUN gzip a &",
        "RUN é && env",
    ]
)


@st.composite
def files(draw: st.DrawFn) -> bytes:
    text = "\n".join(["FROM x", *draw(st.lists(lines, max_size=6))])
    text += draw(st.sampled_from(["", "\n"]))
    start = draw(st.sampled_from(["", "\ufeff", "# syntax=a\n"]))
    data = (start + text).encode()
    return data.replace(b"\n", b"\r\n") if draw(st.booleans()) else data


def edits(file: Containerfile) -> list[Splice]:
    """Every edit that a script takes: all at once."""
    found = []
    for statement in file.statements:
        run = script(file, statement)
        if run is None:
            continue
        found += [one for c in run.commands for r in REWRITERS.values() for one in r(c)]
        if "umask 022" not in run.text:
            found += filter(None, [begin(run, "umask 022"), begin(run, "export TZ=UTC")])
        if "rm -f /x" not in run.text:
            found += filter(None, [append(run, "rm -f /x")])
    return found


@given(files())
def test_an_edit_leaves_all_other_bytes_and_the_same_statements(data: bytes) -> None:
    file = parse(data)
    splices = edits(file)
    after = splice(data, splices)

    kept, at = [], 0
    for one in sorted(set(splices)):
        kept.append(data[at : one.start])
        at = max(at, one.end)
    kept.append(data[at:])
    rest = after
    for piece in kept:  # in this order, with only what is put in between them
        assert piece in rest
        rest = rest[rest.index(piece) + len(piece) :]
    parsed = parse(after)
    assert [s.keyword for s in parsed.statements] == [s.keyword for s in file.statements]
    assert [s.line for s in parsed.statements] == [s.line for s in file.statements]
    assert splice(after, edits(parsed)) == after


@given(files())
def test_buildkit_reads_an_edited_file_as_we_do(data: bytes) -> None:
    file = parse(data)
    lines = [insert_before(file, s, "ARG SOURCE_DATE_EPOCH") for s in file.statements[1:]]
    after = splice(data, [*edits(file), *lines])

    theirs = dockerfile.parse_string(after.decode())
    ours = parse(after)
    assert [c.cmd.upper() for c in theirs] == [s.keyword for s in ours.statements]
    assert [(c.start_line, c.end_line) for c in theirs] == [
        (s.line, s.end_line) for s in ours.statements
    ]
    assert len(ours.statements) == len(file.statements) + len(set(lines))


@given(files(), files())
def test_patch_takes_our_diffs(
    tmp_path_factory: pytest.TempPathFactory, a: bytes, b: bytes
) -> None:
    folder = tmp_path_factory.mktemp("patch")
    path = folder / "Containerfile"
    path.write_bytes(a)
    diff = unified(a, b, "Containerfile")
    if diff:
        patch = ["patch", "--binary", "--quiet", "-p1"]
        subprocess.run(patch, cwd=folder, input=diff, check=True)
    assert path.read_bytes() == b
