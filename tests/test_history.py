"""From layers and progress lines back to the Containerfile: recorded entries, then real builds."""

from __future__ import annotations

import functools
import http.server
import json
import os
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from repaudit.containerfile import find_step, layer_instructions, parse
from repaudit.model.errors import UsageError
from repaudit.model.finding import Instruction

Entry = dict[str, object]
NOP = "/bin/sh -c #(nop) "
BASE: Entry = {"created_by": NOP + "ADD file:7b in / "}


def layer(created_by: str) -> Entry:
    return {"created_by": created_by, "comment": "FROM 039057dfe54d"}


def empty(text: str) -> Entry:
    return {"created_by": NOP + text, "empty_layer": True}


def lines(text: str, history: list[Entry], base: int | None = 1, **named: object) -> list[object]:
    """The line of each layer, or None."""
    found = layer_instructions(parse(text.encode()), history, base, path="C", **named)  # type: ignore[arg-type]
    return [one and one.line for one in found]


# What buildah 1.28.2 wrote for this file, digests shortened.
ALL = """\
ARG G=1
FROM localhost/base:1
ARG V=2
ARG W="a b"
ENV A=b C="d e"
WORKDIR /srv
COPY x d /many/
ADD --chown=1:1 ["x", "/y z"]
COPY x ${A}/
ADD http://127.0.0.1:8765/x /url
run   echo tab\tx  \x20
RUN ["/bin/sh",   "-c", "true"]
SHELL ["/bin/bash", "-c"]
RUN --mount=type=cache,target=/c echo a \\
  # comment
  && echo   b
HEALTHCHECK --interval=3s CMD ["true"]
LABEL a=1 \\
   b=2
"""
RECORDED = [
    BASE,
    empty("ARG V"),
    empty("ARG V W"),
    empty('ENV A=b C="d e"'),
    empty("WORKDIR /srv"),
    layer(NOP + "COPY multi:7f in /many/ "),
    layer(NOP + "ADD file:c2 in /y z "),
    layer(NOP + "COPY file:7e in ${A}/ "),
    layer(NOP + "ADD 9b811dbf in /url "),
    layer("|3 V=3 W=a b /bin/sh -c   echo tab\tx   "),
    layer('|3 V=3 W=a b /bin/sh -c ["/bin/sh",   "-c", "true"]'),
    empty('SHELL ["/bin/bash", "-c"]'),
    layer("|3 V=3 W=a b /bin/sh -c --mount=type=cache,target=/c echo a   && echo   b"),
    empty('HEALTHCHECK --interval=3s CMD ["true"]'),
    empty("LABEL a=1    b=2"),
]
ALL_LINES = [None, 7, 8, 9, 10, 11, 12, 14]


@pytest.mark.parametrize("base", [1, None])
def test_each_layer_has_its_line(base: int | None) -> None:
    assert lines(ALL, RECORDED, base, layers=8) == ALL_LINES


def test_an_instruction_is_named_in_full() -> None:
    text = "FROM x AS one\nRUN " + "y" * 600 + "\nFROM one\nRUN \\\n z\n"
    history = [BASE, layer("/bin/sh -c " + "y" * 600), layer("/bin/sh -c  z")]
    found = layer_instructions(parse(text.encode()), history, 1, path="sub/C")

    assert found == (
        None,
        Instruction(file="sub/C", line=2, text="RUN " + "y" * 496, stage="one"),
        Instruction(file="sub/C", line=4, text="RUN  z", stage="1"),
    )


CHAIN = """\
FROM x AS one
RUN a
FROM y AS aside
RUN b
FROM one AS two
ENV A=1
RUN c
FROM two
COPY --from=aside --chown=1 / /
"""


