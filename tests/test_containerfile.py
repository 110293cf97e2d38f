"""Reading Containerfiles: by hand, by property, and against BuildKit's own parser."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from repaudit.containerfile import Containerfile, Statement, find, parse
from repaudit.containerfile.variables import expand
from repaudit.containerfile.words import SPACE
from repaudit.model.errors import MalformedError, UsageError


def read(text: str) -> Containerfile:
    return parse(text.encode())


def only(text: str) -> Statement:
    """The one statement below a FROM."""
    (statement,) = read("FROM x\n" + text).statements[1:]
    return statement


# --- statements -------------------------------------------------------------------------------


def test_a_statement_knows_its_lines_and_bytes() -> None:
    data = b"# note\n  from x AS y\r\n\nrun a \\\n  # why\n\n\tb\nCMD c"
    opening, run, last = parse(data).statements

    assert (opening.keyword, opening.line, opening.end_line) == ("FROM", 2, 2)
    assert data[opening.start : opening.end] == b"from x AS y"
    assert (run.keyword, run.line, run.end_line, run.text) == ("RUN", 4, 7, "run a \tb")
    assert data[run.start : run.end] == b"run a \\\n  # why\n\n\tb"
    assert run.arguments == "a \tb"
    assert data[last.start : last.end] == b"CMD c"


def test_a_byte_order_mark_is_no_part_of_the_first_statement() -> None:
    file = parse(b"\xef\xbb\xbfFROM x\n")

    assert (file.statements[0].start, file.statements[0].end) == (3, 9)


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("RUN a \\ \t\n b", "a  b"),
        ("RUN a \\\\\nRUN b", None),
        ("RUN a \\\r\n b\r", "a  b"),
        ("RUN a \\", "a"),
        ("RUN a \\\n\n", "a"),
        ("\\\nRUN a", "a"),
        ("RUN\ta", "a"),
        ("RUN", ""),
    ],
)
def test_continuations(text: str, arguments: str | None) -> None:
    statements = read("FROM x\n" + text).statements[1:]

    if arguments is None:
        assert [s.arguments for s in statements] == ["a \\\\", "b"]
    else:
        assert [s.arguments for s in statements] == [arguments]


def test_the_escape_directive_moves_the_continuation() -> None:
    file = read("#syntax=docker/dockerfile:1\n# ESCAPE = `\nFROM x\nRUN a `\n  b\\\nRUN c")

    assert file.directives == (("syntax", "docker/dockerfile:1"), ("escape", "`"))
    assert [s.arguments for s in file.statements] == ["x", "a   b\\", "c"]


def test_a_directive_below_a_comment_is_a_comment() -> None:
    file = read("# note\n# escape=`\nFROM x\nRUN a `\n")

    assert file.directives == ()
    assert file.escape == "\\"


@pytest.mark.parametrize(
    ("text", "flags", "arguments"),
    [
        ("COPY --from=a --link x y", (("from", "a"), ("link", "")), "x y"),
        (
            "RUN --mount=type=bind,from=a --mount=type=cache b",
            (("mount", "type=bind,from=a"), ("mount", "type=cache")),
            "b",
        ),
        ("RUN --x='a b' --y=\"c\" d", (("x", "a b"), ("y", "c")), "d"),
        ("RUN --x=a\\ b c", (("x", "a b"),), "c"),
        ("RUN -- --x", (), "--x"),
        ("RUN a --x", (), "a --x"),
        ("HEALTHCHECK --interval=3s NONE", (("interval", "3s"),), "NONE"),
    ],
)
def test_flags(text: str, flags: tuple[tuple[str, str], ...], arguments: str) -> None:
    statement = only(text)

    assert (statement.flags, statement.arguments) == (flags, arguments)


@pytest.mark.parametrize(
    ("text", "array"),
    [
        ('RUN ["a", "b c"]', ("a", "b c")),
        ('RUN ["a", \\\n "b"]', ("a", "b")),
        ("CMD []", ()),
        ("CMD ['a']", None),
        ('RUN ["a",', None),
        ("RUN [ -f x ] && y", None),
        ("RUN " + "[" * 100_000, None),
        ("RUN [NaN]", None),
        ('LABEL ["a"]', None),
    ],
)
def test_the_json_form(text: str, array: tuple[str, ...] | None) -> None:
    assert only(text).json == array


def test_heredocs_hold_what_stands_below() -> None:
    run = only("RUN <<A <<-\"B C\" 3<<'D'\none\nA\n\ttwo\n\tB C\nD")
    copy = only("COPY --chown=1 <<E /x\r\nFROM y\r\nE\r\n")

    assert [(h.name, h.body, h.expand, h.chomp) for h in run.heredocs] == [
        ("A", "one\n", True, False),
        ("B C", "\ttwo\n", False, True),
        ("D", "", False, False),
    ]
    assert (copy.heredocs[0].body, copy.end_line, copy.text) == (
        "FROM y\r\n",
        4,
        "COPY --chown=1 <<E /x",
    )


@pytest.mark.parametrize(
    "text",
    [
        "RUN echo '<<A'",
        "RUN x<<A",
        "RUN cat <<<A",
        "RUN echo $((1 << 2))",
        'COPY ["<<A", "x"]',
        "ENV A=<<A",
        "RUN it's <<A",
    ],
)
def test_what_only_looks_like_a_heredoc(text: str) -> None:
    assert only(text).heredocs == ()


def test_onbuild_holds_a_statement_back() -> None:
    trigger = only("ONBUILD copy --from=a <<E /x\nbody\nE").trigger

    assert trigger is not None
    assert (trigger.keyword, trigger.flag("from")) == ("COPY", "a")
    assert trigger.heredocs[0].body == "body\n"
    assert only("ONBUILD RUN x").keyword == "ONBUILD"


def test_text_that_is_not_utf8_is_replaced_and_spans_stay_right() -> None:
    data = b"FROM x\nRUN \xff\xfe caf\xc3\xa9\nRUN z"
    run, last = parse(data).statements[1:]

    assert run.arguments == "�� café"
    assert data[last.start : last.end] == b"RUN z"


@pytest.mark.parametrize(
    ("text", "where", "hint"),
    [
        ("", "C:1: there is no FROM", "begin"),
        ("ARG A\n# x\n", "C:2: there is no FROM", "begin"),
        ("FROM x\n\nFOO y", "C:3: unknown instruction 'FOO'", "WORKDIR"),
        ("ARG A=1\nRUN x\nFROM x", "C:2: RUN before the first FROM", "ARG"),
        ("FROM", "C:1: FROM does not name one image", "AS NAME"),
        ("FROM x y", "C:1: FROM does not name one image", "AS NAME"),
        ("FROM x OF y", "C:1: FROM does not name one image", "AS NAME"),
        ("FROM x\nRUN <<EOF\na", "C:2: the heredoc 'EOF' does not end", "EOF"),
        ("FROM x\nRUN [1]", "C:2: the JSON array", "RUN ["),
        ("# escape=x\nFROM x", "C:1: the escape directive is 'x'", "`"),
        ("# escape=`\n# escape=`\nFROM x", "C:2: a second escape", "one"),
        ("FROM x\nONBUILD FOO", "C:2: unknown instruction 'FOO'", "RUN"),
    ],
)
def test_errors_say_where_and_how_out(text: str, where: str, hint: str) -> None:
    with pytest.raises(MalformedError) as caught:
        parse(text.encode(), name="C")

    assert caught.value.message.startswith(where)
    assert hint in caught.value.hint
    assert caught.value.exit_code == 3


# --- variables and stages ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$A/${A}", "one/one"),
        ("${U}$U", ""),
        ("${U:-y}${E:-y}${A:-y}", "yyone"),
        ("${U-y}${E-y}${A-y}", "yone"),
        ("${U:+y}${E:+y}${A:+y}", "y"),
        ("${U+y}${E+y}${A+y}", "yy"),
        ("${U:-${A}x}", "onex"),
        (r"\$A \${A}", "$A ${A}"),
        ("'$A' \"$A\"", "$A one"),
        (r'"a\"b\c"', 'a"b\\c'),
        ("a$", "a$"),
        ("$1", "$1"),
        ("${A:?no}", "one"),
    ],
)
def test_variables(text: str, expected: str) -> None:
    expansion = expand(text, {"A": "one", "E": ""})

    assert expansion.text == expected
    assert expansion.understood


@pytest.mark.parametrize("text", ["${A", "${A%x}", "${U:?no}", "'a", '"a', "${}"])
def test_what_is_not_understood_says_so(text: str) -> None:
    assert not expand(text, {"A": "one"}).understood


def test_only_variables_that_left_a_hole_are_unset() -> None:
    assert expand("$U ${V:-x} ${W:+$Z} ${A:-$Q}", {"A": "1"}).unset == {"U"}


STAGES = """\
ARG VERSION=1
ARG REGISTRY
ARG BASE=${REGISTRY}debian:${VERSION}
FROM ${BASE} AS Build
ARG VERSION
ENV TOOLS=tools:$VERSION OTHER=$UNKNOWN
RUN --mount=type=bind,from=$TOOLS,target=/t --mount=type=cache,target=/c x
COPY --from=${OTHER} /a /b
FROM --platform=$BUILDPLATFORM build
COPY --from=0 /a /b
COPY --from=BUILD /a /b
COPY --from=busybox:$TARGETARCH /a /b
ARG TARGETARCH
COPY --from=busybox:${TARGETARCH} /a /b
FROM scratch AS last
RUN --mount=from=1 x
ADD --from=adder x y
FROM tool-${TARGETARCH}:${TAG:-edge} AS after
COPY --from=last --from=build x y
"""


def test_stages_know_their_base() -> None:
    stages = read(STAGES).stages({"VERSION": "2"}, "arm64")

    assert [(s.label, s.image, s.parent) for s in stages] == [
        ("Build", "debian:2", None),
        ("1", "build", 0),
        ("last", "scratch", None),
        ("after", "tool-arm64:edge", None),
    ]
    assert stages[0].base == "${BASE}"
    assert [s.keyword for s in stages[2].statements] == ["RUN", "ADD"]


def test_every_image_from_outside_is_found_once() -> None:
    file = read(STAGES)

    assert file.external_images(target="last") == (
        "debian:1",
        "tools:1",
        "busybox:amd64",
        "adder",
    )
    assert file.external_images({"REGISTRY": "r/", "VERSION": "3"}, "Build") == (
        "r/debian:3",
        "tools:3",
    )
    assert file.external_images()[-1] == "tool-amd64:edge"


@pytest.mark.parametrize(
    "base", ["debian:$TAG", "$IMAGE", "${REGISTRY}/debian", "debian@$DIGEST", "${X%y}"]
)
def test_a_reference_with_a_hole_is_skipped(base: str) -> None:
    assert read(f"FROM {base}\n").external_images() == ()


def test_a_stage_stands_on_earlier_ones_only() -> None:
    file = read("FROM a\nCOPY --from=late x y\nFROM a AS late\nFROM late AS late\n")

    assert [stage.parent for stage in file.stages()] == [None, None, 1]
    assert file.external_images() == ("a", "late")
    assert [stage.index for stage in file.chain("late")] == [1, 2]


@pytest.mark.parametrize(
    ("target", "index"), [(None, 3), ("last", 2), ("LAST", 2), ("1", 1), ("Build", 0)]
)
def test_targets(target: str | None, index: int) -> None:
    assert read(STAGES).stage(target).index == index


def test_an_unknown_target_lists_the_stages() -> None:
    with pytest.raises(UsageError) as caught:
        read(STAGES).external_images(target="nope")

    assert caught.value.hint == "its stages: Build, 1, last, after"


@pytest.mark.parametrize(
    ("text", "separable"),
    [
        ("FROM a\nRUN x\nRUN y\n", True),
        ("FROM a\nRUN x\nRUN x\n", False),
        ("FROM a\nRUN x  y\nrun x \\\n y\n", False),
        ("FROM a\nRUN <<E\nx\nE\nRUN <<E\ny\nE\n", False),
        ("FROM a AS b\nRUN x\nFROM b\nRUN y\nFROM b\nRUN z\n", True),
        ("FROM a\nWORKDIR /w\nCOPY x y\nRUN x\nFROM a\nWORKDIR /w\nCOPY x y\nRUN y\n", True),
        ("FROM a\nRUN x\nFROM b\nRUN x\n", False),
        ("FROM a\nRUN --mount=type=bind,target=/x y\n", True),
        ("FROM a\nRUN --mount=type=cache,target=/x y\n", False),
        ("FROM a\nRUN --mount=target=/x,type=cache y\n", False),
        ("FROM a AS b\nRUN x\nFROM a\nRUN --mount=type=bind,from=b,target=/x y\n", False),
        ("FROM a\nRUN --mount=type=secret,id=x y\n", True),
        ("FROM a\nRUN x\nFROM a\nRUN x\n", False),
        ("FROM a\nENV b=c\nRUN x\nFROM a\nENV b=c\nRUN x\nRUN y\n", False),
        ("FROM a AS b\nRUN x\nFROM b\nRUN y\nFROM b\nRUN y\n", False),
        ("FROM a AS b\nRUN x\nFROM a\nRUN y\nFROM a\nRUN y\n", False),
    ],
)
def test_steps_are_separable_unless_a_mount_or_their_words_join_them(
    text: str, separable: bool
) -> None:
    assert read(text).separable() is separable


def test_only_stages_that_are_built_count() -> None:
    file = read("FROM a\nRUN x\nFROM a\nRUN x\n")

    assert file.separable(target="0")
    assert not file.separable(target="1")


def test_an_argument_is_declared_within_a_stage() -> None:
    file = read("ARG OUTER=1\nFROM x\nARG A=1 B\nFROM y\nARG C\n")

    assert [n for n in ("OUTER", "A", "B", "C", "D") if file.declares_argument(n)] == list("ABC")


# --- find -------------------------------------------------------------------------------------


def test_containerfile_goes_before_dockerfile(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM x")
    assert find(tmp_path) == tmp_path / "Dockerfile"

    (tmp_path / "Containerfile").write_text("FROM x")
    assert find(tmp_path) == tmp_path / "Containerfile"


def test_a_given_file_is_looked_up_here_then_in_the_context(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = tmp_path / "context"
    context.mkdir()
    (context / "F").write_text("FROM x")
    monkeypatch.chdir(tmp_path)
    assert find(Path("context"), Path("F")) == Path("context/F")

    (tmp_path / "F").write_text("FROM x")
    assert find(Path("context"), Path("F")) == Path("F")


def test_what_is_not_found_is_a_usage_error(tmp_path: Path) -> None:
    for named in (None, Path("nope"), tmp_path / "nope", tmp_path):
        with pytest.raises(UsageError) as caught:
            find(tmp_path, named)
        assert caught.value.hint
    with pytest.raises(UsageError, match="not a folder"):
        find(tmp_path / "nowhere")


# --- properties -------------------------------------------------------------------------------

FRAGMENTS = st.sampled_from(
    [
        *"\\`<-'\"$ \t#=[],",
        *("FROM x", "RUN a", "RUN b", "COPY --from=x a b", "ENV A=1", "ONBUILD RUN a", "ARG A"),
        *(
            "<<E",
            "E",
            "<<-'F'",
            "\tF",
            "--mount=type=x",
            '["a"]',
            "# note",
            "é",
            "\xa0",
            "# escape=",
        ),
        *("\n", "\n", "\n", "\r\n", " \\\n", " \\\n\n", " \\\n # c\n", "`\n"),
    ]
)
TEXTS = st.lists(FRAGMENTS, max_size=30).map("".join)
INLINE = st.sampled_from(
    [
        *("a", "b c", "é", "A=1", 'q="x y"', "'", "\\", "`", "\t", "  ", "#", "\xa0", "\r"),
        *("--from=x", "--mount=type=x ", "--x='y z'", "--", '["a"]', '["a", "b"] ', "[1]", "["),
        *("<<E", "<<-'F' ", '3<<"G H"', "<<", "x<<E", "<<E\\\\", "$A", "${B:-c}", "\\ "),
        *(" \\\n", "\\ \n", " \\\n\n", " \\\n  # c\n", " `\n", " \\\r\n"),
    ]
)
BODIES = {"<<E": "one\n# two\nE", "<<-'F'": "\tone\n\tF", '3<<"G H"': "RUN \\\nG H"}


@st.composite
def files(draw: st.DrawFn) -> str:
    """Compose a file that looks like one, with the bodies of its heredocs in their place."""
    lines = [draw(st.sampled_from(["", "# escape=`\n", "# syntax=x\n", "\ufeff"])) + "FROM x"]
    for keyword in draw(st.lists(st.sampled_from(KEYWORDS), max_size=6)):
        words = draw(st.lists(INLINE, min_size=1, max_size=6))
        lines.append(f"{keyword} {''.join(words)}")
        if keyword in ("RUN", "COPY", "ONBUILD RUN"):
            lines += [BODIES[word.strip()] for word in words if word.strip() in BODIES]
    return draw(st.sampled_from(["\n", "\n\n", "\r\n", "\n# note\n"])).join(lines)


KEYWORDS = ["RUN", "RUN", "COPY", "run", "CMD", "ENV", "ARG", "LABEL", "ONBUILD RUN", "HEALTHCHECK"]
FILES = st.one_of(files(), TEXTS.map(lambda text: f"FROM x\n{text}\n"))


@given(st.one_of(st.binary(), st.text().map(str.encode), TEXTS.map(str.encode)))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        file = parse(data)
    except MalformedError:
        return
    file.external_images({"A": "b"})
    file.declares_argument("A")


@given(FILES)
def test_spans_rejoin_and_read_the_same_alone(text: str) -> None:
    try:
        file = read(text)
    except MalformedError:
        assume(False)
        return
    at, pieces = 0, []
    for statement in file.statements:
        assert at <= statement.start <= statement.end <= len(file.data)
        between = file.data[at : statement.start].decode()
        lines = [line.strip(SPACE + "\ufeff") for line in between.split("\n")]
        assert all(not line or line[0] == "#" for line in lines)
        pieces += [between.encode(), file.data[statement.start : statement.end]]
        at = statement.end
        if file.escape == "\\":
            alone = parse(b"FROM z\n" + pieces[-1]).statements[-1]
            assert alone.text == statement.text
    assert b"".join([*pieces, file.data[at:]]) == file.data


# --- BuildKit as the oracle -------------------------------------------------------------------

HAND_WRITTEN = [
    STAGES,
    "# syntax=docker/dockerfile:1\n# escape=`\nFROM x\nRUN a `\n  b\nCOPY c:\\ d\n",
    '\ufefffrom x as y\r\nrun a \\\r\n  b\r\n\r\nCMD ["a"]\r\n',
    'FROM x\nRUN <<A <<-B cat 3<<"C D"\na\nA\n\tb\n\tB\nC D\nRUN ["x"] trailing\n',
    "FROM x\nRUN a \\\n# c\n\n   # d\n\n  b   \n\n\nHEALTHCHECK --interval=1s CMD x\n",
    "FROM x\nONBUILD RUN --mount=type=cache,target=/c a\nONBUILD COPY <<E /x\ny\nE\n",
    'FROM x\nLABEL a=b c="d \\\n e" f=\'g\'\nENV a b c\nARG A=1 B\nEXPOSE 1 2/udp\nVOLUME ["/a"]\n',
    'FROM x\nRUN --x="a b" --y=\'c\' --z=d\\ e f\nRUN -- a\nRUN --\nSHELL ["a", "-c"]\n',
    "FROM x\nRUN it's <<E\nRUN x<<E <<<F '<<G'\nRUN <<E\\F\nEF\nRUN <<\"E\"F\nEF\n",
]

Row = tuple[str, int, int, str, list[tuple[str, str]], object, list[tuple[str, str]]]


def rows(file: Containerfile) -> list[Row]:
    return [
        (
            s.keyword,
            s.line,
            s.end_line,
            s.text,
            list(s.flags),
            s.json,
            [(h.name, h.body) for h in s.heredocs],
        )
        for s in file.statements
    ]


def oracle(text: str) -> list[Row]:
    dockerfile = pytest.importorskip("dockerfile")
    found = []
    for command in dockerfile.parse_string(text):
        keyword = command.cmd.upper()
        flags = [flag[2:].partition("=")[::2] for flag in command.flags]
        first = command.original.split("\n")[0].strip(SPACE)
        array = (
            command.value if command.json and keyword not in ("HEALTHCHECK", "ONBUILD") else None
        )
        heredocs = [(h.name, h.content) for h in command.heredocs]
        found.append((keyword, command.start_line, command.end_line, first, flags, array, heredocs))
    return found


@pytest.mark.parametrize("text", HAND_WRITTEN)
def test_buildkit_reads_the_same_by_hand(text: str) -> None:
    assert rows(read(text)) == oracle(text)


@given(FILES)
def test_buildkit_reads_the_same(text: str) -> None:
    dockerfile = pytest.importorskip("dockerfile")
    assume(text.isascii() or "--" not in text)  # BuildKit reads flags byte by byte
    try:
        ours = rows(read(text))
        theirs = oracle(text)
    except (MalformedError, dockerfile.GoParseError, UnicodeDecodeError):
        assume(False)
        return
    assert ours == theirs
