"""Who wrote what: from a traced run's steps to lines and processes, through copies and renames."""

from __future__ import annotations

from msgspec.structs import replace

from repaudit import containerfile as cf
from repaudit.model.difference import Aspect, Difference
from repaudit.model.experiment import Step
from repaudit.model.finding import Finding, Instruction
from repaudit.model.trace import Input, Program, Trace, Writer
from repaudit.stages.attribute import attribute
from repaudit.stages.findings import merge
from repaudit.stages.provenance import Author, Provenance
from repaudit.stages.scene import Scene

TEXT = """FROM base AS low
RUN make
FROM low AS build
COPY . /src
RUN  make   install
FROM scratch AS mid
COPY --from=build /out /mid
FROM base
RUN ["tar", "cf", "/a.tar", "/etc"]
COPY --from=mid /mid/bin /usr/bin
COPY --from=build /out/lib /usr/lib
"""


def program(*argv: str, parent: int | None = 0, reads: str = "") -> Program:
    inputs = (Input(kind=reads, detail="", count=1),) if reads else ()
    return Program(parent=parent, executable=f"/bin/{argv[0]}", argv=argv, cwd="/", inputs=inputs)


def step(*args: str, **wrote: int) -> Step:
    programs = (program(*args, parent=None), program("cc", "-o", "x", reads="clock"))
    writers = {
        path.replace("_", "/"): Writer(wrote=number, named=None) for path, number in wrote.items()
    }
    return Step(args=args, refused=(), trace=Trace(programs=programs, writers=writers))


STEPS = (
    step("/bin/sh", "-c", "make", out_lib_a=1, out_lib_b=1),
    step("/bin/sh", "-c", "make install", out_bin_x=1, out_lib_b=0),
    step("tar", "cf", "/a.tar", "/etc", **{"a.tar": 0}),
)


def author(path: str, line: int, steps: tuple[Step, ...] = STEPS, text: str = TEXT):
    parsed = cf.parse(text.encode())
    (stage,) = [s.label for s in parsed.stages() for x in s.statements if x.line == line]
    where = Instruction(file="Containerfile", line=line, text="", stage=stage)
    at = Difference(layer=1, path=path, aspect=Aspect.CONTENT, left="a", right="b")
    return Provenance(parsed, steps, path="Containerfile").author(at, where)


def shown(found: Author | None) -> tuple[int, str, str] | None:
    if found is None or found.process is None:
        return None
    return found.instruction.line, found.instruction.stage, found.process.argv[0]


def test_a_step_of_the_last_stage_wrote_it_itself() -> None:
    assert shown(author("a.tar", 9)) == (9, "3", "tar")


def test_a_copy_is_followed_to_the_step_that_wrote_the_file() -> None:
    assert shown(author("usr/bin/x", 10)) == (5, "build", "cc")


def test_the_last_step_that_wrote_it_is_the_one_also_below_the_stage() -> None:
    assert shown(author("usr/lib/a", 11)) == (2, "low", "cc")
    assert shown(author("usr/lib/b", 11)) == (5, "build", "/bin/sh")


def test_what_no_step_wrote_has_no_author() -> None:
    assert author("usr/lib/c", 11) is None
    assert author("etc/other", 9) is None


def test_a_step_leaves_alone_what_it_did_not_write() -> None:
    parsed = cf.parse(TEXT.encode())
    cut = replace(STEPS[2], trace=replace(STEPS[2].trace or Trace(), cut=("names",)))
    whole, partly = (
        Provenance(parsed, (*STEPS[:2], last), path="Containerfile") for last in (STEPS[2], cut)
    )
    line = {
        number: Instruction(file="Containerfile", line=number, text="", stage=stage)
        for number, stage in ((5, "build"), (9, "3"), (10, "3"))
    }
    tar, lib = (
        Difference(layer=1, path=path, aspect=Aspect.CONTENT, left="a", right="b")
        for path in ("a.tar", "out/lib/b")
    )

    assert (whole.left_alone(tar, line[9]), whole.left_alone(lib, line[9])) == (False, True)
    assert whole.left_alone(lib, line[5]) is False
    assert whole.left_alone(tar, line[10]) is None  # a copy is no step
    assert partly.left_alone(lib, line[9]) is None  # who knows what else it wrote


def test_a_step_that_was_not_traced_says_why() -> None:
    bare = (*STEPS[:2], Step(args=STEPS[2].args, refused=(), untraced="not permitted"))
    found = author("a.tar", 9, bare)
    assert found
    assert (found.process, found.untraced) == (None, "not permitted")


def test_steps_of_triggers_and_stages_left_out_shift_nothing() -> None:
    trigger = step("/bin/sh", "-c", "echo triggered")
    assert shown(author("usr/bin/x", 10, (STEPS[0], trigger, *STEPS[1:]))) == (5, "build", "cc")
    assert shown(author("a.tar", 9, STEPS[2:]))
    assert author("usr/bin/x", 10, STEPS[2:]) is None


def test_a_rename_tells_both_processes() -> None:
    trace = Trace(
        programs=(program("sh", parent=None), program("cc"), program("mv", "t", "a")),
        writers={"a": Writer(wrote=1, named=2), "old": Writer(wrote=None, named=2)},
    )
    steps = (Step(args=("sh", "-c", "make"), refused=(), trace=trace),)
    text = "FROM base\nRUN make\n"
    found = author("a", 2, steps, text)
    assert found
    assert found.process
    assert found.named
    assert (found.process.argv[0], found.named.argv[0]) == ("cc", "mv")
    assert shown(author("old", 2, steps, text)) == (2, "0", "mv")


def test_what_a_process_read_is_known() -> None:
    found = author("usr/bin/x", 10)
    assert found
    assert found.reads == ("clock",)


def modes(**wrote: int) -> Finding:
    """The one finding of files of these paths that differ in mode, written by these programs."""
    parsed = cf.parse(b"FROM base\nRUN make\n")
    (stage,) = parsed.stages()
    line = Instruction(file="Containerfile", line=2, text="RUN make", stage=stage.label)
    provenance = Provenance(parsed, [step("/bin/sh", "-c", "make", **wrote)], path="Containerfile")
    scene = Scene(instructions=(line,), provenance=provenance)
    differences = [
        Difference(layer=0, path=path, aspect=Aspect.MODE, left="0644", right="0664")
        for path in wrote
    ]
    (found,) = attribute(differences, {}, scene)
    return found


def named(finding: Finding) -> list[str | None]:
    return [d.process.argv[0] if d.process else None for d in finding.differences]


def test_one_process_is_named_once_for_all_that_it_wrote_and_two_with_each_of_theirs() -> None:
    same, mixed = modes(a=1, b=1), modes(a=1, b=0)

    assert same.process
    assert same.process.argv[0] == "cc"
    assert named(same) == [None, None]
    assert named(mixed) == ["cc", "/bin/sh"]


def test_findings_of_several_runs_keep_who_wrote_what() -> None:
    same, mixed, other = modes(a=1, b=1), modes(c=1, d=0), modes(e=0, f=0)

    assert [named(one) for one in merge([same, same])] == [[None, None]]
    assert [named(one) for one in merge([same, mixed])] == [["cc", "cc", "cc", "/bin/sh"]]
    assert [named(one) for one in merge([same, other])] == [["cc", "cc", "/bin/sh", "/bin/sh"]]