def test_a_stage_inherits_the_entries_below_it() -> None:
    history = [BASE, layer("/bin/sh -c a"), empty("ENV A=1"), layer("/bin/sh -c c")]
    copied = layer(NOP + "COPY dir:7 in / ")

    assert lines(CHAIN, [*history, copied]) == [None, 2, 7, 9]
    assert lines(CHAIN, history, target="two") == [None, 2, 7]
    assert lines(CHAIN, history[:2], target="one") == [None, 2]
    assert lines(CHAIN, [layer("/bin/sh -c b")], 0, target="aside") == [4]
    with pytest.raises(UsageError):
        lines(CHAIN, history, target="three")


def test_build_arguments_choose_the_chain() -> None:
    text = "ARG P=a\nFROM x AS a\nRUN 1\nFROM x AS b-arm64\nRUN 2\nFROM ${P}\nRUN 3\n"
    one, two, three = (layer(f"/bin/sh -c {n}") for n in "123")

    assert lines(text, [BASE, one, three]) == [None, 3, 7]
    assert lines(
        text, [BASE, two, three], build_args={"P": "b-$TARGETARCH"}, architecture="arm64"
    ) == [None, None, 7]
    text = text.replace("${P}", "b-$TARGETARCH")
    assert lines(text, [BASE, two, three], architecture="arm64") == [None, 5, 7]


def test_nothing_but_from_leaves_the_base() -> None:
    assert lines("FROM x AS a\nFROM a\n", [BASE]) == [None]
    assert lines("FROM x\n", [BASE], None) == [None]
    assert lines("FROM scratch\n", [], None) == []


def test_scratch_has_no_entries() -> None:
    assert lines("FROM scratch\nRUN a\n", [layer("/bin/sh -c a")], None) == [2]


# --- never a guess ----------------------------------------------------------------------------

THREE = "FROM x\nRUN a\nRUN b\nRUN c\n"


def three(*words: str) -> list[Entry]:
    return [BASE, *(layer(f"/bin/sh -c {word}") for word in words)]


def test_an_entry_that_says_something_else_is_not_named() -> None:
    assert lines(THREE, three("a", "X", "c")) == [None, 2, None, 4]
    assert lines(THREE, three("a", "X", "c"), None) == [None] * 4
    assert lines(THREE, three("X", "X", "X")) == [None] * 4


def test_a_squashed_image_is_not_named() -> None:
    assert lines(THREE, [layer("/bin/sh -c c")], 1) == [None]
    assert lines(THREE, [layer("/bin/sh -c c")], None) == [None]
    assert lines("FROM x\nRUN c\n", [layer("/bin/sh -c c")], None) == [None]
    assert lines("FROM x\nRUN b\nRUN c\n", [BASE, BASE, layer("/bin/sh -c c")], None)[2] is None


def test_an_image_with_one_layer_for_all_is_not_named() -> None:
    history = [*three("a", "b", "c")]
    history[1] = {**history[1], "empty_layer": True}

    assert lines(THREE, history) == [None] * 3


def test_layers_that_history_does_not_count_are_not_named() -> None:
    assert lines(THREE, three("a", "b", "c"), layers=5) == [None] * 5


def test_triggers_come_before_the_last_stage() -> None:
    text = "FROM x AS one\nRUN a\nONBUILD RUN a\nFROM one\nRUN b\n"
    trigger = [empty("ONBUILD RUN a"), layer("/bin/sh -c a")]
    history = [*three("a"), *trigger, layer("/bin/sh -c b")]

    assert lines(text, history) == [None, None, None, 5]
    assert lines(text, history, None) == [None] * 4
    assert lines(THREE, three("a", "a", "b", "c")) == [None, None, 2, 3, 4]


def test_labels_of_the_command_line_are_passed_over() -> None:
    assert lines(THREE, [*three("a", "b", "c"), empty('LABEL "k"="v"')]) == [None, 2, 3, 4]


