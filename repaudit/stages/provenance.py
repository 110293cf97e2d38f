"""Who wrote what differs: the line and the process, followed through copies from earlier stages."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from types import MappingProxyType

from msgspec import Struct
from msgspec.structs import replace

from repaudit import containerfile as cf
from repaudit.model.difference import Difference, Process
from repaudit.model.experiment import Step
from repaudit.model.finding import Instruction
from repaudit.model.trace import Program, Trace, Writer

#: What a program must have read for a factor to reach it.
_READS = {
    "time": "clock",
    "random": "random",
    "file_order": "listing",
    "hostname": "uname",
    "kernel": "uname",
    "cpus": "cpus",
}
_SOURCES = {
    "clock": "the clock",
    "random": "random bytes",
    "listing": "a directory",
    "uname": "the host's name",
    "cpus": "the number of CPUs",
}
#: What of a trace must be whole to tell that a step did not write a file.
_OF_WRITERS = {"programs", "names"}
_SHOWN = 120
_DRAWN = {"clock", "random", "listing", "uname"}
_LONGEST = 500
_MOST_WORDS = 40
_DEEPEST = 8
_Key = tuple[int, int]
_NOTHING: Mapping[str, str] = MappingProxyType({})


class Author(Struct, frozen=True, kw_only=True):
    """The line that wrote something, the process that did, and what that process read.

    `process` is None where the step was not traced, `untraced` then says why it was not. `named` is
    the process that gave the file its name, where that is another. `reads` are kinds of input
    (model.trace) that need not be the same in two builds. `sources` are paths that differ, of which
    something came to it: read by it, or by what fed it; and `drawn` are the kinds, of the clock,
    random bytes, directories and the host's name, that any of those read.
    """

    instruction: Instruction
    process: Process | None
    named: Process | None = None
    reads: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    drawn: tuple[str, ...] = ()
    untraced: str | None = None

    def words(self, factors: Iterable[str]) -> str:
        """Say which process wrote it, and whether that read what these factors move."""
        said = f"the step was not traced: {self.untraced}"
        if self.process:
            read = sorted({_READS[f] for f in factors if _READS.get(f) in self.reads})
            said = f"written by {_command(self.process)}"
            said += f", which read {' and '.join(_SOURCES[kind] for kind in read)}" if read else ""
        if self.named:
            said += f"; named by {_command(self.named)}"
        return said


def _command(process: Process) -> str:
    line = shlex.join(process.argv)
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"


class Provenance:
    """What a traced run's steps show of a Containerfile's lines.

    `path` is what findings call the Containerfile, `differing` are the paths that differ; `failed`
    says why the run did not come to its end, so that its last step, and those that follow, show
    nothing.
    """

    def __init__(
        self,
        parsed: cf.Containerfile,
        steps: Sequence[Step],
        *,
        path: str,
        target: str | None = None,
        build_args: Mapping[str, str] = _NOTHING,
        differing: Collection[str] = (),
        failed: str | None = None,
    ) -> None:
        self._parsed = parsed
        self._differing = differing
        self._path = path
        self._build_args = build_args
        last = parsed.stage(target, build_args).index
        self._stages = parsed.stages(build_args)[: last + 1]
        self._steps = _matched(self._stages, steps[:-1] if failed else steps)
        self._failed = failed
        #: One program may write a hundred thousand files.
        self._makers = cache(self._maker)

    def author(self, difference: Difference, instruction: Instruction) -> Author | None:
        """Return who wrote what differs, in the layer of `instruction`; None where it is open."""
        return self._of(difference.path, instruction.stage, instruction.line, _DEEPEST)

    def left_alone(self, difference: Difference, instruction: Instruction) -> bool | None:
        """Tell whether the step of a line wrote no bytes where something differs in its layer.

        What it only renamed counts as such. None comes back for what is no step, and where no whole
        record of it was kept.
        """
        label, line = instruction.stage, instruction.line
        index = next((stage.index for stage in self._stages if stage.label == label), None)
        step = None if index is None else self._steps.get((index, line))
        if step is None or step.trace is None or step.trace.faults:
            return None
        if _OF_WRITERS.intersection(step.trace.cut):
            return None
        writer = step.trace.writers.get(difference.path)
        return writer is None or writer.wrote is None

    def _of(self, path: str, label: str, line: int, depth: int) -> Author | None:
        for stage in self._stages:
            for statement in stage.statements:
                if (stage.label, statement.line) == (label, line):
                    if statement.keyword == "RUN":
                        return self._ran(path, stage, statement)
                    if statement.keyword == "COPY" and depth:
                        return self._copied(path, statement, depth - 1)
        return None

    def _ran(self, path: str, stage: cf.Stage, statement: cf.Statement) -> Author | None:
        step = self._steps.get((stage.index, statement.line))
        instruction = cf.instruction(statement, stage, self._path)
        if step is None or step.trace is None:
            reason = step.untraced if step else self._failed
            if reason is None:
                return None
            return Author(instruction=instruction, process=None, untraced=reason)
        writer = step.trace.writers.get(path)
        if writer is None:
            return None
        author, sources = self._makers((stage.index, statement.line), writer, instruction)
        if author is None or path not in sources:
            return author
        return replace(author, sources=tuple(sorted(sources - {path})))

    def _maker(
        self, key: _Key, writer: Writer, instruction: Instruction
    ) -> tuple[Author | None, frozenset[str]]:
        """Return the author of all that one writer wrote, and the differing paths that it read."""
        trace = self._steps[key].trace
        if trace is None:
            return None, frozenset()
        makers, sources = _origins(trace, writer.wrote, self._differing)
        numbers = (writer.wrote, writer.named)
        wrote, named = (None if n is None else trace.programs[n] for n in numbers)
        if wrote is None:
            wrote, named = named, None
        if wrote is None:
            return None, frozenset()
        author = Author(
            instruction=instruction,
            process=_process(wrote),
            named=_process(named) if named and named != wrote else None,
            reads=_kinds([wrote]),
            sources=tuple(sorted(sources)),
            drawn=tuple(sorted(_DRAWN.intersection(_kinds(makers)))),
        )
        return author, sources

    def _copied(self, path: str, statement: cf.Statement, depth: int) -> Author | None:
        """Follow a copy to the last step of the other stage that wrote the file."""
        for origin in cf.origins(self._parsed, statement.line, path, self._build_args):
            for stage, other in self._backwards(origin.stage):
                if other.keyword == "RUN":
                    author = self._ran(origin.path, stage, other)
                    author = author if author and author.process else None
                else:
                    author = self._of(origin.path, stage.label, other.line, depth)
                if author is not None:
                    return author
        return None

    def _backwards(self, stage: cf.Stage) -> Iterator[tuple[cf.Stage, cf.Statement]]:
        """Yield what may write files in a stage and those below it, the last first."""
        chain = self._parsed.chain(str(stage.index), self._build_args)
        for one in reversed(chain):
            for statement in reversed(one.statements):
                if statement.keyword in {"RUN", "COPY"}:
                    yield one, statement


def _matched(stages: Iterable[cf.Stage], steps: Sequence[Step]) -> dict[_Key, Step]:
    """Return the step behind each RUN, in the order in which they ran.

    A step without a RUN is a trigger of a base image; a RUN without a step was in a stage that the
    builder left out.
    """
    runs = [(stage, s) for stage in stages for s in stage.statements if s.keyword == "RUN"]
    found: dict[_Key, Step] = {}
    at = 0
    for step in steps:
        for number in range(at, len(runs)):
            stage, statement = runs[number]
            if _same(step.args, statement):
                found[stage.index, statement.line] = step
                at = number + 1
                break
    return found


def _same(args: Sequence[str], statement: cf.Statement) -> bool:
    if statement.json is not None:
        return tuple(args) == statement.json
    return bool(args) and args[-1].split() == statement.arguments.split()


def _kinds(programs: Iterable[Program]) -> tuple[str, ...]:
    return tuple(sorted({one.kind for program in programs for one in program.inputs}))


def _origins(
    trace: Trace, writer: int | None, differing: Collection[str]
) -> tuple[list[Program], frozenset[str]]:
    """Return the programs that had a part in a file, and the differing paths that they read.

    A path that does not differ, such as one that was removed again, is followed to its own writer.
    """
    sources: set[str] = set()
    todo = [] if writer is None else [writer]
    seen = set(todo)
    while todo:
        program = trace.programs[todo.pop()]
        more = list(program.fed)
        for one in program.inputs:
            if one.kind == "file" and one.detail in differing:
                sources.add(one.detail)
            elif one.kind == "file" and (known := trace.writers.get(one.detail)):
                more += [known.wrote] if known.wrote is not None else []
        todo += [number for number in dict.fromkeys(more) if number not in seen]
        seen.update(more)
    return [trace.programs[number] for number in sorted(seen)], frozenset(sources)


def _process(program: Program) -> Process:
    argv = tuple(word[:_LONGEST] for word in program.argv[:_MOST_WORDS])
    return Process(argv=argv, executable=program.executable, cwd=program.cwd)