@pytest.mark.parametrize(
    ("statement", "entry"),
    [
        ("RUN a", layer("|1 A=1 /bin/sh -c b /bin/sh -c a")),
        ("RUN a", layer("RUN /bin/sh -c a # buildkit")),
        ("RUN a", {**layer("/bin/sh -c a"), "empty_layer": True}),
        ("RUN a", {}),
        ("RUN a", {"created_by": 7}),
        ("COPY a /b", layer(NOP + "ADD file:1 in /b ")),
        ("COPY a /b", layer(NOP + "COPY file:1 in /c ")),
        ("COPY a /b", layer("/bin/sh -c a")),
    ],
)
def test_what_another_statement_or_builder_wrote(statement: str, entry: Entry) -> None:
    assert lines(f"FROM x\n{statement}\n", [BASE, entry])[1:] in ([None], [])


# --- progress ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("progress", "line"),
    [
        ("[1/4] STEP 2/2: RUN a", 2),
        ("[3/4] STEP 1/3: FROM a56432aebc40 AS two", 5),
        ("[3/4] STEP 2/3: ENV A=1", 6),
        ("[4/4] STEP 2/2: COPY --from=aside --chown=1 / /\n", 9),
        ("STEP 2/2: RUN a", 2),
        ("[4/4] STEP 2/3: COPY --from=aside --chown=1 / /", None),  # a trigger or a label
        ("[4/4] STEP 3/3: COPY --from=aside --chown=1 / /", 9),  # behind a trigger
        ("[3/4] STEP 3/3: ENV A=1", None),
        ("[5/5] STEP 1/1: FROM x", None),
        ("[0/5] STEP 0/0: FROM x", None),
        ("[1/4] STEP 9/2: RUN a", None),
        ("COMMIT x", None),
    ],
)
def test_a_progress_line_names_a_line(progress: str, line: int | None) -> None:
    found = find_step(parse(CHAIN.encode()), progress, path="C")

    assert (found and found.line) == line


def test_a_step_knows_its_stage_and_file() -> None:
    found = find_step(parse(ALL.encode(), name="C"), "STEP 13/14: RUN  x")
    assert found is None

    found = find_step(parse(ALL.encode(), name="C"), 'STEP 11/15: RUN ["/bin/sh",   "-c", "true"]')
    assert found == Instruction(
        file="C", line=12, text='RUN ["/bin/sh",   "-c", "true"]', stage="0"
    )


# --- real builds ------------------------------------------------------------------------------


class Builder:
    """buildah with a storage of its own, and a base of one layer: busybox."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.context = folder / "context"
        self.context.mkdir()
        (self.context / "x").write_text("hi")
        (self.context / "d").mkdir()
        (self.context / "d" / "y").write_text("yo")
        with tarfile.open(self.context / "root.tar", "w") as tar:
            tar.add("/bin/busybox", "bin/busybox")
            link = tarfile.TarInfo("bin/sh")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
        self.build("FROM scratch\nADD root.tar /\n", "base")

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        storage = ["--root", f"{self.folder}/root", "--runroot", f"{self.folder}/runroot"]
        argv = ["buildah", *storage, "--storage-driver", "overlay", *words]
        return subprocess.run(argv, capture_output=True, text=True, check=False)

    def build(self, text: str, tag: str, *options: str) -> subprocess.CompletedProcess[str]:
        (self.context / "Containerfile").write_text(text)
        fixed = "--isolation oci --runtime runc --layers --no-cache --timestamp 0".split()
        return self.run("bud", *fixed, *options, "-t", f"localhost/{tag}", str(self.context))

    def lines(self, text: str, *options: str, **named: object) -> list[object]:
        result = self.build(text, "image", *options)
        assert result.returncode == 0, result.stderr
        shown = json.loads(self.run("inspect", "--type", "image", "localhost/image").stdout)
        config = shown["OCIv1"]
        count = len(config["rootfs"]["diff_ids"])
        found = lines(text, config["history"], 1, layers=count, **named)
        assert len(found) == count
        return found


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builder]:
    missing = [tool for tool in ("buildah", "runc", "busybox") if not shutil.which(tool)]
    if missing or os.geteuid() != 0:
        pytest.skip(f"needs root and: {', '.join(missing) or 'nothing more'}")
    made = Builder(tmp_path_factory.mktemp("history"))
    yield made
    made.run("rmi", "--all", "--force")
    subprocess.run(["umount", made.folder / "root/overlay"], capture_output=True, check=False)


@pytest.fixture(scope="module")
def url(builder: Builder) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=builder.context)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.live
def test_live_every_statement(builder: Builder, url: str) -> None:
    text = f"""\
ARG G=7
FROM localhost/base
ARG G
ARG W="a b"
ARG UNSET
ENV A=b C="d e"
LABEL l=m
WORKDIR /srv
COPY x /x
COPY x d many/
ADD root.tar /tt/
ADD {url}/x /url
RUN echo $W > /hi
RUN ["/bin/sh", "-c", "echo js > /js"]
SHELL ["/bin/busybox", "sh", "-c"]
run\techo tab  \x20
RUN true
USER 1:1
RUN true
HEALTHCHECK --interval=3s CMD true
EXPOSE 80 90/udp
VOLUME ["/a"]
STOPSIGNAL 9
MAINTAINER me
ONBUILD RUN no
CMD ["a"]
ENTRYPOINT b
ADD --chown=1:1 ["x", "/y z"]
RUN echo a \\
  # comment

  && echo   b
COPY x /${{A}}
USER 0
RUN --mount=type=cache,target=/c set -e; \\
    echo x /bin/sh -c echo
"""
    layers = [9, 10, 11, 12, 13, 14, 16, 17, 19, 28, 29, 33, 35]

    assert builder.lines(text, "--build-arg", "UNSET=a /bin/sh -c b") == [None, *layers]


STAGED = """\
ARG BASE=one
FROM localhost/base AS one
RUN echo 1 > /one
ARG A=1
FROM localhost/base AS aside
RUN echo 2 > /two
FROM $BASE AS Two
RUN echo 3
COPY --from=aside --chown=1 /two /2/
COPY --from=0 /one /1
RUN --mount=type=bind,from=aside,target=/m cp /m/two /3
FROM Two
FROM 3
"""


@pytest.mark.live
def test_live_stages(builder: Builder) -> None:
    assert builder.lines(STAGED) == [None, 3, 8, 9, 10, 11]
    assert builder.lines(STAGED, "--target", "one", target="one") == [None, 3]
    assert builder.lines(
        STAGED, "--build-arg", "BASE=localhost/base", build_args={"BASE": "localhost/base"}
    ) == [None, 8, 9, 10, 11]
    assert builder.lines("FROM localhost/base\n") == [None]


@pytest.mark.live
def test_live_triggers_and_other_ways_to_build(builder: Builder) -> None:
    text = "FROM localhost/base AS a\nRUN true\nONBUILD RUN true\nFROM a\nCOPY x /\nRUN true\n"

    assert builder.lines(text, "--format", "docker") == [None, None, None, 5, 6]
    assert builder.lines(text) == [None, 2, 5, 6]
    assert builder.lines(text, "--squash") == [None]
    assert builder.lines(text, "--layers=false") == [None] * 3
    assert (
        builder.lines("FROM localhost/base\nCOPY x /\nRUN true\n", "--layers=false") == [None] * 2
    )


@pytest.mark.live
def test_live_escape_and_line_breaks(builder: Builder) -> None:
    text = "# escape=`\r\nFROM localhost/base\r\nRUN echo a `\r\n  b\r\n\r\nCOPY x /x\r\n"

    assert builder.lines(text, "--label", "k=v") == [None, 3, 6]


@pytest.mark.live
def test_live_steps(builder: Builder) -> None:
    text = STAGED.replace("FROM Two\nFROM 3", "FROM Two\nRUN   true\nRUN echo \\\n gone; false")
    result = builder.build(text, "broken")
    steps = [one for one in result.stdout.splitlines() if "STEP " in one]
    found = [find_step(parse(text.encode()), step) for step in steps]

    assert result.returncode != 0
    assert [one and one.line for one in found] == [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]
    assert found[-1] and found[-1].stage == "3"
